//! One rule says which folder holds `cache/` and `reports/`, from wherever a command is typed; looking makes none.
//! Unaware of results.

use std::process::Command;

use crate::support::{Ran, Test, list};

const ONE: &str = "stages:\n  s: {command: {run: [sh, -c, 'echo a > o'], outputs: [o]}}\n";

/// The program with these words in a folder of the test's.
fn within(test: &Test, folder: &str, words: &str) -> Ran {
    let mut command: Command = test.command(words);
    Ran::of(command.current_dir(test.path(folder)).output().unwrap())
}

#[test]
fn every_command_finds_the_project_upwards() {
    let test = Test::new()
        .file("project/pipelines/p.yaml", ONE)
        .file("project/notes/deep/own.yaml", ONE);
    within(&test, "project", "run pipelines/p.yaml").exits(0);
    for folder in ["project", "project/pipelines", "project/notes/deep"] {
        within(&test, folder, "show")
            .exits(0)
            .says("status      done");
        for words in [
            "runs",
            "log s",
            "diff last last",
            "path s",
            "explain s",
            "cache ls",
            "cache du",
            "cache verify",
            "cache gc --dry-run",
        ] {
            within(&test, folder, words).exits(0);
        }
        within(&test, folder, "runs").never_says("no run is on record");
        within(&test, folder, "cache ls").says("  s\n");
    }
    // A file elsewhere in the project belongs to it too.
    within(&test, "project/notes/deep", "run own.yaml").exits(0);
    assert!(!test.path("project/notes/deep/cache").exists());
    within(&test, "project", "runs").exits(0).says("own.yaml");
    within(&test, "project", "runs --root notes")
        .exits(0)
        .says("no run is on record in notes/cache");
}

#[test]
fn looking_makes_no_cache() {
    let test = Test::new().file("p.yaml", ONE);
    for words in [
        "plan p.yaml",
        "explain s -f p.yaml",
        "path s -f p.yaml",
        "graph p.yaml",
        "data check p.yaml",
        "runs",
        "doctor",
        "cache ls",
        "cache du",
        "cache verify",
        "cache gc --dry-run",
        "cache gc",
        "cache scrub A",
        "cache pin s -f p.yaml",
        "exp -f p.yaml",
    ] {
        let ran = test.run(words);
        assert!(!test.path("cache").exists(), "{words}\n{ran}");
    }
    test.run("doctor")
        .says("is not there yet; the first run makes it");
}

#[test]
fn version_control_leaves_out_what_runs_write() {
    let test = Test::new().file("p.yaml", ONE);
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("cache/.gitignore"), "# made by pipeline\n*\n");
    test.write("cache/.gitignore", "mine\n");
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("cache/.gitignore"), "mine\n");

    let test = Test::new()
        .photo("new/images/a.png", 32, 32)
        .photo("new/images/b.png", 32, 32)
        .photo("new/images/c.png", 32, 32);
    test.run("init new").exits(0).says("wrote new/.gitignore");
    assert_eq!(test.read("new/.gitignore"), "/cache/\n/reports/\n");
    test.remove("new/pipelines/my-images.yaml");
    test.write("new/.gitignore", "*.o\n");
    test.run("init new")
        .exits(0)
        .says("new/.gitignore is left as it is; /cache/ and /reports/ belong there");
    assert_eq!(test.read("new/.gitignore"), "*.o\n");
}

#[test]
fn a_variable_puts_the_cache_elsewhere() {
    let test = Test::new().file("p.yaml", ONE);
    let run = |words: &str| {
        let mut command = test.command(words);
        command.env("PIPELINE_CACHE", test.path("disk/of mine"));
        Ran::of(command.output().unwrap())
    };
    let ran = run("run p.yaml").exits(0).says("1 ran");
    assert!(!test.path("cache").exists() && test.path("disk/of mine/format").is_file());
    assert!(ran.stdout.contains("PIPELINE_CACHE='/"), "{ran}");
    run("show").exits(0).says("1 to run");
    run("cache ls").exits(0).says("  s\n");
    run("doctor").says("disk/of mine can be written");
    test.run("plan p.yaml").says("1 to run");
    // A command writes nothing there.
    test.write("q.yaml", ONE.replace("[o]", "['disk/of mine/o']"));
    run("run q.yaml")
        .exits(2)
        .says("behind links it lies in a folder of pipeline's own");
    assert_eq!(list(&test.path("disk")).len(), 1);
}
