//! What a stage says beside its outputs.
//! Unaware of what it means.

use std::collections::BTreeMap;

/// What a stage says beside its outputs.
pub(super) type FactMap = BTreeMap<String, serde_json::Value>;
