//! How long a test that repeats itself goes on: `make soak` sets `PIPELINE_SOAK=1`, `make test` does not.
//! Unaware of the tests.

/// The long form's rounds, or the short form's.
pub fn rounds(long: u64, short: u64) -> u64 {
    let is_long = std::env::var_os("PIPELINE_SOAK").is_some_and(|value| value != "0");
    if is_long { long } else { short }
}
