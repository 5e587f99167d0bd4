//! Content cut-off: what is made from inputs that came out with the same bytes does not run again.
//! Unaware of how results are stored, but for those that a test damages.

use std::path::PathBuf;

use serde_json::Value;
use store::{Facts, Record, summed};

use crate::support::{Ran, Test, files_below, list};

/// `a` runs a script; each further one copies the one before. All note that they ran, outside of the walls.
fn chain() -> Test {
    let mut yaml = "stages:\n  a:\n    command: {files: [a.sh], run: [bash, a.sh], outputs: [a.txt], env: {P: '${HERE}'}}\n".to_owned();
    for (before, name) in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")] {
        yaml += &format!(
            "  {name}:\n    command: {{stages: {{in: {before}}}, shell: 'cat in/{before}.txt > {name}.txt; echo {name} >> $P/ran', outputs: [{name}.txt], env: {{P: '${{HERE}}'}}}}\n"
        );
    }
    let test = Test::new().file("p.yaml", yaml);
    script(&test, "", "one");
    test
}

/// A first command that writes `text`, with a comment.
fn script(test: &Test, comment: &str, text: &str) {
    let script = format!("# {comment}\necho {text} > a.txt\necho a >> $P/ran\n");
    test.write("a.sh", script);
}

fn run(test: &Test, words: &str) -> Ran {
    let mut command = test.command(words);
    Ran::of(command.env("HERE", test.outside("")).output().unwrap())
}

/// What ran since the last call.
fn ran(test: &Test) -> String {
    let notes = test.outside("ran");
    let names = std::fs::read_to_string(&notes).unwrap_or_default();
    std::fs::write(notes, "").unwrap();
    names.replace('\n', "")
}

/// The stored files of this name.
fn stored(test: &Test, name: &str) -> Vec<PathBuf> {
    let shards = list(&test.path("cache/outputs")).into_iter();
    let keys = shards.flat_map(|shard| list(&shard));
    let files = keys.map(|key| key.join(name));
    files.filter(|file| file.exists()).collect()
}

#[test]
fn a_changed_comment_in_the_first_of_five_commands_runs_one() {
    let test = chain();
    run(&test, "run p.yaml").exits(0);
    assert_eq!(ran(&test), "abcde");
    script(&test, "a comment", "one");
    let spared = "spared if its inputs come out with the same bytes as before";
    let plan = run(&test, "plan p.yaml").exits(0).says("5 to run, 0 fresh");
    assert_eq!(plan.stdout.matches(spared).count(), 4, "{plan}");
    run(&test, "explain e -f p.yaml").says(spared);
    run(&test, "run p.yaml")
        .exits(0)
        .says("same inputs by content as")
        .says("1 ran, 4 fresh, 0 failed");
    assert_eq!(ran(&test), "a");
    assert_eq!(test.read("e.txt"), "one\n");
    run(&test, "explain e -f p.yaml")
        .says("e (command): fresh")
        .says("not run: same inputs by content as");
    run(&test, "explain a -f p.yaml").never_says("same inputs");
    run(&test, "runs").exits(0);
    run(&test, "run p.yaml").says("0 ran, 5 fresh");
    test.run("cache verify").exits(0);
}

#[test]
fn a_chain_of_comments_names_the_stage_that_ran() {
    let test = chain();
    run(&test, "run p.yaml").exits(0);
    let key = |test: &Test| {
        let explained = run(test, "explain b -f p.yaml --json").exits(0).events();
        explained[0]["key"].as_str().unwrap().to_owned()
    };
    let first = key(&test);
    for comment in ["one", "two", "three"] {
        script(&test, comment, "one");
        let events = run(&test, "run p.yaml --json").exits(0).events();
        let taken = events.iter().filter(|e| e["same_inputs_as"].is_string());
        assert_eq!(taken.count(), 4);
        run(&test, "explain b -f p.yaml").says(&format!("same inputs by content as {first}"));
    }
    ran(&test);
    script(&test, "", "one");
    run(&test, "run p.yaml").says("0 ran, 5 fresh");
}

#[test]
fn other_bytes_run_on_until_they_are_the_same_again() {
    let test = chain();
    let yaml = test
        .read("p.yaml")
        .replace("cat in/b.txt >", "wc -l < in/b.txt >");
    test.write("p.yaml", yaml);
    run(&test, "run p.yaml").exits(0);
    script(&test, "", "two");
    ran(&test);
    run(&test, "run p.yaml").exits(0).says("3 ran, 2 fresh");
    assert_eq!(ran(&test), "abc");
}

