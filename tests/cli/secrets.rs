//! Variables that are handed to commands: what of their values is kept, and what is not.
//! Unaware of what commands do with them otherwise.

use crate::support::{Ran, Test, files_below};
use std::os::unix::fs::PermissionsExt;

const VALUE: &str = "hunter2-hunter2";

fn with(test: &Test, words: &str, variables: &[(&str, &str)]) -> Ran {
    let mut command = test.command(words);
    Ran::of(command.envs(variables.iter().copied()).output().unwrap())
}

fn stage(body: &str) -> String {
    format!("stages:\n  s:\n    command: {{{body}}}\n")
}

/// The files of the cache and the reports that hold this text.
fn holders(test: &Test, text: &str) -> Vec<String> {
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|w| w == text.as_bytes())
    };
    let files = files_below(&test.path("cache")).into_iter().filter(holds);
    files.map(|p| p.display().to_string()).collect()
}

#[test]
fn what_is_passed_enters_the_key_by_its_digest() {
    let yaml = stage(
        "run: [sh, -c, 'test \"$API_KEY\" = \"hunter2-\"hunter2 && echo x > o'], pass: [API_KEY, NOT_SET], outputs: [o]",
    );
    let test = Test::new().file("p.yaml", yaml);
    let set = [("API_KEY", VALUE)];
    with(&test, "run p.yaml", &set)
        .exits(0)
        .says("warning: p.yaml:3:")
        .says("a digest of `API_KEY` is kept in the key")
        .says("hint: `secrets: [API_KEY]`")
        .never_says(VALUE);
    with(&test, "run p.yaml", &set).exits(0).says("1 fresh");
    assert_eq!(holders(&test, VALUE), Vec::<String>::new());
    for words in [
        "explain s -f p.yaml -v",
        "explain s -f p.yaml --json",
        "plan p.yaml --json",
        "plan p.yaml -v",
        "show last --json",
    ] {
        with(&test, words, &set).exits(0).never_says(VALUE);
    }
    with(&test, "explain s -f p.yaml -v", &set).says("config.pass.API_KEY");
    with(&test, "plan p.yaml", &[("API_KEY", "rotated-value")])
        .exits(0)
        .says("config.pass.API_KEY: ")
        .never_says("rotated-value");
    with(
        &test,
        "cache export s -f p.yaml -o a.tar --device cpu",
        &set,
    )
    .exits(0);
    let archive = std::fs::read(test.path("a.tar")).unwrap();
    assert!(!archive.windows(VALUE.len()).any(|w| w == VALUE.as_bytes()));
}

#[test]
fn a_secret_is_handed_on_masked_and_in_no_key() {
    let script = "echo $TOKEN; printf %s \"$TOKEN\" | cut -c1-5 | tr -d \"\\n\"; printf %s \"$TOKEN\" | cut -c6-; test -n \"$TOKEN\"; echo done > o";
    let test = Test::new().file(
        "p.yaml",
        stage(&format!(
            "shell: '{script}', secrets: [TOKEN], outputs: [o]"
        )),
    );
    with(&test, "run p.yaml --json", &[("TOKEN", VALUE)])
        .exits(0)
        .never_says(VALUE)
        .never_says("warning");
    test.run("log s")
        .exits(0)
        .says("***\n***\n")
        .never_says("hunter2");
    assert_eq!(holders(&test, VALUE), Vec::<String>::new());
    // Another value, or none, changes nothing of a result that is there.
    with(&test, "run p.yaml", &[("TOKEN", "another value")])
        .exits(0)
        .says("1 fresh");
    with(&test, "run p.yaml", &[]).exits(0).says("1 fresh");
    with(&test, "plan p.yaml --force s", &[])
        .exits(0)
        .says("the secret `TOKEN` of the stage `s` is not set");
    for value in [&[][..], &[("TOKEN", "")][..]] {
        with(&test, "run p.yaml --force s", value)
            .exits(2)
            .says("error: the secret `TOKEN` of the stage `s` is not set in the environment")
            .says("hint: export it");
    }
}

#[test]
fn a_failure_shows_no_secret_and_lines_of_one_are_masked_too() {
    let test = Test::new().file("p.yaml", stage("shell: 'echo \"$TOKEN\" | tail -n 1; echo \"$TOKEN\"; exit 3', secrets: [TOKEN], outputs: [o]"));
    let value = "-----BEGIN\nfirst line\nsecond line";
    with(&test, "run p.yaml", &[("TOKEN", value)])
        .exits(1)
        .says("***")
        .never_says("second line")
        .never_says("first line");
    for line in value.lines() {
        assert_eq!(holders(&test, line), Vec::<String>::new());
    }
}

