//! Command lines, environments and folders that are unlike what anybody meant: each is done or refused, and says so.
//! Unaware of what stages compute.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ran, Test, files_below, wait_for};

/// A pipeline file of one command, whose fields these are.
fn stage(body: &str) -> String {
    format!("stages:\n  a: {{command: {{{body}}}}}\n")
}

fn program(test: &Test, path: &str, text: &str) {
    test.write(path, format!("#!/bin/sh\n{text}\n"));
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(test.path(path), mode).unwrap();
}

#[test]
fn a_stage_that_misses_its_own_output_is_not_told_to_read_itself() {
    let member =
        "each: {x: [1, 2]}, command: {shell: 'echo look at r{x}.txt', outputs: ['r{x}.txt']}";
    let yaml = stage("shell: 'echo no o.txt >&2; exit 1', outputs: [o.txt]");
    let yaml = format!("{yaml}  m: {{{member}}}\n");
    let test = Test::new().file("p.yaml", yaml);
    test.run("run p.yaml --keep-going")
        .exits(1)
        .says("the output `r1.txt` is missing")
        .says("hint: an output is a file or a folder that the command writes")
        .never_says("name that under");
}

#[test]
fn a_program_is_looked_up_where_the_command_would_find_it() {
    let test = Test::new();
    for folder in ["one", "two"] {
        program(
            &test,
            &format!("{folder}/tool"),
            &format!("echo {folder} > $1"),
        );
    }
    let (one, two) = (test.path("one"), test.path("two"));
    let with = |words: &str| {
        let path = format!("{}:/usr/bin:/bin", one.display());
        Ran::of(test.command(words).env("PATH", path).output().unwrap())
    };
    let own = format!("env: {{PATH: '{}:/usr/bin:/bin'}}", two.display());
    let first = stage(&format!("run: [tool, s], {own}, outputs: [s]"));
    let keyed = format!("run: [tool, k], key: program, {own}, outputs: [k]");
    test.write("p.yaml", format!("{first}  k: {{command: {{{keyed}}}}}\n"));
    with("run p.yaml").exits(0).says("2 ran");
    assert_eq!((test.read("s") + &test.read("k")).as_str(), "two\ntwo\n");
    with("explain a -f p.yaml")
        .says("program: ")
        .says("two/tool");
    program(&test, "one/tool", "false");
    with("plan p.yaml").says("2 fresh");
    program(&test, "two/tool", "true");
    with("plan p.yaml").says("config.program: ").says("1 fresh");
}

#[test]
fn a_program_of_an_input_stage_is_in_the_key_already() {
    let test = Test::new().file(
        "p.yaml",
        "stages:\n  build:\n    command:\n      shell: |\n        mkdir t\n        printf '#!/bin/sh\\necho made > o\\n' > t/prog\n        \
         chmod +x t/prog\n      outputs: [t]\n  \
         use: {command: {run: [build/t/prog], key: program, stages: {build: build}, outputs: [o]}}\n",
    );
    test.run("run p.yaml").exits(0).says("2 ran");
    assert_eq!(test.read("o"), "made\n");
    test.run("plan p.yaml").exits(0).says("2 fresh");
}

#[test]
fn words_that_are_not_utf_8_are_no_reason_to_panic() {
    let test = Test::new();
    let name = OsStr::from_bytes(b"p\xff.yaml");
    fs::write(
        test.path("").join(name),
        stage("shell: 'echo x > o', outputs: [o]"),
    )
    .unwrap();
    let ran = Ran::of(test.command("run").arg(name).output().unwrap());
    ran.exits(0).never_says("panicked").says("1 ran");
    test.run("show last").exits(0);
}

