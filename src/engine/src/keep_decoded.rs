//! From how many bytes on trainings keep images decoded in the cache, as the environment says.
//! Unaware of which trainings there are, and of what their images take.

use crate::error::Error;

/// The environment variable that says whether decoded images are kept.
pub const VARIABLE: &str = "PIPELINE_DECODED";

/// Images that take more bytes than this when decoded are kept in the cache; fewer are held in memory.
const ABOVE: u64 = 256 << 20;

/// From how many bytes on images are kept decoded, as the environment says; none where they never are.
pub fn above() -> Result<Option<u64>, Error> {
    match std::env::var(VARIABLE).unwrap_or_default().trim() {
        "" | "auto" => Ok(Some(ABOVE)),
        "always" => Ok(Some(0)),
        "off" => Ok(None),
        other => Err(Error::usage(
            format!("{VARIABLE}: expected `auto`, `always` or `off`, found `{other}`"),
            format!(
                "unset it to keep images decoded that take more than {} MiB",
                ABOVE >> 20
            ),
        )),
    }
}
