//! The digest that a state file carries of itself, so that a damaged one is never gone on from.
//! Unaware of what the file holds beside it.
//!
//! ```text
//!   facts with blake3 = 000…0 ── safetensors ──> bytes ── BLAKE3 over all of them ──> written over the zeros
//!   bytes ── take the digest out, zeros in its place ── BLAKE3 ──> the same digest?
//! ```
//!
//! So the file stays one of safetensors, is replaced in one step, and no bit of it is outside the digest.

use store::Digest;

/// The name of the digest among the facts. Facts are sorted; those before it are numbers.
pub(super) const FACT: &str = "blake3";

/// What stands in the digest's place while the digest is taken.
pub(super) const OPEN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The fact's name as the header has it: a JSON text within a JSON text.
const MARK: &[u8] = br#"\"blake3\":\""#;

/// The mark is within so many bytes.
const NEAR: usize = 4096;

/// Closes a file that was written with [`OPEN`]; false where it has no such fact.
pub(super) fn close(bytes: &mut [u8]) -> bool {
    let digest = Digest::of(bytes).to_string();
    let Some(place) = place(bytes).filter(|place| *place == OPEN.as_bytes()) else {
        return false;
    };
    place.copy_from_slice(digest.as_bytes());
    true
}

/// The bytes of a file, if every one is as it was when the file was closed. If not, why.
pub(super) fn check(mut bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let place = place(&mut bytes).ok_or("it carries no digest of itself")?;
    let told = place.to_vec();
    place.copy_from_slice(OPEN.as_bytes());
    if Digest::of(&bytes).to_string().as_bytes() != told {
        return Err("its bytes do not have the digest that it carries".into());
    }
    if let Some(place) = self::place(&mut bytes) {
        place.copy_from_slice(&told);
    }
    Ok(bytes)
}

/// Where the digest stands: behind the first mark, which is near the beginning.
fn place(bytes: &mut [u8]) -> Option<&mut [u8]> {
    let begin = bytes.get(..bytes.len().min(NEAR))?;
    let at = begin.windows(MARK.len()).position(|some| some == MARK)? + MARK.len();
    bytes.get_mut(at..at + OPEN.len())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tch::Tensor;

    use super::*;
    use crate::nn::checkpoint::safetensors_bytes;

    #[test]
    fn any_flipped_bit_is_noticed_and_the_file_stays_one_of_safetensors() {
        let tensors = BTreeMap::from([("param.a".to_owned(), Tensor::from_slice(&[1.0_f32, 2.0]))]);
        let facts = BTreeMap::from([
            (FACT.to_owned(), OPEN.to_owned()),
            ("log".to_owned(), r#"\"blake3\":\""#.to_owned()),
        ]);
        let mut bytes = safetensors_bytes(&tensors, &facts).unwrap();
        assert!(close(&mut bytes));
        assert!(!close(&mut bytes), "only once");
        assert_eq!(check(bytes.clone()), Ok(bytes.clone()));
        assert!(safetensors::SafeTensors::deserialize(&bytes).is_ok());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(check(flipped).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(check(bytes[..length].to_vec()).is_err(), "{length} bytes");
        }
    }
}