#[test]
fn a_value_that_is_not_utf_8_is_not_one_that_is_missing() {
    let test = Test::new();
    let value = OsStr::from_bytes(b"\xff");
    for body in [
        "shell: 'true > o', pass_env: [FOO], outputs: [o]",
        "shell: 'true > o', secrets: [FOO], outputs: [o]",
        "run: [echo, '${FOO:-x}'], outputs: [o]",
    ] {
        test.write("p.yaml", stage(body));
        let with = |name: &str| {
            Ran::of(
                test.command("plan p.yaml")
                    .env(name, value)
                    .output()
                    .unwrap(),
            )
        };
        with("FOO")
            .exits(2)
            .says("error: p.yaml:2:")
            .says("the value of the environment variable `FOO` is not UTF-8");
        with("BAR").never_says("UTF-8");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error_and_a_reader_that_has_gone_is_none() {
    let test = Test::new().file("p.yaml", stage("shell: 'echo x > o', outputs: [o]"));
    test.run("run p.yaml").exits(0);
    for words in [
        "plan p.yaml",
        "plan p.yaml --json",
        "path p.yaml a",
        "explain p.yaml a",
        "log p.yaml a --help",
        "graph p.yaml",
        "schema",
        "completions bash",
        "man",
        "runs",
        "show last",
        "cache verify",
        "doctor",
        "--help",
        "--version",
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = Ran::of(test.command(words).stdout(full).output().unwrap());
        let ran = ran.says("cannot write to standard output: No space left");
        ran.exits(1);
    }
    let mut child = test
        .command("schema")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_file_among_outputs_is_found_when_they_are_verified() {
    let test = Test::new().file(
        "p.yaml",
        stage("shell: 'mkdir d; echo x > d/x', outputs: [d]"),
    );
    test.run("run p.yaml").exits(0);
    test.run("cache verify")
        .exits(0)
        .says("all as they were written");
    let x = test.output("command", "d/x");
    fs::write(x.with_file_name("extra"), "").unwrap();
    test.run("cache verify")
        .exits(1)
        .says("damaged: d/extra; moved to");
    test.run("run p.yaml").exits(0).says("1 ran");
    test.run("cache verify").exits(0);
}

#[test]
fn what_somebody_else_has_written_is_not_replaced_unasked() {
    let yaml = stage("shell: 'echo x > o', outputs: [o]");
    let test = Test::new().file("p.yaml", &yaml).file("x.svg", "mine");
    test.run("run p.yaml").exits(0);
    for words in [
        "graph p.yaml -o p.yaml",
        "graph p.yaml -o p.yaml --overwrite",
        "schema -o p.yaml --overwrite",
        "cache archive -f p.yaml a -o p.yaml --overwrite",
    ] {
        test.run(words).exits(2).says("`p.yaml` is a pipeline file");
    }
    assert_eq!(test.read("p.yaml"), yaml);
    let format = test.read("cache/format");
    for words in [
        "schema -o cache/format --overwrite",
        "graph p.yaml -o cache/outputs/g.svg",
    ] {
        test.run(words).exits(2).says("lies in the cache");
    }
    assert_eq!(test.read("cache/format"), format);
    test.run("graph p.yaml -o x.svg")
        .exits(2)
        .says("replace it with --overwrite");
    assert_eq!(test.read("x.svg"), "mine");
    test.run("graph p.yaml -o x.svg --overwrite").exits(0);
    test.write("notes.md", "# Notes\n```mermaid\nflowchart LR\n```\n");
    test.run("graph p.yaml -o notes.md").exits(2);
    test.write("other.json", "{\n  \"a\": 1\n}\n");
    test.run("schema -o other.json").exits(2);
    // What the command wrote before is its own.
    for words in [
        "graph p.yaml -o x.svg",
        "graph p.yaml -o g.md",
        "graph p.yaml -o g.dot",
        "schema -o s.json",
        "schema --reference -o r.md",
    ] {
        test.run(words).exits(0).says("wrote ");
        test.run(words).exits(0).says("wrote ");
    }
}

#[test]
fn a_cache_on_a_disk_that_is_not_there_is_not_looked_for_above() {
    let yaml = stage("shell: 'echo x > o', outputs: [o]");
    let test = Test::new().file("p.yaml", &yaml).file("sub/p.yaml", yaml);
    test.run("run p.yaml").exits(0);
    symlink("/nonexistent/disk", test.path("sub/cache")).unwrap();
    test.run("run sub/p.yaml")
        .exits(2)
        .says("is a link that cannot be followed");
    test.remove("sub/cache");
    test.run("run sub/p.yaml").exits(0);
    // A folder of somebody else's that has the name is no sign.
    test.write("sub/cache/x.py", "");
    test.run("plan sub/p.yaml").exits(0).says("1 fresh");
}

#[test]
fn the_cache_is_no_input_and_the_project_folder_has_a_name() {
    let test = Test::new();
    for (file, message) in [
        ("../cache", "is the cache, or lies in it"),
        ("../cache/outputs", "is the cache, or lies in it"),
        ("..", "lies in the input `.`"),
    ] {
        let body = format!("shell: 'true > o', files: [{file}], outputs: [o]");
        test.write("pipelines/p.yaml", stage(&body));
        test.run("plan pipelines/p.yaml").exits(2).says(message);
    }
}

#[test]
fn what_to_type_next_names_the_file_and_the_run() {
    let yaml = stage("shell: 'echo said; echo x > o', outputs: [o]");
    let more = format!("{yaml}  f: {{command: {{shell: 'echo y > y', outputs: [y]}}}}\n");
    let test = Test::new().file("-x.yaml", &yaml).file("p.yaml", more);
    let dashed = |word: &str| Ran::of(test.command(word).args(["--", "-x.yaml"]).output().unwrap());
    dashed("run").exits(0).says("run ./-x.yaml");
    test.run("run p.yaml a").exits(0);
    test.run("run p.yaml f").exits(0);
    let log = test.run("log p.yaml a").exits(2).says(" has it: `");
    assert_eq!(log.stderr.matches("hint: ").count(), 1, "{log}");
    let many = "resources: {retries: 1000000}, command: {shell: x, outputs: [o]}";
    test.write("p.yaml", format!("stages: {{a: {{{many}}}}}\n"));
    test.run("plan p.yaml")
        .exits(2)
        .says("leave it out where a stage that fails is not to be tried again");
}

#[test]
fn a_result_that_is_wanted_anew_stays_until_the_new_one_is_there() {
    let test = Test::new().without_walls();
    let note = test.path("broken");
    let note = note.display();
    let yaml = format!(
        "stages:\n  a: {{command: {{shell: 'test ! -e {note} || {{ touch {note}-began; test -s {note} || sleep 600; exit 1; }}; echo x > o', \
         outputs: [o]}}, resources: {{retries: 1}}}}\n  b: {{command: {{shell: 'cat a/o > p', stages: {{a: a}}, outputs: [p]}}}}\n"
    );
    test.write("p.yaml", yaml);
    test.run("run p.yaml").exits(0).says("2 ran");
    // The keys, and with them the order of results, are others in each folder of a test.
    let stored = || {
        let all = test.outputs("command", "o").into_iter();
        let mut found = all.filter_map(|path| fs::read(path).ok());
        found.next().unwrap()
    };
    let output = stored();
    // It fails, twice.
    test.write("broken", "now");
    test.run("run p.yaml --force a").exits(1).says("1 failed");
    test.run("plan p.yaml").exits(0).says("2 fresh");
    // It is interrupted, or killed.
    for signal in [Signal::INT, Signal::KILL] {
        test.write("broken", "");
        fs::remove_file(test.path("broken-began")).unwrap();
        let mut child = test.command("run p.yaml --force a").spawn().unwrap();
        wait_for("the stage", || {
            test.path("broken-began").exists().then_some(())
        });
        kill_process(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap();
        test.write("broken", "now");
        let plan = test.run("plan p.yaml").exits(0).never_says("damaged");
        assert!(
            signal == Signal::KILL || plan.stdout.contains("2 fresh"),
            "{plan}"
        );
        // What a killed run has started ends in a moment, and then a run has the result back.
        wait_for("the result", || {
            test.run("run p.yaml b")
                .stderr
                .contains("2 fresh")
                .then_some(())
        });
    }
    assert_eq!(stored(), output);
    test.remove("broken");
    test.run("run p.yaml --force a").exits(0).says("2 ran");
    let aside = fs::read_dir(test.path("cache/damaged")).unwrap();
    for folder in aside {
        assert!(folder.unwrap().path().join("replaced").exists());
    }
    test.run("plan p.yaml").exits(0).says("2 fresh");
}

#[test]
fn a_program_that_is_still_open_for_writing_is_started_a_moment_later() {
    let test = Test::new();
    let elsewhere = Test::new();
    program(&elsewhere, "tool", "echo done > o.txt");
    let tool = elsewhere.path("tool");
    let body = format!("run: [{}], outputs: [o.txt]", tool.display());
    test.write("p.yaml", stage(&body));
    let writer = File::options().append(true).open(&tool).unwrap();
    let child = test.command("run p.yaml").spawn().unwrap();
    wait_for("the log, which is there just before the program", || {
        let logs = files_below(&test.path("cache/logs"));
        (!logs.is_empty()).then_some(())
    });
    sleep(Duration::from_millis(100));
    drop(writer);
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(test.read("o.txt"), "done\n");
}

#[test]
fn runs_that_force_one_stage_at_once_do_not_take_its_result_from_each_other() {
    let test = Test::new();
    let elsewhere = Test::new().file("go", "");
    let (began, go) = (elsewhere.path("began"), elsewhere.path("go"));
    let made = elsewhere.path("made");
    let yaml = format!(
        "stages:\n  a: {{command: {{shell: 'date +%s%N | tee -a {made} > o', outputs: [o]}}}}\n  \
         b: {{command: {{shell: 'touch {began}; until test -e {go}; do sleep 0.02; done; cat a/o > p', stages: {{a: a}}, outputs: [p]}}}}\n",
        made = made.display(),
        began = began.display(),
        go = go.display(),
    );
    test.write("p.yaml", yaml);
    test.run("run p.yaml").exits(0).says("2 ran");
    let times_made = || fs::read_to_string(&made).unwrap().lines().count();

    fs::remove_file(&began).unwrap();
    fs::remove_file(&go).unwrap();
    let records = || {
        let files = files_below(&test.path("cache/records")).into_iter();
        let written = |file: PathBuf| {
            let meta = fs::metadata(file).ok()?;
            Some((meta.ino(), meta.ctime(), meta.ctime_nsec()))
        };
        files.filter_map(written).collect::<BTreeSet<_>>()
    };
    let before = records();
    let first = test.command("run p.yaml --force a").spawn().unwrap();
    wait_for("the reader", || began.exists().then_some(()));
    // What is not kept yet would be taken over by the second.
    wait_for("the first result", || {
        (!records().is_subset(&before)).then_some(())
    });
    let second = test.command("run p.yaml --force a").spawn().unwrap();
    wait_for("the other result", || (times_made() == 3).then_some(()));
    fs::write(&go, "").unwrap();
    for child in [first, second] {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }
    assert_eq!(times_made(), 3);
    test.run("plan p.yaml").exits(0).says("2 fresh");
    let last = fs::read_to_string(&made).unwrap();
    assert_eq!(last.lines().last(), Some(test.read("p").trim()));
}
