//! Results that must not drift from what they were made of: inputs that change while they are read, outputs that are lost
//! and come back with other bytes. Unaware of workers, but for the stand-in.

use std::path::PathBuf;

use crate::support::{Ran, Test, has_two_cores, list};

/// Two stages without a worker; `s` is what the test is about.
fn project(s: &str) -> Test {
    let yaml = format!(
        "stages:\n  a:\n    command: {{shell: 'echo good > x', outputs: [x]}}\n  s:\n    command: {{stages: {{in: a}}, inputs: link, shell: '{s}', outputs: [o]}}\n"
    );
    Test::new().file("p.yaml", yaml)
}

/// Where nothing keeps `s` from changing its input.
fn chain(s: &str) -> Test {
    project(s).without_walls()
}

/// The folders of outputs in which a file of this name lies.
fn stored(test: &Test, name: &str) -> Vec<PathBuf> {
    let shards = list(&test.path("cache/outputs")).into_iter();
    let keys = shards.flat_map(|shard| list(&shard));
    keys.map(|key| key.join(name))
        .filter(|file| file.exists())
        .collect()
}

/// After the culprit: `a` is whole, nothing of `s` is stored, and the next run says the same again.
#[track_caller]
fn nothing_came_of_it(test: &Test, why: &str) {
    let a = stored(test, "x");
    assert_eq!(a.len(), 1, "{why}");
    assert_eq!(std::fs::read_to_string(&a[0]).unwrap(), "good\n", "{why}");
    assert!(
        stored(test, "o").is_empty(),
        "{why}: a result of `s` was kept"
    );
    assert!(!test.path("o").exists(), "{why}");
    test.run("plan p.yaml").exits(0).says("1 to run, 1 fresh");
}

/// Ways to change `in/x`, some of which put it back.
const CHANGES: [&str; 12] = [
    "echo BAD > in/x; cp in/x o",
    "echo BAD > in/x; echo o > o",
    "read v < in/x; echo BAAD > in/x; read w < in/x; echo $v > in/x; echo $w > o",
    "cp -p in/x t; echo BAAD > in/x; cp in/x o; cp -p t in/x",
    "f=$(readlink in/x); touch -r in/x t; echo BAAD > $f; touch -r t $f; cp in/x o",
    "f=$(readlink in/x); rm $f; echo good > $f; cp in/x o",
    "f=$(readlink in/x); mv $f $f.old; cp $f.old $f; cp in/x o; rm $f.old",
    "chmod 600 $(readlink in/x); cp in/x o",
    "truncate -s 1 in/x; cp in/x o",
    "rm $(readlink in/x); echo o > o",
    "echo more > $(dirname $(readlink in/x))/more; echo o > o",
    "mkdir $(dirname $(readlink in/x))/d; echo o > o",
];

/// With the walls of this machine, whatever these keep it from.
#[test]
fn whatever_a_command_tries_with_its_input_others_read_that_as_it_was() {
    for s in CHANGES {
        let test = project(s);
        test.run("run p.yaml");
        let a = stored(&test, "x");
        assert_eq!(a.len(), 1, "{s}");
        assert_eq!(std::fs::read_to_string(&a[0]).unwrap(), "good\n", "{s}");
        assert!(!test.read("o").contains('B'), "{s}");
        test.run("cache verify").exits(0);
    }
}

#[test]
fn a_command_that_changes_its_input_is_never_kept() {
    for (n, s) in CHANGES.into_iter().enumerate() {
        let test = chain(s);
        let words = if n % 2 == 0 {
            "run p.yaml"
        } else {
            "run p.yaml s"
        };
        test.run(words)
            .exits(1)
            .says("it changed its input `a`")
            .says("hint: it wrote through a link")
            .says("1 ran, 0 fresh, 1 failed");
        nothing_came_of_it(&test, s);
        test.run(words).exits(1).says("it changed its input `a`");
        nothing_came_of_it(&test, s);
    }
}

