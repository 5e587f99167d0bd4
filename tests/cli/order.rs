//! Failures and what depends on them, stages side by side, and two runs at once.
//! Unaware of results: a stand-in takes the worker's place.

use crate::support::{Ran, TINY, Test, has_two_cores};

#[test]
fn a_failure_stops_new_starts() {
    let test = Test::new().tiny().file("fail-mask", "");
    test.run("run p.yaml --jobs 1")
        .exits(1)
        .says("failed: masks: asked to fail\nhint: remove the file\nlog: ")
        .says("not run: ")
        .says("1 ran, 0 fresh, 1 failed, 5 not run");
    assert_eq!(test.committed(), ["prepare"]);
    assert!(!test.path("reports/p/alpha.txt").exists());
    test.remove("fail-mask");
    test.run("run p.yaml --jobs 1")
        .exits(0)
        .says("6 ran, 1 fresh, 0 failed");
}

#[test]
fn keep_going_runs_what_does_not_depend_on_it() {
    let test = Test::new().tiny().file("fail-mask", "");
    test.run("run p.yaml --keep-going --jobs 1")
        .exits(1)
        .says("failed: masks: asked to fail")
        .says("not run: tuned")
        .says("not run: score\n")
        .says("not run: alpha")
        .says("3 ran, 0 fresh, 1 failed, 3 not run");
    assert_eq!(test.committed(), ["evaluate", "prepare", "train"]);
    let last = test
        .run("run p.yaml --keep-going --json")
        .exits(1)
        .events()
        .pop()
        .unwrap();
    assert_eq!(
        (&last["fresh"], &last["failed"], &last["not_run"]),
        (&3.into(), &1.into(), &3.into())
    );
    test.remove("fail-mask");
    test.run("run p.yaml")
        .exits(0)
        .says("4 ran, 3 fresh, 0 failed");
}

/// Greatest number of stages at once, from the events in their order.
fn at_once(ran: &Ran) -> i32 {
    let (mut now, mut most) = (0, 0);
    for event in ran.events() {
        match event["event"].as_str() {
            Some("started") => now += 1,
            Some("done" | "failed") => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

#[test]
fn jobs_bounds_what_runs_at_once() {
    let test = Test::new().tiny();
    let one = test.run("run p.yaml --json --jobs 1").exits(0);
    assert_eq!(at_once(&one), 1, "{one}");
    if !has_two_cores("jobs_bounds_what_runs_at_once") {
        return;
    }
    test.write("slow", "");
    let two = test
        .run("run p.yaml --json --jobs 2 --force pairs")
        .exits(0);
    assert_eq!(at_once(&two), 2, "{two}");
    // A stage that does not say how many threads it takes takes all cores.
    test.write("p.yaml", TINY.replace("    resources: {threads: 1}\n", ""));
    let alone = test
        .run("run p.yaml --json --jobs 2 --force pairs")
        .exits(0);
    assert_eq!(at_once(&alone), 1, "{alone}");
    test.run("run p.yaml --jobs 0").exits(2).says("--jobs");
}

#[test]
fn two_runs_at_once_run_each_stage_once() {
    let test = Test::new().tiny().file("slow", "");
    let mut command = test.command("run p.yaml --json");
    let (first, second) = (command.spawn().unwrap(), command.spawn().unwrap());
    let both = [first, second].map(|child| Ran::of(child.wait_with_output().unwrap()).exits(0));
    let mut noted = test.noted();
    noted.sort_unstable();
    assert_eq!(
        noted,
        ["evaluate", "evaluate", "mask", "prepare", "train", "tune"]
    );
    let counts = both.each_ref().map(|ran| {
        let last = ran.events().pop().unwrap();
        let count = |name: &str| last[name].as_u64().unwrap();
        assert_eq!(count("ran") + count("fresh"), 7, "{ran}");
        count("ran")
    });
    assert_eq!(counts.iter().sum::<u64>(), 7, "{}{}", both[0], both[1]);
    assert_eq!(test.committed().len(), 7);
}

#[test]
fn the_same_work_under_two_names_is_done_once() {
    let copies = TINY
        .replace("  tuned:", "  twin:")
        .replace("model: tuned", "model: twin");
    let (_, rest) = copies.split_once("  twin:").unwrap();
    let (twin, _) = rest.split_once("  score-base:").unwrap();
    let test = Test::new()
        .tiny()
        .file("p.yaml", format!("{TINY}  twin:{twin}"));
    test.run("run p.yaml").exits(0);
    let noted = test.noted();
    assert_eq!(
        noted.iter().filter(|kind| *kind == "tune").count(),
        1,
        "{noted:?}"
    );
}
