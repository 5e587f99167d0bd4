//! Links on the way to what the program writes, and names of files that a line of a manifest could not tell apart.
//! Unaware of how places are looked up.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use crate::support::{Ran, Test};

/// A project in `project` with `outside/` beside it, where `f` is somebody's.
fn test(output: &str) -> Test {
    let test = Test::new();
    test.write("outside/f", "precious");
    test.write(
        "project/p.yaml",
        format!(
            "stages:\n  s: {{command: {{shell: 'mkdir -p $(dirname {output}); echo mine > {output}', outputs: ['{output}']}}}}\n"
        ),
    );
    test
}

fn run(test: &Test, words: &str) -> Ran {
    let mut command = test.command(words);
    let project = test.path("project");
    Ran::of(command.current_dir(project).output().unwrap())
}

#[track_caller]
fn refused(test: &Test, said: &str) {
    for command in ["plan p.yaml", "run p.yaml"] {
        run(test, command)
            .exits(2)
            .says(said)
            .says("hint: what a pipeline file names is written inside the project folder only");
    }
    assert_eq!(test.read("outside/f"), "precious");
    assert!(!test.path("project/cache/records").exists());
}

#[test]
fn outputs_behind_links_that_lead_outside_are_refused_when_planned() {
    for (to, at, output) in [
        ("../outside", "d", "d/f"),
        ("../outside", "d", "d/new/deep/f"),
        ("../../outside", "a/d", "a/d/f"),
        ("nowhere", "d", "d/f"),
        ("d", "d", "d/f"),
    ] {
        let test = test(output);
        std::fs::create_dir_all(test.path("project/a")).unwrap();
        symlink(to, test.path("project").join(at)).unwrap();
        refused(&test, &format!("`{output}` is not written: "));
    }
    // A chain of links, one of them within the project.
    let test = test("one/f");
    symlink("two", test.path("project/one")).unwrap();
    symlink("../outside", test.path("project/two")).unwrap();
    refused(&test, "and it would lie in `");
}

#[test]
fn outputs_behind_links_may_lie_elsewhere_in_the_project_and_in_nobodys_place() {
    let test = test("d/f");
    std::fs::create_dir(test.path("project/real")).unwrap();
    symlink("real", test.path("project/d")).unwrap();
    run(&test, "run p.yaml")
        .exits(0)
        .says("1 output put in place");
    assert_eq!(test.read("project/real/f"), "mine\n");
    test.remove("project/d");
    std::fs::create_dir_all(test.path("project/cache/outputs")).unwrap();
    symlink("cache/outputs", test.path("project/d")).unwrap();
    run(&test, "plan p.yaml")
        .exits(2)
        .says("behind links it lies in a folder of pipeline's own");
    test.remove("project/d");
    symlink("real", test.path("project/d")).unwrap();
    let other = "  t: {command: {shell: 'mkdir real; echo > real/f', outputs: ['real/f']}}\n";
    let yaml = test.read("project/p.yaml") + other;
    test.write("project/p.yaml", yaml);
    run(&test, "plan p.yaml")
        .exits(2)
        .says("behind links it is the output `d/f` of `s`");
}

#[test]
fn a_link_that_comes_while_a_stage_runs_is_not_written_through() {
    let test = test("d/f").without_walls();
    let yaml = test.read("project/p.yaml");
    let link = format!("ln -s {0}/outside {0}/project/d; ", test.path("").display());
    test.write(
        "project/p.yaml",
        yaml.replace("shell: '", &format!("shell: '{link}")),
    );
    run(&test, "run p.yaml")
        .exits(1)
        .says("the output `d/f` is not put in place: ")
        .says("hint: remove the link, and run again: the result is in the cache");
    assert_eq!(test.read("outside/f"), "precious");
    test.remove("project/d");
    run(&test, "run p.yaml").exits(0).says("0 ran, 1 fresh");
    assert_eq!(test.read("project/d/f"), "mine\n");
}

#[test]
fn reports_are_not_written_through_links_or_names() {
    let test = Test::new().tiny();
    test.write("outside/alpha.txt", "precious");
    let yaml = test.read("p.yaml");
    for (name, link) in [
        ("project/p.yaml", "reports"),
        ("project/p.yaml", "reports/p"),
    ] {
        let _ = std::fs::remove_dir_all(test.path("project"));
        test.write(name, &yaml);
        let link = test.path("project").join(link);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(test.path("outside"), &link).unwrap();
        run(&test, "plan p.yaml").exits(2).says("is not written: `");
    }
    // A name that leads up, of a file or of a stage.
    let _ = std::fs::remove_dir_all(test.path("project"));
    test.write("project/...yaml", &yaml);
    run(&test, "plan ...yaml")
        .exits(2)
        .says("it leads out of its folder");
    assert_eq!(test.read("outside/alpha.txt"), "precious");
}

#[test]
fn names_that_a_line_could_not_tell_apart_have_keys_of_their_own() {
    let key = |names: &[&[u8]], files: &str| {
        let test = Test::new().file(
            "p.yaml",
            format!(
                "stages:\n  s: {{command: {{run: [ls, d], files: [{files}], outputs: [o]}}}}\n"
            ),
        );
        std::fs::create_dir(test.path("d")).unwrap();
        for name in names {
            let name = std::ffi::OsStr::from_bytes(name);
            let file = test.path("d").join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "same").unwrap();
        }
        let plan = test.run("plan p.yaml --json").exits(0).events();
        plan[0]["key"].as_str().unwrap().to_owned()
    };
    let digest = blake3::hash(b"same").to_hex();
    let forged = format!("a\t{digest}\noutside.files/d/b");
    let folders: Vec<(Vec<&[u8]>, &str)> = vec![
        (vec![b"a", b"b"], "d"),
        (vec![forged.as_bytes()], "d"),
        (vec![b"a"], "d"),
        (vec![b"a", b"a+"], "d"),
        (vec![b"a\\tb"], "d"),
        (vec![b"a\tb"], "d"),
        (vec![b"a\nb"], "d"),
        (vec![b"a\\nb"], "d"),
        (vec![b"a\rb"], "d"),
        (vec![b"a\xff"], "d"),
        (vec![b"a\xfe"], "d"),
        (vec![b"a\\xFF"], "d"),
        (vec!["a\u{fffd}".as_bytes()], "d"),
    ];
    let keys: Vec<String> = folders
        .iter()
        .map(|(names, files)| key(names, files))
        .collect();
    for (n, one) in keys.iter().enumerate() {
        let same = keys.iter().position(|other| other == one);
        assert_eq!(same, Some(n), "{:?}", folders[n]);
    }
    // A folder that is named twice is that folder.
    assert_eq!(key(&[b"a"], "d, d"), key(&[b"a"], "d"));
}
