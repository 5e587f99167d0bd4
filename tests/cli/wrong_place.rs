//! Folders and paths that are not what they are taken for: what is wrong is said of themselves, with a hint about them.
//! Unaware of what would have been read there.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::Test;

const ONE: &str = "stages:\n  s: {command: {run: [sh, -c, 'echo a > o'], outputs: [o]}}\n";

/// Commands that look for what was made; each says the same of a root.
const LOOKING: &[&str] = &[
    "runs",
    "show",
    "log s",
    "diff last last~1",
    "cache ls",
    "cache du",
    "cache verify",
    "cache gc --dry-run",
    "cache import a.tar",
    "cache scrub A --dry-run",
    "explain s",
    "path s",
];

fn test() -> Test {
    Test::new().file("p.yaml", ONE).file("a.tar", "")
}

/// Every command with a root that is a file, misspelt, or itself a cache.
#[test]
fn a_wrong_root_is_called_wrong() {
    let test = test().file("file", "x");
    symlink("nowhere", test.path("link")).unwrap();
    test.run("run p.yaml").exits(0);
    let begins = ["run p.yaml", "plan p.yaml", "graph p.yaml"];
    for command in LOOKING.iter().chain(&begins) {
        for (root, message) in [
            ("file", "`file` (--root) is not a folder"),
            ("none", "there is no folder `none` (--root)"),
            ("none/there", "there is no folder `none/there` (--root)"),
            ("link", "`link` (--root) is a link that leads nowhere"),
            ("no*", "`no*` (--root) is a pattern"),
        ] {
            let at_the_front = command.split_once(' ').filter(|(c, _)| *c == "cache");
            let words = match at_the_front {
                Some((cache, rest)) => format!("{cache} --root {root} {rest}"),
                None => format!("{command} --root {root}"),
            };
            test.run(&words)
                .exits(2)
                .says(message)
                .says("--root` is the folder that holds cache/")
                .never_says("check the disk")
                .never_says("inside the project folder");
        }
        let words = match command.split_once(' ').filter(|(c, _)| *c == "cache") {
            Some((cache, rest)) => format!("{cache} --root cache {rest}"),
            None => format!("{command} --root cache"),
        };
        test.run(&words)
            .exits(2)
            .says("`cache` (--root) is a cache, not the folder that holds one")
            .says("write `--root .`");
    }
    test.run("doctor --root file")
        .exits(1)
        .says("BAD  cache     `file` (--root) is not a folder");
    for command in ["runs", "cache ls", "cache verify"] {
        let missing = test.run(&format!("{command} --root missing"));
        // `cache` takes it before its own words too.
        missing.exits(2);
    }
}

#[test]
fn a_cache_that_is_none_is_not_written_in() {
    let test = test();
    test.write("cache", "a file");
    for words in [
        "run p.yaml",
        "plan p.yaml",
        "cache verify",
        "runs",
        "doctor",
    ] {
        test.run(words)
            .says("/cache`: it is there and is not a folder")
            .says("move it away, or name another folder with `--root`")
            .never_says("check the disk");
    }
    test.remove("cache");
    test.write("cache/photo.png", "mine");
    for words in ["run p.yaml", "plan p.yaml", "cache gc"] {
        test.run(words)
            .exits(2)
            .says("/cache` is not a cache: it holds `photo.png` and nothing of this program");
    }
    assert_eq!(test.read("cache/photo.png"), "mine");
    assert!(!test.path("cache/format").exists());
    test.remove("cache/photo.png");
    std::fs::remove_dir(test.path("cache")).unwrap();
    symlink("gone", test.path("cache")).unwrap();
    test.run("run p.yaml")
        .exits(2)
        .says("/cache` is a link that cannot be followed");
    test.remove("cache");
    // A note that somebody left is no work of theirs.
    test.write("cache/README.md", "what this is");
    test.run("run p.yaml").exits(0);
}

#[test]
fn a_folder_that_may_not_be_written_is_said_to_be_so() {
    let test = test();
    std::fs::create_dir(test.path("cache")).unwrap();
    let mode = std::fs::Permissions::from_mode(0o555);
    std::fs::set_permissions(test.path("cache"), mode).unwrap();
    let name = "a_folder_that_may_not_be_written_is_said_to_be_so";
    let Some(ran) = test.run_bound(name, "run p.yaml") else {
        return;
    };
    ran.exits(1)
        .says("/cache")
        .says("Permission denied")
        .says("check the owner and mode of the folder");
}

#[test]
fn fields_that_name_the_cache_point_to_the_option() {
    for field in ["cache", "root", "reports"] {
        let test = Test::new().file("p.yaml", format!("{field}: elsewhere\n{ONE}"));
        test.run("plan p.yaml")
            .exits(2)
            .says(&format!("unknown field `{field}`"))
            .says("`--root DIR` on the command line");
    }
    let test = Test::new().file("in/p.yaml", ONE);
    std::fs::create_dir(test.path("other")).unwrap();
    test.run("plan in/p.yaml --root other")
        .exits(2)
        .says("`--root` names a folder above the pipeline file, such as");
}

#[test]
fn a_pattern_is_called_one_wherever_a_path_is_taken() {
    let test = Test::new().photos();
    for stage in [
        "{prepare: {images: 'photos/*.png', degrade: {sr: 2}}}",
        "{prepare: {images: photos, lr: 'photos/[ab]', degrade: {sr: 2}}}",
        "{prepare: {dataset: set5, root: 'data*', degrade: {sr: 2}}}",
        "{pretrained: {backbone: {imdn: {scale: 2}}, file: 'w/*.pth'}}",
        "{mask: {images: pairs, segmenter: {files: {path: 'm*'}}}}",
        "{mask: {images: pairs, segmenter: {sam: {model: vit-h, weights: 'sam*.pth'}}}}",
    ] {
        let pairs = "pairs: {prepare: {images: photos, degrade: {sr: 2}}}";
        test.write("p.yaml", format!("stages:\n  {pairs}\n  s: {stage}\n"));
        test.run("plan p.yaml")
            .exits(0)
            .says("is a pattern, and none is expanded here")
            .says("hint: ")
            .never_says("there is no file")
            .never_says("there is no folder")
            .never_says("Meta's checkpoint");
    }
    test.write("p.yaml", "include: ['parts/*.yaml']\nstages: {}\n");
    for words in [
        "plan p.yaml",
        "plan *.yaml",
        "run p?.yaml",
        "graph [pq].yaml",
        "explain -f *.yaml s",
        "data check *.yaml",
        "cache import *.tar",
        "cache gc *.yaml",
        "masks photos/*.png -o out",
        "masks photos/a.png -o out --weights *.pth",
        "init --images photos/*.png",
    ] {
        let ran = test.run(words).says("is a pattern, and none is expanded");
        assert!(!ran.succeeded(), "{words}");
    }
    // It is a name where there is such a file.
    let named =
        "stages:\n  s: {command: {run: [sh, -c, 'cat \"a*\" > o'], outputs: [o], files: ['a*']}}\n";
    test.write("p.yaml", named);
    test.write("a*", "x");
    test.run("run p.yaml").exits(0);
}
