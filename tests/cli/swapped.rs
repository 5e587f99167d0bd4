//! Files outside that are swapped while a stage runs and put back before it ends, and folders whose links go round.
//! Unaware of how that is noticed. A stand-in for the worker does the swapping, at the moment when it would read.

use crate::support::{Ran, Test};

const YAML: &str = "\
stages:
  weights:
    pretrained: {backbone: {imdn: {scale: 4}}, file: in/weights.pth}
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
  text:
    command: {shell: 'test ! -e $P/hook || (cd $P && . ./hook); cat in/data.txt > out.txt', files: [in/data.txt], outputs: [out.txt], pass: [P]}
";

/// What is swapped, as text of a shell.
const FILE: &str = "mv $1 aside; mv $2 $1; mv $1 $2; mv aside $1";
const BYTES: &str = "cp -p $1 aside; cat $2 > $1; cat aside > $1; touch -r aside $1; rm aside";
const LINKED: &str = "ln $1 aside; ln -f $2 $1; ln -f aside $1; rm aside";
const FOLDER: &str = "d=$(dirname $1); mv $d aside; mkdir $d; cp $2 $1; rm -r $d; mv aside $d";
const ADDED: &str = "cp $2 $(dirname $1)/new.png; rm $(dirname $1)/new.png";

fn test() -> Test {
    let test = Test::new().without_walls().photos();
    test.write("in/weights.pth", "good");
    test.write("in/data.txt", "good");
    test.write("other", "evil");
    test.file("p.yaml", YAML)
}

fn run(test: &Test, words: &str) -> Ran {
    let mut command = test.command(words);
    Ran::of(command.env("P", test.path("")).output().unwrap())
}

/// Each way of swapping, several times; then the stage as it should be.
fn caught(stage: &str, file: &str, swaps: &[&str]) {
    for swap in swaps {
        let test = test();
        let hook = format!("set -- {file} other\n{swap}\n");
        for _ in 0..2 {
            test.write("hook", &hook);
            run(&test, &format!("run p.yaml {stage}"))
                .exits(1)
                .says("failed: ")
                .says("changed while the stage ran");
            assert!(test.committed().is_empty(), "{swap}");
        }
        test.remove("hook");
        run(&test, &format!("run p.yaml {stage}"))
            .exits(0)
            .says("1 ran");
        run(&test, &format!("run p.yaml {stage}"))
            .exits(0)
            .says("0 ran, 1 fresh");
    }
}

#[test]
fn a_checkpoint_that_is_swapped_and_put_back_is_noticed() {
    caught("weights", "in/weights.pth", &[FILE, BYTES, LINKED, FOLDER]);
}

#[test]
fn images_of_a_folder_that_are_swapped_and_put_back_are_noticed() {
    caught(
        "pairs",
        "photos/a.png",
        &[FILE, BYTES, LINKED, FOLDER, ADDED],
    );
}

#[test]
fn files_that_a_command_reads_by_links_are_noticed_when_they_are_swapped_and_put_back() {
    let link = "text --set stages.text.command.inputs=link";
    caught(link, "in/data.txt", &[FILE, BYTES, LINKED, FOLDER]);
}

#[test]
fn copies_are_what_was_planned_whatever_becomes_of_the_files() {
    let again = "` changed while the stage ran; the result is of what it was before: run again";
    for swap in [FILE, BYTES, LINKED, FOLDER] {
        let test = test();
        test.write("hook", format!("set -- in/data.txt other\n{swap}\n"));
        run(&test, "run p.yaml text")
            .exits(0)
            .says("1 ran")
            .says(again);
        assert_eq!(test.read("out.txt"), "good", "{swap}");
        test.remove("hook");
        run(&test, "run p.yaml text")
            .exits(0)
            .says("0 ran, 1 fresh");
    }
    let test = test();
    test.write("hook", "echo evil > in/data.txt\n");
    run(&test, "run p.yaml text")
        .exits(0)
        .says("1 ran")
        .says(again);
    assert_eq!(test.read("out.txt"), "good");
    test.remove("hook");
    let ran = run(&test, "run p.yaml text").exits(0).says("1 ran");
    ran.never_says("run again");
    assert_eq!(test.read("out.txt"), "evil\n");
}

#[test]
fn a_linked_checkpoint_whose_link_is_turned_and_turned_back_is_noticed() {
    let test = test();
    for (name, to) in [("link", "real"), ("in/weights.pth", "../link/w")] {
        let _ = std::fs::remove_file(test.path(name));
        std::os::unix::fs::symlink(to, test.path(name)).unwrap();
    }
    test.write("real/w", "good");
    test.write("bad/w", "evil");
    test.write("hook", "ln -sfn bad link; ln -sfn real link\n");
    run(&test, "run p.yaml weights")
        .exits(1)
        .says("link` changed while the stage ran");
    test.remove("hook");
    run(&test, "run p.yaml weights").exits(0);
}

#[test]
fn what_changes_between_the_plan_and_the_stage_is_not_read() {
    let test = Test::new().without_walls().file(
        "p.yaml",
        "stages:\n  a: {command: {shell: 'echo evil > $P/data.txt; echo > a.txt', outputs: [a.txt], pass: [P]}}\n  \
         b: {command: {shell: 'cat data.txt > b.txt', files: [data.txt], stages: {in: a}, outputs: [b.txt]}}\n",
    );
    test.write("data.txt", "good");
    run(&test, "run p.yaml")
        .exits(1)
        .says("data.txt` is not what was planned with any more")
        .says("hint: run again");
    run(&test, "run p.yaml").exits(0).says("1 ran, 1 fresh");
    assert_eq!(test.read("b.txt"), "evil\n");
}

#[test]
fn names_that_come_and_go_beside_a_file_change_nothing() {
    let test = test();
    test.write("hook", "cp other in/new; rm in/new; mkdir new; rmdir new\n");
    run(&test, "run p.yaml weights text").exits(0).says("2 ran");
}

#[test]
fn folders_whose_links_go_round_are_refused() {
    let test = Test::new().without_walls().file(
        "p.yaml",
        "stages:\n  s: {command: {run: [ls, data], files: [data], outputs: [o]}}\n",
    );
    test.write("data/file", "");
    for name in ["a", "b"] {
        std::os::unix::fs::symlink(".", test.path("data").join(name)).unwrap();
    }
    test.run("plan p.yaml")
        .exits(0)
        .says("leads back to a folder that it lies in");
}
