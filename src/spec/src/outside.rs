//! What a job may read outside the cache, and what each file must hold: the plan hashed it, and the key says so. Weights of
//! its input stages stand beside it, which are read whole as well.
//! Unaware of how a digest is taken, and of who reads the files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The files outside that a job may read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outside {
    /// Those of the plan, each with what it held; no other.
    Planned(#[serde(with = "entries")] BTreeMap<PathBuf, Content>),
    /// Any, as they are: no key was made of them.
    Any,
}

impl Default for Outside {
    fn default() -> Self {
        Self::Planned(BTreeMap::new())
    }
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// BLAKE3, in hex.
    pub digest: String,
    /// Bytes.
    pub size: u64,
}

/// The map as a list: a name of JSON is a text, and not every path is one.
mod entries {
    use serde::{Deserializer, Serializer};

    use super::{BTreeMap, Content, Deserialize, OsStrExt, PathBuf, Serialize, Shown};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        path: Shown,
        digest: String,
        size: u64,
    }

    pub fn serialize<S: Serializer>(
        files: &BTreeMap<PathBuf, Content>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let entry = |(path, content): (&PathBuf, &Content)| Entry {
            path: match path.to_str() {
                Some(text) => Shown::Text(text.to_owned()),
                None => Shown::Bytes(path.as_os_str().as_bytes().to_vec()),
            },
            digest: content.digest.clone(),
            size: content.size,
        };
        serializer.collect_seq(files.iter().map(entry))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<PathBuf, Content>, D::Error> {
        let entries = Vec::<Entry>::deserialize(deserializer)?;
        let file = |Entry { path, digest, size }| (PathBuf::from(path), Content { digest, size });
        Ok(entries.into_iter().map(file).collect())
    }
}

/// A path as a text, or as bytes where it is none.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Shown {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Shown> for PathBuf {
    fn from(path: Shown) -> Self {
        match path {
            Shown::Text(text) => text.into(),
            Shown::Bytes(bytes) => OsString::from_vec(bytes).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_survives_the_way_through_json() {
        let content = |size| Content {
            digest: "ab".repeat(32),
            size,
        };
        let odd = PathBuf::from(OsString::from_vec(b"photos/caf\xe9.png".to_vec()));
        let files = BTreeMap::from([("a \"b\".png".into(), content(1)), (odd, content(u64::MAX))]);
        for outside in [Outside::Planned(files), Outside::default(), Outside::Any] {
            let text = serde_json::to_string(&outside).unwrap();
            assert_eq!(serde_json::from_str::<Outside>(&text).unwrap(), outside);
        }
        let text = serde_json::to_string(&Outside::Any).unwrap();
        assert_eq!(text, "\"any\"");
    }
}
