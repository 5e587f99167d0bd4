//! Commands that are printed do what is said of them, typed into a shell as they stand.
//! Unaware of what stages compute.

use std::path::Path;
use std::process::Command;

use crate::support::{Ran, Test};

const YAML: &str = "\
vars: {word: none}
stages:
  s: {command: {run: [sh, -c, 'echo {word} ${LOUD} > o'], outputs: [o]}}
  t: {command: {run: [sh, -c, 'echo t > t'], outputs: [t]}}
";

/// Runs a line of the program's in a shell, in the test's folder.
fn typed(test: &Test, line: &str) -> Ran {
    let programs = Path::new(env!("CARGO_BIN_EXE_pipeline")).parent().unwrap();
    let mut shell = Command::new("sh");
    shell.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    shell.args(["-c", line]).current_dir(test.path(""));
    Ran::of(shell.output().unwrap())
}

/// What stands behind `begin` in what was said.
fn printed(ran: &Ran, begin: &str) -> String {
    let mut lines = ran.stdout.lines().chain(ran.stderr.lines());
    let line = lines.find_map(|line| line.strip_prefix(begin));
    line.unwrap_or_else(|| panic!("no line begins with {begin}\n{ran}"))
        .to_owned()
}

#[test]
fn again_runs_the_same_stages_with_the_same_values() {
    let test = Test::new().file("my file.yaml", YAML);
    let mut command = test.command("run");
    command.args(["my file.yaml", "s", "--set", "vars.word=a 'b' [1]"]);
    let ran = Ran::of(command.env("LOUD", "a b").output().unwrap()).exits(0);
    let again = printed(&ran, "again:   ");
    typed(&test, &again)
        .exits(0)
        .says("0 ran, 1 fresh, 0 failed");
    // Without the variable it would have run once more.
    let bare = again.replace("LOUD='a b' ", "");
    assert_ne!(again, bare);
    typed(&test, &bare).exits(2);
}

#[test]
fn the_program_is_named_as_it_was_called() {
    let test = Test::new().file("p.yaml", YAML);
    std::fs::create_dir(test.path("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pipeline"), test.path("bin/pipe line")).unwrap();
    let line = "'bin/pipe line' run p.yaml t --set vars.word=x; 'bin/pipe line' show nothing";
    let ran = typed(&test, &format!("export LOUD=1; {line}")).exits(2);
    assert_eq!(
        printed(&ran, "again:   LOUD=1 "),
        "'bin/pipe line' run p.yaml t --set vars.word=x  # runs only what has changed"
    );
    ran.says("hint: `'bin/pipe line' runs` lists what there is");
}

/// They change what the command does, and the man page says how.
#[test]
fn variables_that_the_program_itself_reads_are_printed_and_in_the_man_page() {
    let test = Test::new().file("p.yaml", YAML);
    let man = test.run("man").exits(0);
    for (name, value) in [
        ("PIPELINE_DECODED", "off"),
        ("PIPELINE_KEEP_STATES", "2G"),
        ("PIPELINE_SANDBOX", "off"),
    ] {
        let mut command = test.command("run p.yaml t");
        let ran = Ran::of(
            command
                .envs([("LOUD", "1"), (name, value)])
                .output()
                .unwrap(),
        );
        let again = printed(&ran.exits(0), "again:   ");
        assert!(again.contains(&format!(" {name}={value} ")), "{again}");
        assert!(man.stdout.contains(name), "{name}");
    }
}

#[test]
fn the_value_of_a_secret_variable_is_not_printed() {
    let yaml = YAML.replace("LOUD", "API_KEY");
    let test = Test::new().file("p.yaml", yaml);
    let mut command = test.command("run p.yaml s");
    let ran = Ran::of(command.env("API_KEY", "sesame").output().unwrap());
    let again = printed(&ran.exits(0), "again:   ");
    assert!(again.contains("API_KEY=\"$API_KEY\" "), "{again}");
    let line = format!("API_KEY=sesame; {again}");
    typed(&test, &line)
        .exits(0)
        .says("0 ran, 1 fresh, 0 failed");
}

#[test]
fn hints_name_a_command_that_makes_what_is_missing() {
    let test = Test::new().file("p.yaml", YAML);
    let mut command = test.command("path s -f p.yaml --set vars.word=x");
    let ran = Ran::of(command.env("LOUD", "1").output().unwrap()).exits(1);
    let hint = printed(&ran, "hint: `");
    let line = hint.split('`').next().unwrap();
    typed(&test, line).exits(0).says("1 ran, 0 fresh, 0 failed");
}

#[test]
fn programs_are_told_the_run_and_the_values_of_its_tables() {
    let test = Test::new().tiny();
    let events = test.run("run p.yaml --json").exits(0).events();
    let told = events.iter().find(|e| e["event"] == "reports").unwrap();
    let last: serde_json::Value =
        serde_json::from_str(&test.run("show last --json").exits(0).stdout).unwrap();
    assert_eq!(told["run"], last["run"]["id"]);
    assert_eq!(told["started"], last["run"]["started"]);
    assert!(told["ended"].as_str().unwrap().ends_with('Z'));
    let folder = told["folder"].as_str().unwrap();
    assert!(folder.ends_with("/reports/p") && told["page"].as_str().unwrap().starts_with(folder));
    let rows = &told["tables"][0]["rows"];
    assert_eq!(told["tables"][0]["name"], "alpha");
    assert_eq!(
        (&rows[0]["scheme"], &rows[0]["tiny"]),
        (&"baseline".into(), &30.0.into())
    );
    let wrong = test
        .run("run p.yaml --json --set nothing=1")
        .exits(2)
        .events();
    assert_eq!(wrong[0]["event"], "error");
}
