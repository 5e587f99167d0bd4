//! Masks by a tiny SAM of random weights through the whole program: outputs, batches, missing and bad weights, images.
//! Unaware of whether masks are good; parity with the official code is tested in `tests/parity`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use rustix::process::{Signal, kill_process};

use crate::killed::worker_of;
use crate::support::{Test, files_below, png, wait_for};

/// A SAM of a few thousand random weights (`tests/checkpoints/make_sam_hf.py`).
pub fn weights() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/checkpoints/sam_hf.safetensors")
}

/// Its shape.
pub const SHAPE: &str = "{custom: {img_size: 128, patch_size: 8, embed_dim: 32, depth: 3, num_heads: 2, mlp_ratio: 2, \
                         window_size: 7, global_attn_indexes: [1], prompt_dim: 32, dec_mlp_dim: 64, dec_heads: 4, \
                         iou_hidden: 48}}";

/// Two images, masks of two grids by one SAM, and with them all the rest of the smallest pipeline.
fn yaml() -> String {
    format!(
        "\
stages:
  pairs:
    prepare: {{images: photos, degrade: {{sr: 2}}, name: tiny}}
    resources: {{threads: 1}}
  masks:
    each: {{grid: [3, 5]}}
    mask:
      images: pairs
      count: 8
      segmenter:
        sam: {{model: {SHAPE}, weights: sam.safetensors, pred_iou_thresh: 0, stability_score_thresh: 0, box_nms_thresh: 0.9}}
    resources: {{threads: 1}}
"
    )
}

fn tiny(name: &str) -> Option<Test> {
    let test = Test::with_worker(name)?.photos();
    let bytes = std::fs::read(weights()).unwrap();
    Some(test.file("sam.safetensors", bytes).file("p.yaml", yaml()))
}