#[test]
fn a_command_that_changes_its_input_and_fails_leaves_the_input_whole() {
    let test = chain("echo BAD > in/x; exit 3");
    test.run("run p.yaml")
        .exits(1)
        .says("the command ended with exit status: 3");
    nothing_came_of_it(&test, "exit 3");
}

#[test]
fn what_it_replaces_in_its_own_folder_is_its_own() {
    for s in [
        "rm in/x; echo BAD > in/x; cp in/x o",
        "rm -r in; echo o > o",
    ] {
        let test = chain(s);
        test.run("run p.yaml").exits(0);
        test.run("run p.yaml").exits(0).says("0 ran, 2 fresh");
    }
}

#[test]
fn of_two_readers_the_innocent_one_gets_its_result() {
    let yaml = "\
stages:
  a:
    command: {shell: 'echo good > x', outputs: [x]}
  innocent:
    command: {stages: {in: a}, inputs: link, shell: 'touch $P/reading; while [ ! -e $P/written ]; do sleep 0.01; done; cp in/x i', outputs: [i], env: {P: '${HERE}'}}
    resources: {threads: 1}
  guilty:
    command: {stages: {in: a}, inputs: link, shell: 'while [ ! -e $P/reading ]; do sleep 0.01; done; echo BAD > in/x; touch $P/written; cp in/x o', outputs: [o], env: {P: '${HERE}'}}
    resources: {threads: 1}
  after:
    command: {stages: {in: innocent}, shell: 'cp in/i r', outputs: [r]}
";
    if !has_two_cores("of_two_readers_the_innocent_one_gets_its_result") {
        return;
    }
    // Walls would keep the guilty one from it.
    let test = Test::new().without_walls().file("p.yaml", yaml);
    let run = |words: &str| {
        let mut command = test.command(words);
        Ran::of(command.env("HERE", test.path("")).output().unwrap())
    };
    run("run p.yaml --keep-going --jobs 2")
        .exits(1)
        .says("failed: guilty: it changed its input `a`")
        .never_says("failed: innocent")
        .says("again: innocent: its input was changed while it ran: `a`: x")
        .says("3 ran, 0 fresh, 1 failed");
    assert_eq!(test.read("r"), "good\n");
    assert!(stored(&test, "o").is_empty());
    run("plan p.yaml").says("1 to run, 3 fresh");
}

#[test]
fn a_stage_of_a_worker_that_reads_what_a_command_changes() {
    let test = Test::new().without_walls().photos().file(
        "p.yaml",
        "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
    resources: {threads: 1}
  guilty:
    command: {stages: {in: pairs}, inputs: link, shell: 'echo BAD >> in/pairs.json; cp in/pairs.json o', outputs: [o]}
  masks:
    mask: {images: pairs, grid: 4, count: 8}
    resources: {threads: 1}
",
    );
    test.run("run p.yaml --keep-going --jobs 1")
        .exits(1)
        .says("failed: guilty: it changed its input `pairs`")
        .says("2 ran, 0 fresh, 1 failed");
    test.run("plan p.yaml").says("1 to run, 2 fresh");
    test.run("cache verify").exits(0);
}

/// `a` gives other bytes each time, `b` copies them, `c` copies `b`; `d` does not depend on the bytes.
const DRIFT: &str = "\
stages:
  a:
    command: {shell: 'date +%s%N > a.txt', outputs: [a.txt]}
  b:
    command: {stages: {in: a}, shell: 'cp in/a.txt b.txt; echo b >> $P/ran', outputs: [b.txt], env: {P: '${HERE}'}}
  c:
    command: {stages: {in: b}, shell: 'cp in/b.txt c.txt; echo c >> $P/ran', outputs: [c.txt], env: {P: '${HERE}'}}
  d:
    command: {stages: {in: a}, shell: 'echo d > d.txt; echo d >> $P/ran', outputs: [d.txt], env: {P: '${HERE}'}}
  e:
    command: {stages: {in: d}, shell: 'cp in/d.txt e.txt; echo e >> $P/ran', outputs: [e.txt], env: {P: '${HERE}'}}
