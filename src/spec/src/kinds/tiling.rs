//! How images are cut before they are restored: `official`, `none`, or the side of the tiles.
//! Unaware of the rules of the networks' official test codes; the worker knows them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// How an image is cut before it is restored. It moves the last decimals of a metric, so it is in the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tiling {
    /// As the official test code of the network: ART in ⌊side / 200⌋ + 1 tiles a side, CAT whole after symmetric
    /// padding, IMDN whole.
    #[default]
    Official,
    /// Whole; only padded where a network needs it.
    None,
    /// In ⌊side / N⌋ + 1 tiles a side for this N in LQ pixels, otherwise by the rule of the official code. Large images
    /// then fit into memory.
    Side(u32),
}

/// The sides that tiles may have, LQ pixels.
pub const SIDES: std::ops::RangeInclusive<u32> = 16..=4096;

impl std::fmt::Display for Tiling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Official => f.pad("official"),
            Self::None => f.pad("none"),
            Self::Side(side) => side.fmt(f),
        }
    }
}

impl Serialize for Tiling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Side(side) => serializer.serialize_u32(*side),
            named => serializer.collect_str(named),
        }
    }
}

impl<'de> Deserialize<'de> for Tiling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Tiling;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (least, most) = (SIDES.start(), SIDES.end());
        write!(
            f,
            "`official`, `none` or a side of {least} to {most} pixels"
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Tiling, E> {
        match text {
            "official" => Ok(Tiling::Official),
            "none" => Ok(Tiling::None),
            other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, side: i64) -> Result<Tiling, E> {
        let fits = u32::try_from(side).ok().filter(|side| SIDES.contains(side));
        fits.map(Tiling::Side)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(side), &self))
    }

    fn visit_u64<E: de::Error>(self, side: u64) -> Result<Tiling, E> {
        self.visit_i64(i64::try_from(side).unwrap_or(i64::MAX))
    }
}

impl JsonSchema for Tiling {
    fn schema_name() -> Cow<'static, str> {
        "Tiling".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How an image is cut before it is restored: as the network's official test code does, not at \
                            all, or into tiles of about this side in LQ pixels.",
            "anyOf": [
                {"enum": ["official", "none"]},
                {"type": "integer", "minimum": SIDES.start(), "maximum": SIDES.end()},
            ],
        })
    }
}
