//! Fields that had other names: old files mean what they meant, with the same keys, and are told the names of today.
//! Unaware of what the stages compute.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Ran, Test};

/// Today's names and, for each, the one before with the values as they were spelled.
const NAMES: [(&str, &str, &str, &str); 6] = [
    ("prepare", "lq: lows", "lr: lows", "lr"),
    (
        "prepare",
        "lq_if_present: none",
        "lr_if_present: none",
        "lr_if_present",
    ),
    ("mask", "source: hq", "of: hr", "of"),
    ("tune", "num_units: 2", "locations: 2", "locations"),
    ("evaluate", "channel: y_rounded", "luma: rounded", "luma"),
    ("command", "pass_env: [HOME]", "pass: [HOME]", "pass"),
];

const FILE: &str = "\
stages:
  lows:
    prepare: {images: photos, degrade: {sr: 2}, lq: lows}
  pairs:
    prepare: {images: photos, degrade: {sr: 2}, lq_if_present: none}
  masks:
    mask: {images: pairs, granularity: coarse}
  hq-masks:
    mask: {images: pairs, source: hq}
  base:
    train: {backbone: {imdn: {scale: 2}}, images: pairs, iterations: 3}
  tuned:
    tune: {backbone: base, images: pairs, masks: masks, iterations: 3, num_units: 2}
  score:
    evaluate: {model: base, images: pairs, channel: y_rounded}
  c:
    command: {run: [touch, x], outputs: [x], pass_env: [HOME]}
";

fn test(text: &str) -> Test {
    let low = crate::support::photo(24, 24);
    let test = Test::new().photos().file("p.yaml", text);
    for name in crate::support::list(&test.path("photos")) {
        let name = name.file_name().unwrap().to_string_lossy().into_owned();
        test.write(&format!("lows/{name}"), &low);
    }
    test
}

/// The keys of a file's stages, by name.
fn keys(test: &Test, words: &str) -> BTreeMap<String, Value> {
    let events = test
        .run(&format!("plan p.yaml --json {words}"))
        .exits(0)
        .events();
    let planned = events.iter().filter(|line| line["event"] == "planned");
    let key = |line: &Value| {
        (
            line["stage"].as_str().unwrap().to_owned(),
            line["key"].clone(),
        )
    };
    planned.map(key).collect()
}

#[test]
fn an_old_name_has_the_same_key_and_is_told_once_with_its_place() {
    let now = keys(&test(FILE), "");
    assert!(now.values().all(Value::is_string), "{now:?}");
    for (kind, new, old, name) in NAMES {
        let text = FILE.replace(new, old);
        assert_ne!(text, FILE, "{new}");
        let test = test(&text);
        assert_eq!(keys(&test, ""), now, "{old}");
        let current = new.split(':').next().unwrap();
        let ran = test.run("plan p.yaml").exits(0);
        let note = format!("`{name}` is called `{current}` now");
        assert_eq!(ran.stderr.matches(&note).count(), 1, "{}", ran.stderr);
        let line = 1 + text.lines().position(|l| l.contains(old)).unwrap();
        let ran = ran
            .says(&format!("p.yaml:{line}:"))
            .says(&format!(".{kind}: {note}"));
        ran.says("the old name works as before");
    }
    let ran: Ran = test(FILE).run("plan p.yaml").exits(0);
    ran.never_says(" is called ");
}

#[test]
fn one_field_by_both_names_is_refused() {
    for (kind, new, old, name) in NAMES {
        let both = FILE.replace(new, &format!("{new}, {old}"));
        let current = new.split(':').next().unwrap();
        let said = format!("{kind}: `{name}` and `{current}` are one field");
        test(&both).run("plan p.yaml").exits(2).says(&said);
    }
}

#[test]
fn overrides_axes_and_files_that_include_each_other_know_both_names() {
    let now = test(FILE);
    let other = keys(&now, "--set stages.tuned.tune.num_units=3")["tuned"].clone();
    let old = keys(&now, "--set stages.tuned.tune.locations=3")["tuned"].clone();
    assert_eq!(old, other);
    now.run("plan p.yaml --set stages.tuned.tune.locations=3")
        .exits(0)
        .says("--set stages.tuned.tune.locations=3: `locations` is called `num_units` now");

    let swept = FILE
        .replace(", num_units: 2}", "}")
        .replace("  tuned:\n", "  tuned:\n    each: {locations: [2, 3]}\n");
    let members = keys(&test(&swept), "");
    assert_eq!(members["tuned[locations=3]"], other);
    let free = test(&FILE.replace(", channel: y_rounded", ""));
    let old = keys(&free, "--set stages.score.each.luma=[rounded]");
    let new = keys(&free, "--set stages.score.each.channel=[y_rounded]");
    assert_eq!(old["score[luma=rounded]"], new["score[channel=y_rounded]"]);
    assert_eq!(old["score[luma=rounded]"], keys(&now, "")["score"]);

    let test = test("include: [base.yaml]\nstages: {tuned: {tune: {locations: 3}}}\n")
        .file("base.yaml", FILE);
    assert_eq!(keys(&test, "")["tuned"], other);
}
