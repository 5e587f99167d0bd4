//! Bits that flip in what a killed stage left, and in journals: what is damaged is noticed, said, and never gone on from.
//! Unaware of how the files carry their digests.

use std::path::{Path, PathBuf};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::killed::worker_of;
use crate::support::{Ran, Test, files_below, list, wait_for};

/// A training with a state of every kind of region.
const TRAINING: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
    resources: {threads: 1}
  other:
    prepare: {images: others, degrade: {sr: 2}}
    resources: {threads: 1}
  base:
    train:
      backbone: {imdn: {scale: 2, width: 16, blocks: 1}}
      images: pairs
      iterations: 60
      patch: 8
      batch: 1
      validate: {images: other, every: 5}
      weights: best
    resources: {threads: 1, checkpoint: 0}
";

fn training(name: &str) -> Option<Test> {
    let test = Test::with_worker(name)?.photos();
    Some(test.photo("others/c.png", 44, 36).file("p.yaml", TRAINING))
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1 << (at % 8);
    std::fs::write(path, bytes).unwrap();
}

fn position(bytes: &[u8], text: &str) -> usize {
    let found = bytes.windows(text.len()).position(|w| w == text.as_bytes());
    found.unwrap_or_else(|| panic!("no `{text}`")) + text.len()
}

/// One place in each region of a state file.
fn regions(bytes: &[u8]) -> Vec<(String, usize)> {
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut found = vec![
        ("the header's length".to_owned(), 0),
        ("the header's first byte".to_owned(), 8),
        ("the header's last byte".to_owned(), 7 + length),
        ("the last byte".to_owned(), bytes.len() - 1),
    ];
    for fact in [
        "blake3",
        "iteration",
        "adam_steps",
        "best_psnr",
        "seconds",
        "key",
        "log",
    ] {
        let place = position(bytes, &format!("\\\"{fact}\\\":\\\""));
        found.push((fact.to_owned(), place));
    }
    found.push(("a shape".to_owned(), position(bytes, "\"shape\":[")));
    for part in ["param.", "adam.", "best."] {
        let tensors = header.as_object().unwrap();
        let (name, tensor) = tensors.iter().find(|(n, _)| n.starts_with(part)).unwrap();
        let begin = tensor["data_offsets"][0].as_u64().unwrap() as usize;
        found.push((name.clone(), 8 + length + begin + 3));
    }
    found
}

/// A copy of the files below `partial`, to be put back.
struct Kept(Vec<(PathBuf, Vec<u8>)>);

impl Kept {
    fn of(test: &Test) -> Self {
        let files = files_below(&test.path("cache/partial")).into_iter();
        Self(
            files
                .map(|f| (f.clone(), std::fs::read(f).unwrap()))
                .collect(),
        )
    }

    fn file(&self, end: &str) -> &(PathBuf, Vec<u8>) {
        self.0.iter().find(|(path, _)| path.ends_with(end)).unwrap()
    }

