//! Runs that are asked to stop while a stage is within one large picture: it does not finish that first.
//! Unaware of how long that would take.

use rustix::process::{Pid, Signal, kill_process};

use crate::killed::worker_of;
use crate::support::{Ran, Test, files_below, photo, wait_for};

/// Starts a run, waits until the worker of the last stage computes, and sends a signal to `pipeline`. Nothing may be
/// stored of that stage, whose only picture would have made it whole.
fn stopped(test: &Test, kind: &str, signal: Signal) {
    let before = test.committed();
    let child = test.command("run p.yaml").spawn().unwrap();
    let worker = wait_for("the worker", || {
        let files = files_below(&test.path("cache/partial")).into_iter();
        let job = files.filter(|f| f.ends_with("state/job.json")).find(|job| {
            let text = std::fs::read_to_string(job).unwrap_or_default();
            text.contains(&format!("\"{kind}\": {{"))
        });
        job.map(|_| worker_of(&child))
    });
    // Half a second of the processor is more than it takes to start, and less than the picture takes.
    let ticks = || {
        let text = std::fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
        let fields: Vec<u64> = text
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse().unwrap())
            .collect();
        fields.iter().sum::<u64>()
    };
    wait_for("work", || (ticks() > 150).then_some(()));
    kill_process(Pid::from_child(&child), signal).unwrap();
    Ran::of(child.wait_with_output().unwrap())
        .exits(130)
        .says("asked to stop")
        .says("interrupted: the same command goes on from here");
    assert_eq!(test.committed(), before, "{kind} was finished first");
}

#[test]
fn masks_stop_within_a_picture() {
    let Some(test) = Test::with_worker("masks_stop_within_a_picture") else {
        return;
    };
    let yaml = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {denoise: 15}}
  masks:
    mask: {images: pairs, grid: 4, count: 8}
    resources: {threads: 1}
";
    let mut state = crate::dice::Dice(3);
    let noise = (0..3000 * 3000 * 3)
        .map(|_| state.roll(256) as u8)
        .collect();
    let picture = pixels::Rgb8::new(3000, 3000, noise).unwrap();
    test.write("photos/a.png", pixels::encode_png(&picture).unwrap());
    let test = test.file("p.yaml", yaml);
    test.run("run p.yaml pairs").exits(0);
    stopped(&test, "mask", Signal::INT);
    stopped(&test, "mask", Signal::TERM);
}

#[test]
fn an_evaluation_stops_within_a_picture() {
    let Some(test) = Test::with_worker("an_evaluation_stops_within_a_picture") else {
        return;
    };
    let yaml = "\
stages:
  few:
    prepare: {images: few, degrade: {sr: 2}}
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
  base:
    train: {backbone: {imdn: {scale: 2}}, images: few, iterations: 1, patch: 8, batch: 1}
    resources: {threads: 1}
  score:
    evaluate: {model: base, images: pairs, tiling: 64}
    resources: {threads: 1}
";
    let test = test
        .file("photos/a.png", photo(2400, 2400))
        .file("few/b.png", photo(48, 48))
        .file("p.yaml", yaml);
    test.run("run p.yaml pairs base").exits(0);
    stopped(&test, "evaluate", Signal::INT);
    stopped(&test, "evaluate", Signal::TERM);
}
