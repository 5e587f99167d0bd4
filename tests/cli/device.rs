//! Commands that only read, on a machine without the device that results were computed on.
//! Unaware of what was computed.

use crate::support::{Ran, Test};

/// The smallest pipeline, computed on a CUDA device that is not there afterwards.
fn computed_elsewhere() -> Test {
    let test = Test::new().tiny();
    let mut command = test.command("run p.yaml --device cuda");
    let ran = command.env("STUB_DEVICES", "\"One\"").output().unwrap();
    Ran::of(ran).exits(0).says("7 ran");
    // What the worker said before is remembered beside it.
    std::fs::remove_file(test.path("stand-in.facts.json")).unwrap();
    test
}

#[test]
fn reading_needs_no_device() {
    let test = computed_elsewhere();
    test.run("plan p.yaml --device cuda")
        .exits(0)
        .says("7 stages on cuda:0: 0 to run, 7 fresh");
    for words in [
        "path score -f p.yaml --device cuda",
        "explain score -f p.yaml --device cuda",
        "export score to -f p.yaml --device cuda",
        "exp -f p.yaml --device cuda",
        "graph p.yaml --device cuda",
        "data check p.yaml --device cuda",
        "cache pin score -f p.yaml --device cuda",
        "cache export score -f p.yaml --device cuda -o a.tar",
    ] {
        test.run(words).exits(0);
    }
    test.run("run p.yaml --device cuda")
        .exits(2)
        .says("there is no cuda:0: the worker sees 0 CUDA devices");
}

#[test]
fn without_a_named_device_results_of_the_other_kind_are_found() {
    let test = computed_elsewhere();
    test.run("path score -f p.yaml")
        .exits(0)
        .says("note: `score`: its result on cuda");
    test.run("explain score -f p.yaml --device auto")
        .exits(0)
        .says("note: it has a result on cuda: --device cuda");
    test.run("plan p.yaml --device auto")
        .exits(0)
        .says("note: 5 stages of these have a result on cuda: --device cuda plans with them");
    test.run("path score -f p.yaml --device cpu").exits(1);
}
