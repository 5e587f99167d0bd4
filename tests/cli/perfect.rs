//! Images that are restored perfectly or too small for a metric: no number that is made of them is infinite or missing.
//! Unaware of how metrics are computed.

use crate::support::{Test, photo};

const YAML: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
    resources: {threads: 1}
  odd:
    prepare: {images: odd, degrade: {sr: 2}, name: odd}
    resources: {threads: 1}
  zero:
    pretrained: {backbone: {imdn: {scale: 2, width: 16, blocks: 1}}, file: zero.safetensors}
  tuned:
    tune: {backbone: zero, scheme: full, images: pairs, iterations: 3, patch: 8, batch: 1, lr: 1.0e-3, validate: {images: odd, every: 1}, weights: best}
    resources: {threads: 1}
  score-zero:
    evaluate: {model: zero, images: odd}
    resources: {threads: 1}
  score:
    evaluate: {model: tuned, images: odd}
    resources: {threads: 1}
  t:
    table: {from: [score-zero, score], rows: [scheme], columns: set, baseline: [score-zero], curves: true, values: [ssim]}
";

/// A network of zeros restores a black image perfectly, and after a step of 1e-3 it still does; after two it does not.
fn with_zeros(name: &str) -> Option<Test> {
    let test = Test::with_worker(name)?
        .tiny()
        .file("odd/black.png", pixels_of(48, 40))
        .file("odd/photo.png", photo(48, 40))
        .file("odd/small.png", photo(8, 8));
    test.run("run p.yaml base --set stages.base.train.iterations=1")
        .exits(0);
    let mut weights = std::fs::read(test.output("train", "weights.safetensors")).unwrap();
    let header = u64::from_le_bytes(*weights.first_chunk().unwrap());
    weights[8 + header as usize..].fill(0);
    test.write("zero.safetensors", &weights);
    std::fs::remove_dir_all(test.path("cache")).unwrap();
    test.write("p.yaml", YAML);
    Some(test)
}

/// A black PNG.
fn pixels_of(width: usize, height: usize) -> Vec<u8> {
    let black = pixels::Rgb8::new(width, height, vec![0; width * height * 3]).unwrap();
    pixels::encode_png(&black).unwrap()
}

#[test]
fn a_perfect_image_and_a_small_one_leave_every_number_a_number() {
    let name = "a_perfect_image_and_a_small_one_leave_every_number_a_number";
    let Some(test) = with_zeros(name) else {
        return;
    };
    test.run("run p.yaml")
        .exits(0)
        .says("a PSNR above 100 dB counts as 100 dB in means and differences: black")
        .says("too small for SSIM after shaving, and left out of its means: small")
        .says("A PSNR above 100 dB counts as 100 dB in means and differences: black (odd).")
        .says("Too small for SSIM after shaving, and left out of its means and differences: small (odd).");
    let metrics = std::fs::read_to_string(&test.outputs("evaluate", "metrics.csv")[0]).unwrap();
    let lines: Vec<&str> = metrics.lines().collect();
    assert_eq!(lines[..2], ["image,psnr,ssim", "black,inf,1"], "{metrics}");
    assert!(
        lines[3].starts_with("small,") && lines[3].ends_with(','),
        "{metrics}"
    );
    // The black image is perfect after the first iteration and not after the others.
    let card = std::fs::read_to_string(test.output("tune", "model.json")).unwrap();
    let card: serde_json::Value = serde_json::from_str(&card).unwrap();
    assert_eq!(card["iterations"], 1, "{card}");
    let psnr = card["validation_psnr"].as_f64().unwrap();
    assert!((33.0..60.0).contains(&psnr), "{psnr}");
    let steps = std::fs::read_to_string(test.output("tune", "steps.csv")).unwrap();
    let cells = test.read("reports/p/t.cells.csv");
    for text in [&steps, &cells] {
        assert!(!text.contains("inf") && !text.contains("NaN"), "{text}");
    }
    assert!(
        cells.contains(",0,"),
        "the differences of equal images are 0: {cells}"
    );
    test.run("run p.yaml --check reports/p/t.cells.csv")
        .exits(0);
    // At the cap there is nothing to gain: it converges.
    let until = "until: {converged: {patience: 2, min_gain: 0, at_most: 30}}";
    let yaml = YAML.replace("iterations: 3", until);
    test.write("p.yaml", yaml.replace("lr: 1.0e-3", "lr: 1.0e-9"));
    test.run("run p.yaml tuned").exits(0);
    let cards = test.outputs("tune", "model.json");
    let run = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let card: serde_json::Value = serde_json::from_str(&text).unwrap();
        card["iterations_run"].as_u64().unwrap()
    };
    let mut runs: Vec<u64> = cards.iter().map(run).collect();
    runs.sort_unstable();
    assert_eq!(runs, [3, 3]);
}