    /// As after the kill: without a result of this kind.
    fn put_back(&self, test: &Test, kind: &str) {
        forget(test, kind);
        for (path, bytes) in &self.0 {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}

fn forget(test: &Test, kind: &str) {
    for record in files_below(&test.path("cache/records")) {
        let text = std::fs::read_to_string(&record).unwrap();
        if text.contains(&format!("\"kind\":\"{kind}\"")) {
            let key = record.file_stem().unwrap().to_str().unwrap();
            let outputs = test.path(&format!("cache/outputs/{}/{key}", &key[..2]));
            std::fs::remove_dir_all(outputs).unwrap();
            std::fs::remove_file(&record).unwrap();
        }
    }
    let _ = std::fs::remove_dir_all(test.path("cache/trajectories"));
}

fn outputs(test: &Test) -> Vec<Vec<u8>> {
    let read = |name| std::fs::read(test.output("train", name)).unwrap();
    ["weights.safetensors", "steps.csv"].map(read).into()
}

#[test]
fn a_damaged_checkpoint_is_never_gone_on_from() {
    let name = "a_damaged_checkpoint_is_never_gone_on_from";
    let Some(test) = training(name) else {
        return;
    };
    test.run("run p.yaml").exits(0);
    let undisturbed = outputs(&test);
    forget(&test, "train");
    let child = test.command("run p.yaml").spawn().unwrap();
    let is_there = |end: &str| {
        let files = files_below(&test.path("cache/partial"));
        files.into_iter().any(|f| f.ends_with(end))
    };
    let best = || {
        let files = files_below(&test.path("cache/partial"));
        let state = files
            .iter()
            .find(|f| f.ends_with("state/state.safetensors"))?;
        let bytes = std::fs::read(state).ok()?;
        (bytes.windows(5).any(|w| w == b"best.") && is_there("state/before.safetensors"))
            .then_some(())
    };
    wait_for("a checkpoint with best weights", best);
    kill_process(worker_of(&child), Signal::KILL).unwrap();
    Ran::of(child.wait_with_output().unwrap()).exits(1);
    let kept = Kept::of(&test);
    let (state, bytes) = kept.file("state/state.safetensors");
    let (before, _) = kept.file("state/before.safetensors");

    kept.put_back(&test, "train");
    test.run("run p.yaml")
        .exits(0)
        .says("base: going on from iteration ")
        .never_says("damaged");
    assert!(outputs(&test) == undisturbed);
    for (region, at) in regions(bytes) {
        kept.put_back(&test, "train");
        flip(state, at);
        let ran = test
            .run("run p.yaml")
            .exits(0)
            .says("base: a checkpoint is damaged and was dropped: ")
            .says("where the checkpoint before it was written");
        assert!(outputs(&test) == undisturbed, "{region}\n{ran}");
    }
    test.run("log base")
        .says("note: a checkpoint is damaged and was dropped: ");

    // Torn, and both of them.
    kept.put_back(&test, "train");
    std::fs::write(state, &bytes[..bytes.len() / 2]).unwrap();
    flip(before, 5000);
    test.run("run p.yaml")
        .exits(0)
        .says("base: no checkpoint is whole; starting anew");
    assert!(outputs(&test) == undisturbed);

    // What says from which inputs they were made.
    kept.put_back(&test, "train");
    flip(&kept.file("inputs.json").0, 7);
    test.run("run p.yaml")
        .exits(0)
        .says("the note of what its checkpoints were made from is damaged or gone; starting anew");
    assert!(outputs(&test) == undisturbed);
}

#[test]
fn a_damaged_state_of_a_shorter_training_is_never_started_from() {
    let name = "a_damaged_state_of_a_shorter_training_is_never_started_from";
    let Some(test) = training(name) else {
        return;
    };
    test.run("run p.yaml").exits(0);
    let undisturbed = outputs(&test);
    forget(&test, "train");
    test.run("run p.yaml --set stages.base.train.iterations=30")
        .exits(0);
    let state = files_below(&test.path("cache/trajectories"))
        .into_iter()
        .find(|f| f.ends_with("state.safetensors"))
        .unwrap();
    let meta = std::fs::metadata(&state).unwrap();
    flip(&state, meta.len() as usize - 1);
    // Even where the times of the file say that it is as it was.
    let file = std::fs::File::options().write(true).open(&state).unwrap();
    file.set_modified(meta.modified().unwrap()).unwrap();
    test.run("run p.yaml")
        .exits(0)
        .never_says("starting from iteration");
    let long = |weights: &PathBuf| std::fs::read(weights).unwrap() == undisturbed[0];
    assert!(
        test.outputs("train", "weights.safetensors")
            .iter()
            .any(long)
    );
}

#[test]
fn damaged_masks_of_a_killed_batch_are_made_again() {
    let name = "damaged_masks_of_a_killed_batch_are_made_again";
    let Some(test) = crate::sam::killed_batch(name) else {
        return;
    };
    let kept = Kept::of(&test);
    test.run("run p.yaml").exits(0).never_says("damaged");
    let undisturbed = crate::sam::masks(&test);
    for (end, text) in [
        ("entries/a.json", "\"found\":"),
        ("entries/a.json", "blake3\":\""),
        ("masks/a.json", "\"area\": "),
        ("masks/a.masks", ""),
    ] {
        kept.put_back(&test, "mask");
        let (path, bytes) = kept.file(end);
        let middle = || bytes.len() / 2;
        let some = (!text.is_empty()).then(|| position(bytes, text));
        flip(path, some.unwrap_or_else(middle));
        test.run("run p.yaml")
            .exits(0)
            .says(" images from an earlier try are damaged and were dropped: `a` (");
        assert!(crate::sam::masks(&test) == undisturbed, "{end} {text}");
    }
}

#[test]
fn a_damaged_journal_says_so() {
    let test = Test::new().file(
        "p.yaml",
        "stages:\n  one: {command: {shell: 'echo 1 > one.txt', outputs: [one.txt]}}\n",
    );
    test.run("run p.yaml").exits(0);
    test.run("show").exits(0).never_says("damaged");
    let journal = list(&test.path("cache/runs"));
    let journal = journal
        .iter()
        .find(|f| f.extension().is_some_and(|e| e == "jsonl"));
    let journal = journal.unwrap();
    let whole = std::fs::read(journal).unwrap();
    let second = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let middle = second + position(&whole[second..], "\"seconds\":");
    for at in [0, 20, second - 3] {
        flip(journal, at);
        test.run("show last")
            .exits(2)
            .says("its first line is damaged");
        test.run("runs").exits(0).says("its first line is damaged");
        std::fs::write(journal, &whole).unwrap();
    }
    for at in [second, middle, whole.len() - 3] {
        flip(journal, at);
        test.run("show last")
            .exits(0)
            .says("one line of its journal is damaged and left out");
        std::fs::write(journal, &whole).unwrap();
    }
    std::fs::write(journal, &whole[..whole.len() - 10]).unwrap();
    test.run("show last").exits(0).says("status      killed");
    // Which key a stage had is in a file of its own.
    std::fs::write(journal, &whole).unwrap();
    let keys = list(&test.path("cache/runs/keys"));
    flip(&keys[0], 12);
    test.run("log one").exits(2).never_says("has no log");
    test.run("run p.yaml").exits(0);
    test.run("log one").exits(0);
}

#[test]
fn a_plan_says_that_a_result_was_damaged() {
    let yaml = "stages:\n  s: {command: {run: [sh, -c, 'echo a > o'], outputs: [o]}}\n";
    let test = Test::new().file("p.yaml", yaml);
    test.run("run p.yaml").exits(0);
    let output = test.output("command", "o");
    test.run("run p.yaml --set stages.s.command.env.A=1")
        .exits(0);
    std::fs::write(&output, "b\n").unwrap();
    test.run("cache verify").exits(1);
    test.run("plan p.yaml")
        .exits(0)
        .says("its result was damaged, and was moved aside")
        .never_says("config.env");
}
