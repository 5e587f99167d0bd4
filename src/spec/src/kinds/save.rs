//! How many restored images an evaluation keeps: none, all, or the first so many.
//! Unaware of who looks at them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Which restored images are kept. It decides what the outputs are, so it is in the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Save {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// The first so many, in the order of the pairs; at least one.
    First(u32),
}

impl Save {
    /// Whether the image of this number, from 0, is kept.
    pub const fn keeps(self, at: usize) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::First(count) => at < count as usize,
        }
    }
}

impl std::fmt::Display for Save {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.pad("false"),
            Self::All => f.pad("true"),
            Self::First(count) => count.fmt(f),
        }
    }
}

impl Serialize for Save {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::First(count) => serializer.serialize_u32(*count),
            named => serializer.serialize_bool(*named == Self::All),
        }
    }
}

impl<'de> Deserialize<'de> for Save {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Save;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("`true`, `false` or a number of images from 1")
    }

    fn visit_bool<E: de::Error>(self, all: bool) -> Result<Save, E> {
        Ok(if all { Save::All } else { Save::None })
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Save, E> {
        let fits = u32::try_from(count).ok().filter(|count| *count > 0);
        fits.map(Save::First)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(count), &self))
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Save, E> {
        self.visit_i64(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl JsonSchema for Save {
    fn schema_name() -> Cow<'static, str> {
        "Save".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which restored images are kept: all, none, or the first so many.",
            "anyOf": [
                {"type": "boolean"},
                {"type": "integer", "minimum": 1, "maximum": u32::MAX},
            ],
        })
    }
}
