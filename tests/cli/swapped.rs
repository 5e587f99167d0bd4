//! Files outside that are swapped while a stage runs and put back before it ends, and folders whose links go round.
//! Unaware of how that is noticed. Walls keep a stage from swapping anything itself: it says when it would read, and waits.

use std::process::Command;

use crate::support::{Ran, Test, wait_for};

const YAML: &str = "\
stages:
  weights:
    pretrained: {backbone: {imdn: {scale: 4}}, file: in/weights.pth}
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
  text:
    command: {shell: 'test ! -e $STUB_FOLDER/hook || . $STUB_FOLDER/hook; cat in/data.txt > out.txt', files: [in/data.txt], outputs: [out.txt], pass_env: [STUB_FOLDER]}
";

/// What is swapped, as text of a shell.
const FILE: &str = "mv $1 aside; mv $2 $1; mv $1 $2; mv aside $1";
const BYTES: &str = "cp -p $1 aside; cat $2 > $1; cat aside > $1; touch -r aside $1; rm aside";
const LINKED: &str = "ln $1 aside; ln -f $2 $1; ln -f aside $1; rm aside";
const FOLDER: &str = "d=$(dirname $1); mv $d aside; mkdir $d; cp $2 $1; rm -r $d; mv aside $d";
const ADDED: &str = "cp $2 $(dirname $1)/new.png; rm $(dirname $1)/new.png";

/// Says that a stage would read now, and waits until that has been used.
const READS: &str =
    "touch $STUB_FOLDER/reading; until [ -e $STUB_FOLDER/swapped ]; do sleep 0.01; done\n";

fn test() -> Test {
    let test = Test::new().photos();
    test.write("in/weights.pth", "good");
    test.write("in/data.txt", "good");
    test.write("other", "evil");
    test.file("p.yaml", YAML)
}

/// Runs, with this done in the project while the stage waits.
fn run_while(test: &Test, words: &str, swap: &str) -> Ran {
    test.write("hook", READS);
    let child = test.command(words).spawn().unwrap();
    wait_for("a stage that reads", || {
        test.outside("reading").exists().then_some(())
    });
    let mut shell = Command::new("sh");
    let done = shell.args(["-e", "-c", swap]).current_dir(test.path(""));
    assert!(done.status().unwrap().success(), "{swap}");
    std::fs::write(test.outside("swapped"), "").unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    for name in ["hook", "reading", "swapped"] {
        std::fs::remove_file(test.outside(name)).unwrap();
    }
    ran
}

/// Each way of swapping, several times; then the stage as it should be.
fn caught(test: impl Fn() -> Test, stage: &str, file: &str, swaps: &[&str]) {
    for swap in swaps {
        let test = test();
        let swap = format!("set -- {file} other\n{swap}\n");
        for _ in 0..2 {
            run_while(&test, &format!("run p.yaml {stage}"), &swap)
                .exits(1)
                .says("failed: ")
                .says("changed while the stage ran");
            assert!(test.committed().is_empty(), "{swap}");
        }
        test.run(&format!("run p.yaml {stage}"))
            .exits(0)
            .says("1 ran");
        test.run(&format!("run p.yaml {stage}"))
            .exits(0)
            .says("0 ran, 1 fresh");
    }
}

#[test]
fn a_checkpoint_that_is_swapped_and_put_back_is_noticed() {
    caught(
        test,
        "weights",
        "in/weights.pth",
        &[FILE, BYTES, LINKED, FOLDER],
    );
}

#[test]
fn images_of_a_folder_that_are_swapped_and_put_back_are_noticed() {
    caught(
        test,
        "pairs",
        "photos/a.png",
        &[FILE, BYTES, LINKED, FOLDER, ADDED],
    );
}

#[test]
fn files_of_a_command_that_are_swapped_and_put_back_are_noticed() {
    let swaps = [FILE, BYTES, LINKED, FOLDER];
    let link = "text --set stages.text.command.inputs=link";
    caught(test, link, "in/data.txt", &swaps);
    // Without walls it can read the files themselves, whatever was copied.
    let open = || test().without_walls();
    for words in ["text", link] {
        caught(open, words, "in/data.txt", &swaps);
    }
}

