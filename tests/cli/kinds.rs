//! Programs, links that stay inside, and empty folders among a command's outputs: seen by people and by later commands.
//! Unaware of how a record says so.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Test, files_below};

/// What a command leaves in `d`: a program, a link to it, one to a folder, and an empty folder.
const MAKE: &str = "mkdir -p d/bin d/none; echo \"echo said\" > d/bin/say; chmod +x d/bin/say; \
                    ln -s bin/say d/say; ln -s none/../bin d/to";

/// What a reader of that folder, at `$d`, notes of it.
const LOOK: &str = "[ -x $d/bin/say ]; [ ! -x $d/text ]; readlink $d/say $d/to; ls -A $d/none; \
                    [ -d $d/none ]; sh $d/to/say";

fn yaml(more: &str) -> String {
    format!(
        "stages:\n\
         \x20 a: {{command: {{shell: '{MAKE}; echo t > d/text', outputs: [d]}}}}\n\
         \x20 b: {{command: {{shell: 'd=in/d; (set -x; {LOOK}) > b.txt', stages: {{in: a}}, outputs: [b.txt]{more}}}}}\n"
    )
}

const SEEN: &str = "bin/say\nnone/../bin\nsaid\n";

fn can_run(path: &Path) -> bool {
    fs::metadata(path).unwrap().permissions().mode() & 0o100 != 0
}

fn check(folder: &Path) {
    assert!(can_run(&folder.join("bin/say")) && !can_run(&folder.join("text")));
    let to = |name: &str| fs::read_link(folder.join(name)).unwrap();
    assert_eq!(
        (to("say"), to("to")),
        ("bin/say".into(), "none/../bin".into())
    );
    assert_eq!(fs::read_dir(folder.join("none")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 5);
}

#[test]
fn people_and_later_commands_see_what_a_command_left() {
    let ways = [
        "",
        ", inputs: link",
        ", sandbox: \"off\"",
        ", sandbox: \"off\", inputs: link",
    ];
    for more in ways {
        let test = Test::new().file("p.yaml", yaml(more));
        test.run("run p.yaml").exits(0);
        assert_eq!(test.read("b.txt"), SEEN, "{more}");
        check(&test.path("d"));
        test.run("run p.yaml").exits(0).says("0 ran, 2 fresh");
        test.run("cache verify").exits(0);
        assert_eq!(test.read("cache/format"), "pipeline cache 2\n");
    }
}

/// More than is copied is mounted or linked.
#[test]
fn a_large_folder_is_seen_the_same() {
    let large = yaml("").replace(
        "echo t > d/text",
        "echo t > d/text; truncate -s 65M d/large",
    );
    let test = Test::new().file("p.yaml", large);
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("b.txt"), SEEN);
    test.run("plan -v p.yaml").never_says("inputs are copied");
}

#[test]
fn what_is_exported_and_carried_to_another_cache_is_the_same() {
    let test = Test::new().file("p.yaml", yaml(""));
    test.run("run p.yaml").exits(0);
    test.run("export p.yaml a ex").exits(0);
    check(&test.path("ex/d"));
    test.run("export p.yaml a ex").exits(0);
    test.remove("ex/d/say");
    symlink("text", test.path("ex/d/say")).unwrap();
    test.run("export p.yaml a ex")
        .exits(2)
        .says("ex/d/say` is there and holds something else");
    test.run("cache export p.yaml a b -o all.tar").exits(0);
    let other = Test::new().file("p.yaml", yaml(""));
    fs::copy(test.path("all.tar"), other.path("all.tar")).unwrap();
    other.run("cache import all.tar").exits(0);
    other.run("run p.yaml").exits(0).says("0 ran, 2 fresh");
    check(&other.path("d"));
    assert_eq!(other.read("b.txt"), SEEN);
}

/// A link that an earlier export left lies where this result has a folder.
#[test]
fn an_export_over_an_earlier_one_writes_through_none_of_its_links() {
    let test = Test::new().file(
        "p.yaml",
        one("mkdir -p o/v1; echo 1 > o/v1/x; ln -s v1 o/latest"),
    );
    test.run("run p.yaml").exits(0);
    test.run("export p.yaml a ex").exits(0);
    test.write(
        "p.yaml",
        one("mkdir -p o/v1 o/latest; echo 1 > o/v1/x; echo 1 > o/latest/x"),
    );
    test.run("run p.yaml").exits(0);
    test.run("export p.yaml a ex")
        .exits(2)
        .says("`ex/o/latest` is there and holds something else")
        .says("--overwrite");
    assert!(test.path("ex/o/latest").is_symlink());
    test.write(
        "p.yaml",
        one("mkdir -p o/v1 o/latest; echo 2 > o/v1/x; echo 3 > o/latest/x"),
    );
    test.run("run p.yaml").exits(0);
    test.run("export p.yaml a ex --overwrite").exits(0);
    assert_eq!(test.read("ex/o/v1/x"), "2\n");
    assert_eq!(test.read("ex/o/latest/x"), "3\n");
}

#[test]
fn a_link_that_leads_out_of_its_output_is_refused_by_name() {
    for (name, to) in [
        ("l", "/etc/hosts"),
        ("l", "../other"),
        ("e/l", "../../x"),
        ("l", "$PWD/d/f"),
    ] {
        let shell = format!("mkdir -p d/e; echo f > d/f; ln -s {to} d/{name}");
        let yaml = format!("stages: {{a: {{command: {{shell: '{shell}', outputs: [d]}}}}}}\n");
        let test = Test::new().file("p.yaml", yaml);
        test.run("run p.yaml")
            .exits(1)
            .says(&format!(
                "the output `d` holds a link that leads out of it: `{name}`"
            ))
            .says("cp -L");
        assert!(!test.path("d").exists());
    }
}

