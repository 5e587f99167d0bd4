//! The way of numbers between the host and a device, how often it was gone, and how often the host waited for it. Who waits
//! does so until the device has done all that was asked of it before, so a step or a batch that waits often keeps a GPU idle.
//! Unaware of what the numbers are.
//!
//! ```text
//!   device: kernels queued ── queued ── queued ──┐ wait       ┌──> tensor on the device, in the order of the queue
//!   host:   asks ──────────── asks ──────────────┴──> numbers ┴──> pinned memory: copied when the queue comes to it
//! ```
//!
//! Numbers that come to the host are waited for. Those that go to the device are not, where they are small or lie in pinned
//! memory; large ones are copied from where they lie, and that is waited for.
//!
//! All count on every device, so that a test without a GPU sees what one would wait for. Nothing else in this crate calls
//! what waits or copies between them (`double_value`, `to_device`, `nonzero`, `copy_`, …): a test looks.

use std::cell::Cell;

use tch::{Device, Kind, TchError, Tensor, no_grad};

/// What went between the host and a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How often the host waited.
    pub waits: u64,
    /// How often something was copied to the device.
    pub uploads: u64,
    /// Bytes that came to the host.
    pub bytes: u64,
}

thread_local! {
    static TRAFFIC: Cell<Traffic> = const { Cell::new(Traffic { waits: 0, uploads: 0, bytes: 0 }) };
}

/// The traffic of this thread while `body` ran, beside its result.
pub fn traffic<T>(body: impl FnOnce() -> T) -> (T, Traffic) {
    let before = TRAFFIC.get();
    let result = body();
    let after = TRAFFIC.get();
    let during = Traffic {
        waits: after.waits - before.waits,
        uploads: after.uploads - before.uploads,
        bytes: after.bytes - before.bytes,
    };
    (result, during)
}

fn count(change: impl FnOnce(&mut Traffic)) {
    let mut traffic = TRAFFIC.get();
    change(&mut traffic);
    TRAFFIC.set(traffic);
}

fn wait() {
    count(|traffic| traffic.waits += 1);
}

fn bytes_of(t: &Tensor) -> usize {
    t.numel() * t.kind().elt_size_in_bytes()
}

/// Bytes up to which what is sent is pinned first. Pinned memory stays with libtorch, rounded up to a power of two.
const MOST_PINNED: usize = 64 << 20;

/// The tensor on `device`; itself where it lies there. Waits for a large one.
pub fn send(t: &Tensor, device: Device) -> Tensor {
    if bytes_of(t) <= MOST_PINNED {
        return send_pinned(&pinned(t, device), device);
    }
    count(|traffic| traffic.uploads += 1);
    wait();
    t.to_device(device)
}

/// The tensor in memory that can be copied to `device` while the host goes on; itself where `device` is the host.
pub fn pinned(t: &Tensor, device: Device) -> Tensor {
    match device {
        // `pin_memory` with a device is deprecated: it would write two lines to the log each time.
        Device::Cuda(_) if t.device() == Device::Cpu => t.internal_pin_memory(device),
        _ => t.shallow_clone(),
    }
}

/// A [`pinned`] tensor on `device`; itself where it lies there.
pub fn send_pinned(t: &Tensor, device: Device) -> Tensor {
    if device == Device::Cpu && t.device() != device {
        return tensor(t); // its numbers are there when it is
    }
    count(|traffic| traffic.uploads += 1);
    // The memory is used again only when the copy is done: libtorch sees to it.
    t.to_device_(device, t.kind(), true, false)
}

/// Copies `value` into `to` in place, converted, from wherever it lies; not recorded for gradients. Waits.
pub fn overwrite(to: &Tensor, value: &Tensor) {
    count(|traffic| traffic.uploads += 1);
    wait();
    no_grad(|| to.shallow_clone().copy_(value));
}

/// The tensor on the CPU; itself where it lies there.
pub fn tensor(t: &Tensor) -> Tensor {
    wait();
    count(|traffic| traffic.bytes += bytes_of(t) as u64);
    t.to_device(Device::Cpu)
}

/// Whether all values are finite.
pub fn all_finite(t: &Tensor) -> bool {
    wait();
    bool::try_from(t.isfinite().all()).unwrap_or(false) // a tensor of one bool always converts
}

