//! The second run: what is fresh stays, what changed runs and says why, names and comments do not count.
//! Unaware of results: a stand-in takes the worker's place.

use std::io::{Read, Seek, SeekFrom, Write};

use serde_json::json;

use crate::support::{TINY, Test};

/// A tiny pipeline that has run.
fn done() -> Test {
    let test = Test::new().tiny();
    test.run("run p.yaml")
        .exits(0)
        .says("7 ran, 0 fresh, 0 failed");
    test
}

fn with(from: &str, to: &str) -> String {
    assert!(TINY.contains(from), "{from}");
    TINY.replace(from, to)
}

#[test]
fn a_second_run_runs_nothing_and_shows_the_tables_again() {
    let test = done();
    let before = test.read("reports/p/alpha.csv");
    let ran = test
        .run("run p.yaml")
        .exits(0)
        .says("0 ran, 7 fresh, 0 failed");
    assert!(ran.stdout.contains("Tiny"), "{ran}");
    assert_eq!(test.noted().len(), 6);
    assert!(!before.is_empty());
    assert_eq!(test.read("reports/p/alpha.csv"), before);
    test.run("plan p.yaml")
        .exits(0)
        .says("0 to run, 7 fresh, 0 blocked");
}

#[test]
fn a_changed_value_runs_what_depends_on_it_and_the_plan_says_so() {
    let test = done();
    let words = "p.yaml --set stages.tuned.tune.alpha=0.5";
    test.run(&format!("plan {words}"))
        .exits(0)
        .says("3 to run, 4 fresh, 0 blocked")
        .says("tuned       tune        config.alpha: 1 → 0.5")
        .says("its input `model` (tuned) is to be computed")
        .says("its input `from.1.0` (score) is to be computed");
    test.run(&format!("run {words}"))
        .exits(0)
        .says("3 ran, 4 fresh, 0 failed");
    assert_eq!(test.noted()[6..], ["tune", "evaluate"]);
    test.run("run p.yaml")
        .exits(0)
        .says("0 ran, 7 fresh, 0 failed");
}

#[test]
fn a_changed_image_runs_everything_and_one_that_came_back_nothing() {
    let test = done();
    let old = std::fs::read(test.path("photos/a.png")).unwrap();
    test.write("photos/a.png", crate::support::photo(40, 40));
    test.run("plan p.yaml")
        .exits(0)
        .says("7 to run")
        .says("outside.images/a.png: ");
    test.write("photos/a.png", old);
    test.run("run p.yaml").exits(0).says("0 ran, 7 fresh");
}

#[test]
fn comments_order_and_names_change_nothing() {
    let test = done();
    // The same stages from the last to the first, by other names and with the fields in another order.
    let head = "stages:\n";
    let mut blocks: Vec<String> = Vec::new();
    for line in TINY.trim_start_matches(head).split_inclusive('\n') {
        match blocks.last_mut().filter(|_| line.starts_with("    ")) {
            Some(block) => block.push_str(line),
            None => blocks.push(line.to_owned()),
        }
    }
    assert_eq!(blocks.len(), 7);
    blocks.reverse();
    let names = [
        ("\n  base:\n", "\n  ground:\n"),
        ("backbone: base,", "backbone: ground,"),
        ("model: base,", "model: ground,"),
        ("masks:\n", "segments:\n"),
        ("masks: masks", "masks: segments"),
        (
            "{images: pairs, grid: 4, count: 8}",
            "# how many\n      count: 8\n      grid: 4\n      images: pairs",
        ),
        ("alpha:", "table-4:"),
    ];
    let mut yaml = format!("# A comment.\n{head}{}", blocks.concat());
    for (from, to) in names {
        assert!(yaml.contains(from), "{from}\n{yaml}");
        yaml = yaml.replace(from, to);
    }
    test.write("other.yaml", &yaml);
    test.run("run other.yaml")
        .exits(0)
        .says("0 ran, 7 fresh, 0 failed");
    assert_eq!(test.noted().len(), 6);
    assert_eq!(
        test.read("reports/other/table-4.csv"),
        test.read("reports/p/alpha.csv")
    );
}

#[test]
fn what_a_stage_asks_of_the_machine_changes_nothing() {
    let test = done();
    test.write(
        "p.yaml",
        with("{threads: 1}", "{threads: 2, checkpoint: 3}"),
    );
    test.run("run p.yaml --jobs 1")
        .exits(0)
        .says("0 ran, 7 fresh");
    std::fs::rename(test.path("photos"), test.path("pictures")).unwrap();
    test.write("p.yaml", with("images: photos", "images: pictures"));
    test.run("run p.yaml").exits(0).says("0 ran, 7 fresh");
}

#[test]
fn force_runs_a_stage_and_what_is_made_from_it() {
    let test = done();
    test.run("plan p.yaml --force tuned")
        .exits(0)
        .says("tuned       tune        forced");
    test.run("run p.yaml --force tuned")
        .exits(0)
        .says("3 ran, 4 fresh, 0 failed");
    assert_eq!(test.noted()[6..], ["tune", "evaluate"]);
    test.run("run p.yaml").exits(0).says("0 ran, 7 fresh");
}

