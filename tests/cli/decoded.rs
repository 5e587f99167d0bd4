//! Images and masks that trainings keep decoded in the cache: the same bytes come out with them and without, damage is
//! noticed and mended, and what cleans up knows them.
//! Unaware of what such a file looks like, but that its index is at its end.

use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Signal, kill_process};

use crate::killed::{state_file, worker_of};
use crate::support::{Ran, TINY, Test, files_below, wait_for};

const VARIABLE: &str = "PIPELINE_DECODED";

/// No training starts from where another one ended: each reads its data.
fn command(test: &Test, words: &str, kept: &str) -> Command {
    let mut command = test.command(words);
    command.env(VARIABLE, kept).env("PIPELINE_KEEP_STATES", "0");
    command
}

fn run(test: &Test, words: &str, kept: &str) -> Ran {
    Ran::of(command(test, words, kept).output().unwrap())
}

/// What trainings leave, by the kind.
fn trained(test: &Test) -> Vec<Vec<u8>> {
    let files = ["weights.safetensors", "steps.csv"].iter();
    let of =
        |name: &&str| ["train", "tune"].map(|kind| std::fs::read(test.output(kind, name)).unwrap());
    files.flat_map(of).collect()
}

fn decoded(test: &Test) -> Vec<PathBuf> {
    files_below(&test.path("cache/decoded"))
}

/// The larger file: the images.
fn images(test: &Test) -> PathBuf {
    let size = |path: &PathBuf| path.metadata().unwrap().len();
    decoded(test).into_iter().max_by_key(size).unwrap()
}

#[test]
fn trainings_leave_the_same_bytes_whether_images_are_kept_decoded_or_not() {
    let name = "trainings_leave_the_same_bytes_whether_images_are_kept_decoded_or_not";
    for degrade in ["{sr: 2}", "{denoise: 25}"] {
        let noisy = degrade.contains("denoise");
        let yaml = TINY.replacen("{sr: 2}", degrade, 1);
        let yaml = if noisy {
            yaml.replace(
                "imdn: {scale: 2, width: 16, blocks: 1}",
                "art: {scale: 1, width: 32, depths: [2], heads: 2, window: 4}",
            )
        } else {
            yaml
        };
        let Some(off) = Test::with_worker(name) else {
            return;
        };
        let off = off.photos().file("p.yaml", &yaml);
        let on = Test::with_worker(name)
            .unwrap()
            .photos()
            .file("p.yaml", &yaml);
        run(&off, "run p.yaml base tuned", "off").exits(0);
        assert_eq!(decoded(&off), Vec::<PathBuf>::new());
        run(&on, "plan p.yaml base tuned", "always")
            .says("images of `pairs` are kept decoded for trainings: about ");
        let ran = run(&on, "run p.yaml base tuned", "always").exits(0);
        let images = if noisy {
            "decoded 2 files of `images`"
        } else {
            "decoded 4 files of `images`"
        };
        let ran = ran.says(images).says("decoded 2 files of `masks`");
        let said = ran.stderr.matches("of `images` once").count()
            + ran.stdout.matches("of `images` once").count();
        assert_eq!(said, 1, "two trainings share it\n{ran}");
        assert_eq!(decoded(&on).len(), 2);
        assert_eq!(trained(&on), trained(&off));
        run(&on, "plan p.yaml base tuned --force base", "always").never_says("kept decoded");
    }
}

#[test]
fn what_is_damaged_is_made_again_and_what_is_there_is_not() {
    let name = "what_is_damaged_is_made_again_and_what_is_there_is_not";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test.tiny();
    run(&test, "run p.yaml base tuned", "always").exits(0);
    let (path, before) = (images(&test), trained(&test));
    let whole = std::fs::read(&path).unwrap();
    let again = || run(&test, "run p.yaml base --force base", "always").exits(0);
    again().never_says("once for all trainings");
    let mut pixels = whole.clone();
    pixels[40..whole.len() / 2].fill(7);
    std::fs::write(&path, pixels).unwrap();
    again()
        .says("decoded in the cache was damaged")
        .says("and was made again");
    assert_eq!(trained(&test), before);
    assert!(std::fs::read(&path).unwrap() == whole);
    for bytes in [&whole[..whole.len() - 1], b"", &[0; 99]] {
        std::fs::write(&path, bytes).unwrap();
        std::fs::write(path.with_extension("making"), "left by one who was killed").unwrap();
        again().says("decoded 4 files of `images` once for all trainings");
        assert_eq!(trained(&test), before);
        assert_eq!(decoded(&test).len(), 2, "nothing else is left");
    }
}

