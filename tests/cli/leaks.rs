//! What an error shows of a file: nothing where the file is none that belongs there, whatever leads to it.
//! Unaware of what else is said; `bad_file` has that.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{TINY, Test};

/// A word that must not be seen.
const SECRET: &str = "hunter2correcthorse";

/// Files of others, by what they look like.
fn others() -> Vec<(&'static str, String)> {
    vec![
        (
            "passwd",
            format!("root:x:0:0:{SECRET}:/root:/bin/sh\nx:{SECRET}\n"),
        ),
        ("environ", format!("A={SECRET}\0B={SECRET}\0")),
        (
            "key",
            format!("-----BEGIN KEY-----\n{SECRET}: {SECRET}\n\t{SECRET}\n"),
        ),
        ("ini", format!("[{SECRET}]\n{SECRET} = {SECRET}\n")),
        ("env", format!("{SECRET}: {SECRET}\n{SECRET}: {SECRET}\n")),
        ("list", format!("- {SECRET}\n- !{SECRET} {SECRET}\n")),
        ("quote", format!("\"{SECRET}\n{SECRET}")),
        ("json", format!("{{\"{SECRET}\": \"{SECRET}\"}}")),
        (
            "shape",
            format!("[{{\"segmentation\": \"{SECRET}\", \"size\": [1, 2]}}]"),
        ),
        ("csv", format!("{SECRET},{SECRET}\n{SECRET},{SECRET}\n")),
    ]
}

/// A project in a folder, with files of others beside it, each reached by its path and by a link in the project.
fn beside(name: &str, text: &str) -> Test {
    let test = Test::new()
        .file(name, text)
        .photo("project/photos/a.png", 48, 40)
        .photo("project/photos/b.png", 40, 48);
    symlink(format!("../{name}"), test.path("project/link.yaml")).unwrap();
    symlink(format!("../{name}"), test.path("project/link.csv")).unwrap();
    std::fs::create_dir(test.path("project/masks")).unwrap();
    symlink(format!("../../{name}"), test.path("project/masks/a.json")).unwrap();
    symlink(format!("../../{name}"), test.path("project/masks/b.json")).unwrap();
    test
}

#[test]
fn files_of_others_are_not_shown() {
    for (name, text) in others() {
        let test = beside(name, &text);
        for include in [format!("../{name}"), "link.yaml".to_owned()] {
            let yaml = format!("include: ['{include}']\nstages: {{}}\n");
            test.write("project/p.yaml", yaml);
            test.run("plan project/p.yaml")
                .exits(2)
                .never_says(SECRET)
                .says(&include)
                .says("a pipeline file has `stages:`");
        }
        for words in [
            format!("plan {name}"),
            "plan project/link.yaml".to_owned(),
            format!("cache import {name}"),
            format!("graph {name}"),
            format!("data check {name}"),
        ] {
            let ran = test.run(&words).never_says(SECRET);
            assert!(!ran.succeeded(), "{words}");
        }
        test.write("project/p.yaml", TINY);
        test.run("run project/p.yaml").exits(0);
        for check in [name, "project/link.csv"] {
            let ran = test.run(&format!("run project/p.yaml --check {check}"));
            ran.exits(2).never_says(SECRET).says(check);
        }
        let table = "rows: [scheme], columns: set, published: link.csv, baseline";
        let yaml = TINY.replace("rows: [scheme], columns: set, baseline", table);
        assert!(yaml.contains("link.csv"));
        test.write("project/p.yaml", yaml);
        test.run("run project/p.yaml")
            .exits(1)
            .never_says(SECRET)
            .says("link.csv");
        journal(&test, &text);
    }
}

/// In place of a run's journal and of its records.
fn journal(test: &Test, text: &str) {
    let runs = test.path("project/cache/runs");
    for file in crate::support::files_below(&runs) {
        std::fs::write(file, text).unwrap();
    }
    for words in ["runs", "show last", "log s", "diff last last~1"] {
        test.run(&format!("{words} --root project"))
            .never_says(SECRET);
    }
    for file in crate::support::files_below(&test.path("project/cache/records")) {
        std::fs::write(file, format!("{text}\n")).unwrap();
    }
    for words in ["cache --root project verify", "plan project/p.yaml -v"] {
        test.run(words).never_says(SECRET);
    }
}

/// The kernel's own files, which are no regular ones by their size.
#[test]
fn the_environment_of_the_process_is_not_shown() {
    for file in ["/proc/self/environ", "/proc/self/maps", "/proc/self/status"] {
        let test = Test::new().file("p.yaml", format!("include: ['{file}']\nstages: {{}}\n"));
        let mut command = test.command("plan p.yaml");
        command.env("SECRET", SECRET);
        crate::support::Ran::of(command.output().unwrap())
            .exits(2)
            .says(file)
            .never_says(SECRET)
            .never_says("PATH=")
            .never_says("VmPeak")
            .never_says("r--p");
    }
    assert!(Path::new("/proc/self/environ").exists());
}

#[test]
fn masks_of_others_are_not_shown() {
    for (name, text) in others() {
        let test = beside(name, &text);
        let Some(worker) = Test::with_worker("masks_of_others_are_not_shown") else {
            return;
        };
        let yaml = "stages:\n  pairs: {prepare: {images: photos, degrade: {sr: 2}}}\n  masks: {mask: {images: pairs, segmenter: {files: {path: masks}}}}\n";
        test.write("project/p.yaml", yaml);
        let mut command = test.command("run project/p.yaml");
        command.env("PIPELINE_WORKER", worker.worker());
        crate::support::Ran::of(command.output().unwrap())
            .exits(1)
            .says("`project/masks/") // of either image: they are read side by side
            .never_says(SECRET);
    }
}

#[test]
fn a_file_of_the_project_is_shown() {
    let test = Test::new().file("p.yaml", "stages:\n  s: {{\n");
    test.run("plan p.yaml").exits(2).says(" 2 |   s: {{");
    test.write("part.yaml", "vars: {a: [1}\n");
    test.write("p.yaml", "include: [part.yaml]\nstages: {}\n");
    test.run("plan p.yaml").exits(2).says(" 1 | vars: {a: [1}");
    // One that another project shares names its mistakes, without its lines.
    let shared = Test::new().file("common.yaml", "stages:\n  s: {prepare: {image: x}}\n");
    let yaml = format!("include: ['{}']\n", shared.path("common.yaml").display());
    test.write("p.yaml", yaml);
    test.run("plan p.yaml")
        .exits(2)
        .says("common.yaml:2:17")
        .says("unknown field `image`")
        .says("did you mean `images`?")
        .never_says(" 2 | ");
}