#[test]
fn a_changed_field_or_file_of_its_own_runs_it() {
    let test = chain().file("x", "1");
    let read = "files: [x], stages: {in: d}";
    test.write(
        "p.yaml",
        test.read("p.yaml").replace("stages: {in: d}", read),
    );
    run(&test, "run p.yaml").exits(0);
    ran(&test);
    script(&test, "a comment", "one");
    test.write("x", "2");
    run(&test, "run p.yaml").exits(0).says("2 ran, 3 fresh");
    assert_eq!(ran(&test), "ae");
    script(&test, "another one", "one");
    test.write(
        "p.yaml",
        test.read("p.yaml").replace("echo c >>", "echo c  >>"),
    );
    run(&test, "run p.yaml").exits(0).says("2 ran, 3 fresh");
    assert_eq!(ran(&test), "ac");
}

#[test]
fn forced_stages_and_what_is_made_from_them_run() {
    let test = chain();
    run(&test, "run p.yaml").exits(0);
    ran(&test);
    script(&test, "a comment", "one");
    run(&test, "run p.yaml --force c").exits(0);
    assert_eq!(ran(&test), "acde");
    run(&test, "run p.yaml --force a").exits(0);
    assert_eq!(ran(&test), "abcde");
}

#[test]
fn a_damaged_result_is_not_taken() {
    let damages: [fn(&PathBuf); 3] = [
        |file| std::fs::write(file, "two\n").unwrap(),
        |file| std::fs::remove_file(file).unwrap(),
        |file| {
            let key = file
                .parent()
                .unwrap()
                .file_name()
                .unwrap()
                .to_str()
                .unwrap();
            let cache = file.ancestors().nth(4).unwrap();
            let record = cache.join(format!("records/{}/{key}.json", &key[..2]));
            let mut bytes = std::fs::read(&record).unwrap();
            bytes[30] ^= 1;
            std::fs::write(record, bytes).unwrap();
        },
    ];
    for damage in damages {
        let test = chain();
        run(&test, "run p.yaml").exits(0);
        ran(&test);
        damage(&stored(&test, "c.txt")[0]);
        script(&test, "a comment", "one");
        run(&test, "run p.yaml").exits(0).says("2 ran, 3 fresh");
        assert_eq!(ran(&test), "ac");
        assert_eq!(test.read("e.txt"), "one\n");
        run(&test, "run p.yaml").exits(0).says("0 ran, 5 fresh");
    }
}

/// Takes a fact out of all records, as if an earlier program had written them.
fn without_fact(test: &Test, name: &str) {
    for path in files_below(&test.path("cache/records")) {
        let mut record: Record = summed::decode(&std::fs::read(&path).unwrap()).unwrap();
        record.facts = Facts(
            record
                .facts
                .0
                .into_iter()
                .filter(|(n, _)| n != name)
                .collect(),
        );
        std::fs::write(&path, summed::encode(&record).unwrap()).unwrap();
    }
}

#[test]
fn records_that_do_not_say_what_they_consumed_are_not_taken() {
    for fact in ["consumed", "content_key"] {
        let test = chain();
        run(&test, "run p.yaml").exits(0);
        ran(&test);
        without_fact(&test, fact);
        run(&test, "run p.yaml").says("0 ran, 5 fresh");
        script(&test, "a comment", "one");
        run(&test, "run p.yaml").exits(0).says("5 ran, 0 fresh");
        assert_eq!(ran(&test), "abcde", "{fact}");
    }
}

#[test]
fn a_result_that_was_kept_although_its_input_differed_is_not_taken_for_it() {
    let test = chain();
    std::fs::write(test.outside("v"), "one\n").unwrap();
    let text = "# 1\ncat $P/v > a.txt\necho a >> $P/ran\n";
    test.write("a.sh", text);
    run(&test, "run p.yaml b").exits(0);
    std::fs::remove_file(&stored(&test, "a.txt")[0]).unwrap();
    std::fs::write(test.outside("v"), "two\n").unwrap();
    run(&test, "run p.yaml b --keep-consumers").exits(0);
    assert_eq!(test.read("b.txt"), "one\n");
    ran(&test);
    test.write("a.sh", text.replace('1', "2"));
    run(&test, "run p.yaml b").exits(0).says("2 ran");
    assert_eq!(ran(&test), "ab");
    assert_eq!(test.read("b.txt"), "two\n");
}

