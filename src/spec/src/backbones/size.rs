//! What is asked of every backbone.
//! Unaware of which there are.

/// A field that is out of range, and why.
pub type Wrong = (&'static str, String);

/// A field and its value as they stand in a manifest, behind `config.backbone.`.
pub type Line = (&'static str, String);

/// All that the orchestrator must know of a backbone.
pub trait Size {
    /// The name in YAML and in keys.
    const NAME: &'static str;
    /// The name in tables.
    const TITLE: &'static str;

    /// HR pixels per LQ pixel along a side; 1 for denoising.
    fn scale(&self) -> u32;
    /// Blocks that an SPT unit can follow.
    fn blocks(&self) -> u32;
    /// What is out of range.
    fn wrong(&self) -> Vec<Wrong>;
    /// What determines its results: every field, by destructuring without `..`.
    fn lines(&self) -> Vec<Line>;
}

/// Numbers with a space between them, as lists stand in manifests.
pub fn spaced(numbers: &[u32]) -> String {
    let texts: Vec<String> = numbers.iter().map(u32::to_string).collect();
    texts.join(" ")
}
