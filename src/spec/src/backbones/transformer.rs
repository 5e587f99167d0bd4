//! What the transformers ART and CAT share: defaults of the published networks and the ranges of their sizes.
//! Unaware of weights and of how the networks compute.

use super::size::Wrong;

pub(super) const fn width() -> u32 {
    180
}

pub(super) fn depths() -> Vec<u32> {
    vec![6; 6]
}

pub(super) const fn heads() -> u32 {
    6
}

pub(super) const fn mlp_ratio() -> f64 {
    4.0
}

/// `values` over `groups`, each for an equal share of them.
pub(super) fn spread(values: &[u32], groups: usize) -> Vec<u32> {
    (0..groups)
        .map(|i| values[i * values.len() / groups])
        .collect()
}

/// What is out of range of the fields that both have.
pub(super) fn common(width: u32, depths: &[u32], heads: u32, mlp_ratio: f64) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if !(1..=64).contains(&heads) {
        wrong.push(("heads", format!("{heads} is not in 1..=64")));
    } else if !width.is_multiple_of(heads) || !(32..=1024).contains(&width) {
        wrong.push((
            "width",
            format!("the width {width} is not a multiple of the {heads} heads in 32..=1024"),
        ));
    }
    if !(1..=32).contains(&depths.len()) || depths.iter().any(|d| !(1..=64).contains(d)) {
        wrong.push(("depths", "1 to 32 groups of 1 to 64 blocks each".into()));
    }
    if !(0.1..=16.0).contains(&mlp_ratio) {
        wrong.push(("mlp_ratio", format!("{mlp_ratio} is not in 0.1..=16")));
    }
    wrong
}

/// Whether `values` are one for each of `groups`, in 1 to `most`.
pub(super) fn list(field: &'static str, values: &[u32], groups: usize, most: u32) -> Option<Wrong> {
    let message = if values.len() != groups {
        format!("{} values for {groups} groups", values.len())
    } else if values.iter().any(|v| !(1..=most).contains(v)) {
        format!("each value must be in 1..={most}")
    } else {
        return None;
    };
    Some((field, message))
}
