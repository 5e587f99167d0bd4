//! The whole method at the smallest size, with the worker: pairs, masks, training, tuning, scores, a table.
//! Unaware of whether the numbers are good; a few iterations do not make them so.

use crate::support::Test;

#[test]
fn from_photographs_to_a_table_and_nothing_twice() {
    let name = "from_photographs_to_a_table_and_nothing_twice";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    let ran = test
        .run("run p.yaml")
        .exits(0)
        .says("7 ran, 0 fresh, 0 failed");
    assert!(
        ran.stdout.contains("Tiny") && ran.stdout.contains("SPT"),
        "{ran}"
    );
    assert_eq!(
        test.committed(),
        [
            "evaluate", "evaluate", "mask", "prepare", "table", "train", "tune"
        ]
    );
    for ending in ["txt", "csv", "md", "tex", "cells.csv"] {
        assert!(
            !test.read(&format!("reports/p/alpha.{ending}")).is_empty(),
            "{ending}"
        );
    }
    let cells = test.read("reports/p/alpha.cells.csv");
    assert_eq!(cells.lines().count(), 3, "{cells}");
    let scores: Vec<f64> = cells
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(2).unwrap().parse().unwrap())
        .collect();
    assert!(
        scores.iter().all(|psnr| (3.0..60.0).contains(psnr)),
        "{scores:?}"
    );

    test.run("run p.yaml")
        .exits(0)
        .says("0 ran, 7 fresh, 0 failed");
    test.run("run p.yaml score --set stages.tuned.tune.alpha=0.5")
        .exits(0)
        .says("2 ran, 3 fresh, 0 failed");

    // What is computed anew has the same bytes, with one worker on one thread.
    let weights = || std::fs::read(test.output("train", "weights.safetensors")).unwrap();
    let before = weights();
    test.run("run p.yaml base --force base")
        .exits(0)
        .says("1 ran, 1 fresh, 0 failed");
    assert!(before == weights(), "the same key gives the same bytes");
}

#[test]
fn noise_full_fine_tuning_and_a_table_of_protocols() {
    let name = "noise_full_fine_tuning_and_a_table_of_protocols";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    let yaml = "\
stages:
  pairs:
    prepare: {images: photos, only: [a.png], degrade: {sr: 2}, name: train}
  others:
    prepare: {images: photos, only: [b.png], degrade: {sr: 2}, name: others}
  base:
    train: {backbone: {imdn: {scale: 2, width: 16, blocks: 1}}, images: pairs, iterations: 2, patch: 8, batch: 1}
  full:
    tune:
      scheme: full
      backbone: base
      images: pairs
      until: {converged: {patience: 1, min_gain: 99, at_most: 6}}
      patch: 8
      batch: 1
      loss: charbonnier
      validate: {images: others, every: 2}
  score:
    each: {model: [base, full], luma: [rounded, rgb]}
    evaluate: {images: others, metrics: [psnr]}
  protocols:
    table: {from: [score], rows: [scheme, luma], values: [iterations, trainable]}
";
    test.write("p.yaml", yaml);
    test.run("run p.yaml")
        .exits(0)
        .says("9 ran, 0 fresh, 0 failed");
    let table = test.read("reports/p/protocols.csv");
    assert_eq!(table.lines().count(), 5, "{table}");
    let steps = std::fs::read_to_string(test.output("tune", "steps.csv")).unwrap();
    // A first validation sets the mark, the second does not beat it by 99 dB.
    assert!(
        steps.lines().count() < 8,
        "it stopped before `at_most`\n{steps}"
    );
}
