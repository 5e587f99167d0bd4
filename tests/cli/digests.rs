//! What the worker's kinds leave of a tiny run, beside their versions: other results without another version fail here.
//! Unaware of what is right; the committed list is what was.
//!
//! Files whose bytes the key determines on every machine are pinned by digest. What libtorch computes differs in the last
//! bits between processors, so of that the losses and metrics are pinned, to within [`CLOSE`].

use std::fmt::Write;

use serde_json::Value;

use crate::support::{Test, files_below};

const YAML: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
    resources: {threads: 1}
  noisy:
    prepare: {images: photos, degrade: {denoise: 25}}
    resources: {threads: 1}
  masks:
    mask: {images: pairs, grid: 4, count: 8}
    resources: {threads: 1}
  noisy-masks:
    mask: {images: noisy, grid: 4, count: 8}
    resources: {threads: 1}
  given:
    pretrained: {backbone: {imdn: {scale: 2, width: 16, blocks: 1}}, file: given.safetensors}
    resources: {threads: 1}
  denoiser:
    train: {backbone: {art: {scale: 1, width: 32, depths: [2], heads: 2, window: 4}}, images: noisy, iterations: 3, patch: 8, batch: 2, lr: 1e-3}
    resources: {threads: 1}
  tuned:
    tune: {backbone: given, images: pairs, masks: masks, iterations: 3, patch: 8, batch: 2, lr: 1e-3}
    resources: {threads: 1}
  score-given:
    evaluate: {model: given, images: pairs}
    resources: {threads: 1}
  score-tuned:
    evaluate: {model: tuned, images: pairs, masks: masks, tiling: 16}
    resources: {threads: 1}
  score-denoiser:
    evaluate: {model: denoiser, images: noisy}
    resources: {threads: 1}
";

/// By how much losses and metrics (dB) may differ.
const CLOSE: f64 = 2e-3;

#[test]
fn outputs_change_only_with_the_version_of_their_kind() {
    let name = "outputs_change_only_with_the_version_of_their_kind";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    test.write("given.safetensors", weights());
    test.write("p.yaml", YAML);
    test.run("run p.yaml").exits(0).says("10 ran");
    let found = pinned(&test);
    let list = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli/digests.txt");
    let expected = std::fs::read_to_string(list).unwrap_or_default();
    assert!(
        alike(&found, &expected),
        "a kind leaves other results than tests/cli/digests.txt has: bump its version in plan/manifest.rs with a line \
         of its history, and put these lines there\n{found}"
    );
}

/// A line for each thing that is pinned, sorted.
fn pinned(test: &Test) -> String {
    let mut lines = Vec::new();
    for record in files_below(&test.path("cache/records")) {
        let text = std::fs::read_to_string(&record).unwrap();
        let record: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let stage = record["manifest"].as_str().unwrap().lines().next().unwrap();
        let key = record["key"].as_str().unwrap();
        for output in record["outputs"].as_array().unwrap() {
            let path = output["path"].as_str().unwrap();
            let file = test.path(&format!("cache/outputs/{}/{key}/{path}", &key[..2]));
            lines.extend(of_file(stage, path, output, &file));
        }
    }
    lines.sort_unstable();
    lines.concat()
}

fn of_file(stage: &str, path: &str, output: &Value, file: &std::path::Path) -> Vec<String> {
    let trained = stage.starts_with("stage t") && path == "weights.safetensors";
    if trained {
        return Vec::new();
    }
    if path == "steps.csv" || path == "metrics.csv" {
        let text = std::fs::read_to_string(file).unwrap();
        let line = |row: &str| format!("{stage} {path} {}\n", row.replace(',', " "));
        return text.lines().skip(1).map(line).collect();
    }
    let digest = output["digest"].as_str().unwrap();
    vec![format!("{stage} {path} {}\n", &digest[..16])]
}

/// Equal line by line, with numbers that are close.
fn alike(found: &str, expected: &str) -> bool {
    let words = |text: &str| {
        text.split_inclusive([' ', '\n'])
            .map(str::to_owned)
            .collect()
    };
    let (found, expected): (Vec<String>, Vec<String>) = (words(found), words(expected));
    let close = |(a, b): (&String, &String)| {
        let numbers = (a.trim().parse::<f64>(), b.trim().parse::<f64>());
        match numbers {
            (Ok(x), Ok(y)) if a.contains('.') => (x - y).abs() <= CLOSE,
            _ => a == b,
        }
    };
    found.len() == expected.len() && found.iter().zip(&expected).all(close)
}

/// Weights for an IMDN ×2 of width 16 with one block, as a safetensors file.
fn weights() -> Vec<u8> {
    let layers = [
        ("IMDB1.c1", [16, 16, 3]),
        ("IMDB1.c2", [16, 12, 3]),
        ("IMDB1.c3", [16, 12, 3]),
        ("IMDB1.c4", [4, 12, 3]),
        ("IMDB1.c5", [16, 16, 1]),
        ("IMDB1.cca.conv_du.0", [1, 16, 1]),
        ("IMDB1.cca.conv_du.2", [16, 1, 1]),
        ("LR_conv", [16, 16, 3]),
        ("c.0", [16, 16, 1]),
        ("fea_conv", [16, 3, 3]),
        ("upsampler.0", [12, 16, 3]),
    ];
    let (mut header, mut data) = (String::new(), Vec::new());
    let mut tensor = |name: String, shape: &[usize]| {
        let count: usize = shape.iter().product();
        let start = data.len();
        let values = (0..count).map(|i| (i * 37 % 101) as f32 / 500.0 - 0.1);
        data.extend(values.flat_map(f32::to_le_bytes));
        let separator = if header.is_empty() { "{" } else { "," };
        let end = data.len();
        write!(
            header,
            "{separator}\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}"
        )
        .unwrap();
    };
    for (name, [out, input, kernel]) in layers {
        tensor(format!("{name}.bias"), &[out]);
        tensor(format!("{name}.weight"), &[out, input, kernel, kernel]);
    }
    header.push('}');
    let length = (header.len() as u64).to_le_bytes();
    [length.as_slice(), header.as_bytes(), &data].concat()
}
