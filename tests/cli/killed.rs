//! A worker that is killed, a run that is interrupted: what is said, and that the same command goes on from there.
//! Unaware of whether the bytes are those of an uninterrupted run; other tests compare them.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{LONG, Ran, Test, wait_for};

/// A training that has written its first checkpoint, or nothing where there is no worker.
fn training(name: &str) -> Option<(Test, Child)> {
    let test = Test::with_worker(name)?.photos().file("p.yaml", LONG);
    let child = test.command("run p.yaml").spawn().unwrap();
    wait_for("a checkpoint", || state_file(&test));
    Some((test, child))
}

/// The checkpoint of a training that has not ended.
pub fn state_file(test: &Test) -> Option<std::path::PathBuf> {
    let files = crate::support::files_below(&test.path("cache/partial"));
    files
        .into_iter()
        .find(|f| f.ends_with("state/state.safetensors"))
}

/// The worker that runs under `pipeline`.
pub fn worker_of(pipeline: &Child) -> Pid {
    let id = pipeline.id();
    let path = format!("/proc/{id}/task/{id}/children");
    let children = || {
        // A child belongs to the thread that started it.
        let tasks = crate::support::list(std::path::Path::new(&format!("/proc/{id}/task")));
        let texts = tasks
            .iter()
            .map(|t| std::fs::read_to_string(t.join("children")).unwrap_or_default());
        texts
            .collect::<String>()
            .split_whitespace()
            .find(|pid| !is_supervisor(pid))
            .and_then(|n| n.parse().ok())
    };
    let raw: i32 = wait_for(&path, children);
    Pid::from_raw(raw).unwrap()
}

/// Whether a process is what looks after the stages of a run, not one of them.
pub fn is_supervisor(pid: &str) -> bool {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).contains("__supervise")
}

/// The same command again goes on and ends well.
fn goes_on(test: &Test) {
    assert_eq!(test.committed(), ["prepare"]);
    test.run("run p.yaml")
        .exits(0)
        .says("base: going on from iteration ")
        .says("1 ran, 1 fresh, 0 failed");
    assert_eq!(test.committed(), ["prepare", "train"]);
    let log = std::fs::read_to_string(test.output("train", "steps.csv")).unwrap();
    assert_eq!(
        log.lines().count(),
        151,
        "each iteration once, below the header"
    );
    assert!(state_file(test).is_none());
}

#[test]
fn a_killed_worker_fails_its_stage_and_the_next_run_goes_on() {
    let name = "a_killed_worker_fails_its_stage_and_the_next_run_goes_on";
    let Some((test, child)) = training(name) else {
        return;
    };
    kill_process(worker_of(&child), Signal::KILL).unwrap();
    Ran::of(child.wait_with_output().unwrap())
        .exits(1)
        .says("failed: base: the worker was killed (SIGKILL)")
        .says("hint: if nobody did that, memory ran out: lower `batch` or `patch`")
        .says("1 ran, 0 fresh, 1 failed");
    goes_on(&test);
}

#[test]
fn an_interrupted_run_says_so_and_the_next_one_goes_on() {
    let name = "an_interrupted_run_says_so_and_the_next_one_goes_on";
    let Some((test, child)) = training(name) else {
        return;
    };
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Ran::of(child.wait_with_output().unwrap())
        .exits(130)
        .says("stopping at the next checkpoint; once more to stop at once")
        .says("stopped: base: stopped at iteration ")
        .says("interrupted: the same command goes on from here");
    goes_on(&test);
}

#[test]
fn each_signal_that_ends_a_session_writes_a_last_checkpoint() {
    let name = "each_signal_that_ends_a_session_writes_a_last_checkpoint";
    for signal in [Signal::HUP, Signal::QUIT, Signal::TERM] {
        if is_ignored(signal) {
            println!("skipped: {name}: these tests were started with {signal:?} ignored");
            continue;
        }
        let Some((test, child)) = training(name) else {
            return;
        };
        // As a terminal does it: to the worker, too.
        let worker = worker_of(&child);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let _ = kill_process(worker, signal); // the first one may have ended it by then
        Ran::of(child.wait_with_output().unwrap())
            .exits(130)
            .says("stopped: base: stopped at iteration ")
            .says("interrupted: the same command goes on from here");
        goes_on(&test);
    }
}

/// A shell without job control starts what stands before `&` with SIGQUIT ignored, and `nohup` with SIGHUP; the program
/// then keeps ignoring it, as it should.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();
    mask & (1 << (signal.as_raw() - 1)) != 0
}

#[test]
fn a_killed_stage_that_starts_anew_is_not_told_that_it_goes_on() {
    let test = Test::new().tiny().file("slow", "");
    let child = test.command("run p.yaml pairs").spawn().unwrap();
    wait_for("the start", || (!test.noted().is_empty()).then_some(()));
    kill_process(worker_of(&child), Signal::KILL).unwrap();
    Ran::of(child.wait_with_output().unwrap())
        .exits(1)
        .says("failed: pairs: the worker was killed (SIGKILL)")
        .says("run the same command again: the stage starts anew")
        .never_says("training")
        .never_says("batch");
}

#[test]
fn a_killed_pipeline_takes_its_worker_with_it() {
    let Some((test, mut child)) = training("a_killed_pipeline_takes_its_worker_with_it") else {
        return;
    };
    let worker = worker_of(&child);
    child.kill().unwrap();
    child.wait().unwrap();
    let folder = format!("/proc/{}", worker.as_raw_nonzero());
    let is_gone = || {
        let status = std::fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
        (status.is_empty() || status.contains("State:\tZ")).then_some(())
    };
    wait_for("the end of the worker", is_gone);
    goes_on(&test);
}

#[test]
fn the_estimate_of_a_training_counts_from_its_checkpoint() {
    let name = "the_estimate_of_a_training_counts_from_its_checkpoint";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    // Long enough for a fast machine to be killed within it.
    let test = test.file("p.yaml", LONG.replace("iterations: 150", "iterations: 900"));
    let base = |test: &Test| {
        let events = test.run("plan p.yaml --json").events();
        events.into_iter().find(|e| e["stage"] == "base").unwrap()
    };
    let seconds = |test: &Test| base(test)["estimated_seconds"].as_f64().unwrap();
    test.run("run p.yaml --set stages.base.train.iterations=75")
        .exits(0);
    // What a shorter training left would be gone on from as well.
    std::fs::remove_dir_all(test.path("cache/trajectories")).unwrap();
    let whole = seconds(&test);
    let key = base(&test)["key"].as_str().unwrap().to_owned();
    // A kill may come just when one checkpoint takes the place of another.
    let shrinks = || {
        let mut run = test
            .command("run p.yaml")
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        crate::support::wait_for("a checkpoint", || {
            let partial = test.path(&format!("cache/partial/{key}"));
            let states = crate::support::files_below(&partial);
            states
                .iter()
                .any(|s| s.ends_with("state/before.safetensors"))
                .then_some(())
        });
        std::thread::sleep(std::time::Duration::from_millis(100));
        run.kill().unwrap();
        run.wait().unwrap();
        seconds(&test) < whole
    };
    let is_shorter = (0..5).any(|_| shrinks());
    let left = crate::support::files_below(&test.path("cache/partial"));
    assert!(
        is_shorter,
        "{whole} s, {left:#?}, {}",
        test.run("plan p.yaml -v")
    );
}