/// A stage whose output `o` is what `kind` says.
fn one(kind: &str) -> String {
    format!("stages: {{a: {{command: {{shell: '{kind}', outputs: [o]}}}}}}\n")
}

#[test]
fn what_was_of_another_kind_gives_way_and_nothing_is_kept_beside() {
    let kinds = [
        "echo f > o",
        "mkdir o; ln -s x o/l; echo x > o/x",
        "mkdir o",
        "mkdir -p o/l/x",
        "mkdir -p o/l; echo x > o/l/x; ln -s l o/x",
        "echo f > o; chmod +x o",
        "mkdir o; ln -s l o/x; echo l > o/l",
    ];
    let test = Test::new();
    let shape = |test: &Test| {
        let mut all: Vec<(PathBuf, bool, Option<PathBuf>)> = files_below(&test.path("o"))
            .into_iter()
            .map(|path| (path.clone(), path.is_dir(), fs::read_link(path).ok()))
            .collect();
        all.sort();
        all
    };
    let mut seen = Vec::new();
    for kind in kinds {
        test.write("p.yaml", one(kind));
        test.run("run p.yaml").exits(0).never_says("kept");
        seen.push(shape(&test));
    }
    for (n, kind) in kinds.iter().enumerate().rev() {
        test.write("p.yaml", one(kind));
        test.run("run p.yaml")
            .exits(0)
            .says("0 ran, 1 fresh")
            .never_says("kept");
        assert_eq!(shape(&test), seen[n], "{kind}");
    }
    let names = crate::support::list(&test.path(""));
    assert!(names.iter().all(|n| !n.to_string_lossy().contains("kept-")));
}

#[test]
fn what_a_person_changed_is_kept_and_a_lost_permission_comes_back() {
    let test = Test::new().file("p.yaml", yaml(""));
    test.run("run p.yaml").exits(0);
    let program = test.path("d/bin/say");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
    test.remove("d/say");
    symlink("text", test.path("d/say")).unwrap();
    fs::remove_dir(test.path("d/none")).unwrap();
    test.run("plan p.yaml")
        .exits(0)
        .says("`d/say` is not what was put there")
        .never_says("d/bin/say");
    test.run("run p.yaml")
        .exits(0)
        .says("yours is kept as")
        .never_says("d/bin/say");
    let kept = fs::read_link(test.path("d/say.kept-1")).unwrap();
    assert_eq!(kept, Path::new("text"));
    test.remove("d/say.kept-1");
    check(&test.path("d"));
    // A file that a person puts into a folder that was empty is nobody's output.
    test.write("d/none/mine", "mine");
    test.run("run p.yaml").exits(0).never_says("mine");
    assert_eq!(test.read("d/none/mine"), "mine");
}

/// Whether the bytes are the same is not all: a later command can see the permission.
#[test]
fn content_cut_off_tells_a_program_from_a_file() {
    let yaml = |shell: &str| {
        format!(
            "stages:\n\
             \x20 a: {{command: {{shell: '{shell}', outputs: [p]}}}}\n\
             \x20 b: {{command: {{shell: 'if [ -x in/p ]; then echo yes; else echo no; fi > b.txt', stages: {{in: a}}, outputs: [b.txt]}}}}\n"
        )
    };
    let test = Test::new().file("p.yaml", yaml("echo x > p"));
    test.run("run p.yaml").exits(0);
    assert_eq!(test.read("b.txt"), "no\n");
    test.write("p.yaml", yaml("echo x > p; chmod +x p"));
    test.run("run p.yaml").exits(0).says("2 ran");
    assert_eq!(test.read("b.txt"), "yes\n");
    test.write("p.yaml", yaml("true; echo x > p; chmod a+x p"));
    test.run("run p.yaml")
        .exits(0)
        .says("same inputs by content");
}

/// What the last program that knew format 1 alone wrote is taken as it is, and stays.
#[test]
fn a_cache_of_the_first_format_is_used_as_it_is() {
    let test = Test::new();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cache-format-1-commands");
    let words = ["-a", &format!("{}/.", kept.display())];
    let copied = std::process::Command::new("cp")
        .args(words)
        .arg(test.path(""))
        .status();
    assert!(copied.unwrap().success());
    let records = |test: &Test| -> Vec<Vec<u8>> {
        let mut files = files_below(&test.path("cache/records"));
        files.sort();
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    };
    let before = records(&test);
    assert_eq!(before.len(), 3);
    test.run("plan p.yaml").exits(0).says("0 to run, 3 fresh");
    test.run("run p.yaml").exits(0).says("0 ran, 3 fresh");
    assert_eq!(test.read("said.txt"), "tool\nHELLO\n");
    assert!(can_run(&test.path("tool/bin/say")));
    test.run("cache verify").exits(0);
    assert_eq!(test.read("cache/format"), "pipeline cache 1\n");
    assert_eq!(records(&test), before);
    // What needs the second format is written beside it.
    let more = "\n  link: {command: {stages: {by: tool}, shell: 'mkdir l; ln -s x l/y; by/tool/bin/say > l/x', outputs: [l]}}\n";
    test.write("p.yaml", test.read("p.yaml") + more);
    test.run("run p.yaml").exits(0).says("1 ran, 3 fresh");
    assert_eq!(test.read("l/y"), "tool\n");
    assert_eq!(test.read("cache/format"), "pipeline cache 2\n");
    let now = records(&test);
    assert!(now.len() == 4 && before.iter().all(|record| now.contains(record)));
    test.run("run p.yaml").exits(0).says("0 ran, 4 fresh");
}
