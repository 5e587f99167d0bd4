//! How much an image may cost: one bound on pixels and one on memory, asked before anything is allocated.
//! Unaware of formats and of what the pixels are for: who allocates says how many bytes it will take.
//!
//! | bound | value | setting |
//! |---|---|---|
//! | pixels of an image | 2^26 (67 million) | `PIPELINE_MAX_PIXELS` |
//! | memory for one piece of work | half of what the machine, or the control group, has | `PIPELINE_MAX_MEMORY` |
//!
//! A bound that is hit is an error, never an image that is left out.

use std::path::Path;
use std::sync::OnceLock;

use crate::error::{PixelError, Result, Size};

/// Names the bound on pixels in the environment.
pub const MAX_PIXELS_SETTING: &str = "PIPELINE_MAX_PIXELS";

/// Names the bound on memory in the environment: bytes, or a number with K, M or G behind it (1024 each).
pub const MAX_MEMORY_SETTING: &str = "PIPELINE_MAX_MEMORY";

/// 2^26: more than any camera's photograph in common use, and few enough that every decoder stays below 2 GB.
const USUAL_PIXELS: usize = 1 << 26;

/// The most pixels that any setting allows: positions of pixels are kept in 32 bits, some with two bits beside them.
const MOST_PIXELS: usize = 1 << 30;

/// The largest accepted image, in pixels. A setting that is no number counts as none.
pub fn max_pixels() -> usize {
    static LIMIT: OnceLock<usize> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        let set = std::env::var(MAX_PIXELS_SETTING).ok();
        let set = set.and_then(|text| text.trim().replace('_', "").parse().ok());
        set.unwrap_or(USUAL_PIXELS).clamp(1, MOST_PIXELS)
    })
}

/// The memory that one piece of work may take, in bytes: half of what is there, or less where that is set. A setting
/// that is no amount counts as none.
pub fn memory_budget() -> u64 {
    static BUDGET: OnceLock<u64> = OnceLock::new();
    *BUDGET.get_or_init(|| {
        let set = std::env::var(MAX_MEMORY_SETTING).ok();
        let set = set.and_then(|text| amount(&text)).unwrap_or(u64::MAX);
        let machine = rustix::system::sysinfo();
        let machine = u64::from(machine.mem_unit).saturating_mul(machine.totalram);
        let groups = [
            "/sys/fs/cgroup/memory.max",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        ];
        let limits = groups.iter().filter_map(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            text.trim().parse::<u64>().ok()
        });
        set.min(limits.fold(machine, u64::min) / 2)
    })
}

/// Bytes of a text such as `800M`.
fn amount(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, shift) = match text.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G']) {
        Some(digits) if text.ends_with(['k', 'K']) => (digits, 10),
        Some(digits) if text.ends_with(['m', 'M']) => (digits, 20),
        Some(digits) => (digits, 30),
        None => (text, 0),
    };
    let number: u64 = digits.trim().replace('_', "").parse().ok()?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
}

/// Refuses an image of too many pixels. Errors: [`PixelError::TooLarge`].
pub(crate) fn check_pixels(path: &Path, size: Size) -> Result<()> {
    let limit = max_pixels();
    if size.0.checked_mul(size.1).is_some_and(|n| n <= limit) {
        return Ok(());
    }
    Err(PixelError::TooLarge {
        path: path.into(),
        size,
        limit,
    })
}

/// Refuses work on an image of `size` that takes `bytes` a pixel; `what` says what for.
/// Errors: [`PixelError::TooMuchMemory`].
pub fn check_memory(what: &str, size: Size, bytes: u64) -> Result<()> {
    let pixels = (size.0 as u64).saturating_mul(size.1 as u64);
    let (need, limit) = (pixels.saturating_mul(bytes), memory_budget());
    if need <= limit {
        return Ok(());
    }
    Err(PixelError::TooMuchMemory {
        what: what.into(),
        size,
        need,
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_errors_that_say_what_to_do() {
        let at = Path::new("a.png");
        assert!(check_pixels(at, (8192, 8192)).is_ok());
        let error = check_pixels(at, (11585, 11585)).unwrap_err().to_string();
        assert!(
            error.contains("11585") && error.contains(MAX_PIXELS_SETTING),
            "{error}"
        );
        assert!(check_pixels(at, (usize::MAX, 2)).is_err());
        let error = check_memory("decoding `a.png`", (1 << 20, 1 << 20), 1000);
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("decoding `a.png`") && error.contains("GB"),
            "{error}"
        );
        assert!(memory_budget() > 1 << 28);
    }

    #[test]
    fn amounts_of_memory_are_bytes_or_have_a_letter() {
        for (text, bytes) in [
            ("1", Some(1)),
            (" 800M ", Some(800 << 20)),
            ("4 g", Some(4 << 30)),
            ("1_000k", Some(1_024_000)),
            ("0", None),
            ("", None),
            ("G", None),
            ("1.5G", None),
            ("-1", None),
            ("99999999999999G", None),
        ] {
            assert_eq!(amount(text), bytes, "{text}");
        }
    }
}
