//! The schema against every file that is shipped, and against files that are wrong.
//! Unaware of how it is made.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;

fn pipelines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines")
}

fn validator() -> Validator {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .build(&spec::schema())
        .unwrap()
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

/// What is wrong with a text, one line a finding.
fn findings(text: &str) -> Vec<String> {
    let validator = validator();
    let value = yaml(text);
    let found = validator.iter_errors(&value);
    found
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect()
}

/// One stage with this body.
fn stage(body: &str) -> Vec<String> {
    findings(&format!("stages:\n  s: {body}\n"))
}

#[track_caller]
fn good(body: &str) {
    assert_eq!(stage(body), Vec::<String>::new(), "{body}");
}

#[track_caller]
fn bad(body: &str) {
    assert!(!stage(body).is_empty(), "accepted: {body}");
}

/// All `.yaml` files below `folder`.
fn shipped(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(shipped(&path));
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_shipped_file_is_valid_and_names_the_schema() {
    let files = shipped(&pipelines());
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let found = findings(&text);
        assert!(
            found.is_empty(),
            "{}:\n{}",
            file.display(),
            found.join("\n")
        );
        let modeline = text
            .lines()
            .find_map(|l| l.strip_prefix("# yaml-language-server: $schema="));
        let named = modeline.map(|m| file.parent().unwrap().join(m));
        assert!(
            named.is_some_and(|n| n.canonicalize().unwrap()
                == pipelines().join("schema.json").canonicalize().unwrap()),
            "{}: add `# yaml-language-server: $schema=<path to schema.json>`",
            file.display()
        );
    }
}

#[test]
fn the_committed_schema_is_up_to_date() {
    let committed = std::fs::read_to_string(pipelines().join("schema.json")).unwrap_or_default();
    let now = format!("{:#}\n", spec::schema());
    assert!(
        committed == now,
        "pipelines/schema.json is out of date; renew it: \
         cargo run --release -p pipeline -- schema -o pipelines/schema.json"
    );
}

#[test]
fn the_committed_reference_is_up_to_date_and_has_every_field() {
    let file = pipelines().join("../docs/reference.md");
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    let now = spec::reference();
    assert!(
        committed == now,
        "docs/reference.md is out of date; renew it: \
         cargo run --release -p pipeline -- schema --reference -o docs/reference.md"
    );
    let schema = spec::schema();
    let types = schema["$defs"].as_object().unwrap();
    for (name, shape) in types.iter().filter(|(name, _)| *name != "Stage") {
        for (field, value) in shape["properties"].as_object().into_iter().flatten() {
            // Names that fields had are not shown.
            let is_former = value["deprecated"] == true;
            let is_shown = now.contains(&format!("| `{field}` |"));
            assert!(is_shown || is_former, "{name}.{field}");
        }
    }
}

#[test]
fn misspelt_names_are_refused_at_every_depth() {
    bad("{prepare: {image: x, degrade: {sr: 4}}}");
    bad("{prepare: {images: x, degrade: {st: 4}}}");
    bad("{mask: {images: p, segmenter: {graph: {sigmaa: 1}}}}");
    bad("{mask: {images: p, segmenter: {files: {path: p, more: 1}}}}");
    bad("{mask: {images: p, granularity: rough}}");
    bad("{tune: {backbone: b, images: p, itertions: 3}}");
    bad("{tune: {backbone: b, images: p, until: {converged: {patienc: 3}}}}");
    bad("{tune: {backbone: b, images: p, until: forever}}");
    bad("{evaluate: {model: b, images: p, metrics: [psmr]}}");
    bad("{evaluate: {model: b, images: p}, resource: {threads: 2}}");
    bad("{evalute: {model: b, images: p}}");
    assert!(!findings("stage: {}").is_empty());
}

#[test]
fn a_schedule_stands_beside_the_other_fields() {
    good("{train: {backbone: {imdn: {scale: 4}}, images: p, iterations: 3, betas: [0.9, 0.99]}}");
    bad("{train: {backbone: {imdn: {scale: 4}}, images: p, schedule: {iterations: 3}}}");
}

#[test]
fn values_have_their_type_or_a_placeholder() {
    good("{tune: {backbone: b, images: p, alpha: 0.5, iterations: 3}}");
    good("{tune: {backbone: b, images: p, alpha: '{a}', iterations: '{n}', betas: ['{b}', 0.9]}}");
    good("{tune: {backbone: b, images: p, scheme: '{scheme}', until: converged}}");
    good("{mask: {images: p, segmenter: '${SEGMENTER:-zero}'}}");
    good("{mask: {images: p, segmenter: graph}}");
    good("{pretrained: {backbone: '{net}', file: x}}");
    bad("{tune: {backbone: b, images: p, alpha: much}}");
    bad("{tune: {backbone: b, images: p, iterations: -3}}");
    bad("{tune: {backbone: b, images: p, iterations: 'x{n}'}}");
    bad("{tune: {backbone: 3, images: p}}");
    bad("{pretrained: {backbone: imdn, file: x}}");
}

#[test]
fn a_stage_has_one_kind() {
    bad("{mask: {images: p}, prepare: {images: x, degrade: {sr: 4}}}");
    bad("{resources: {threads: 2}}");
    let over = "include: [a.yaml]\nstages:\n  s: {resources: {threads: 2}}\n";
    assert_eq!(findings(over), Vec::<String>::new());
    assert!(!findings("stages:\n  a b: {mask: {images: p}}\n").is_empty());
}

#[test]
fn each_may_give_any_field() {
    good("{each: {images: [a, b], grid: [4, 8]}, mask: {granularity: fine}}");
    good("{each: {images: '{sets}'}, mask: {granularity: fine}}");
    good("{each: {zip: {images: [a, b], grid: [4, 8]}}, mask: {}}");
    good("{each: {images: [a, b], grid: [4, 8], exclude: [{images: a, grid: 8}]}, mask: {}}");
    bad("{each: {zip: [a, b]}, mask: {}}");
    bad("{each: {images: []}, mask: {}}");
    bad("{each: {images: a}, mask: {}}");
}
