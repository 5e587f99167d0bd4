//! A value in two lines of JSON: the value, then `{"blake3":"<digest of the first line with its end>"}`.
//! Unaware of what the value means. Every flipped bit, cut or addition is noticed on reading.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// The second line.
#[derive(Serialize, Deserialize)]
struct Sum {
    blake3: Digest,
}

/// The bytes to keep.
///
/// # Errors
/// Where the value has no JSON.
pub fn encode(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    let sum = sum_line(&bytes)?;
    bytes.extend(sum);
    Ok(bytes)
}

/// The value in these bytes.
///
/// # Errors
/// In words, what is wrong with them.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(line(bytes)?).map_err(|e| format!("it cannot be read: {e}"))
}

/// The first line, if it is as it was written.
pub(crate) fn line(bytes: &[u8]) -> Result<&[u8], String> {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let (line, sum) = bytes.split_at(end.ok_or("it is cut short")? + 1);
    if sum != sum_line(line).map_err(|e| e.to_string())? {
        return Err("its checksum does not fit".to_owned());
    }
    Ok(line)
}

fn sum_line(line: &[u8]) -> serde_json::Result<Vec<u8>> {
    let blake3 = Digest::of(line);
    let mut bytes = serde_json::to_vec(&Sum { blake3 })?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_and_any_flipped_bit_or_cut_is_noticed() {
        let value = vec!["a".to_owned(), "line\nend".to_owned()];
        let bytes = encode(&value).unwrap();
        assert_eq!(decode::<Vec<String>>(&bytes).unwrap(), value);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode::<Vec<String>>(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode::<Vec<String>>(&bytes[..length]).is_err());
        }
        assert!(decode::<Vec<String>>(&[&bytes, b"\n".as_slice()].concat()).is_err());
    }
}
