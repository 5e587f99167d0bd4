//! Outputs where people see them: a new result leaves nothing of the one before, and nothing of anybody else's is lost.
//! Unaware of how an output was made.

use crate::support::Test;

/// A stage that writes what `n.txt` says: a line is a file of the folder `d`.
const FOLDER: &str = "\
stages:
  a:
    command:
      shell: 'mkdir -p d/sub; for i in $(cat n.txt); do echo $i > d/$i; done'
      files: [n.txt]
      outputs: [d]
";

fn names(test: &Test, folder: &str) -> Vec<String> {
    let mut names: Vec<String> = crate::support::list(&test.path(folder))
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_folder_holds_the_files_of_the_last_result_only() {
    let test = Test::new()
        .file("p.yaml", FOLDER)
        .file("n.txt", "1 2 sub/3");
    test.run("run p.yaml").exits(0);
    assert_eq!(names(&test, "d"), ["1", "2", "sub"]);
    test.write("n.txt", "1");
    test.run("run p.yaml").exits(0);
    assert_eq!(names(&test, "d"), ["1", "sub"]);
    assert_eq!(names(&test, "d/sub"), [""; 0]);
    // Also when the result is an old one that nothing has to run for.
    test.write("n.txt", "1 2 sub/3");
    test.run("run p.yaml").exits(0).says("0 ran, 1 fresh");
    assert_eq!(names(&test, "d"), ["1", "2", "sub"]);
    test.write("n.txt", "1");
    test.run("run p.yaml").exits(0).says("0 ran, 1 fresh");
    assert_eq!(names(&test, "d"), ["1", "sub"]);
}

#[test]
fn what_a_person_put_or_changed_in_a_folder_stays() {
    let test = Test::new().file("p.yaml", FOLDER).file("n.txt", "1 2 3");
    test.run("run p.yaml").exits(0);
    test.write("d/2", "mine");
    test.write("d/note", "mine too");
    test.write("n.txt", "1");
    test.run("plan p.yaml")
        .exits(0)
        .says("note: `d/2` is not what was put there");
    test.run("run p.yaml")
        .exits(0)
        .says("`d/2` is no output any more and was changed since it was put there; it stays");
    assert_eq!(names(&test, "d"), ["1", "2", "note", "sub"]);
    assert_eq!(
        (test.read("d/2"), test.read("d/note")),
        ("mine".into(), "mine too".into())
    );
}

#[test]
fn a_file_becomes_a_folder_and_a_file_again() {
    let yaml =
        |shell: &str| format!("stages: {{a: {{command: {{shell: '{shell}', outputs: [o]}}}}}}\n");
    let (file, folder) = (yaml("echo f > o"), yaml("mkdir o; echo x > o/x"));
    let test = Test::new().file("p.yaml", &file);
    test.run("run p.yaml").exits(0);
    for _ in 0..2 {
        test.write("p.yaml", &folder);
        test.run("run p.yaml").exits(0).never_says("kept");
        assert_eq!(test.read("o/x"), "x\n");
        test.write("p.yaml", &file);
        test.run("run p.yaml").exits(0).never_says("kept");
        assert_eq!(test.read("o"), "f\n");
    }
    // A person's file in the way of a folder, and a person's folder in the way of a file, are kept.
    test.write("o", "mine");
    test.write("p.yaml", &folder);
    test.run("run p.yaml").exits(0).says("yours is kept as `");
    assert_eq!(
        (test.read("o/x"), test.read("o.kept-1")),
        ("x\n".into(), "mine".into())
    );
    test.write("o/more", "mine");
    test.write("p.yaml", &file);
    test.run("run p.yaml").exits(0).says("yours is kept as `");
    assert_eq!(
        (test.read("o"), test.read("o.kept-2/more")),
        ("f\n".into(), "mine".into())
    );
}

#[test]
fn edits_are_kept_once_and_own_files_are_known_as_own() {
    let yaml = |word: &str| {
        format!(
            "vars: {{word: {word}}}\nstages: {{a: {{command: {{shell: 'echo {{word}} > o', outputs: [o]}}}}}}\n"
        )
    };
    let test = Test::new().file("p.yaml", yaml("one"));
    test.run("run p.yaml").exits(0);
    for _ in 0..3 {
        test.write("o", "an edit");
        test.run("plan p.yaml")
            .exits(0)
            .says("note: `o` is not what was put there; a run keeps it beside, as `o.kept-1`");
        test.run("run p.yaml").exits(0).says("yours is kept as `");
        assert_eq!(
            (test.read("o"), test.read("o.kept-1")),
            ("one\n".into(), "an edit".into())
        );
    }
    assert!(!test.path("o.kept-2").exists());
    // Another file of the same project puts its own there: nobody's work.
    test.write("q.yaml", yaml("two"));
    test.run("run q.yaml").exits(0).never_says("kept");
    test.run("run p.yaml").exits(0).never_says("kept");
    assert_eq!(test.read("o"), "one\n");
    test.run("run p.yaml --set vars.word=three")
        .exits(0)
        .never_says("kept");
    assert_eq!(test.read("o"), "three\n");
}

#[test]
fn the_pipeline_file_and_what_it_includes_are_no_outputs() {
    let yaml = |output: &str| {
        format!(
            "include: [more/v.yaml]\nstages: {{a: {{command: {{shell: 'echo x', outputs: ['{output}']}}}}}}\n"
        )
    };
    let test = Test::new().file("more/v.yaml", "vars: {x: 1}\n");
    for (output, file) in [
        ("p.yaml", "p.yaml"),
        ("more/v.yaml", "more/v.yaml"),
        ("more", "more/v.yaml"),
    ] {
        test.write("p.yaml", yaml(output));
        for words in ["plan p.yaml", "run p.yaml"] {
            test.run(words).exits(2).says(&format!(
                "`{output}` is not written: the pipeline file `{file}` lies there"
            ));
        }
    }
    test.write("p.yaml", yaml("more/o"));
    test.run("plan p.yaml").exits(0);
}

#[test]
fn a_program_is_one_in_the_project_in_archives_and_behind_them() {
    use std::os::unix::fs::PermissionsExt;
    let yaml =
        "stages: {a: {command: {shell: 'echo x > o; chmod +x o; echo y > p', outputs: [o, p]}}}\n";
    let test = Test::new().file("p.yaml", yaml);
    let runs =
        |name: &str| test.path(name).metadata().unwrap().permissions().mode() & 0o111 == 0o111;
    test.run("run p.yaml").exits(0);
    assert!(runs("o") && !runs("p"));
    test.run("cache export a -o a.tar -f p.yaml").exits(0);
    for name in ["o", "p"] {
        test.remove(name);
    }
    std::fs::remove_dir_all(test.path("cache")).unwrap();
    test.run("cache import a.tar")
        .exits(0)
        .says("1 result imported");
    test.run("run p.yaml").exits(0).says("0 ran, 1 fresh");
    assert!(runs("o") && !runs("p"));
}

#[test]
fn an_archive_that_holds_nothing_is_none() {
    let test = Test::new()
        .file("empty.tar", "")
        .file("zeros.tar", [0; 1024]);
    for name in ["empty.tar", "zeros.tar"] {
        let ran = test.run(&format!("cache import {name}"));
        ran.exits(1)
            .says("the archive is refused: it holds nothing");
    }
}

#[test]
fn results_with_folders_that_may_not_be_written_in_are_cleaned_up() {
    let yaml = "stages: {a: {command: {shell: 'mkdir -p o/d; echo x > o/d/f; chmod 555 o/d o', outputs: [o]}}}\n";
    let name = "results_with_folders_that_may_not_be_written_in_are_cleaned_up";
    let test = Test::new().file("p.yaml", yaml);
    let Some(ran) = test.run_bound(name, "run p.yaml") else {
        return;
    };
    ran.exits(0).says("1 ran");
    test.write("p.yaml", yaml.replace("echo x", "echo y"));
    test.run_bound(name, "run p.yaml")
        .unwrap()
        .exits(0)
        .says("1 ran");
    test.run_bound(name, "cache gc --keep-newer 0s")
        .unwrap()
        .exits(0)
        .says("freed ");
    assert_eq!(test.committed().len(), 1);
    let trash = crate::support::files_below(&test.path("cache/trash"));
    assert_eq!(trash, Vec::<std::path::PathBuf>::new());
}

#[test]
fn what_lies_behind_a_link_that_a_command_made_stays() {
    let test = Test::new();
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["f1", "f2"] {
        std::fs::write(elsewhere.path().join(name), "mine").unwrap();
    }
    let link = |of: &str| format!("rm -r {of}; ln -s {} {of}", elsewhere.path().display());
    for shell in [
        format!("{}; echo new > results/x", link("results")),
        format!(
            "mkdir -p results/d; {}; echo new > results/d/x",
            link("results/d")
        ),
        format!(
            "o=$PWD; cd ..; {}; echo new > $o/results || mkdir -p $o/results; echo new > $o/results/x",
            link("$o")
        ),
    ] {
        let output = if shell.contains("results/d/x") {
            "results/d/x"
        } else {
            "results/x"
        };
        let yaml =
            format!("stages: {{a: {{command: {{shell: '{shell}', outputs: [{output}]}}}}}}\n");
        test.write("p.yaml", yaml);
        for _ in 0..2 {
            test.run("run p.yaml").exits(1);
            for name in ["f1", "f2"] {
                let text = std::fs::read_to_string(elsewhere.path().join(name));
                assert_eq!(text.unwrap(), "mine", "{shell}");
            }
        }
    }
}

#[test]
fn temporary_files_of_an_earlier_try_are_gone() {
    let shell = "if [ -e $TMPDIR/x ]; then echo old > o; else echo x > $TMPDIR/x; exit 1; fi";
    let yaml = format!("stages: {{a: {{command: {{shell: '{shell}', outputs: [o]}}}}}}\n");
    let test = Test::new().file("p.yaml", yaml);
    for _ in 0..2 {
        test.run("run p.yaml").exits(1);
    }
}

#[test]
fn what_a_forced_stage_put_there_before_is_no_persons_work() {
    let yaml = "stages: {a: {command: {shell: 'date +%s%N > o', outputs: [o]}}}\n";
    let test = Test::new().file("p.yaml", yaml);
    test.run("run p.yaml").exits(0);
    let first = test.read("o");
    test.run("run p.yaml --force a").exits(0).never_says("kept");
    assert_ne!(test.read("o"), first);
}
