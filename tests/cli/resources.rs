//! What a stage asks of the machine: numbers that no machine has are refused with their place; large ones are bounded.
//! Unaware of what stages compute.

use crate::support::{LONG, Ran, SOON, TINY, Test, files_below, wait_for};

/// `p.yaml` with one stage that has these resources.
fn with(resources: &str) -> Test {
    let yaml = format!(
        "stages:\n  a:\n    command: {{run: [touch, x], outputs: [x]}}\n    resources: {{{resources}}}\n"
    );
    Test::new().file("p.yaml", yaml)
}

#[test]
fn numbers_out_of_range_are_refused_with_their_place() {
    for (text, said) in [
        (
            "threads: 100000",
            "out of range: 100000, expected a number from 1 to 1024",
        ),
        (
            "threads: 0",
            "out of range: 0, expected a number from 1 to 1024",
        ),
        ("gpus: 4000000000", "expected a number from 0 to 1024"),
        ("gpu_share: 0", "expected a number from 1 to 1024"),
        ("retries: 4294967295", "expected a number from 0 to 1000"),
        (
            "timeout: 1e300",
            "expected seconds above 0, at most 1000000000",
        ),
        ("timeout: .inf", "out of range: inf, expected seconds"),
        ("timeout: .nan", "out of range: NaN, expected seconds"),
        (
            "timeout: -1",
            "out of range: -1.0, expected seconds above 0",
        ),
        ("timeout: 0", "out of range: 0.0, expected seconds above 0"),
        ("timeout: 1e999", "expected seconds above 0"),
        ("memory: 1e300", "expected GiB above 0, at most 1048576"),
        ("memory: -0.5", "out of range: -0.5, expected GiB above 0"),
        (
            "checkpoint: -1",
            "expected seconds from 0, at most 1000000000",
        ),
        ("checkpoint: .inf", "out of range: inf, expected seconds"),
    ] {
        for words in ["run p.yaml", "plan p.yaml"] {
            with(text).run(words).exits(2).says(said).says("p.yaml:4:");
        }
    }
    for text in [
        "threads: -1",
        "threads: 1.5",
        "threads: 99999999999999999999",
        "retries: x",
    ] {
        with(text).run("run p.yaml").exits(2).says("p.yaml:4:");
    }
}

#[test]
fn the_largest_numbers_run() {
    with(
        "timeout: 1e9, memory: 1048576, checkpoint: 1e9, threads: 1024, retries: 1000, gpus: 1024",
    )
    .run("run p.yaml")
    .exits(0)
    .says("1 ran");
    with("timeout: 1e-9, memory: 1e-300")
        .run("plan p.yaml")
        .exits(0);
}

#[test]
fn a_worker_computes_on_one_gpu_and_only_a_command_asks_for_more() {
    let yaml = |of_a: &str| {
        format!(
            "stages:\n  a:\n    command: {{shell: 'echo x > o', outputs: [o]}}\n    resources: {{gpus: {of_a}}}\n  \
             pairs:\n    prepare: {{images: photos, degrade: {{sr: 2}}}}\n    resources: {{threads: 1, gpus: 2}}\n"
        )
    };
    let test = Test::new().photos().file("p.yaml", yaml("2"));
    let said = "a `prepare` stage computes on one GPU, found 2";
    for words in ["plan p.yaml", "run p.yaml"] {
        let hint = "stages are spread over the GPUs; only a `command` can use several";
        test.run(words)
            .exits(2)
            .says("p.yaml:7:")
            .says(said)
            .says(hint);
    }
    test.write(
        "p.yaml",
        yaml("2").replace("threads: 1, gpus: 2", "gpus: 1"),
    );
    test.run("plan p.yaml").exits(0);
}

#[test]
fn more_threads_than_the_machine_has_use_for_are_bounded_and_said_once() {
    let test = Test::new()
        .photos()
        .file("p.yaml", TINY.replace("threads: 1}", "threads: 1024}"));
    let ran = test.run("run p.yaml").exits(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores >= 128 {
        println!("skipped: more_threads_…: this machine has use for them");
        return;
    }
    let said = ran.stderr.matches("asks for 1024 threads").count();
    assert_eq!(said, 1, "{ran}");
    ran.says(&format!(
        "this machine has {cores} cores, and gives it {}",
        cores * 8
    ));
    test.run("run p.yaml").exits(0).never_says("threads");
    test.run("run p.yaml --jobs 1000000000")
        .exits(2)
        .says("--jobs");
}

#[test]
fn a_stage_that_asks_for_many_threads_stops_soon_when_it_is_asked_to() {
    let name = "a_stage_that_asks_for_many_threads_stops_soon_when_it_is_asked_to";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let yaml = LONG.replace(
        "{threads: 1, checkpoint: 0}",
        "{threads: 1024, checkpoint: 0}",
    );
    assert_ne!(yaml, LONG);
    let test = test.photos().file("p.yaml", yaml);
    let child = test.command("run p.yaml").spawn().unwrap();
    wait_for("a checkpoint", || {
        let files = files_below(&test.path("cache/partial"));
        files
            .into_iter()
            .find(|f| f.extension().is_some_and(|e| e == "safetensors"))
    });
    // Each of a thousand threads would wait for all others at each step, so that the next checkpoint would take minutes.
    let jobs = files_below(&test.path("cache/partial"));
    let job = jobs.iter().find(|f| f.ends_with("job.json")).unwrap();
    let job: serde_json::Value = serde_json::from_slice(&std::fs::read(job).unwrap()).unwrap();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(job["threads"], (cores * 8).min(1024), "{job}");
    let begin = std::time::Instant::now();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap()).exits(130);
    assert!(begin.elapsed() < SOON, "{:?}\n{ran}", begin.elapsed());
}
