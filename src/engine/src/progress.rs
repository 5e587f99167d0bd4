//! How far an interrupted training is, from the state that it left. Only the file's header is read.
//! Unaware of tensors, and of whether the state is whole: what is said of it is an estimate.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

/// More than a header takes: it holds the curve of the training too.
const MOST: u64 = 64 << 20;

/// The iterations that the state in this safetensors file has behind it.
pub fn iterations(state: &Path) -> Option<u64> {
    let mut file = files::open(state).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if length > MOST {
        return None;
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    let facts = header["__metadata__"]["pipeline"].as_str()?;
    let facts: Value = serde_json::from_str(facts).ok()?;
    facts["iteration"].as_str()?.parse().ok()
}
