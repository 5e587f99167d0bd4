//! The way of numbers from a device to the host, and how often it was gone. Each of these waits until the device has done
//! all that was asked of it before, so a step or a batch that asks often keeps a GPU idle.
//! Unaware of what the numbers are.
//!
//! ```text
//!   device: kernels queued ── queued ── queued ──┐ wait
//!   host:   asks ──────────── asks ─────────────┴──> number, numbers or bytes
//! ```
//!
//! They count on every device, so that a test without a GPU sees what one would wait for. Nothing else in this crate calls
//! what waits (`double_value`, `to_device(Cpu)`, `nonzero`, `masked_select`, …): a test looks.

use std::cell::Cell;

use tch::{Device, Kind, TchError, Tensor};

thread_local! {
    static WAITS: Cell<u64> = const { Cell::new(0) };
}

/// How often this thread has waited for a device.
pub fn waits() -> u64 {
    WAITS.get()
}

fn wait() {
    WAITS.set(WAITS.get() + 1);
}

/// The tensor on the CPU; itself where it lies there.
pub fn tensor(t: &Tensor) -> Tensor {
    wait();
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
    let mut bytes = vec![0; t.numel() * t.kind().elt_size_in_bytes()];
    t.f_copy_data_u8(&mut bytes, t.numel())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// What waits for a device.
    const WAITING: [&str; 15] = [
        ".double_value(",
        ".int64_value(",
        "_double_value(",
        "_int64_value(",
        "bool::try_from(",
        "Vec::<f32>::try_from(",
        "Vec::<u8>::try_from(",
        "Vec::<i64>::try_from(",
        "to_device(Device::Cpu)",
        "to_device(tch::Device::Cpu)",
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
    fn nothing_else_waits_for_a_device() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        assert_eq!(
            waiting(&source.join("nn/host.rs")).len(),
            6,
            "they are found here"
        );
        let mut found = Vec::new();
        look(&source, &mut found);
        assert_eq!(found, Vec::<String>::new(), "use `nn::host`, which counts");
    }
}