#[test]
fn secrets_that_are_short_or_stand_elsewhere() {
    let test = Test::new().file(
        "p.yaml",
        stage("run: [touch, o], secrets: [PIN], outputs: [o]"),
    );
    with(&test, "plan p.yaml", &[("PIN", "123")])
        .exits(0)
        .says("the value of `PIN` is shorter than 4 characters");
    for also in ["env: {PIN: x}", "pass: [PIN]"] {
        test.write(
            "p.yaml",
            stage(&format!(
                "run: [touch, o], secrets: [PIN], {also}, outputs: [o]"
            )),
        );
        test.run("plan p.yaml")
            .exits(2)
            .says("secrets.0: `PIN` stands in `env:` or `pass_env:` as well");
    }
    test.write(
        "p.yaml",
        stage("run: [touch, o], secrets: ['A=B'], outputs: [o]"),
    );
    test.run("plan p.yaml")
        .exits(2)
        .says("cannot be the name of a variable");
}

#[test]
fn a_value_in_clear_text_is_warned_about_and_scrubbed() {
    let yaml = stage(
        "run: [sh, -c, 'echo $A; echo x > o'], env: {API_KEY: '${API_KEY}', A: '${API_KEY}'}, outputs: [o]",
    ) + "  t:\n    command: {run: [touch, t], outputs: [t]}\n";
    let test = Test::new().file("p.yaml", yaml);
    let set = [("API_KEY", VALUE)];
    with(&test, "run p.yaml", &set)
        .exits(0)
        .says("the value of `${API_KEY}` is kept in clear text in records, journals and archives")
        .says("hint: `secrets: [API_KEY]`");
    with(&test, "plan p.yaml -v", &set)
        .says("API_KEY=***")
        .says("keep these values in clear text");
    with(
        &test,
        "cache export s -f p.yaml -o a.tar --device cpu",
        &set,
    )
    .exits(0)
    .says("`a.tar` holds the values of API_KEY in clear text");
    assert!(holders(&test, VALUE).len() >= 3);
    test.run("cache scrub --dry-run")
        .exits(0)
        .says("API_KEY: 1 result would be removed, 1 log and 1 journal");
    assert!(holders(&test, VALUE).len() >= 3);
    test.run("cache scrub")
        .exits(0)
        .says("API_KEY: 1 result removed, 1 log and 1 journal rewritten");
    assert_eq!(holders(&test, VALUE), Vec::<String>::new());
    test.run("cache scrub")
        .exits(0)
        .says("nothing is kept in clear text");
    test.run("show last").exits(0);
    test.run("log s").exits(0).says("***");
    with(&test, "plan p.yaml", &set)
        .exits(0)
        .says("1 to run, 1 fresh");
}

#[test]
fn doctor_says_who_may_read_the_cache() {
    let test = Test::new().file("p.yaml", stage("run: [touch, o], outputs: [o]"));
    test.run("run p.yaml").exits(0);
    test.run("doctor")
        .exits(0)
        .says("readers")
        .says("may read the cache");
}