";

struct Drift(Test);

impl Drift {
    /// A pipeline that has run.
    fn done() -> Self {
        let drift = Self(Test::new().file("p.yaml", DRIFT));
        drift.run("run p.yaml").exits(0).says("5 ran, 0 fresh");
        drift.ran();
        drift
    }

    fn run(&self, words: &str) -> Ran {
        let mut command = self.0.command(words);
        let notes = self.0.outside("");
        Ran::of(command.env("HERE", notes).output().unwrap())
    }

    /// Loses the output of a stage.
    fn lose(&self, name: &str) {
        for file in stored(&self.0, name) {
            std::fs::remove_file(file).unwrap();
        }
    }

    /// What ran since the last time, in order of names.
    fn ran(&self) -> String {
        let notes = self.0.outside("ran");
        let text = std::fs::read_to_string(&notes).unwrap_or_default();
        let _ = std::fs::remove_file(notes); // nothing ran, then
        let mut names: Vec<&str> = text.lines().collect();
        names.sort_unstable();
        names.join(" ")
    }
}

#[test]
fn what_was_made_from_lost_bytes_runs_again_in_the_same_run() {
    let drift = Drift::done();
    drift.lose("a.txt");
    drift
        .run("plan p.yaml")
        .exits(0)
        .says("outputs are gone: a.txt")
        .says(
            "fresh    b  command     runs if `a` comes out with other bytes than it was made from",
        )
        .says("1 to run, 4 fresh");
    drift
        .run("run p.yaml")
        .exits(0)
        .says("again: b: its input `a` was made again and differs")
        .says("again: c: its input `b` was made again and differs")
        .says("4 ran, 1 fresh, 0 failed");
    // `d` read `a` and so ran again; it came out as before, and `e` stays.
    assert_eq!(drift.ran(), "b c d");
    let texts = ["a.txt", "b.txt", "c.txt"].map(|name| drift.0.read(name));
    assert!(
        texts
            .iter()
            .all(|text| *text == texts[0] && !text.is_empty())
    );
    drift.run("run p.yaml").exits(0).says("0 ran, 5 fresh");
    assert_eq!(drift.ran(), "");
}

#[test]
fn what_was_made_again_alone_is_seen_by_the_next_plan() {
    let drift = Drift::done();
    drift.lose("a.txt");
    drift.run("run p.yaml a").exits(0).says("1 ran, 0 fresh");
    drift
        .run("plan p.yaml")
        .exits(0)
        .says("b  command     its input `a` was made again and differs")
        .says("c  command     runs if `b` comes out with other bytes than it was made from")
        .says("2 to run, 3 fresh");
    let events = drift.run("plan p.yaml --json").exits(0).events();
    let why = |at: usize| events[at]["why"][0]["reason"].clone();
    assert_eq!(
        (why(1), why(3)),
        ("input_differs".into(), "input_differs".into())
    );
    drift
        .run("explain b -f p.yaml")
        .exits(0)
        .says("- its input `a` was made again and differs");
    drift
        .run("explain c -f p.yaml")
        .exits(0)
        .says("note: runs if `b` comes out with other bytes than it was made from");
    drift.run("run p.yaml").exits(0).says("3 ran, 2 fresh");
    assert_eq!(drift.ran(), "b c d");
    assert_eq!(drift.0.read("c.txt"), drift.0.read("a.txt"));
}

