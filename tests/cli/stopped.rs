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
    wait_for("the job", || {
        let mut files = files_below(&test.path("cache/partial")).into_iter();
        files.find(|f| f.ends_with("state/job.json")).filter(|job| {
            let text = std::fs::read_to_string(job).unwrap_or_default();
            text.contains(&format!("\"{kind}\": {{"))
        })
    });
    // A second and a half of the processor is more than it takes to start, and less than the picture takes. The worker
    // is looked for each time: the job of a run before lies there before this one's worker has begun.
    wait_for("work", || (ticks_of(worker_of(&child)) > 150).then_some(()));
    kill_process(Pid::from_child(&child), signal).unwrap();
    Ran::of(child.wait_with_output().unwrap())
        .exits(130)
        .says("asked to stop")
        .says("interrupted: the same command goes on from here");
    assert_eq!(test.committed(), before, "{kind} was finished first");
}

/// Time of the processor that a process has taken, in hundredths of a second; 0 for one that has ended.
fn ticks_of(process: Pid) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let behind_the_name = text.rsplit(')').next().unwrap_or_default();
    let fields = behind_the_name.split_whitespace().skip(11).take(2);
    fields.map(|field| field.parse::<u64>().unwrap()).sum()
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
