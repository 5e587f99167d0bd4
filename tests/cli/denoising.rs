//! Colour denoising from clean photographs to a table, with a small ART: residual output, RGB metrics, fixed noise.
//! Unaware of whether the numbers are good; a few iterations do not make them so.

use pixels::{Channel, Rgb8};

use crate::support::Test;

const YAML: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {denoise: 25}, name: tiny}
    resources: {threads: 1}
  masks:
    mask: {images: pairs, grid: 4, count: 8}
    resources: {threads: 1}
  base:
    train: {backbone: {art: {scale: 1, width: 32, depths: [2, 1], heads: 2, window: 4}}, images: pairs, iterations: 2, patch: 16, batch: 2, loss: charbonnier}
    resources: {threads: 1}
  tuned:
    tune: {backbone: base, images: pairs, masks: masks, iterations: 2, patch: 16, batch: 2, locations: 1, loss: charbonnier}
    resources: {threads: 1}
  score-base:
    evaluate: {model: base, images: pairs}
    resources: {threads: 1}
  score:
    evaluate: {model: tuned, images: pairs, masks: masks}
    resources: {threads: 1}
  denoised:
    table: {from: [score-base, score], rows: [scheme], columns: set, baseline: [score-base]}
";

#[test]
fn from_clean_photographs_to_a_table() {
    let Some(test) = Test::with_worker("from_clean_photographs_to_a_table").map(Test::photos)
    else {
        return;
    };
    test.write("p.yaml", YAML);
    test.run("run p.yaml")
        .exits(0)
        .says("7 ran, 0 fresh, 0 failed")
        .says("PSNR (dB) of 8-bit output on R, G and B, 0 pixels shaved");
    let cells = test.read("reports/p/denoised.cells.csv");
    assert_eq!(cells.lines().count(), 3, "{cells}");
    // The noise of an evaluation is the same each time, and so are its numbers.
    let scores = || std::fs::read(test.outputs("evaluate", "metrics.csv")[0].clone()).unwrap();
    let before = scores();
    test.run("run p.yaml score score-base --force score --force score-base")
        .exits(0);
    assert_eq!(before, scores());
    test.run("plan p.yaml --set stages.pairs.prepare.seed=1")
        .exits(0)
        .says("config.seed: 0 → 1");
}

/// With all weights zero the change that a denoiser adds is zero, so it gives back the noisy image that ART's test code
/// would draw, clipped to 8 bits.
#[test]
fn the_output_is_a_change_of_the_noisy_image() {
    let name = "the_output_is_a_change_of_the_noisy_image";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    test.write("p.yaml", YAML);
    test.run("run p.yaml base").exits(0);
    let mut weights = std::fs::read(test.output("train", "weights.safetensors")).unwrap();
    let header = u64::from_le_bytes(*weights.first_chunk().unwrap());
    weights[8 + header as usize..].fill(0);
    test.write("zero.safetensors", &weights);
    let backbone = "{art: {scale: 1, width: 32, depths: [2, 1], heads: 2, window: 4}}";
    let zero = format!(
        "include: [p.yaml]\nstages:\n  zero:\n    pretrained: {{backbone: {backbone}, file: zero.safetensors}}\n  \
         score-zero:\n    evaluate: {{model: zero, images: pairs, metrics: [psnr]}}\n"
    );
    test.write("zero.yaml", zero);
    test.run("run zero.yaml score-zero").exits(0);
    let metrics = std::fs::read_to_string(test.output("evaluate", "metrics.csv")).unwrap();
    for (line, photo) in metrics.lines().skip(1).zip(["a", "b"]) {
        let clean = pixels::read_rgb8(&test.path(&format!("photos/{photo}.png")))
            .unwrap()
            .image;
        let noisy = pixels::noisy_chw_f32(&clean, 25.0, 0);
        let noisy = Rgb8::from_chw_f32(&noisy, clean.width, clean.height).unwrap();
        let expected = pixels::psnr(&noisy, &clean, 0, Channel::Rgb).unwrap();
        let (image, psnr) = line.split_once(',').unwrap();
        assert_eq!(image, photo);
        let psnr: f64 = psnr.parse().unwrap();
        assert!((psnr - expected).abs() < 1e-3, "{photo}: {psnr} {expected}");
        assert!((19.0..22.0).contains(&psnr), "{psnr}: σ 25 is 20.2 dB");
    }
}

/// The reduced twin of pipelines/dncnn-denoising.yaml: three tunings beside their baseline.
#[test]
fn spt_units_are_tuned_on_a_dncnn() {
    let Some(test) = Test::with_worker("spt_units_are_tuned_on_a_dncnn") else {
        return;
    };
    let twin = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../pipelines/small/dncnn-denoising.yaml"
    );
    test.run(&format!("run {twin} --root ."))
        .exits(0)
        .says("0 failed");
    let table = test.read("reports/small/dncnn-denoising/spt-on-dncnn.csv");
    let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split(',').collect()).collect();
    let schemes: Vec<[&str; 2]> = rows.iter().skip(1).map(|r| [r[0], r[1]]).collect();
    let spt = ["graph", "zero", "other"].map(|masks| ["SPT", masks]);
    assert_eq!(schemes, [&[["baseline", "–"]], spt.as_slice()].concat());
    let column = |name: &str| rows[0].iter().position(|c| *c == name).unwrap();
    // 64 masks, 8 channels: a head of (67·9 + 1)·8 + (8·9 + 1)·8, and six units of ((72 + 5·8)·9 + 6)·8 each.
    let trainable = column("trainable parameters");
    assert!(rows[2..].iter().all(|r| r[trainable] == "54088"), "{table}");
    let psnr: f64 = rows[1][column("sample-d")].parse().unwrap();
    assert!((5.0..40.0).contains(&psnr), "{table}");
}