/// The numbers of a tensor in row-major order, as float32.
pub fn floats(t: &Tensor) -> Vec<f32> {
    let flat = tensor(&t.to_kind(Kind::Float)).contiguous().view([-1]);
    Vec::<f32>::try_from(flat).unwrap_or_default() // a flat float32 tensor always converts
}

/// The numbers of a float32 tensor that lies on the host already, in row-major order: nothing is waited for. None of a tensor
/// that lies elsewhere.
pub fn local(t: &Tensor) -> Vec<f32> {
    let here = t.device() == Device::Cpu && t.kind() == Kind::Float;
    let flat = here.then(|| t.contiguous().view([-1]));
    flat.and_then(|flat| Vec::<f32>::try_from(flat).ok())
        .unwrap_or_default()
}

/// The bytes of a tensor of `Uint8` in row-major order.
pub fn bytes(t: &Tensor) -> Vec<u8> {
    let flat = tensor(t).contiguous().view([-1]);
    Vec::<u8>::try_from(flat).unwrap_or_default() // a flat tensor of bytes always converts; of another kind it is empty
}

/// The bytes of a tensor of any kind in row-major order, as they lie in memory.
pub fn memory(t: &Tensor) -> Result<Vec<u8>, TchError> {
    let t = tensor(t).contiguous();
    let mut bytes = vec![0; bytes_of(&t)];
    t.f_copy_data_u8(&mut bytes, t.numel())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What waits for a device, or copies to it.
    const WAITING: [&str; 20] = [
        ".double_value(",
        ".int64_value(",
        "_double_value(",
        "_int64_value(",
        "bool::try_from(",
        "f64::try_from(&",
        "Vec::<f32>::try_from(",
        "Vec::<u8>::try_from(",
        "Vec::<i64>::try_from(",
        "to_device",
        "to_dtype_layout(",
        "to_other(",
        ".to(",
        "pin_memory(",
        ".copy_(",
        "nonzero(",
        "masked_select(",
        "copy_data",
        ".allclose(",
        ".equal(",
    ];

    /// The code of a file, without what is compiled for tests alone, which stands at its end.
    fn code(path: &Path) -> String {
        let text = fs::read_to_string(path).unwrap();
        let end = text.find("#[cfg(test)]\n").unwrap_or(text.len());
        let behind = &text[end..];
        let is_whole = !behind.contains("mod tests");
        if is_whole {
            text
        } else {
            text[..end].to_owned()
        }
    }

    /// The lines of a file that wait.
    fn waiting(path: &Path) -> Vec<String> {
        let code = code(path);
        let lines = code.lines().enumerate();
        let waits = lines.filter(|(_, line)| {
            let is_comment = line.trim_start().starts_with("//");
            !is_comment && WAITING.iter().any(|word| line.contains(word))
        });
        waits
            .map(|(n, line)| format!("{}:{}: {}", path.display(), n + 1, line.trim()))
            .collect()
    }

    fn look(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_tests = path.ends_with("tests") || path.ends_with("tests.rs");
            if is_tests || path.ends_with("nn/host.rs") {
                continue;
            }
            if path.is_dir() {
                look(&path, found);
            } else {
                found.extend(waiting(&path));
            }
        }
    }

    #[test]
    fn what_is_sent_is_waited_for_where_it_is_large_and_not_pinned() {
        let numbers = |count: i64| Tensor::zeros([count], (Kind::Uint8, Device::Cpu));
        let (small, large) = (numbers(1000), numbers(MOST_PINNED as i64 + 1));
        let of = |body: &dyn Fn() -> Tensor, from: &Tensor| {
            let (there, traffic) = traffic(body);
            assert_eq!(there.data_ptr(), from.data_ptr(), "it lies there already");
            (traffic.waits, traffic.uploads)
        };
        assert_eq!(of(&|| send(&small, Device::Cpu), &small), (0, 1));
        assert_eq!(of(&|| send(&large, Device::Cpu), &large), (1, 1));
        assert_eq!(of(&|| send_pinned(&large, Device::Cpu), &large), (0, 1));
    }

    #[test]
    fn nothing_else_waits_for_a_device() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        assert_eq!(
            waiting(&source.join("nn/host.rs")).len(),
            10,
            "they are found here"
        );
        let mut found = Vec::new();
        look(&source, &mut found);
        assert_eq!(found, Vec::<String>::new(), "use `nn::host`, which counts");
    }
}