#[test]
fn kept_consumers_stay_and_are_marked() {
    let drift = Drift::done();
    drift.lose("a.txt");
    drift
        .run("run p.yaml --keep-consumers")
        .exits(0)
        .says("b: its input `a` was made again and differs; its result is kept (--keep-consumers)")
        .says("1 ran, 4 fresh");
    assert_eq!(drift.ran(), "");
    drift
        .run("plan p.yaml --keep-consumers")
        .exits(0)
        .says("kept: its input `a` was made again and differs (--keep-consumers)")
        .says("0 to run, 5 fresh");
    drift
        .run("run p.yaml --keep-consumers")
        .exits(0)
        .says("b: its input `a` was made again and differs; its result is kept")
        .says("0 ran, 5 fresh");
    drift.run("run p.yaml").exits(0).says("3 ran, 2 fresh");
    assert_eq!(drift.ran(), "b c d");
}

#[test]
fn the_same_bytes_again_run_nothing_else() {
    let drift = Drift::done();
    drift.lose("d.txt");
    drift.run("run p.yaml").exits(0).says("1 ran, 4 fresh");
    assert_eq!(drift.ran(), "d");
    drift.lose("b.txt");
    drift.run("run p.yaml").exits(0).says("1 ran, 4 fresh");
    assert_eq!(drift.ran(), "b");
}

#[test]
fn a_lost_middle_is_made_from_the_new_bytes_and_so_is_its_end() {
    let drift = Drift::done();
    drift.lose("a.txt");
    drift.lose("b.txt");
    drift.run("run p.yaml").exits(0).says("4 ran, 1 fresh");
    assert_eq!(drift.ran(), "b c d");
    assert_eq!(drift.0.read("c.txt"), drift.0.read("a.txt"));
}

#[test]
fn a_part_of_a_chain_from_elsewhere_does_not_pass_for_the_whole() {
    let (here, there) = (Drift::done(), Drift::done());
    let key = |drift: &Drift, name: &str| {
        let path = drift.run(&format!("path {name} -f p.yaml")).exits(0).stdout;
        path.trim().rsplit('/').next().unwrap().to_owned()
    };
    let archive = there.0.path("b.tar").display().to_string();
    // The environment is in the keys: both are run as one.
    let yaml = DRIFT.replace("'${HERE}'", "/tmp");
    for drift in [&here, &there] {
        drift
            .0
            .write("p.yaml", yaml.replace(" >> $P/ran", " > /dev/null"));
        drift.run("run p.yaml").exits(0);
    }
    there
        .run(&format!("cache export b -f p.yaml -o {archive}"))
        .exits(0);
    let folder = here.0.path("cache/outputs");
    let b = key(&here, "b");
    std::fs::remove_dir_all(folder.join(&b[..2]).join(&b)).unwrap();
    std::fs::remove_file(here.0.path(&format!("cache/records/{}/{b}.json", &b[..2]))).unwrap();
    here.run(&format!("cache import {archive}")).exits(0);
    here.run("plan p.yaml")
        .exits(0)
        .says("b  command     its input `a` was made again and differs");
    here.run("run p.yaml").exits(0);
    assert_eq!(here.0.read("b.txt"), here.0.read("a.txt"));
}

#[test]
fn records_that_do_not_say_what_they_consumed_count_as_consistent() {
    let drift = Drift::done();
    for record in crate::support::files_below(&drift.0.path("cache/records")) {
        let text = std::fs::read_to_string(&record).unwrap();
        let mut value: serde_json::Value =
            serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert!(
            value["facts"]
                .as_object_mut()
                .unwrap()
                .remove("consumed")
                .is_some()
        );
        let line = format!("{value}\n");
        let sum = blake3::hash(line.as_bytes());
        std::fs::write(&record, format!("{line}{{\"blake3\":\"{sum}\"}}\n")).unwrap();
    }
    drift.lose("a.txt");
    drift.run("plan p.yaml").exits(0).never_says("comes out");
    drift.run("run p.yaml").exits(0).says("1 ran, 4 fresh");
    drift
        .run("explain b -f p.yaml")
        .says("consumed: not recorded (an earlier program made it)");
}