#[test]
fn a_target_runs_only_what_it_needs() {
    let test = Test::new().tiny();
    test.run("run p.yaml score-base")
        .exits(0)
        .says("3 ran, 0 fresh, 0 failed");
    assert_eq!(test.noted(), ["prepare", "train", "evaluate"]);
    test.run("run p.yaml")
        .exits(0)
        .says("4 ran, 3 fresh, 0 failed");
}

#[test]
fn json_has_an_object_a_line_and_the_counts_at_the_end() {
    let test = Test::new().tiny();
    let ran = test.run("run p.yaml --json").exits(0);
    let events = ran.events();
    let ends = json!({"event": "finished", "ran": 7, "fresh": 0, "failed": 0, "not_run": 0, "interrupted": false});
    assert_eq!(events.last(), Some(&ends));
    for event in ["started", "done"] {
        let of: Vec<_> = events.iter().filter(|e| e["event"] == event).collect();
        assert_eq!(of.len(), 7, "{ran}");
        assert!(of.iter().all(|e| e["stage"].is_string()));
    }
    let plan = test
        .run("plan p.yaml --json --set stages.tuned.tune.alpha=2")
        .exits(0);
    let planned = plan.events();
    assert_eq!(planned.len(), 8);
    let tuned = planned.iter().find(|e| e["stage"] == "tuned").unwrap();
    assert_eq!(
        (&tuned["verdict"], &tuned["reasons"][0]),
        (&json!("stale"), &json!("config.alpha: 1 → 2"))
    );
    assert_eq!(
        planned[7],
        json!({"event": "finished", "stale": 3, "fresh": 4, "blocked": 0})
    );
}

#[test]
fn quiet_says_only_what_went_wrong() {
    let test = Test::new().tiny();
    let ran = test.run("run p.yaml --quiet").exits(0);
    assert!(ran.stdout.is_empty() && ran.stderr.is_empty(), "{ran}");
    test.write("fail-train", "");
    let ran = test
        .run("run p.yaml --quiet --force base")
        .exits(1)
        .says("failed: base: asked to fail");
    assert!(ran.stdout.is_empty(), "{ran}");
}

/// One byte of the only output of this kind and name is changed, and its modification time set back.
fn damage(test: &Test, kind: &str, name: &str) {
    let path = test.output(kind, name);
    let mut file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn a_flipped_bit_is_noticed_before_it_is_read() {
    let test = done();
    damage(&test, "train", "weights.safetensors");
    let warning = "warning: the result of `base` is not what was stored; it is moved aside and computed again";
    test.run("run p.yaml --set stages.tuned.tune.alpha=2")
        .exits(0)
        .says(warning)
        .says("4 ran, 3 fresh, 0 failed");
    assert_eq!(test.noted()[6..], ["train", "tune", "evaluate"]);
    assert_eq!(
        std::fs::read_dir(test.path("cache/damaged"))
            .unwrap()
            .count(),
        1
    );
    test.run("run p.yaml")
        .exits(0)
        .never_says("warning")
        .says("0 ran, 7 fresh");
}

#[test]
fn a_missing_output_is_made_again() {
    let test = done();
    std::fs::remove_file(test.output("mask", "masks.json")).unwrap();
    test.run("plan p.yaml")
        .exits(0)
        .says("outputs are gone: masks.json");
    test.run("run p.yaml")
        .exits(0)
        .says("1 ran, 6 fresh, 0 failed");
    assert_eq!(test.noted()[6..], ["mask"]);
}

#[test]
fn a_removed_report_comes_back_without_running_anything() {
    let test = done();
    std::fs::remove_dir_all(test.path("reports")).unwrap();
    test.run("run p.yaml").exits(0).says("0 ran, 7 fresh");
    assert!(test.path("reports/p/alpha.tex").exists());
}

#[test]
fn the_root_is_above_the_folder_pipelines_or_where_it_is_told_to_be() {
    let test = Test::new().photos();
    test.write(
        "pipelines/deep/p.yaml",
        with("images: photos", "images: ../../photos"),
    );
    test.run("run pipelines/deep/p.yaml").exits(0);
    assert!(test.path("cache/format").exists() && test.path("reports/deep/p/alpha.txt").exists());
    std::fs::create_dir(test.path("elsewhere")).unwrap();
    test.run("run pipelines/deep/p.yaml --root elsewhere")
        .exits(0)
        .says("7 ran");
    assert!(test.path("elsewhere/cache/format").exists());
}

#[test]
fn plan_writes_nothing() {
    let test = Test::new().tiny();
    test.run("plan p.yaml")
        .exits(0)
        .says("7 to run")
        .says("has no result yet");
    assert!(!test.path("cache").exists() && !test.path("reports").exists());
}
