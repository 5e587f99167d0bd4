//! A label's value as a file may write it.
//! Unaware of labels.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// The text of a label; a number in YAML is its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(extend("type" = ["string", "number"]))]
pub struct LabelText(pub String);

impl<'de> Deserialize<'de> for LabelText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LabelVisitor)
    }
}

struct LabelVisitor;

impl serde::de::Visitor<'_> for LabelVisitor {
    type Value = LabelText;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E>(self, text: &str) -> Result<LabelText, E> {
        Ok(LabelText(text.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<LabelText, E> {
        Ok(LabelText(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<LabelText, E> {
        Ok(LabelText(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<LabelText, E> {
        Ok(LabelText(number.to_string()))
    }
}