#[test]
fn the_cache_knows_them_and_a_wrong_word_is_told() {
    let name = "the_cache_knows_them_and_a_wrong_word_is_told";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test.tiny();
    run(&test, "run p.yaml base", "always").exits(0);
    let id = test.run("runs --json").events()[0]["run"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    test.run(&format!("show {id}"))
        .says("  base  trained for ")
        .says("waiting for data ");
    test.run("cache du")
        .says("       1 files  decoded images and masks");
    test.run("cache gc").exits(0);
    assert_eq!(decoded(&test).len(), 1, "it was used lately");
    test.run("cache gc --keep-newer 0s")
        .exits(0)
        .says("decoded");
    assert_eq!(decoded(&test).len(), 0);
    run(&test, "plan p.yaml", "maybe")
        .exits(2)
        .says("PIPELINE_DECODED: expected `auto`, `always` or `off`, found `maybe`");
}

/// Batches are made ahead: those that a kill takes are made again, and no iteration gets another one's.
#[test]
fn a_training_over_kept_images_that_is_killed_goes_on_to_the_same_bytes() {
    let name = "a_training_over_kept_images_that_is_killed_goes_on_to_the_same_bytes";
    let (tuning, long) = (
        "masks: masks, iterations: 3, patch: 8, batch: 1}\n    resources: {threads: 1}",
        "masks: masks, iterations: 150, patch: 8, batch: 2}\n    resources: {threads: 1, checkpoint: 0}",
    );
    assert!(TINY.contains(tuning));
    let yaml = TINY.replacen(tuning, long, 1);
    let Some(whole) = Test::with_worker(name) else {
        return;
    };
    let whole = whole.photos().file("p.yaml", &yaml);
    run(&whole, "run p.yaml base tuned", "always").exits(0);
    let killed = Test::with_worker(name)
        .unwrap()
        .photos()
        .file("p.yaml", &yaml);
    run(&killed, "run p.yaml base masks", "always").exits(0);
    let mut child = command(&killed, "run p.yaml tuned", "always")
        .spawn()
        .unwrap();
    wait_for("a checkpoint", || state_file(&killed));
    kill_process(worker_of(&child), Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(decoded(&killed).len(), 2, "images and masks");
    run(&killed, "run p.yaml tuned", "always")
        .exits(0)
        .says("tuned: going on from iteration ")
        .never_says("once for all trainings");
    assert!(trained(&killed) == trained(&whole));
}

#[test]
fn verify_reads_what_is_kept_decoded_and_names_what_is_damaged() {
    let name = "verify_reads_what_is_kept_decoded_and_names_what_is_damaged";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test.tiny();
    test.run("cache verify").exits(0).never_says("decoded");
    run(&test, "run p.yaml base", "always").exits(0);
    test.run("cache verify")
        .exits(0)
        .says("decoded images and masks, 1 file, ")
        .says("read: all as they were written");
    let path = images(&test);
    let whole = std::fs::read(&path).unwrap();
    let mut pixels = whole.clone();
    pixels[40] ^= 1; // of the first image
    std::fs::write(&path, &pixels).unwrap();
    std::fs::write(path.with_extension("making"), "half").unwrap();
    test.run("cache verify")
        .exits(1)
        .says("  damaged: 1 of 4 (")
        .says("; left in its place; the next training that reads them decodes them again")
        .says("read: 1 is not whole");
    assert!(std::fs::read(&path).unwrap() == pixels, "nothing is moved");
    std::fs::write(&path, &whole[1..]).unwrap();
    test.run("cache verify")
        .exits(1)
        .says("  damaged: its index is damaged; ");
    run(&test, "run p.yaml base --force base", "always").exits(0);
    test.run("cache verify").exits(0);
}