#[test]
fn the_program_that_ran_is_noted_and_may_be_part_of_the_key() {
    let test = Test::new();
    let tool = |text: &str| {
        test.write("bin/tool", format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(
            test.path("bin/tool"),
            std::fs::Permissions::from_mode(0o755),
        )
        .unwrap();
    };
    let path = format!(
        "{}:{}",
        test.path("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let go = |words: &str| with(&test, words, &[("PATH", &path)]);
    tool("echo one > $1");
    test.write("p.yaml", "stages:\n  s: {command: {run: [tool, o], outputs: [o]}}\n  k: {command: {run: [tool, k], key: program, outputs: [k]}}\n");
    go("run p.yaml").exits(0).says("2 ran");
    go("explain s -f p.yaml")
        .exits(0)
        .says("program: ")
        .says("/bin/tool");
    tool("echo two > $1");
    go("explain s -f p.yaml")
        .exits(0)
        .says("s (command): fresh")
        .says("note: the program ")
        .says("is another than when this was made");
    go("plan p.yaml")
        .exits(0)
        .says("config.program: ")
        .says("1 to run, 1 fresh");
    go("run p.yaml").exits(0);
    assert_eq!(
        (test.read("o").as_str(), test.read("k").as_str()),
        ("one\n", "two\n")
    );
    test.run("plan p.yaml k")
        .exits(1)
        .says("key: there is no program `tool` in PATH");
    test.write(
        "p.yaml",
        "stages:\n  s: {command: {run: [tool, o], key: programme, outputs: [o]}}\n",
    );
    test.run("plan p.yaml")
        .exits(2)
        .says("did you mean `program`?");
}

#[test]
fn a_program_of_the_key_is_replaced_while_the_run_goes_on() {
    let test = Test::new().without_walls();
    let tool = |path: &str, text: &str| {
        test.write(path, format!("#!/bin/sh\n{text}\n"));
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(test.path(path), mode).unwrap();
    };
    let (first, second) = (test.path("first"), test.path("bin"));
    std::fs::create_dir(&first).unwrap();
    let old = std::env::var("PATH").unwrap();
    let path = format!("{}:{}:{old}", first.display(), second.display());
    let here = test.path("");
    let here = here.to_str().unwrap();
    let go = |words: &str| with(&test, words, &[("PATH", &path), ("HERE", here)]);
    let yaml = |change: &str, own: &str| {
        format!(
            "stages:\n  a: {{command: {{shell: 'cd $HERE; {change}; cd -; echo > x', pass: [HERE], outputs: [x]}}}}\n  \
             b: {{command: {{run: [tool], key: program, stages: {{in: a}}, outputs: [o]}}}}\n  \
             c: {{command: {{run: [tool, '{own}'], key: program, env: {{HERE: {here}}}, outputs: [c/o]}}}}\n"
        )
    };
    let good = "mkdir -p c; echo good | tee c/o > o; test -z \"$1\" || (cd $HERE; eval \"$1\")";
    // Before the stage starts: other bytes, and another program that is found first.
    for change in ["echo \"echo evil > o\" > bin/tool", "cp evil first/tool"] {
        tool("bin/tool", good);
        tool("evil", "echo evil > o");
        let _ = std::fs::remove_file(test.path("first/tool"));
        test.write("p.yaml", yaml(change, ""));
        go("run p.yaml b")
            .exits(1)
            .says("/tool` is not what was planned with any more")
            .says("hint: run again");
        test.write("p.yaml", yaml("true", ""));
    }
    // While it runs.
    for change in [
        "cp -p bin/tool t; cat evil > bin/tool; cat t > bin/tool; touch -r t bin/tool",
        "cp evil first/tool",
    ] {
        tool("bin/tool", good);
        let _ = std::fs::remove_file(test.path("first/tool"));
        test.write("p.yaml", yaml("true", change));
        go("run p.yaml c")
            .exits(1)
            .says("bin/tool` changed while the stage ran");
    }
    let _ = std::fs::remove_file(test.path("first/tool"));
    tool("bin/tool", good);
    test.write("p.yaml", yaml("true", ""));
    go("run p.yaml b").exits(0);
    assert_eq!(test.read("o"), "good\n");
}

#[test]
fn a_secret_of_one_stage_is_one_in_the_words_of_another() {
    let test = Test::new().file(
        "p.yaml",
        "stages:\n  a: {command: {shell: 'echo > a', secrets: [HUSH], outputs: [a]}}\n  \
         b: {command: {run: [sh, -c, 'echo > b', '${HUSH}'], outputs: [b]}}\n",
    );
    let go = |words: &str| with(&test, words, &[("HUSH", "quiet-as-a-mouse")]);
    let warning = "the value of `${HUSH}` is kept in clear text in records, journals and archives";
    go("plan p.yaml")
        .exits(0)
        .says(warning)
        .says("from the environment: HUSH=***")
        .never_says("mouse");
    go("run p.yaml")
        .exits(0)
        .says("again:   HUSH=\"$HUSH\"")
        .never_says("mouse");
}

#[test]
fn a_shell_that_is_not_there_is_named_with_what_to_do() {
    let yaml =
        "stages:\n  s: {command: {shell: {program: nosuchsh, script: 'true'}, outputs: [o]}}\n";
    let test = Test::new().file("p.yaml", yaml);
    test.run("run p.yaml")
        .exits(1)
        .says("cannot start `nosuchsh`")
        .says("hint: `program:` of `shell:` is a program in PATH: install it, or name another")
        .never_says("bash");
}
