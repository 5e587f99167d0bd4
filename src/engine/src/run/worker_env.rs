//! What a worker is told of the libraries below libtorch, which read it from their environment as they start: libgomp's
//! threads, glibc's memory, cuDNN's numbers. Whatever the caller's environment says of the first two stays as it is there.
//! Unaware of stages; nothing of it moves a result, but for the last, which the numerics class states.

use std::process::Command;

/// What glibc keeps of freed memory, so that the next tensor need not fault it in again page by page: all but blocks larger
/// than the first, up to the second. That took up to a sixth of the time.
const MEMORY: [(&str, u64); 2] = [
    ("MALLOC_MMAP_THRESHOLD_", 512 << 20),
    ("MALLOC_TRIM_THRESHOLD_", 4 << 30),
];

/// Sets the environment of a worker that is about to start.
pub fn set(command: &mut Command) {
    set_beside(command, |name| std::env::var_os(name).is_some());
}

/// The same where the caller's environment has the variables that `is_set` says.
fn set_beside(command: &mut Command, is_set: impl Fn(&str) -> bool) {
    // Convolutions on CUDA would use TF32 by PyTorch's default; the numerics class says float32.
    command.env("NVIDIA_TF32_OVERRIDE", "0");
    if !is_set("GOMP_SPINCOUNT") && !is_set("OMP_WAIT_POLICY") {
        // libgomp's threads spin long at every barrier; on a machine that does other work too, stages then take
        // ten times as long. A short spin costs nothing where cores are free.
        command.env("GOMP_SPINCOUNT", "10000");
    }
    if !is_set("GLIBC_TUNABLES") && MEMORY.iter().all(|(name, _)| !is_set(name)) {
        command.envs(MEMORY.map(|(name, bytes)| (name, bytes.to_string())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(set: &[&str]) -> Vec<String> {
        let mut command = Command::new("worker");
        set_beside(&mut command, |name| set.contains(&name));
        let names = command.get_envs().map(|(name, _)| name.to_string_lossy());
        names.map(String::from).collect()
    }

    #[test]
    fn what_the_caller_says_stays() {
        let all = [
            "GOMP_SPINCOUNT",
            "MALLOC_MMAP_THRESHOLD_",
            "MALLOC_TRIM_THRESHOLD_",
            "NVIDIA_TF32_OVERRIDE",
        ];
        assert_eq!(told(&[]), all);
        assert_eq!(told(&["OMP_WAIT_POLICY"]), all[1..]);
        assert_eq!(told(&["MALLOC_TRIM_THRESHOLD_"]), [all[0], all[3]]);
        assert_eq!(told(&["GLIBC_TUNABLES", "GOMP_SPINCOUNT"]), all[3..]);
    }
}
