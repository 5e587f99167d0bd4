//! The fields that a file, a stage and each kind may have.
//! Unaware of their values.

use crate::de::{self, fields_of};
use crate::kinds::{Kind, Schedule};
use crate::renamed;

pub(crate) const TOP_LEVEL: &[&str] = &["include", "vars", "stages"];
pub(crate) const STAGE_LEVEL: &[&str] = &["each", "resources"];

/// The fields a kind may have in YAML.
pub(crate) fn fields_of_kind(kind: &str) -> Vec<&'static str> {
    let own = Kind::fields(kind);
    let schedule = if own.contains(&"schedule") {
        fields_of::<Schedule>()
    } else {
        &[]
    };
    own.iter()
        .filter(|f| **f != "schedule")
        .chain(schedule)
        .copied()
        .collect()
}

/// Whether the field of a kind takes a number.
pub(crate) fn takes_number(kind: &str, field: &str) -> bool {
    let (field, fields) = (renamed::current(kind, field), fields_of_kind(kind));
    let Some(field) = fields.into_iter().find(|known| *known == field) else {
        return false;
    };
    let scheduled = Kind::fields(kind).contains(&"schedule");
    Kind::takes_number(kind, field) || (scheduled && de::takes_number::<Schedule>(field))
}