fn read_masks(path: &Path, width: usize, height: usize) -> pixels::Result<Vec<pixels::Rle>> {
    pixels::decode_mask_json(&std::fs::read(path).unwrap(), path, width, height)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The `masks.json` of all mask stages, by how many candidates each grid has.
fn lists(test: &Test) -> Vec<(u64, PathBuf)> {
    let lists = files_below(&test.path("cache/outputs")).into_iter();
    let mut lists: Vec<(u64, PathBuf)> = lists
        .filter(|p| p.ends_with("masks.json"))
        .map(|p| {
            (
                json(&p)["images"][0]["tally"]["candidates"]
                    .as_u64()
                    .unwrap(),
                p,
            )
        })
        .collect();
    lists.sort();
    lists
}

/// The files of all mask stages.
pub fn masks(test: &Test) -> Vec<Vec<u8>> {
    let files = lists(test).into_iter();
    files
        .flat_map(|(_, list)| files_below(&list.with_file_name("masks")))
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

#[test]
fn masks_with_what_sam_says_of_each() {
    let Some(test) = tiny("masks_with_what_sam_says_of_each") else {
        return;
    };
    test.run("run p.yaml")
        .exits(0)
        .says("3 ran, 0 fresh, 0 failed");
    let lists = lists(&test);
    assert_eq!(lists.iter().map(|l| l.0).collect::<Vec<_>>(), [27, 75]);
    for (_, list) in &lists {
        for entry in json(list)["images"].as_array().unwrap() {
            let count = |name: &str| entry[name].as_u64().unwrap();
            let records = json(
                &list.with_file_name(format!("masks/{}.json", entry["name"].as_str().unwrap())),
            );
            let records = records["masks"].as_array().unwrap().clone();
            let kept = count("found") - count("truncated");
            assert_eq!(records.len() as u64, kept);
            assert_eq!(kept + count("padded"), 8);
            let iou = |r: &Value| r["predicted_iou"].as_f64().unwrap();
            assert!(
                records
                    .windows(2)
                    .all(|pair| iou(&pair[0]) >= iou(&pair[1]))
            );
            for record in &records {
                assert!(record["area"].as_u64().unwrap() > 0);
                assert!(record["point_coords"][0].as_f64().unwrap() < 24.0);
                assert_eq!(record["crop_box"].as_array().unwrap().len(), 4);
            }
        }
    }
    test.run("run p.yaml")
        .exits(0)
        .says("0 ran, 3 fresh, 0 failed");
}

#[test]
fn half_precision_on_the_processor_is_refused_before_anything_runs() {
    let name = "half_precision_on_the_processor_is_refused_before_anything_runs";
    let Some(test) = tiny(name) else {
        return;
    };
    let set = "--set stages.masks.mask.segmenter.sam.precision=fp16";
    test.run(&format!("plan p.yaml {set}")).exits(0).says(
        "`segmenter.sam.precision: fp16` computes on CUDA only, and this plan is for the CPU",
    );
    test.run(&format!("run p.yaml {set}"))
        .exits(1)
        .says("blocked: masks[grid=3]: ");
}

#[test]
fn masks_of_several_grids_come_out_of_one_process() {
    let Some(test) = tiny("masks_of_several_grids_come_out_of_one_process") else {
        return;
    };
    test.run("run p.yaml").exits(0).says("3 ran");
    let id = test.run("runs --json").events()[0]["run"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    test.run(&format!("show {id}"))
        .says("  masks[grid=3]  segmented for ")
        .says("  masks[grid=5]  segmented for ")
        .says("waiting for images ");
    let logs: Vec<String> = files_below(&test.path("cache/logs"))
        .iter()
        .map(|log| std::fs::read_to_string(log).unwrap())
        .collect();
    let others = logs.iter().filter(|log| log.contains("computed together"));
    assert_eq!(others.count(), 1, "{logs:?}");
    let together = masks(&test);
    assert_eq!(
        together.len(),
        8,
        "masks and records of two images and two grids"
    );
    std::fs::remove_dir_all(test.path("cache")).unwrap();
    test.run("run p.yaml masks[grid=5]").exits(0).says("2 ran");
    test.run("run p.yaml").exits(0).says("1 ran, 2 fresh");
    assert!(
        together == masks(&test),
        "alone or together, the bytes are the same"
    );
}

#[test]
fn the_missing_checkpoint_is_named_with_where_to_get_it() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    let read = |name: &str| std::fs::read(shipped.join(name)).unwrap();
    let test = Test::new()
        .file("pipelines/quickstart-sam.yaml", read("quickstart-sam.yaml"))
        .file("pipelines/quickstart.yaml", read("quickstart.yaml"))
        .photo("pipelines/photos/train/coffee.png", 64, 64)
        .photo("pipelines/photos/train/retina.png", 64, 64)
        .photo("pipelines/photos/train/tissue.png", 64, 64)
        .photo("pipelines/photos/train/deep_field.png", 64, 64)
        .photo("pipelines/photos/test/cat.png", 64, 64);
    let texts = [
        "there is no file `pipelines/checkpoints/sam_vit_b_01ec64.pth` (segmenter.sam.weights)",
        "checkpoints/sam_vit_b_01ec64.pth` is Meta's checkpoint of SAM vit-b (sam_vit_b_01ec64.pth, 375 MB)",
        "Get it once from https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth\n      and put it there",
        "or keep it elsewhere and set PIPELINE_SAM_VIT_B to its path",
    ];
    for (words, code) in [
        ("plan pipelines/quickstart-sam.yaml", 0),
        ("run pipelines/quickstart-sam.yaml train-masks[coarse]", 1),
    ] {
        let mut ran = test.run(words).exits(code);
        for text in texts {
            ran = ran.says(text);
        }
        assert_eq!(format!("{ran}").matches("Get it once").count(), 1, "{ran}");
    }
    let elsewhere = test
        .command("plan pipelines/quickstart-sam.yaml")
        .env("PIPELINE_SAM_VIT_B", "/nowhere/b.pth")
        .output()
        .unwrap();
    let text = String::from_utf8(elsewhere.stdout).unwrap();
    assert!(
        text.contains("hint: `/nowhere/b.pth` is Meta's checkpoint"),
        "{text}"
    );
}

/// The checkpoint's file with one change is refused with all of these texts, and nothing is kept of its masks.
#[track_caller]
fn refused(test: &Test, bytes: &[u8], texts: &[&str]) {
    test.write("sam.safetensors", bytes);
    let mut ran = test.run("run p.yaml masks[grid=3]").exits(1);
    for text in texts {
        ran = ran.says(text);
    }
    assert!(!test.committed().contains(&"mask".to_owned()), "{ran}");
}

#[test]
fn bad_checkpoints_are_refused_by_name() {
    let Some(test) = tiny("bad_checkpoints_are_refused_by_name") else {
        return;
    };
    let whole = std::fs::read(weights()).unwrap();
    let unusable = "`sam.safetensors` is not a usable checkpoint: ";
    refused(
        &test,
        &whole[..whole.len() / 2],
        &[unusable, "its tensors take ", "a truncated download"],
    );
    refused(&test, b"", &[unusable]);
    refused(
        &test,
        b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.",
        &["wants to run `os.system`", "nothing was run"],
    );
    let known = |name: &str| std::fs::read(weights().with_file_name(name)).unwrap();
    refused(&test, &known("evil.pth"), &["nothing was run"]);
    refused(
        &test,
        &known("bare.pth"),
        &[
            "does not fit the model",
            "missing: ",
            "unexpected: bias, weight",
        ],
    );
    test.write("sam.safetensors", &whole);
    let other = "--set stages.masks.mask.segmenter.sam.model=vit-l";
    test.run(&format!("run p.yaml masks[grid=3] {other}"))
        .exits(1)
        .says("`sam.safetensors` does not fit the model:")
        .says("missing: ")
        .says("misshapen: ")
        .says("hint: this looks like Segment Anything");
}

/// Two copies of the weights in one file, behind `a` and `b`.
#[test]
fn entry_chooses_one_of_several_copies() {
    let Some(test) = tiny("entry_chooses_one_of_several_copies") else {
        return;
    };
    let bytes = std::fs::read(weights()).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let behind = |entry: &str| {
        let named = |(name, view)| (format!("{entry}.{name}"), view);
        file.tensors().into_iter().map(named).collect::<Vec<_>>()
    };
    let both = safetensors::serialize([behind("a"), behind("b")].concat(), None).unwrap();
    test.write("sam.safetensors", both);
    test.run("run p.yaml masks[grid=3]")
        .exits(1)
        .says("holds several networks that fit: behind `a`, `b`");
    test.write(
        "p.yaml",
        yaml().replace("sam.safetensors,", "sam.safetensors, entry: b,"),
    );
    test.run("run p.yaml masks[grid=3]")
        .exits(0)
        .says("the network stands behind `b`");
    test.run("masks photos/a.png --out made --device cpu --weights sam.safetensors --grid 3 --set entry=none")
        .exits(1)
        .says("has no tensors in an entry `none`");
}

/// The tensors of the fixture, with one of them changed.
fn with_nan() -> Vec<u8> {
    let bytes = std::fs::read(weights()).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let name = "vision_encoder.layers.1.mlp.lin2.bias";
    let start = file.tensor(name).unwrap().data().as_ptr().addr() - bytes.as_ptr().addr();
    let mut bytes = bytes.clone();
    bytes[start..start + 2].copy_from_slice(&0x7e00_u16.to_le_bytes()); // NaN in half precision
    bytes
}

#[test]
fn nan_in_the_weights_is_named() {
    let Some(test) = tiny("nan_in_the_weights_is_named") else {
        return;
    };
    refused(
        &test,
        &with_nan(),
        &["holds NaN or infinite values in `image_encoder.blocks.1.mlp.lin2.bias`"],
    );
}

/// A file of 64 GB, nearly all of it a hole, whose header says that it holds one huge tensor: it is not read.
#[test]
fn a_checkpoint_larger_than_memory_is_mapped_and_refused() {
    let Some(test) = tiny("a_checkpoint_larger_than_memory_is_mapped_and_refused") else {
        return;
    };
    let numbers = 16_u64 << 30;
    let header = format!(
        r#"{{"image_encoder.pos_embed":{{"dtype":"F32","shape":[1,{},1024],"data_offsets":[0,{}]}}}}"#,
        numbers / 1024,
        numbers * 4
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    test.write("big/sam.safetensors", &bytes);
    let file = std::fs::File::options()
        .write(true)
        .open(test.path("big/sam.safetensors"));
    let long = file.unwrap().set_len(bytes.len() as u64 + numbers * 4);
    if long.is_err() {
        println!("skipped: this disk has no files with holes");
        return;
    }
    // A digest of it would take minutes, so the worker gets it by a job of its own.
    let job = serde_json::json!({
        "format": spec::JOB_FORMAT, "key": "k",
        "stage": {"mask": {"images": "pairs", "granularity": "coarse", "segmenter": {"sam": {
            "model": model(), "weights": test.path("big/sam.safetensors")}}}},
        "inputs": {"images": test.path("images")}, "out": test.path("out"), "state": test.path("state"),
        "device": "cpu", "threads": 1, "checkpoint_seconds": 10.0, "outside": "any",
    });
    let report = failure(&test, &job);
    assert!(
        report.contains(
            "misshapen: image_encoder.pos_embed is [1, 16777216, 1024], not [1, 16, 16, 32]"
        ),
        "{report}"
    );
    assert!(
        report.contains("this looks like Segment Anything: its image encoder has width 1024"),
        "{report}"
    );

    let mut giant = job;
    giant["stage"]["mask"]["segmenter"]["sam"]["model"] =
        serde_json::json!({"custom": {"embed_dim": 65536, "num_heads": 64, "depth": 400}});
    let report = failure(&test, &giant);
    assert!(
        report.contains("memory is too small: the weights of SAM (custom) need 76800.0 GiB"),
        "{report}"
    );
}

fn model() -> Value {
    serde_json::json!({"custom": {"img_size": 128, "patch_size": 8, "embed_dim": 32, "depth": 3, "num_heads": 2,
        "mlp_ratio": 2, "window_size": 7, "global_attn_indexes": [1], "prompt_dim": 32, "dec_mlp_dim": 64,
        "dec_heads": 4, "iou_hidden": 48}})
}

/// What the worker says of a job that fails.
fn failure(test: &Test, job: &Value) -> String {
    test.write("out/.keep", "");
    test.write("state/.keep", "");
    test.write(
        "images/pairs.json",
        r#"{"degrade":{"sr":2},"seed":0,"pairs":[
            {"name":"a","hr":"a.png","lq":"a.png","width":8,"height":8,"digest":"1","notes":[]}]}"#,
    );
    test.write("job.json", job.to_string());
    let output = std::process::Command::new(test.worker())
        .arg(test.path("job.json"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "failed", "{text}");
    format!(
        "{}\nhint: {}",
        last["message"].as_str().unwrap(),
        last["hint"].as_str().unwrap()
    )
}

#[test]
fn images_of_odd_shapes_and_kinds() {
    let Some(test) = tiny("images_of_odd_shapes_and_kinds") else {
        return;
    };
    let test = test
        .photo("odd/one.png", 2, 2)
        .photo("odd/long.png", 2000, 10)
        .photo("odd/tall.png", 6, 90);
    let set = "--set stages.pairs.prepare.images=odd";
    test.run(&format!("run p.yaml masks[grid=3] {set}"))
        .exits(0)
        .says("2 ran");
    let test = test.photo("odd/thread.png", 4000, 2);
    test.run(&format!("run p.yaml masks[grid=3] {set}"))
        .exits(1)
        .says("thread: an image of 2000x1 cannot be segmented: scaled to a longer side of 128, nothing is left of it")
        .says("\nhint: leave this image out");
}

/// Folders of unfinished masks, by the stage's name.
fn unfinished(test: &Test, stage: &str) -> PathBuf {
    let planned = test.run("plan p.yaml --json").events();
    let of_stage = planned.iter().find(|e| e["stage"] == stage).unwrap();
    let key = of_stage["key"].as_str().unwrap();
    let state = |folder: &PathBuf| folder.ends_with(format!("{key}/state"));
    let files = files_below(&test.path("cache/partial")).into_iter();
    let mut folders =
        files.flat_map(|file| file.ancestors().map(Path::to_owned).collect::<Vec<_>>());
    folders.find(state).unwrap()
}

/// Images are decoded ahead of SAM and masks are kept behind it: what fails is told by its image all the same, the first
/// one first, and what came before it is kept.
#[test]
fn what_fails_ahead_and_behind_is_told_in_the_order_of_images() {
    let name = "what_fails_ahead_and_behind_is_told_in_the_order_of_images";
    let Some(test) = tiny(name) else {
        return;
    };
    let test = test.photo("photos/thread.png", 4000, 2);
    let ahead = "thread: an image of 2000x1 cannot be segmented: ";
    test.run("run p.yaml")
        .exits(1)
        .says(&format!("failed: masks[grid=3]: {ahead}"))
        .says(&format!("failed: masks[grid=5]: {ahead}"));
    for stage in ["masks[grid=3]", "masks[grid=5]"] {
        let entries = crate::support::list(&unfinished(&test, stage).join("entries"));
        let names: Vec<_> = entries.iter().map(|e| e.file_name().unwrap()).collect();
        assert_eq!(names, ["a.json", "b.json"], "{stage}");
    }
    let state = unfinished(&test, "masks[grid=3]");
    std::fs::remove_file(state.join("entries/b.json")).unwrap();
    std::fs::remove_file(state.join("masks/b.masks")).unwrap();
    std::fs::create_dir(state.join("masks/b.masks")).unwrap(); // nothing can be written there
    test.run("run p.yaml")
        .exits(1)
        .says("failed: masks[grid=3]: b: cannot write ")
        .says(&format!("failed: masks[grid=5]: {ahead}"));
    std::fs::remove_dir(state.join("masks/b.masks")).unwrap();
    std::fs::remove_file(test.path("photos/thread.png")).unwrap();
    test.run("run p.yaml").exits(0).says("0 failed");
}

/// Where two images would not fit into memory side by side, none is decoded ahead.
#[test]
fn masks_are_the_same_where_one_image_at_a_time_fits_into_memory() {
    let name = "masks_are_the_same_where_one_image_at_a_time_fits_into_memory";
    let Some(test) = tiny(name) else {
        return;
    };
    let test = test
        .photo("photos/c.png", 60, 40)
        .photo("photos/d.png", 60, 60);
    test.run("run p.yaml").exits(0).says("3 ran");
    let roomy = masks(&test);
    assert_eq!(roomy.len(), 16);
    std::fs::remove_dir_all(test.path("cache")).unwrap();
    test.run("run p.yaml pairs").exits(0);
    // An image of 30×30 takes 14,400 bytes, two of them do not fit.
    let run = |most: &str| {
        let mut command = test.command("run p.yaml masks[grid=3] masks[grid=5]");
        command.env("PIPELINE_MAX_MEMORY", most);
        crate::support::Ran::of(command.output().unwrap())
    };
    run("14000")
        .exits(1)
        .says("segmenting `d`")
        .says("PIPELINE_MAX_MEMORY");
    run("20000").exits(0);
    assert!(masks(&test) == roomy);
}

#[test]
fn masks_of_own_pictures() {
    let Some(test) = tiny("masks_of_own_pictures") else {
        return;
    };
    test.run("masks photos/a.png photos/b.png --out seen --device cpu")
        .exits(0)
        .says("a: ");
    test.run(&format!("masks photos/a.png --out sam {}", of_tiny_sam()))
        .exits(0);
    for (folder, name) in [("seen", "a"), ("seen", "b"), ("sam", "a")] {
        let list = json(&test.path(&format!("{folder}/{name}.json")));
        let (width, height) = if name == "a" { (48, 40) } else { (40, 48) };
        let masks = read_masks(&test.path(&format!("{folder}/{name}.json")), width, height);
        let masks = masks.unwrap();
        assert!(!masks.is_empty());
        for (record, mask) in list.as_array().unwrap().iter().zip(&masks) {
            assert_eq!(record["area"].as_u64().unwrap(), mask.area());
            assert_eq!(record.get("predicted_iou").is_some(), folder == "sam");
            assert_eq!(record.get("point_coords").is_some(), folder == "sam");
        }
        for picture in ["overlay", "labels", "labels.view"] {
            let file = test.path(&format!("{folder}/{name}.{picture}.png"));
            assert_eq!(
                pixels::read_rgb8(&file).unwrap().image.size(),
                (width, height)
            );
        }
    }
    assert!(json(&test.path("sam/a.json")).as_array().unwrap().len() <= 5);
    let left: Vec<_> = crate::support::list(&test.path("sam"));
    assert_eq!(left.len(), 4, "nothing of the work stays: {left:?}");
}

/// What `pipeline masks` takes for the tiny SAM.
fn of_tiny_sam() -> String {
    let shape = model().to_string().replace(' ', "");
    format!(
        "--device cpu --weights sam.safetensors --model {shape} --grid 3 --count 5 --set pred_iou_thresh=0 \
         --set stability_score_thresh=0 --set box_nms_thresh=1"
    )
}

/// Grey, alpha and sixteen bits are the picture that they show; a thread and a single pixel are pictures too.
#[test]
fn pictures_of_every_kind_of_pixel_have_the_same_masks() {
    let name = "pictures_of_every_kind_of_pixel_have_the_same_masks";
    let Some(test) = tiny(name) else {
        return;
    };
    let value = |x: u32, y: u32, c: u32| (x * 5 + y * 3 + (x / 9 + y / 7) % 3 * 60 + c * 31) as u8;
    let kind = |name: &str, colour, depth, pixel: &dyn Fn(u32, u32) -> Vec<u8>| {
        let row = |y| (0..40).flat_map(|x| pixel(x, y)).collect();
        test.write(
            &format!("kinds/{name}.png"),
            png((40, 30), colour, depth, row),
        );
    };
    kind("grey", 0, 8, &|x, y| vec![value(x, y, 0)]);
    kind("grey_rgb", 2, 8, &|x, y| vec![value(x, y, 0); 3]);
    kind("grey16", 0, 16, &|x, y| vec![value(x, y, 0); 2]);
    kind("grey_alpha", 4, 8, &|x, y| vec![value(x, y, 0), 128]);
    let rgb = |x, y| (0..3).map(move |c| value(x, y, c));
    kind("rgb", 2, 8, &|x, y| rgb(x, y).collect());
    kind("rgba", 6, 8, &|x, y| rgb(x, y).chain([9]).collect());
    kind("rgb16", 2, 16, &|x, y| {
        rgb(x, y).flat_map(|v| [v, v]).collect()
    });
    kind("rgba16", 6, 16, &|x, y| {
        rgb(x, y).chain([9]).flat_map(|v| [v, v]).collect()
    });
    let grey = ["grey_rgb", "grey", "grey16", "grey_alpha"];
    let colour = ["rgb", "rgba", "rgb16", "rgba16"];
    let files: Vec<String> = [grey, colour]
        .concat()
        .iter()
        .map(|n| format!("kinds/{n}.png"))
        .collect();
    let ran = test.run(&format!(
        "masks {} --out o {}",
        files.join(" "),
        of_tiny_sam()
    ));
    ran.exits(0);
    for names in [grey, colour] {
        let of = |name: &str| test.read(&format!("o/{name}.json"));
        assert!(
            json(&test.path(&format!("o/{}.json", names[0])))
                .as_array()
                .unwrap()
                .len()
                > 1
        );
        for name in &names[1..] {
            assert_eq!(of(name), of(names[0]), "{name}");
        }
    }
    assert_ne!(test.read("o/rgb.json"), test.read("o/grey.json"));
}

#[test]
fn a_thread_and_a_single_pixel_are_pictures_too() {
    let Some(test) = tiny("a_thread_and_a_single_pixel_are_pictures_too") else {
        return;
    };
    let test = test.photo("thread.png", 10_000, 50).photo("dot.png", 1, 1);
    test.run(&format!(
        "masks thread.png dot.png --out o {}",
        of_tiny_sam()
    ))
    .exits(0);
    for (name, width, height) in [("thread", 10_000, 50), ("dot", 1, 1)] {
        let file = test.path(&format!("o/{name}.json"));
        assert!(!read_masks(&file, width, height).unwrap().is_empty());
    }
}

/// A batch of two stages that was killed when it had the first image's masks.
pub fn killed_batch(name: &str) -> Option<Test> {
    let mut test = tiny(name)?;
    for n in 0..40 {
        test = test.photo(&format!("photos/more-{n:02}.png"), 120, 90);
    }
    let mut child = test.command("run p.yaml").spawn().unwrap();
    let some = || {
        let files = files_below(&test.path("cache/partial"));
        files
            .iter()
            .any(|f| f.ends_with("entries/a.json"))
            .then_some(())
    };
    wait_for("the first image's masks", some);
    kill_process(worker_of(&child), Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(test.committed(), ["prepare"]);
    Some(test)
}

/// Neither stage has a result, and the same command makes both, with the images that were done.
#[test]
fn a_batch_that_is_killed_in_the_middle_goes_on_from_there() {
    let name = "a_batch_that_is_killed_in_the_middle_goes_on_from_there";
    let Some(test) = killed_batch(name) else {
        return;
    };
    test.run("run p.yaml")
        .exits(0)
        .says("2 ran, 1 fresh, 0 failed")
        .says("masks[grid=3]: going on: ")
        .says(" of 42 images were segmented by an earlier try");
    let interrupted = masks(&test);
    std::fs::remove_dir_all(test.path("cache")).unwrap();
    test.run("run p.yaml")
        .exits(0)
        .says("3 ran, 0 fresh, 0 failed");
    assert!(
        interrupted == masks(&test),
        "the bytes are those of an undisturbed run"
    );
}

#[test]
fn masks_of_lq_and_hq_images_by_sam_are_compared() {
    let Some(test) = tiny("masks_of_lq_and_hq_images_by_sam_are_compared") else {
        return;
    };
    let more = "  clean:
    each: {grid: [3, 5]}
    mask:
      images: pairs
      of: hr
      count: 8
      segmenter:
        sam: {model: SHAPE, weights: sam.safetensors, pred_iou_thresh: 0, stability_score_thresh: 0, box_nms_thresh: 0.9}
    resources: {threads: 1}
  it:
    robustness: {lq: [masks], hq: [clean], caption: Agreement}
";
    test.write("p.yaml", yaml() + &more.replace("SHAPE", SHAPE));
    test.run("run p.yaml")
        .exits(0)
        .says("6 ran, 0 fresh, 0 failed");
    let table = test.read("reports/p/it.csv");
    assert_eq!(table.lines().count(), 3, "{table}");
}

#[test]
fn masks_say_what_is_wrong() {
    let Some(test) = tiny("masks_say_what_is_wrong") else {
        return;
    };
    let run = |words: &str, code| {
        test.run(&format!("masks --out o --device cpu {words}"))
            .exits(code)
    };
    run("nowhere.png", 1).says("nowhere.png");
    run("photos/a.png --weights none.pth --model vit-b", 1)
        .says("there is no file `none.pth`")
        .says("sam_vit_b_01ec64.pth (375 MB) can be had from https://dl.fbaipublicfiles.com/");
    run("photos/a.png --weights sam.safetensors --model vit-x", 2).says("vit-x");
    run("photos/a.png --weights sam.safetensors --set colour=red", 2).says("colour");
    run("photos/a.png --grid 0", 2).says("--grid 0 is not in 1..=128");
    run("photos/a.png photos/a.png", 2).says("two pictures are called `a`");
    run("photos/a.png --weights sam.safetensors --model vit-b", 1)
        .says("does not fit the model")
        .says("this looks like Segment Anything");
}

#[test]
fn crops_of_a_picture_of_seven_by_five_pixels() {
    let Some(test) = tiny("crops_of_a_picture_of_seven_by_five_pixels") else {
        return;
    };
    let test = test.photo("a.png", 7, 5);
    for layers in [1, 2, 4] {
        let mut command = test.command("masks a.png --out made --weights sam.safetensors --grid 2");
        let layers = format!("crop_n_layers={layers}");
        let model = SHAPE
            .replace(": ", "\": ")
            .replace(", ", ", \"")
            .replace('{', "{\"");
        command.args(["--model", &model, "--set", &layers, "--device", "cpu"]);
        let ran = crate::support::Ran::of(command.output().unwrap());
        ran.exits(0).says("masks: made/");
    }
}
