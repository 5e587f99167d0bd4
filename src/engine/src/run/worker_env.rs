//! What a worker is told of the libraries below libtorch, which read it from their environment as they start: libgomp's
//! threads, glibc's memory, CUDA's order of devices and kernels for attention, the numbers of cuBLAS and cuDNN. Whatever the
//! caller's environment says of all but the last stays as it is there.
//! Unaware of stages; nothing of it moves a result, but for the last, which the numerics class and `precision` state.

use std::process::Command;

use spec::{TF32_OFF, TF32_ON};

use super::cuda_env;
use super::glibc;

/// A block of freed memory that is larger goes back to the system at once.
const LARGEST: u64 = 512 << 20;

/// Freed memory at the end of the heap that is kept at most.
const KEPT: u64 = 4 << 30;

/// What a worker is started for.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Whether products on CUDA are in TF32.
    pub tf32: bool,
    /// Threads that it gets.
    pub threads: usize,
    /// Bytes of resident memory that it may take, where that is bounded.
    pub memory: Option<u64>,
}

/// Sets the environment of a worker that is about to start.
pub fn set(command: &mut Command, start: Start) {
    let kept = kept(start, pixels::memory_budget(), cores());
    let memory = glibc::version().map(|version| memory(kept, version));
    set_beside(command, start.tf32, memory, |name| {
        std::env::var_os(name).is_some()
    });
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes of freed memory that a worker keeps, so that the next tensor need not fault them in again page by page, which took up
/// to a sixth of the time: its share, by threads, of an eighth of the machine, of which `half` is given; and no more than a
/// quarter of what it may take.
fn kept(start: Start, half: u64, cores: usize) -> u64 {
    let share = half / 4 * start.threads.clamp(1, cores) as u64 / cores.max(1) as u64;
    share
        .min(KEPT)
        .min(start.memory.map_or(u64::MAX, |most| most / 4))
}

/// The variables of glibc. Before version 2.35 it ignored a first number of more than 32 MiB, and then held on to its smallest.
fn memory(kept: u64, version: (u32, u32)) -> [(&'static str, u64); 2] {
    let largest = if version < (2, 35) { 32 << 20 } else { LARGEST };
    [
        ("MALLOC_MMAP_THRESHOLD_", largest),
        ("MALLOC_TRIM_THRESHOLD_", kept),
    ]
}

/// Attention on Hopper would go to cuDNN first, whose gradients are NaN for some masked scores of ART's windows (pytorch
/// issue 196678, since 2.11). With it the other kernels, which all cards have, come first.
const CUDNN_LATER: (&str, &str) = ("TORCH_CUDNN_SDPA_DEPRIORITIZED", "1");

/// The same where the caller's environment has the variables that `is_set` says.
fn set_beside(
    command: &mut Command,
    tf32: bool,
    memory: Option<[(&str, u64); 2]>,
    is_set: impl Fn(&str) -> bool,
) {
    // Convolutions on CUDA would use TF32 by PyTorch's default, products of matrices would not.
    if tf32 {
        command.env_remove(TF32_OFF.0).env(TF32_ON.0, TF32_ON.1);
    } else {
        command.env(TF32_OFF.0, TF32_OFF.1);
    }
    for (name, value) in [cuda_env::ORDER, CUDNN_LATER] {
        if !is_set(name) {
            command.env(name, value);
        }
    }
    if !is_set("GOMP_SPINCOUNT") && !is_set("OMP_WAIT_POLICY") {
        // libgomp's threads spin long at every barrier; on a machine that does other work too, stages then take
        // ten times as long. A short spin costs nothing where cores are free.
        command.env("GOMP_SPINCOUNT", "10000");
    }
    let memory = memory
        .filter(|both| !is_set("GLIBC_TUNABLES") && both.iter().all(|(name, _)| !is_set(name)));
    command.envs(
        memory
            .into_iter()
            .flatten()
            .map(|(name, bytes)| (name, bytes.to_string())),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tf32: bool, set: &[&str]) -> Vec<String> {
        let mut command = Command::new("worker");
        let memory = Some(memory(1 << 30, (2, 36)));
        set_beside(&mut command, tf32, memory, |name| set.contains(&name));
        let told = command.get_envs();
        told.map(|(name, value)| {
            let value = value.map_or("-".into(), |value| value.to_string_lossy());
            format!("{}={value}", name.to_string_lossy())
        })
        .collect()
    }

    #[test]
    fn what_the_caller_says_stays() {
        let all = [
            "CUDA_DEVICE_ORDER=PCI_BUS_ID",
            "GOMP_SPINCOUNT=10000",
            "MALLOC_MMAP_THRESHOLD_=536870912",
            "MALLOC_TRIM_THRESHOLD_=1073741824",
            "NVIDIA_TF32_OVERRIDE=0",
            "TORCH_CUDNN_SDPA_DEPRIORITIZED=1",
        ];
        let but = |left_out: &[usize]| -> Vec<&str> {
            let stay = (0..all.len()).filter(|n| !left_out.contains(n));
            stay.map(|n| all[n]).collect()
        };
        assert_eq!(told(false, &[]), all);
        assert_eq!(told(false, &["OMP_WAIT_POLICY"]), but(&[1]));
        assert_eq!(told(false, &["MALLOC_TRIM_THRESHOLD_"]), but(&[2, 3]));
        let set = ["GLIBC_TUNABLES", "GOMP_SPINCOUNT", "CUDA_DEVICE_ORDER"];
        assert_eq!(told(false, &set), but(&[0, 1, 2, 3]));
        assert_eq!(told(false, &[CUDNN_LATER.0]), but(&[5]));
    }

    #[test]
    fn tf32_is_on_where_it_is_asked_for_whatever_the_caller_says() {
        let set = [
            "GLIBC_TUNABLES",
            "GOMP_SPINCOUNT",
            cuda_env::ORDER.0,
            CUDNN_LATER.0,
        ];
        let told = told(true, &set);
        assert_eq!(
            told,
            [
                "NVIDIA_TF32_OVERRIDE=-",
                "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1"
            ]
        );
    }

    #[test]
    fn what_is_kept_is_a_share_of_the_machine_and_of_what_the_stage_may_take() {
        let start = |threads, memory| Start {
            tf32: false,
            threads,
            memory,
        };
        assert_eq!(kept(start(8, None), 128 << 30, 8), KEPT);
        assert_eq!(kept(start(8, None), 8 << 30, 8), 2 << 30);
        assert_eq!(kept(start(1, None), 8 << 30, 8), 256 << 20);
        assert_eq!(kept(start(99, None), 8 << 30, 8), 2 << 30);
        assert_eq!(kept(start(8, Some(1 << 30)), 8 << 30, 8), 256 << 20);
    }

    #[test]
    fn an_old_glibc_is_given_what_it_takes() {
        assert_eq!(memory(7, (2, 34))[0].1, 32 << 20);
        assert_eq!(memory(7, (2, 35))[0].1, LARGEST);
        assert_eq!(memory(7, (3, 0))[0].1, LARGEST);
    }
}