#[test]
fn of_two_results_the_newer_one_is_taken_that_is_whole() {
    let test = chain();
    let yaml = test
        .read("p.yaml")
        .replace("cat in/a.txt >", "date +%s%N >");
    test.write("p.yaml", yaml);
    run(&test, "run p.yaml b").exits(0);
    let older = test.read("b.txt");
    std::thread::sleep(std::time::Duration::from_millis(20));
    script(&test, "a comment", "one");
    run(&test, "run p.yaml b --force b").exits(0);
    let newer = test.read("b.txt");
    assert_ne!(older, newer);
    script(&test, "another", "one");
    run(&test, "run p.yaml b").exits(0).says("1 ran, 1 fresh");
    assert_eq!(test.read("b.txt"), newer);
    for file in stored(&test, "b.txt") {
        if std::fs::read_to_string(&file).unwrap() == newer {
            std::fs::remove_file(file).unwrap();
        }
    }
    script(&test, "a third one", "one");
    run(&test, "run p.yaml b").exits(0).says("1 ran, 1 fresh");
    assert_eq!(test.read("b.txt"), older);
}

#[test]
fn an_output_that_a_reader_sees_by_another_name_is_another_input() {
    let yaml = "\
stages:
  a:
    command: {shell: 'mkdir -p d; echo x > d/x', outputs: [d]}
  b:
    command: {stages: {in: a}, shell: 'ls in > b.txt', outputs: [b.txt]}
";
    let test = Test::new().file("p.yaml", yaml);
    run(&test, "run p.yaml").exits(0);
    assert_eq!(test.read("b.txt"), "d\n");
    test.write("p.yaml", yaml.replace("outputs: [d]", "outputs: [d/x]"));
    run(&test, "run p.yaml").exits(0).says("2 ran");
    assert_eq!(test.read("b.txt"), "x\n");
}

/// Both times the outputs are called `b` and `c`, and the files below are the same; which has which bytes is not.
#[test]
fn outputs_that_change_their_names_are_another_input() {
    let yaml = "\
stages:
  a:
    command: {shell: 'mkdir -p x/b y/b; echo one > x/b/c; echo two > y/b/c', outputs: [x/b, y/b/c]}
  b:
    command: {stages: {in: a}, shell: 'cat in/b/c in/c > b.txt', outputs: [b.txt]}
";
    let test = Test::new().file("p.yaml", yaml);
    run(&test, "run p.yaml").exits(0);
    assert_eq!(test.read("b.txt"), "one\ntwo\n");
    let swapped = yaml.replace("outputs: [x/b, y/b/c]", "outputs: [x/b/c, y/b]");
    test.write("p.yaml", swapped);
    run(&test, "run p.yaml").exits(0).says("2 ran");
    assert_eq!(test.read("b.txt"), "two\none\n");
}

#[test]
fn a_program_that_is_taken_over_can_still_be_run() {
    let yaml = |comment: &str, reader: &str| {
        format!(
            "\
stages:
  source:
    command: {{shell: 'echo x > s # {comment}', outputs: [s]}}
  build:
    command: {{stages: {{in: source}}, shell: 'printf \"#!/bin/sh\\necho ran\\n\" > tool; chmod +x tool', outputs: [tool]}}
  use:
    command: {{stages: {{in: build}}, shell: 'in/tool > {reader}', outputs: [{reader}]}}
"
        )
    };
    let test = Test::new().file("p.yaml", yaml("one", "first"));
    run(&test, "run p.yaml").exits(0);
    test.write("p.yaml", yaml("two", "second"));
    run(&test, "run p.yaml").exits(0).says("2 ran, 1 fresh");
    assert_eq!(test.read("second"), "ran\n");
}

#[test]
fn stages_of_the_worker_are_spared_and_tables_are_not() {
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0);
    let before = test.noted().len();
    let test = test.photo("photos/c.png", 20, 20);
    let plan: Vec<Value> = test.run("plan p.yaml --json").exits(0).events();
    let spared = |name: &str| {
        let line = plan.iter().find(|line| line["stage"] == name).unwrap();
        line["may_be_spared"].as_bool().unwrap()
    };
    let of = ["pairs", "masks", "base", "score", "alpha"].map(spared);
    assert_eq!(of, [false, true, true, true, false]);
    test.run("run p.yaml").exits(0).says("2 ran, 5 fresh");
    assert_eq!(test.noted()[before..], ["prepare"]);
}

#[test]
fn what_is_checked_is_computed() {
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0);
    let before = test.noted().len();
    let test = test.photo("photos/c.png", 20, 20);
    test.run("run p.yaml --check reports/p/alpha.csv")
        .exits(0)
        .says("7 ran, 0 fresh");
    assert_eq!(test.noted().len(), before + 6);
}
