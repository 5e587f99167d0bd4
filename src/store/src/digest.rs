//! A digest is the BLAKE3 of some bytes, a key the BLAKE3 of a manifest.
//! Unaware of files, and of what a manifest says.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The BLAKE3 of some bytes, written as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        blake3::hash(bytes).into()
    }

    /// The digest of many bytes, by all threads.
    pub fn of_many(bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update_rayon(bytes).finalize().into()
    }

    /// The digest of an image: its width and height in pixels, each as 8 bytes, little endian, then its samples.
    pub fn of_image(width: usize, height: usize, samples: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(width as u64).to_le_bytes());
        hasher.update(&(height as u64).to_le_bytes());
        hasher.update(samples).finalize().into()
    }

    /// The 32 bytes themselves.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 digits, without a formatter: paths are made of them by the ten thousand.
    pub(crate) fn to_hex(self) -> impl std::ops::Deref<Target = str> {
        blake3::Hash::from_bytes(self.0).to_hex()
    }
}

/// The digest of a network's weights: of each tensor its name, a zero, its number of sides and the sides, each as 8 bytes,
/// little endian, then its numbers as float32, little endian. Tensors come in the order of their names.
#[derive(Default)]
pub struct WeightsDigest(blake3::Hasher);

impl WeightsDigest {
    /// The next tensor; `bytes` are its numbers.
    pub fn add(&mut self, name: &str, shape: &[u64], bytes: &[u8]) {
        self.0.update(name.as_bytes()).update(&[0]);
        self.0.update(&(shape.len() as u64).to_le_bytes());
        for side in shape {
            self.0.update(&side.to_le_bytes());
        }
        self.0.update(bytes);
    }

    /// The digest of all tensors so far.
    pub fn finish(&self) -> Digest {
        self.0.finalize().into()
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

/// A text that is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a digest: expected 64 lowercase hexadecimal digits")]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let pairs: &[[u8; 2]; 32] = pairs.try_into().map_err(|_| NotADigest)?;
        if !rest.is_empty() {
            return Err(NotADigest);
        }
        let mut bytes = [0; 32];
        for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (nibble(high)? << 4) | nibble(low)?;
        }
        Ok(Self(bytes))
    }
}

/// The value of one digit. Capitals are refused, so that each digest has one spelling.
fn nibble(digit: u8) -> Result<u8, NotADigest> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(NotADigest),
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Digits)
    }
}

/// Reads a digest without keeping its text: a record may hold many thousands.
struct Digits;

impl Visitor<'_> for Digits {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("64 lowercase hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
        text.parse().map_err(E::custom)
    }
}

/// What identifies a stage's work: the digest of its manifest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Digest);

impl Key {
    /// The key of this manifest.
    pub fn of_manifest(manifest: &str) -> Self {
        Self(Digest::of(manifest.as_bytes()))
    }

    /// The digest behind the key.
    pub const fn digest(&self) -> &Digest {
        &self.0
    }

    /// The first 12 digits: enough for people.
    pub fn short(&self) -> String {
        format!("{self:.12}")
    }
}

impl From<Digest> for Key {
    fn from(digest: Digest) -> Self {
        Self(digest)
    }
}

impl FromStr for Key {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of nothing, as published with the algorithm.
    const EMPTY: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

    #[test]
    fn the_hash_is_blake3() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(Key::of_manifest("").short(), "af1349b9f5f9");
    }

    #[test]
    fn text_round_trips_and_has_one_spelling() {
        let digest = Digest::of(b"x");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(json, format!("\"{digest}\""));
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        let (longer, odd) = (format!("{EMPTY}00"), format!("{EMPTY}0"));
        for wrong in [
            "",
            &EMPTY[1..],
            &EMPTY.to_uppercase(),
            &longer,
            &odd,
            &EMPTY.replace('a', "é"),
        ] {
            assert_eq!(wrong.parse::<Digest>(), Err(NotADigest), "{wrong}");
        }
    }
}