/// A command reads its copy, by whichever path, while somebody edits the file.
#[test]
fn an_edit_behind_walls_neither_reaches_a_command_nor_takes_its_work() {
    let test = Test::new();
    let full = test.path("data.txt");
    let shell = format!(
        "touch $STUB_FOLDER/reading; until [ -e $STUB_FOLDER/edited ]; do sleep 0.01; done; cat data.txt {} > o",
        full.display()
    );
    test.write(
        "p.yaml",
        format!(
            "stages: {{a: {{command: {{shell: '{shell}', files: [data.txt], outputs: [o], pass_env: [STUB_FOLDER]}}}}}}\n"
        ),
    );
    let has_walls = test
        .run("doctor --json")
        .stdout
        .contains("mounts of their own");
    for keep in [true, false] {
        for note in ["reading", "edited"] {
            let _ = std::fs::remove_file(test.outside(note)); // of the round before
        }
        test.write("data.txt", "good\n");
        let child = test.command("run p.yaml --force a").spawn().unwrap();
        // It starts when all is copied, and the watch has looked once more.
        wait_for("the command", || {
            test.outside("reading").exists().then_some(())
        });
        test.write("data.txt", "evil\n");
        if !keep {
            test.write("data.txt", "good\n");
        }
        std::fs::write(test.outside("edited"), "").unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap());
        if !has_walls {
            ran.exits(1).says("data.txt` changed while the stage ran");
            continue;
        }
        ran.exits(0).says(
            "data.txt` changed while the stage ran; the result is of what it was before: run again",
        );
        assert_eq!(test.read("o"), "good\ngood\n");
        let again = test.run("run p.yaml").exits(0).never_says("run again");
        again.says(if keep { "1 ran" } else { "0 ran, 1 fresh" });
    }
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
    let turn = "ln -sfn bad link; ln -sfn real link";
    run_while(&test, "run p.yaml weights", turn)
        .exits(1)
        .says("link` changed while the stage ran");
    test.run("run p.yaml weights").exits(0);
}

#[test]
fn what_changes_between_the_plan_and_the_stage_is_not_read() {
    let test = Test::new().file(
        "p.yaml",
        "stages:\n  a: {command: {shell: 'test ! -e $STUB_FOLDER/hook || . $STUB_FOLDER/hook; echo > a.txt', outputs: [a.txt], pass_env: [STUB_FOLDER]}}\n  \
         b: {command: {shell: 'cat data.txt > b.txt', files: [data.txt], stages: {in: a}, outputs: [b.txt]}}\n",
    );
    test.write("data.txt", "good");
    run_while(&test, "run p.yaml", "echo evil > data.txt")
        .exits(1)
        .says("data.txt` is not what was planned with any more")
        .says("hint: run again");
    test.run("run p.yaml").exits(0).says("1 ran, 1 fresh");
    assert_eq!(test.read("b.txt"), "evil\n");
}

#[test]
fn names_that_come_and_go_beside_a_file_change_nothing() {
    let test = test();
    let swap = "cp other in/new; rm in/new; mkdir new; rmdir new";
    for stage in ["weights", "text"] {
        run_while(&test, &format!("run p.yaml {stage}"), swap)
            .exits(0)
            .says("1 ran");
    }
}

#[test]
fn folders_whose_links_go_round_are_refused() {
    let test = Test::new().file(
        "p.yaml",
        "stages:\n  s: {command: {run: [ls, data], files: [data], outputs: [o]}}\n",
    );
    test.write("data/file", "");
    for name in ["a", "b"] {
        std::os::unix::fs::symlink(".", test.path("data").join(name)).unwrap();
    }
    test.run("plan p.yaml")
        .exits(1)
        .says("leads back to a folder that it lies in");
}
