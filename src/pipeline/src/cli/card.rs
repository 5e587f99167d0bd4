//! The card of an exported model, a README as Hugging Face shows it: what it is, how it is used, what was measured.
//! Unaware of where it is written.

use std::path::Path;

use artifacts::{Contents, Exported, MaskSource};
use engine::invocation::quoted;
use spec::kinds::Degrade;
use spec::segmenters::Segmenter;

/// The text of the card of a model in `file`.
pub fn text(model: &Exported, file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (task, tag) = match model.degrade {
        Degrade::Sr(1) => ("Restores images".to_owned(), "image-restoration"),
        Degrade::Sr(scale) => (format!("Enlarges images by {scale}"), "super-resolution"),
        Degrade::Denoise(sigma) => (
            format!("Removes Gaussian noise of σ = {sigma}"),
            "denoising",
        ),
    };
    let mut text = format!(
        "---\npipeline_tag: image-to-image\ntags:\n- image-restoration\n- {tag}\n---\n\n# {}\n\n{task}: {}.\n",
        plain(&model.stage),
        network(model)
    );
    text += &used(model, &name);
    text += &measured(model);
    text += &made(model);
    text
}

fn network(model: &Exported) -> String {
    let backbone = model.model.architecture.name().to_uppercase();
    let count = model.model.parameters;
    match &model.model.spt {
        None => format!("{backbone}, {count} parameters"),
        Some(spt) => format!(
            "{backbone} with SPT units after its first {} blocks (α = {}, {} masks an image), {count} parameters",
            spt.units, spt.alpha, spt.masks
        ),
    }
}

/// The command that restores a photograph; what only its user knows is in capitals.
fn command(model: &Exported, name: &str) -> String {
    // A name that begins with a hyphen would be an option.
    let here = if name.starts_with('-') { "./" } else { "" };
    let name = quoted(&format!("{here}{name}"));
    let mut text = format!("pipeline restore photo.png --model {name}");
    if model.contents == Contents::Units {
        text += " --backbone BACKBONE";
    }
    if model.masks.as_ref().is_some_and(reads_a_path) {
        text += " --segmenter-path PATH";
    }
    text + " -o restored"
}

/// Whether the masks are made by something that lies elsewhere: SAM's weights, or files.
fn reads_a_path(source: &MaskSource) -> bool {
    let inner = source.of.as_ref().is_some_and(|of| reads_a_path(of));
    inner
        || matches!(
            source.mask.segmenter,
            Segmenter::Sam(_) | Segmenter::Files(_)
        )
}

fn used(model: &Exported, name: &str) -> String {
    let mut text = format!(
        "\n## Use\n\n```sh\n{}\n```\n\nTensors have the names of the official code",
        command(model, name)
    );
    if model.model.spt.is_some() {
        text += ", those of the SPT units stand behind `spt.`";
    }
    text += ". The header's `__metadata__` holds all that is said here as JSON under `pipeline`.\n";
    if let (Contents::Units, Some(base)) = (model.contents, &model.base) {
        text += &format!(
            "\nThis file holds the SPT units alone. They belong to the backbone whose weights have the digest `{base}`; with \
             other weights they are refused.\n"
        );
    }
    if let Some(masks) = &model.masks {
        text += &format!(
            "\nThe units read {} masks of the input image, by `{}`.\n",
            masks.mask.count(),
            masks.mask.segmenter.name()
        );
    }
    text
}

fn measured(model: &Exported) -> String {
    if model.metrics.is_empty() {
        return String::new();
    }
    let mut text =
        "\n## Measured\n\n| evaluation | set | images | metric | mean |\n|---|---|---|---|---|\n"
            .to_owned();
    for (stage, evaluated) in &model.metrics {
        let stage = plain(stage);
        for (metric, mean) in &evaluated.means {
            let set = plain(&evaluated.set);
            text += &format!(
                "| {stage} | {set} | {} | {metric} | {mean:.4} |\n",
                evaluated.images
            );
        }
    }
    text
}

fn made(model: &Exported) -> String {
    let mut text = format!(
        "\n## How it was made\n\nStage {} with the key `{}`, scheme `{}`",
        plain(&model.stage),
        model.key,
        model.model.scheme
    );
    if let Some(iterations) = model.model.iterations {
        text += &format!(", {iterations} iterations");
    }
    text += ".\n\n| setting | value |\n|---|---|\n";
    for (name, value) in &model.config {
        text += &format!("| {} | {} |\n", plain(name), plain(value));
    }
    text
}

/// A text of somebody's as text: Markdown and HTML in it mean nothing, and it is one line.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '&' => out += "&amp;",
            c if c.is_control() => out.push(' '),
            c if c.is_ascii_punctuation() && !"-.,:/=".contains(c) => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_text_in_a_card() {
        let hostile = super::plain("a|b\n# <script>`x`[y](z)");
        assert_eq!(hostile, "a\\|b \\# &lt;script&gt;\\`x\\`\\[y\\]\\(z\\)");
    }
}
