//! Mutated manifests: what differs from a whole one is said, whatever stands in it, and nothing else is.
//! Unaware of keys' lines and of how differences are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plan::changes;
use serde_json::Value;

use crate::fuzzer::fuzz;
use crate::support::{Test, files_below};

/// The manifests of a cache that an earlier program wrote.
fn corpus() -> Vec<Vec<u8>> {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cache-format-1");
    let manifest = |record: &std::path::PathBuf| {
        let text = std::fs::read_to_string(record).unwrap();
        let record: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        record["manifest"].as_str().unwrap().as_bytes().to_vec()
    };
    let mut all: Vec<Vec<u8>> = files_below(&cache.join("records"))
        .iter()
        .map(manifest)
        .collect();
    all.push(
        b"stage command 1\nconfig.run.0\techo\nconfig.run.1\ta\r\ninput.in\t\\t\\n\\\\\n".to_vec(),
    );
    all
}

/// The lines of a text that a manifest may be: each path once.
fn facts(manifest: &str) -> Option<BTreeMap<&str, &str>> {
    let mut facts = BTreeMap::new();
    for line in manifest.strip_suffix('\n')?.split('\n') {
        let first = facts.is_empty();
        if first && line.contains('\t') {
            return None;
        }
        let (path, value) = line.split_once(if first { ' ' } else { '\t' })?;
        let is_new = facts.insert(path, value).is_none();
        if !is_new || (first && path != "stage") || path.contains('\t') {
            return None;
        }
    }
    Some(facts)
}

#[test]
fn mutated_manifests() {
    let corpus = corpus();
    let whole: Vec<String> = corpus
        .iter()
        .map(|bytes| String::from_utf8(bytes.clone()).unwrap())
        .collect();
    assert!(whole.iter().all(|text| facts(text).is_some()));
    fuzz("manifests", 2.0, &corpus, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        for old in &whole {
            let said = changes(old, &text);
            let (Some(mut then), Some(now)) = (facts(old), facts(&text)) else {
                continue;
            };
            let paths: BTreeSet<&str> = said.iter().map(|change| change.path.as_str()).collect();
            assert_eq!(paths.len(), said.len());
            for change in &said {
                assert_eq!(then.remove(change.path.as_str()), change.old.as_deref());
                if let Some(new) = &change.new {
                    then.insert(&change.path, new);
                }
            }
            assert_eq!(then, now);
        }
    });
}

#[test]
fn a_carriage_return_at_the_end_of_a_value_is_a_difference_that_is_named() {
    let yaml = |word: &str| {
        format!("stages:\n  s: {{command: {{run: [sh, -c, 'echo > o', {word}], outputs: [o]}}}}\n")
    };
    let test = Test::new().file("p.yaml", yaml("word"));
    test.run("run p.yaml").exits(0);
    test.write("p.yaml", yaml("\"word\\r\""));
    test.run("plan p.yaml")
        .exits(0)
        .says("config.run.003: word → word\\r")
        .says("1 to run, 0 fresh");
    test.run("explain s -f p.yaml -v")
        .exits(0)
        .says("config.run.003: word → word\\r")
        .says("config.run.003  word\\r");
}
