//! Whether there is room in memory for what a stage is about to load.
//! Unaware of stages.

use super::WorkError;

/// An error where `bytes` for `what` are more than the machine has left.
pub(super) fn enough_for(bytes: u64, what: &str) -> Result<(), WorkError> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    check(bytes, available(&meminfo), what)
}

/// Bytes that `/proc/meminfo` says can be had without swapping; nothing where it does not say.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

fn check(bytes: u64, available: Option<u64>, what: &str) -> Result<(), WorkError> {
    match available {
        Some(available) if bytes > available => Err(WorkError::new(
            format!(
                "memory is too small: {what} need {:.1} GiB, and {:.1} GiB are free",
                gib(bytes),
                gib(available)
            ),
            "close other programs, use a smaller model, or a machine with more memory",
        )),
        _ => Ok(()),
    }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_larger_than_free_memory_is_refused_with_both_numbers() {
        let text = "MemTotal: 9 kB\nMemFree: 8 kB\nMemAvailable:  1048576 kB\nBuffers: 1 kB\n";
        assert_eq!(available(text), Some(1 << 30));
        assert_eq!(check(1 << 30, available(text), "weights"), Ok(()));
        let error = check(5 << 29, available(text), "weights").unwrap_err();
        assert_eq!(
            error.to_string(),
            "memory is too small: weights need 2.5 GiB, and 1.0 GiB are free"
        );
        assert_eq!(check(u64::MAX, available("nothing"), "weights"), Ok(()));
    }
}
