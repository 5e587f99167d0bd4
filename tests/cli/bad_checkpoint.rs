//! Weights of others that do not fit, are damaged, or want to run something: refused by name, nothing kept, nothing run.
//! Unaware of how they are read; the worker's own tests have every wrapping.

use std::path::Path;

use crate::pth::zip;
use crate::support::{TINY, Test};

const YAML: &str = "\
stages:
  official:
    pretrained: {backbone: {imdn: {scale: 2, width: 16, blocks: 1}}, file: weights.pth}
";

/// `weights.pth` with these bytes is refused with all of these texts.
#[track_caller]
fn refused(test: &Test, bytes: impl AsRef<[u8]>, texts: &[&str]) {
    test.write("weights.pth", bytes);
    let mut ran = test.run("run p.yaml").exits(1);
    for text in texts {
        ran = ran.says(text);
    }
    assert!(test.committed().is_empty(), "{ran}");
}

#[test]
fn a_missing_file_blocks() {
    let test = Test::new().file("p.yaml", YAML);
    test.run("plan p.yaml")
        .exits(1)
        .says("blocked  official  pretrained  p.yaml:3:76: file: there is no file `weights.pth`");
    test.run("run p.yaml").exits(1).says("p.yaml:3:76");
    assert!(test.noted().is_empty());
}

#[test]
fn pickles_that_want_to_run_something_run_nothing() {
    let name = "pickles_that_want_to_run_something_run_nothing";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test.file("p.yaml", YAML);
    let command = "touch PWNED";
    let mut pickle = b"\x80\x02cos\nsystem\nX".to_vec();
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"\x85R.");
    let texts = [
        "failed: official: `weights.pth` wants to run `os.system`, which no weights need; nothing was run",
        "\nhint: do not trust this file",
        "log: ",
    ];
    refused(
        &test,
        zip(&[("archive/data.pkl", &pickle), ("archive/version", b"3\n")]),
        &texts,
    );
    refused(&test, &pickle, &texts);
    assert!(!test.path("PWNED").exists());
}

#[test]
fn truncated_empty_and_foreign_files() {
    let Some(test) = Test::with_worker("truncated_empty_and_foreign_files") else {
        return;
    };
    let test = test.file("p.yaml", YAML);
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/checkpoints/bare.pth");
    let whole = std::fs::read(known).unwrap();
    let texts = [
        "failed: official: `weights.pth` is not a usable checkpoint: ",
        "\nhint: expected a PyTorch .pth/.pt or a .safetensors file; a truncated download also looks like this",
    ];
    refused(&test, &whole[..whole.len() / 2], &texts);
    refused(&test, "this is a text", &texts);
    refused(&test, "", &texts);
    refused(
        &test,
        &whole,
        &[
            "failed: official: `weights.pth` does not fit the model:",
            "missing: ",
            "unexpected: bias, weight",
        ],
    );
}

#[test]
fn weights_of_another_scale_and_of_another_shape() {
    let name = "weights_of_another_scale_and_of_another_shape";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    test.run("run p.yaml base --set stages.base.train.iterations=1")
        .exits(0);
    let own = std::fs::read(test.output("train", "weights.safetensors")).unwrap();
    std::fs::remove_dir_all(test.path("cache")).unwrap();
    test.write("weights.pth", &own);
    test.write("p.yaml", YAML);
    let run = |field: &str, value: u32| {
        let set = format!("stages.official.pretrained.backbone.imdn.{field}={value}");
        test.run(&format!("run p.yaml --set {set}")).exits(1)
    };
    run("scale", 3)
        .says("failed: official: `weights.pth` does not fit the model:")
        .says("2 misshapen: upsampler.0.bias is [12], not [27], upsampler.0.weight is [12, 16, 3, 3], not [27, 16, 3, 3]")
        .says("\nhint: this looks like IMDN ×2: `backbone: {imdn: {scale: 2, width: 16, blocks: 1}}`");
    let mut other = test.command("run p.yaml");
    other.args(["--set", "stages.official.pretrained.backbone={dncnn: {}}"]);
    crate::support::Ran::of(other.output().unwrap())
        .exits(1)
        .says(
            "\nhint: this looks like IMDN ×2: `backbone: {imdn: {scale: 2, width: 16, blocks: 1}}`",
        );
    run("width", 32)
        .says("21 misshapen: ")
        .says("IMDB1.c1.weight is [16, 16, 3, 3], not [32, 32, 3, 3]")
        .says(" and 11 more");
    run("blocks", 2).says("missing: IMDB2.");
    assert!(test.committed().is_empty());
    test.run("run p.yaml").exits(0).says("1 ran");
    let kept = std::fs::read(test.output("pretrained", "weights.safetensors")).unwrap();
    assert_eq!(kept, own, "what fits is handed on as it is");
    assert!(TINY.contains("scale: 2, width: 16, blocks: 1"));
}
