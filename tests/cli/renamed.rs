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
    let events = test(&FILE.replace("pass_env", "pass"))
        .run("plan p.yaml --json")
        .events();
    let warning = &events[0];
    assert_eq!(warning["event"], "warning", "{warning}");
    assert_eq!(warning["message"], "`pass` is called `pass_env` now");
    assert_eq!(warning["place"]["file"], "p.yaml");
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

/// Whether the plan of a text succeeds with the keys of these stages, by pairs of names.
fn same(text: &str, words: &str, pairs: &[(&str, &str)]) {
    let keys = keys(&test(text), words);
    for (a, b) in pairs {
        assert!(keys[*a].is_string(), "{a}: {keys:?}");
        assert_eq!(keys[*a], keys[*b], "{text}\n{words}");
    }
}

#[test]
fn old_names_in_variables_merged_mappings_and_whole_values_are_read() {
    let with = |more: &str| format!("{FILE}{more}");
    let held = "  held:\n    evaluate: \"{ev}\"\n  whole: \"{st}\"\n\
        vars:\n  ev: {model: base, images: pairs, luma: rounded}\n  \
        st: {evaluate: {model: base, images: pairs, luma: rounded}}\n";
    same(&with(held), "", &[("held", "score"), ("whole", "score")]);

    let merged = "  a:\n    tune: &t {backbone: base, images: pairs, masks: masks, iterations: 3, locations: 1}\n  \
        b:\n    tune: {<<: *t, num_units: 2}\n  c1:\n    tune:\n      <<: *t\n      locations: 2\n  \
        d:\n    tune: &u {backbone: base, images: pairs, masks: masks, iterations: 3, num_units: 1}\n  \
        e:\n    tune: {<<: *u, locations: 2}\n";
    same(
        &with(merged),
        "",
        &[("b", "tuned"), ("c1", "tuned"), ("e", "tuned"), ("a", "d")],
    );
    let whole = "stages.tuned.tune={backbone: base, images: pairs, masks: masks, iterations: 3, locations: 2}";
    let now = keys(&test(FILE), "")["tuned"].clone();
    let test = test(FILE);
    for set in [
        whole.to_owned(),
        whole.replace(".tune={", "={tune: {") + "}",
    ] {
        let mut command = test.command("plan p.yaml --json");
        let ran = Ran::of(command.args(["--set", &set]).output().unwrap()).exits(0);
        let mut tuned = ran
            .events()
            .into_iter()
            .filter(|line| line["stage"] == "tuned");
        assert_eq!(tuned.next().unwrap()["key"], now, "{set}");
    }
}

const SWEPT: &str = "  swept:\n    each: {locations: [1, 2]}\n    \
    tune: {backbone: base, images: pairs, masks: masks, iterations: 3}\n";

#[test]
fn an_axis_goes_by_either_name() {
    let swept = format!("{FILE}{SWEPT}");
    let plan = |over: &str| {
        let over = format!("include: [base.yaml]\nstages: {{swept: {over}}}\n");
        test(&over).file("base.yaml", &swept)
    };
    let members = |test: &Test| -> Vec<String> {
        let keys = keys(test, "").into_keys();
        keys.filter(|name| name.starts_with("swept")).collect()
    };
    // Laid over by its other name, an axis is replaced, and keeps the name by which others may know its members.
    let replaced = ["swept[locations=3]"];
    assert_eq!(members(&plan("{each: {num_units: [3]}}")), replaced);
    assert_eq!(members(&plan("{each: {num_units: null}}")), ["swept"]);
    let excluded = "{each: {exclude: [{num_units: 2}]}}";
    assert_eq!(members(&plan(excluded)), ["swept[locations=1]"]);
    let set = keys(&test(&swept), "--set stages.swept.each.num_units=[3]");
    assert!(set.contains_key("swept[locations=3]"), "{set:?}");

    let read = "  other:\n    evaluate: {model: 'swept[num_units=2]', images: pairs, masks: masks}\n  \
        same:\n    evaluate: {model: 'swept[locations=2]', images: pairs, masks: masks}\n";
    same(&format!("{swept}{read}"), "", &[("other", "same")]);
    test(&swept)
        .run("explain p.yaml swept[num_units=1]")
        .exits(0)
        .says("swept[locations=1]");
}

/// `lr` was the LQ folder of `prepare`; of a training it is the learning rate, and `lq` any variable.
#[test]
fn names_are_those_of_the_kind() {
    let text = format!(
        "{FILE}  free:\n    each: {{lr: [0.1, 0.2], lq: [l1, charbonnier], exclude: [{{lr: 0.1, lq: l1}}]}}\n    \
        train: {{backbone: {{imdn: {{scale: 2}}}}, images: pairs, iterations: 3, loss: \"{{lq}}\"}}\n"
    );
    let keys = keys(&test(&text), "");
    let free: Vec<&String> = keys
        .keys()
        .filter(|name| name.starts_with("free"))
        .collect();
    let expected = [
        "free[lr=0.1,lq=charbonnier]",
        "free[lr=0.2,lq=charbonnier]",
        "free[lr=0.2,lq=l1]",
    ];
    assert_eq!(free, expected);

    let text = format!(
        "{FILE}  one:\n    each: {{lr: [0.1, 0.2]}}\n    \
        train: {{backbone: {{imdn: {{scale: 2}}}}, images: pairs, iterations: 3, loss: \"{{lq}}\"}}\n\
        vars: {{lq: l1}}\n"
    );
    let keys = self::keys(&test(&text), "--set stages.one.each.lq=[charbonnier]");
    let one = keys.keys().filter(|name| name.starts_with("one")).count();
    assert_eq!(one, 2, "{keys:?}");
    assert!(keys.contains_key("one[lr=0.1,lq=charbonnier]"));
}

#[test]
fn labels_of_tables_go_by_the_names_of_fields_too() {
    let table = |rows: &str| {
        format!("  table:\n    table: {{from: [score], rows: [{rows}], columns: set}}\n")
    };
    for (field, label) in [("num_units", "locations"), ("channel", "luma")] {
        let [by_field, by_label] =
            [field, label].map(|name| keys(&test(&format!("{FILE}{}", table(name))), ""));
        assert_eq!(by_field["table"], by_label["table"]);
    }
}

#[test]
fn an_axis_that_the_stage_gives_a_value_is_said_so() {
    let text = FILE.replace("  score:\n", "  score:\n    each: {channel: [y]}\n");
    test(&text)
        .run("plan p.yaml")
        .exits(2)
        .says("the axis `channel` is a field that the stage gives a value of its own")
        .says("write `channel: {channel}` there, or leave it out");
}
