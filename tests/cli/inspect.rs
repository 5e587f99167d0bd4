//! `pipeline inspect`: checkpoints of every container, images, masks and folders of them, in lines and in JSON.
//! Unaware of how files are read.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::pth::{Py, archive, dict, saved, state, tensors_of};
use crate::support::{Test, png};

fn known(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/checkpoints")
        .join(name)
}

#[track_caller]
fn json_of(test: &Test, words: &str) -> Value {
    let ran = test.run(&format!("inspect {words} --json")).exits(0);
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(value["inspect"], 1);
    value
}

#[test]
fn a_checkpoint_is_listed_with_its_network_and_where_it_stands() {
    let name = "a_checkpoint_is_listed_with_its_network_and_where_it_stands";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    test.run("run p.yaml base --set stages.base.train.iterations=1")
        .exits(0);
    let mut net = tensors_of(&test.output("train", "weights.safetensors"));
    net[0].2[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let both = dict(&[
        ("params", state(&net, "")),
        ("params_ema", state(&net, "module.")),
        ("epoch", Py::Int(3)),
    ]);
    test.write("w.pth", saved(&both, &net));
    test.run("inspect w.pth")
        .exits(0)
        .says("checkpoint  PyTorch ZIP")
        .says("network     IMDN ×2")
        .says("`backbone: {imdn: {scale: 2, width: 16, blocks: 1}}` has its names and shapes")
        .says("the network stands behind `params_ema.module`; another one behind `params` is not read")
        .says("input       RGB, 0 to 1")
        .says(&format!("tensors     {0} ({0} F32), ", 2 * net.len()))
        .says(&format!("not finite  `params.{0}`, `params_ema.module.{0}`", net[0].0))
        .says("code        none that weights do not need")
        .says("more; --json has all");
    let found = json_of(&test, "w.pth");
    assert_eq!(found["kind"], "checkpoint");
    assert_eq!(found["network"]["prefix"], "params_ema.module.");
    assert_eq!(found["tensors"].as_array().unwrap().len(), 2 * net.len());
    assert_eq!(found["tensors"][0]["dtype"], "F32");
    assert_eq!(found["tensors"][0]["not_finite"], 1);
    // Names of code: those that are kept, and those that are popped.
    let mut pickle =
        b"\x80\x02cos\nsystem\n(X\x0b\0\0\0touch PWNEDtR0}(X\x01\0\0\0xcevil\nThing\n)R".to_vec();
    pickle.extend(b"u.");
    test.write("evil.pth", archive(&pickle, &net));
    test.run("inspect evil.pth")
        .exits(0)
        .says("network     none that this program knows")
        .says("`evil.Thing` stands among its values, so the file is refused; nothing is run");
    let found = json_of(&test, "evil.pth");
    assert_eq!(
        (&found["foreign"], &found["unused"]),
        (&json!(["evil.Thing"]), &json!(["os.system"]))
    );
    assert!(!test.path("PWNED").exists());
    test.write("cut.pth", "this is a text");
    test.run("inspect cut.pth")
        .exits(1)
        .says("error: `")
        .says("cut.pth` is not a usable checkpoint")
        .says("hint: expected a PyTorch .pth/.pt or a .safetensors file");
    test.run("inspect none.pth")
        .exits(1)
        .says("cannot read `none.pth`");
}

#[test]
fn checkpoints_of_other_networks_and_containers() {
    let name = "checkpoints_of_other_networks_and_containers";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let inspect = |name: &str| {
        test.run(&format!("inspect {}", known(name).display()))
            .exits(0)
    };
    inspect("sam_hf.safetensors")
        .says("checkpoint  safetensors")
        .says("network     Segment Anything")
        .says("its image encoder has width 32 and 3 blocks, which no published size has")
        .says("input       RGB, 0 to 255")
        .says("F16");
    inspect("module_legacy.pth")
        .says("checkpoint  PyTorch legacy")
        .says("network     none that this program knows")
        .says("module.weight F32 [2, 1, 3, 3]");
    inspect("legacy_protocol0.pth").says("state_dict.weight F32 [2, 1, 3, 3]");
    inspect("bfloat16.pth").says("(2 BF16)");
    inspect("nan.pth").says("not finite  `bias`");
    inspect("integers.pth").says("bias I64 [2]");
    inspect("evil_pickle.pth")
        .says("checkpoint  pickle")
        .says("`posix.system`");
}

#[test]
fn an_image_is_told_with_what_reading_it_changes() {
    let test = Test::new();
    test.write("a.png", png((4, 3), 6, 8, |_| [9, 9, 9, 0].repeat(4)));
    test.run("inspect a.png")
        .exits(0)
        .says("image       PNG, 4×3, RGB with transparency, 8 bits a sample")
        .says("turned      upright")
        .says("profile     none")
        .says("changed     transparency dropped")
        .says("as a mask   refused: ");
    let found = json_of(&test, "a.png");
    assert_eq!(found["kind"], "image");
    assert_eq!((&found["width"], &found["height"]), (&json!(4), &json!(3)));
    assert_eq!((&found["channels"], &found["bits"]), (&json!(4), &json!(8)));
    assert_eq!(found["orientation"], 1);
    assert_eq!(found["changed"], json!(["transparency dropped"]));
    assert!(found["mask"]["refused"].is_string());
    test.write("cut.png", &std::fs::read(test.path("a.png")).unwrap()[..40]);
    test.run("inspect cut.png")
        .exits(1)
        .says("`cut.png` is damaged");
}

#[test]
fn masks_of_files_and_folders_are_counted() {
    let test = Test::new();
    let mask = r#"{"segmentation": {"size": [4, 5], "counts": "5220003"}, "area": 6}"#;
    test.write(
        "m.json",
        format!("\u{feff}{{\"annotations\": [{mask}, {mask}]}}"),
    );
    test.run("inspect m.json")
        .exits(0)
        .says("masks       2 masks in JSON run lengths, 5×4, 12 pixels inside");
    let found = json_of(&test, "m.json");
    assert_eq!(found["kind"], "masks");
    assert_eq!(found["images"][0]["areas"], json!([6, 6]));
    let grey = |values: &[u8]| png((3, 1), 0, 8, |_| values.to_vec());
    test.write("masks/cat/0.png", grey(&[0, 255, 255]));
    test.write("masks/cat/1.png", grey(&[0, 0, 1]));
    test.write("masks/dog/0.png", grey(&[0, 100, 200]));
    test.write("masks/bird.json", format!("[{mask}]"));
    test.write("masks/notes.txt", "x");
    test.run("inspect masks")
        .exits(0)
        .says("masks       3 masks of 3 images")
        .says("bird: 1 mask in JSON run lengths, 5×4, 6 pixels inside")
        .says("cat: 2 masks in image files, 3×1, 3 pixels inside, read by `nonzero`: 2")
        .says("dog: refused: ")
        .says("left out    1 file of `masks` is not read: 1 `.txt`");
    let found = json_of(&test, "masks");
    assert_eq!(found["images"][1]["read"], json!({"nonzero": 2}));
    assert_eq!(found["images"][2]["masks"], 0);
    test.run("inspect masks/dog/0.png")
        .exits(0)
        .says("as a mask   refused: ")
        .says("`read: half` or `read: nonzero`");
    test.write("m.json", "[{\"segmentation\": 7}]");
    test.run("inspect m.json").exits(1).says("m.json");
}
