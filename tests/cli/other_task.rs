//! `pipeline restore` with a model of another task than the one that is meant: it is told apart, refused where it does not
//! fit, and nothing is left where it is. Unaware of how weights are read.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Ran, TINY, Test, photo};

/// The smallest pipeline, a denoiser and a network of another scale.
fn trained(name: &str) -> Option<Test> {
    let test = Test::with_worker(name)?.photos();
    let more = r"  noisy:
    prepare: {images: photos, degrade: {denoise: 25}}
  denoiser:
    train: {backbone: {dncnn: {width: 8, depth: 8}}, images: noisy, iterations: 1, patch: 8, batch: 1}
  third:
    prepare: {images: photos, degrade: {sr: 3}}
  other-scale:
    train: {backbone: {imdn: {scale: 3, width: 16, blocks: 1}}, images: third, iterations: 1, patch: 8, batch: 1}
";
    test.write("p.yaml", TINY.to_owned() + more);
    test.write("a.png", photo(30, 21));
    test.run("run p.yaml tuned denoiser other-scale").exits(0);
    for (stage, file) in [
        ("tuned", "units"),
        ("base", "base"),
        ("denoiser", "denoiser"),
        ("other-scale", "other-scale"),
    ] {
        let words = format!("export {stage} --to {file}.safetensors -f p.yaml --device cpu");
        test.run(&words).exits(0);
    }
    Some(test)
}

fn restore(test: &Test, words: &str) -> Ran {
    test.run(&format!(
        "restore p.yaml a.png --device cpu -o out/new {words}"
    ))
}

/// It ends with this code and these texts, and no folder was made.
#[track_caller]
fn refused(test: &Test, words: &str, code: i32, texts: &[&str]) {
    let mut ran = restore(test, words).exits(code).says("hint: ");
    for text in texts {
        ran = ran.says(text);
    }
    assert!(!test.path("out").exists(), "{ran}");
}

/// The file with another header: what `change` makes of what it says of the model.
fn forged(test: &Test, file: &str, change: impl FnOnce(&mut Value)) {
    let bytes = std::fs::read(test.path(file)).unwrap();
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let (header, numbers) = bytes[8..].split_at(length);
    let mut header: Value = serde_json::from_slice(header).unwrap();
    let said = &mut header["__metadata__"]["pipeline"];
    let mut model: Value = serde_json::from_str(said.as_str().unwrap()).unwrap();
    change(&mut model);
    *said = model.to_string().into();
    let header = serde_json::to_vec(&header).unwrap();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend(numbers);
    test.write("forged.safetensors", bytes);
}

#[test]
fn a_model_says_its_task_and_one_of_another_is_refused() {
    let name = "a_model_says_its_task_and_one_of_another_is_refused";
    let Some(test) = trained(name) else { return };

    // What does not read masks takes none, and a segmenter without files has nowhere to look.
    refused(
        &test,
        "--model base --segmenter-path photos",
        2,
        &["`base` reads no masks", "leave --segmenter-path out"],
    );
    refused(
        &test,
        "--model tuned --segmenter-path photos",
        2,
        &["`tuned` has a segmenter that reads no files"],
    );

    // Units stand on the backbone that they were tuned on.
    let units = "--model units.safetensors --backbone";
    let sam = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/checkpoints");
    let sam = sam.join("sam_hf.safetensors").display().to_string();
    for (backbone, code, text) in [
        ("other-scale.safetensors", 1, "other-scale.safetensors"),
        ("denoiser.safetensors", 1, "denoiser.safetensors"),
        (sam.as_str(), 1, "sam_hf.safetensors"),
        ("units.safetensors", 1, "units.safetensors"),
        ("none.pth", 2, "--backbone: there is no file `none.pth`"),
    ] {
        refused(&test, &format!("{units} {backbone}"), code, &[text]);
    }

    // A header that belongs to other numbers, and one that no pipeline file could give.
    forged(&test, "base.safetensors", |model| {
        model["model"]["architecture"]["imdn"]["scale"] = json!(3);
    });
    let words = "--model forged.safetensors";
    refused(&test, words, 1, &["does not fit its header"]);
    forged(&test, "base.safetensors", |model| {
        model["model"]["architecture"] = json!({"dncnn": {"width": 8, "depth": 8}});
    });
    refused(&test, words, 1, &["does not fit its header"]);
    for (place, value, text) in [
        (
            "/model/architecture/imdn/width",
            json!(4_000_000_000_u32),
            "backbone.imdn.width: ",
        ),
        ("/model/spt/units", json!(7), "units: 7 is not in 1..=1"),
        ("/model/spt/masks", json!(0), "masks: 0 is not in 1..="),
        (
            "/masks/mask/grid",
            json!(1_000_000),
            "mask.grid: 1000000 is not in 1..=128",
        ),
    ] {
        forged(&test, "units.safetensors", |model| {
            *model.pointer_mut(place).unwrap() = value;
        });
        refused(
            &test,
            &format!("{words} --backbone base.safetensors"),
            1,
            &[text],
        );
    }
    forged(&test, "units.safetensors", |model| {
        model["masks"] = Value::Null;
    });
    let words = format!("{words} --backbone base.safetensors");
    refused(&test, &words, 1, &["nothing says who makes them"]);

    // A denoiser enlarges nothing, and says so.
    restore(&test, "--model denoiser")
        .exits(0)
        .says("denoiser: DnCNN, photographs keep their size");
    let (width, height) = pixels::image_size(&test.path("out/new/a.png")).unwrap();
    assert_eq!((width, height), (30, 21));
    restore(&test, "--model other-scale --overwrite")
        .exits(0)
        .says("other-scale: IMDN, ×3");
    let size = pixels::image_size(&test.path("out/new/a.png")).unwrap();
    assert_eq!(size, (90, 63));
}
