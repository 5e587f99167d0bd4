//! `pipeline restore`: photographs of one's own through a tuned model, and what is refused.
//! Unaware of how tiles are blended; the worker's own tests have the numbers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pixels::{Form, Photo, Rgb8, read_photo, read_rgb8, write_photo};

use crate::bad_disk::Disk;
use crate::browser::{browser, driven};
use crate::support::{Ran, TINY, Test, files_below, list, photo, png};

/// The smallest pipeline with its results; restored images are kept.
fn trained(name: &str) -> Option<Test> {
    let test = Test::with_worker(name)?.photos();
    let yaml = TINY.replace(
        "masks: masks}\n    resources",
        "masks: masks, save: true}\n    resources",
    );
    test.write(
        "p.yaml",
        yaml.replace(
            "iterations: 3, patch: 8, batch: 1, save: true",
            "iterations: 3, patch: 8, batch: 1",
        ),
    );
    test.run("run p.yaml").exits(0);
    Some(test)
}

/// `restore` with these words behind it, of the stage `tuned`, on the processor.
fn restore(test: &Test, words: &str) -> Ran {
    test.run(&format!(
        "restore --model tuned -f p.yaml --device cpu {words}"
    ))
}

fn image(path: &Path) -> Rgb8 {
    read_rgb8(path).unwrap().image
}

/// Hidden folders of work are gone, whatever came of it.
#[track_caller]
fn leaves_nothing_behind(test: &Test, folder: &str) {
    let hidden = |path: &PathBuf| path.file_name().unwrap().as_bytes().starts_with(b".");
    let left: Vec<PathBuf> = list(&test.path(folder))
        .into_iter()
        .filter(hidden)
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The largest difference of two pictures' samples, and the share of samples that differ.
fn off(a: &Rgb8, b: &Rgb8) -> (u8, f64) {
    assert_eq!(a.size(), b.size());
    let differences = a.data.iter().zip(&b.data).map(|(a, b)| a.abs_diff(*b));
    let most = differences.clone().max().unwrap();
    let share = differences.filter(|d| *d > 0).count() as f64 / a.data.len() as f64;
    (most, share)
}

#[test]
fn an_image_of_the_pipeline_is_restored_as_its_evaluation_does() {
    let name = "an_image_of_the_pipeline_is_restored_as_its_evaluation_does";
    let Some(test) = trained(name) else { return };
    for image_name in ["a", "b"] {
        let lq = test.output("prepare", &format!("lq/{image_name}.png"));
        std::fs::copy(lq, test.path(&format!("{image_name}.png"))).unwrap();
    }
    restore(&test, "a.png b.png -o out")
        .exits(0)
        .says("a: out/a.png")
        .says("2 photographs: masks ")
        .says("network ")
        .never_says("cut into tiles");
    let kept = files_below(&test.path("cache/outputs"));
    for image_name in ["a", "b"] {
        let wanted = format!("restored/{image_name}.png");
        let evaluated = kept.iter().find(|path| path.ends_with(&wanted)).unwrap();
        let found = image(&test.path(&format!("out/{image_name}.png")));
        assert!(
            found == image(evaluated),
            "{image_name}: same masks, same network, same pixels"
        );
    }
    leaves_nothing_behind(&test, "out");
    // Nothing is lost that is there.
    restore(&test, "a.png -o out")
        .exits(2)
        .says("`out/a.png` is there already")
        .says("hint: give another folder, or --overwrite");
    restore(&test, "a.png -o out --overwrite").exits(0);
    restore(&test, "a.png -o . --overwrite")
        .exits(2)
        .says("`./a.png` is a photograph that is to be restored, and would be replaced");
}

#[test]
fn transparency_profile_and_exif_stay_and_a_turned_photograph_is_upright() {
    let name = "transparency_profile_and_exif_stay_and_a_turned_photograph_is_upright";
    let Some(test) = trained(name) else { return };
    // Turned by 90° clockwise, and with a camera's name.
    let mut exif = b"II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x0f\x01\x02\0\x04\0\0\0cam\0\0\0\0\0".to_vec();
    let mut profile = vec![0; 132];
    profile[16..20].copy_from_slice(b"RGB ");
    profile[36..40].copy_from_slice(b"acsp");
    let carried = Photo {
        image: image_of(37, 22),
        alpha: Some((0..37 * 22).map(|i| (i % 200) as u8).collect()),
        profile: Some(profile.clone()),
        exif: Some(exif.clone()),
    };
    write_photo(&test.path("p.png"), &carried, Form::Png).unwrap();
    write_photo(&test.path("q.webp"), &carried, Form::Webp).unwrap();
    write_photo(&test.path("r.jpg"), &carried, Form::Jpeg(95)).unwrap();
    write_photo(
        &test.path("s.tif"),
        &Photo {
            exif: None,
            ..carried.clone()
        },
        Form::Tiff,
    )
    .unwrap();
    exif[18] = 1; // upright now
    for (format, ending) in [("png", "png"), ("webp", "webp"), ("tiff", "tif")] {
        let words = format!("p.png q.webp r.jpg s.tif -o {format} --format {format}");
        restore(&test, &words).exits(0);
        for (stem, size, has_alpha, has_exif) in [
            ("p", (44, 74), true, true),
            ("q", (44, 74), true, true),
            ("r", (44, 74), false, true),
            ("s", (74, 44), true, false),
        ] {
            let path = test.path(&format!("{format}/{stem}.{ending}"));
            let (found, _) = read_photo(&path).unwrap();
            let what = format!("{format} {stem}");
            assert_eq!(found.image.size(), size, "{what}");
            assert_eq!(found.alpha.is_some(), has_alpha, "{what}");
            assert_eq!(found.profile.as_ref(), Some(&profile), "{what}");
            let wanted = (has_exif && format != "tiff").then_some(&exif);
            assert_eq!(found.exif.as_ref(), wanted, "{what}");
        }
    }
    restore(&test, "p.png -o jpeg --format jpeg")
        .exits(2)
        .says("`p.png` is transparent, and JPEG has no room for that");
    restore(&test, "r.jpg -o jpeg --format jpeg --quality 80").exits(0);
    let (found, _) = read_photo(&test.path("jpeg/r.jpg")).unwrap();
    assert_eq!((found.profile, found.exif), (Some(profile), Some(exif)));
}

fn image_of(width: usize, height: usize) -> Rgb8 {
    pixels::decode_rgb8(&photo(width, height), Path::new("a"))
        .unwrap()
        .image
}

const LOCAL: &str = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {denoise: 25}}
    resources: {threads: 1}
  masks:
    mask: {images: pairs, grid: 4, count: 8}
    resources: {threads: 1}
  base:
    train: {backbone: {dncnn: {width: 16, depth: 8}}, images: pairs, iterations: 3, patch: 8, batch: 1}
    resources: {threads: 1}
  tuned:
    tune: {backbone: base, images: pairs, masks: masks, iterations: 3, patch: 8, batch: 1}
    resources: {threads: 1}
";

#[test]
fn tiles_of_a_local_network_are_the_whole_and_others_fade() {
    let name = "tiles_of_a_local_network_are_the_whole_and_others_fade";
    let Some(test) = trained(name) else { return };
    test.write("photo.png", photo(230, 150));
    test.write("local.yaml", LOCAL);
    test.run("run local.yaml").exits(0);
    for (words, file, most) in [("-f p.yaml", "p", 12), ("-f local.yaml", "local", 1)] {
        for tile in ["none", "64"] {
            let out = format!("{file}-{tile}");
            let words = format!(
                "restore photo.png --model tuned {words} --device cpu -o {out} --tile {tile}"
            );
            let ran = test.run(&words).exits(0);
            let is_said = ran.stderr.contains("1 photograph was cut into tiles");
            assert_eq!(is_said, file == "p" && tile == "64", "{ran}");
        }
        let read = |tile: &str| image(&test.path(&format!("{file}-{tile}/photo.png")));
        let (largest, share) = off(&read("none"), &read("64"));
        // A sample that differs by 1e-4 may be rounded to the next level, and few are that near to a half.
        assert!(largest <= most, "{file}: {largest} levels");
        assert!(file == "p" || share < 0.01, "{share}");
    }
    restore(&test, "photo.png -o x --tile 5")
        .exits(2)
        .says("expected auto, none, or 64 to 4096 pixels");
}

#[test]
fn masks_are_those_of_the_models_own_segmenter() {
    let name = "masks_are_those_of_the_models_own_segmenter";
    let Some(test) = Test::with_worker(name).map(Test::photos) else {
        return;
    };
    let graph = "mask: {images: pairs, grid: 4, count: 8}";
    let white = png((20, 16), 0, 8, |_| vec![255; 20]);
    for image_name in ["a", "b"] {
        test.write(
            &format!("drawn/{image_name}/0.png"),
            png((24, 20), 0, 8, |_| vec![255; 24]),
        );
    }
    test.write("drawn/b/0.png", png((20, 24), 0, 8, |_| vec![255; 20]));
    test.write("drawn/new/0.png", &white);
    let sources = [
        (
            "zero",
            "mask: {images: pairs, count: 8, segmenter: {zero: {}}}",
        ),
        (
            "files",
            "mask: {images: pairs, count: 8, segmenter: {files: {path: drawn}}}",
        ),
        (
            "other",
            "mask: {images: pairs, count: 8, segmenter: {other: {masks: real}}}",
        ),
    ];
    test.write("new.png", photo(20, 16));
    test.write("next.png", photo(24, 16));
    let mut restored = Vec::new();
    for (source, mask) in sources {
        let real = format!("  real:\n    {graph}\n    resources: {{threads: 1}}\n  masks:\n");
        let yaml = TINY.replace("  masks:\n", &real);
        test.write(
            "p.yaml",
            yaml.replacen(graph, mask, 2).replacen(mask, graph, 1),
        );
        test.run("run p.yaml tuned").exits(0);
        let ran = restore(&test, &format!("new.png -o {source}"));
        if source == "other" {
            ran.exits(1)
                .says("masks of another image need at least two images");
            leaves_nothing_behind(&test, source);
            restore(&test, &format!("new.png next.png -o {source}")).exits(0);
        } else {
            ran.exits(0);
        }
        restored.push(image(&test.path(&format!("{source}/new.png"))));
    }
    assert!(restored[0] != restored[1] && restored[1] != restored[2]);
    // What the segmenter reads may lie elsewhere.
    test.write(
        "elsewhere/new/0.png",
        png((20, 16), 0, 8, |y| vec![if y < 8 { 255 } else { 0 }; 20]),
    );
    test.write("p.yaml", TINY.replace(graph, sources[1].1));
    test.run("run p.yaml tuned").exits(0);
    restore(&test, "new.png -o moved --segmenter-path elsewhere").exits(0);
    assert!(image(&test.path("moved/new.png")) != restored[1]);
    restore(&test, "new.png -o lost --segmenter-path nowhere")
        .exits(2)
        .says("the folder of masks is not at `nowhere`");
}

#[test]
fn photographs_that_are_none_are_refused_before_anything_is_computed() {
    let name = "photographs_that_are_none_are_refused_before_anything_is_computed";
    let Some(test) = trained(name) else { return };
    test.write("text.png", "no picture");
    test.write("empty.jpg", "");
    test.write("good.png", photo(20, 16));
    test.write("sub/good.tif", photo(20, 16));
    let mut huge = png((8, 8), 2, 8, |_| vec![0; 24]);
    huge[16..24].copy_from_slice(&[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0]);
    let mut crc = flate2::Crc::new();
    crc.update(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    test.write("huge.png", huge);
    for (words, code, text) in [
        ("text.png", 1, "`text.png` is not an image"),
        ("empty.jpg", 1, "`empty.jpg` is not an image"),
        (
            "huge.png",
            1,
            "`huge.png` says it is 100000x100000 pixels, more than the 67108864 that are accepted",
        ),
        ("none.png", 1, "cannot read `none.png`"),
        (
            "good.png sub/good.tif",
            2,
            "`good.png` and `sub/good.tif` would both become `good.png`",
        ),
        ("good.png --quality 0", 2, "--quality"),
    ] {
        let ran = restore(&test, &format!("{words} -o out"));
        ran.exits(code).says(text).never_says("picture 1 of");
        assert!(!test.path("out").exists(), "{words}");
    }
    restore(&test, "text.png empty.jpg -o out")
        .exits(1)
        .says("`text.png` is not an image")
        .says("`empty.jpg` is not an image")
        .says("none of 2 photographs can be restored");
    restore(&test, "good.png none.png -o out")
        .exits(1)
        .says("cannot read `none.png`");
    assert!(!test.path("out").exists());
    // Beside others they are left out, and told at the end.
    restore(&test, "text.png good.png huge.png empty.jpg -o left")
        .exits(1)
        .says("left out: `text.png` is not an image")
        .says("1 photograph: ")
        .says("not restored: huge.png: `huge.png` says it is 100000x100000 pixels")
        .says("3 of 4 photographs could not be restored");
    let left = list(&test.path("left"));
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(image(&test.path("left/good.png")).size(), (40, 32));
    // The most that a restored one may take is asked before, too.
    let mut little = test.command("restore good.png --model tuned -f p.yaml --device cpu -o out");
    Ran::of(little.env("PIPELINE_MAX_MEMORY", "9K").output().unwrap())
        .exits(1)
        .says("restoring `good.png` to an image of 40x32 pixels takes about");
    test.write("out", "a file");
    restore(&test, "good.png -o out")
        .exits(1)
        .says("cannot create `out`");
    test.remove("out");
    std::fs::create_dir(test.path("closed")).unwrap();
    let folder = std::fs::File::open(test.path("closed")).unwrap();
    folder
        .set_permissions(std::fs::Permissions::from_mode(0o500))
        .unwrap();
    let words = "restore good.png --model tuned -f p.yaml --device cpu -o closed";
    if let Some(ran) = test.run_bound(name, words) {
        ran.exits(1).says("cannot create `closed/.restore-");
    }
}

/// A photograph that ends early, and one whose masks cannot be used: found before and while restoring.
#[test]
fn a_damaged_photograph_does_not_end_the_restoration_of_others() {
    let name = "a_damaged_photograph_does_not_end_the_restoration_of_others";
    let Some(test) = trained(name) else { return };
    for name in ["a", "b", "c"] {
        test.write(&format!("in/{name}.png"), photo(20, 16));
    }
    let whole = photo(60, 50);
    test.write("in/b.png", &whole[..whole.len() - 40]);
    restore(&test, "in -o out --compare")
        .exits(1)
        .says("not restored: in/b.png: ")
        .says("1 of 3 photographs could not be restored");
    for (name, is_there) in [("a", true), ("b", false), ("c", true)] {
        assert_eq!(test.path(&format!("out/{name}.png")).is_file(), is_there);
    }
    assert!(test.path("out/index.html").is_file());
    leaves_nothing_behind(&test, "out");
    // One that goes away after it was looked at is the worker's to find.
    let links =
        "#!/bin/sh\nif [ \"$1\" = --restore ]; then rm in/c.png; fi\nexec \"$REAL\" \"$@\"\n";
    test.write("worker.sh", links);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(test.path("worker.sh"), mode).unwrap();
    let mut command =
        test.command("restore in/a.png in/c.png --model tuned -f p.yaml --device cpu -o more");
    command
        .env("REAL", test.worker())
        .env("PIPELINE_WORKER", test.path("worker.sh"));
    Ran::of(command.output().unwrap())
        .exits(1)
        .says("not restored: c: ")
        .says("1 of 2 photographs could not be restored");
    assert!(test.path("more/a.png").is_file() && !test.path("more/c.png").exists());
    // Nor does a page that cannot be written keep back what was not restored.
    test.write("closed/img", "in the way");
    restore(&test, "in/a.png in/b.png -o closed --compare")
        .exits(1)
        .says("not restored: in/b.png: ");
    assert!(test.path("closed/a.png").is_file());
}

/// What was restored before the disk was full is there, and nothing is computed that could not be written.
#[test]
fn a_full_disk_ends_a_restoration_and_keeps_what_is_done() {
    let name = "a_full_disk_ends_a_restoration_and_keeps_what_is_done";
    let Some(test) = trained(name) else { return };
    test.write("in/a.png", photo(20, 16));
    test.write("in/b.png", noise(200, 150, 1));
    test.write("in/c.png", photo(20, 16));
    let Some(_disk) = Disk::mount(name, &test, "out", "size=128k") else {
        return;
    };
    test.run("restore in --model base -f p.yaml --device cpu -o out")
        .exits(1)
        .says("a: out/a.png")
        .says("not restored: b: cannot write ")
        .says("not restored: c: not tried: cannot write ")
        .says("No space left on device")
        .says("2 of 3 photographs could not be restored");
    assert!(test.path("out/a.png").is_file() && !test.path("out/c.png").exists());
    leaves_nothing_behind(&test, "out");
}

#[test]
fn what_is_no_model_is_refused_with_what_to_name() {
    let name = "what_is_no_model_is_refused_with_what_to_name";
    let Some(test) = trained(name) else { return };
    test.write("a.png", photo(20, 16));
    let sam =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/checkpoints/sam_hf.safetensors");
    std::fs::copy(sam, test.path("sam.safetensors")).unwrap();
    test.write("torn.safetensors", "\u{8}");
    for (model, code, text) in [
        (
            "score",
            2,
            "`score` is a stage `evaluate`, which has no model",
        ),
        ("nothing", 2, "nothing"),
        ("IMDN_x2.pth", 2, "IMDN_x2.pth"),
        ("score*", 2, "`score*` are several stages: "),
        (
            "sam.safetensors",
            1,
            "cannot read `sam.safetensors`: it is no model that `pipeline export --to` wrote",
        ),
        (
            "torn.safetensors",
            1,
            "cannot read `torn.safetensors`: it is no safetensors file",
        ),
        ("none.safetensors", 1, "cannot read `none.safetensors`"),
    ] {
        let words = format!("restore a.png --model {model} -f p.yaml --device cpu -o out");
        test.run(&words).exits(code).says(text);
    }
    test.write("p.yaml", TINY.replace("iterations: 3", "iterations: 4"));
    restore(&test, "a.png -o out")
        .exits(1)
        .says("`tuned` has no result")
        .says("pipeline run p.yaml tuned");
    assert!(!test.path("out").exists());
}

#[test]
fn hostile_names_are_names() {
    let name = "hostile_names_are_names";
    let Some(test) = trained(name) else { return };
    let names: [&[u8]; 6] = [
        b"<i>alert(1)<i>\"'.png",
        b"new\nline.png",
        b"-o.png",
        b"caf\xe9.png",
        b"\x1b[31mred.png",
        b".hidden.png",
    ];
    let folder = test.path("odd");
    std::fs::create_dir(&folder).unwrap();
    let mut command = test.command("restore --model tuned -f p.yaml --device cpu -o out --");
    for name in names {
        let path = folder.join(OsStr::from_bytes(name));
        std::fs::write(&path, photo(20, 16)).unwrap();
        command.arg(path);
    }
    let output = command.output().unwrap();
    assert!(!output.stderr.contains(&0x1b), "escapes stay text");
    Ran::of(output)
        .exits(0)
        .says("new\\nline: out/new\\nline.png");
    let written = list(&test.path("out"));
    assert_eq!(written.len(), names.len(), "{written:?}");
    assert!(test.path("out/caf%E9.png").is_file());
    assert!(test.path("out/new\nline.png").is_file());
}

/// Looks at every picture and every mode of the page, and draws a box.
const DRIVER: &str = r##"facts.keys = [];
const caption = () => $(".panes figcaption")?.textContent ?? "";
await wait("the first picture", caption);
facts.first = caption();
const select = (label) => [...document.querySelectorAll("#compare select")].find((s) => s.getAttribute("aria-label") === label);
facts.modes = [...select("mode").options].map((o) => o.value);
facts.masks = select("masks")?.options.length ?? 0;
for (const name of ["1", "2", "3", "4"]) {
  const shown = caption();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  await wait(`key ${name}`, () => caption() !== shown);
  facts.keys.push(caption());
}
page.set({ mode: "difference" });
await wait("difference", () => caption().startsWith("|"));
page.set({ image: page.data.sets[0].images[0], box: "4,4,8,8" });
await wait("crops", () => document.querySelectorAll("#crops figure").length === 4);
facts.note = $("#crops .note").textContent;
facts.size = [page.data.sets[0].pics[0].width, page.data.sets[0].pics[0].height];
facts.hidden = ["gains", "stages", "tables"].every((id) => page.by(id).hidden);
facts.images = page.data.sets[0].images;
facts.forged = "forged" in window;"##;

#[test]
fn a_page_takes_the_pictures_of_the_one_before_it_away_and_nothing_else() {
    let name = "a_page_takes_the_pictures_of_the_one_before_it_away_and_nothing_else";
    let Some(test) = trained(name) else { return };
    test.write("mine/a.png", photo(30, 22));
    test.write("mine/z.png", photo(20, 26));
    restore(&test, "mine -o out --compare").exits(0);
    let before = files_below(&test.path("out/img"));
    // Files of somebody else, and a list that would have them removed.
    test.write("out/img/own.png", photo(8, 8));
    test.write("out/img/own.txt", "own");
    test.write("own.js", "own");
    let listed = test.read("out/img/files.json");
    let hostile = listed.replacen(
        '[',
        "[\"img/../../own.js\",\"img/own.txt\",\"index.html\",",
        1,
    );
    test.write("out/img/files.json", hostile);
    restore(&test, "mine/z.png -o out --compare --overwrite").exits(0);
    let after = files_below(&test.path("out/img"));
    // LQ, baseline, restored, masks and the thumbnail of one photograph, the list, and what is somebody else's.
    assert_eq!(after.len(), 6 + 2, "{after:?}");
    let stay: Vec<&PathBuf> = before.iter().filter(|path| after.contains(path)).collect();
    assert_eq!(stay, [&test.path("out/img/files.json")]);
    let html = test.read("out/index.html");
    for path in after
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "js"))
    {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(html.contains(stem), "{stem}");
    }
    assert_eq!(test.read("own.js"), "own");
    leaves_nothing_behind(&test, "out");
    // A list that cannot be read has nothing removed.
    test.write("out/img/files.json", "no list");
    restore(&test, "mine/z.png -o out --compare --overwrite").exits(0);
    assert_eq!(files_below(&test.path("out/img")).len(), 6 + 2 + 5);
}

#[test]
fn pictures_of_a_page_share_the_memory_that_there_is() {
    let name = "pictures_of_a_page_share_the_memory_that_there_is";
    let Some(test) = trained(name) else { return };
    for n in 0..8 {
        test.write(&format!("mine/{n}.png"), noise(600, 450, n));
    }
    let words = "restore mine --model base -f p.yaml --device cpu -o out --compare --overwrite";
    let peak = |memory: &str| {
        let mut command = test.command(words);
        command
            .env("RAYON_NUM_THREADS", "8")
            .env("PIPELINE_MAX_MEMORY", memory);
        let mut child = command.spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
            let kib = line.and_then(|l| l.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            peak = kib.unwrap_or(0).max(peak);
            std::thread::sleep(Duration::from_millis(1));
        }
        Ran::of(child.wait_with_output().unwrap()).exits(0);
        peak / 1024
    };
    let (few, all) = (peak("16M"), peak("2G"));
    assert!(few * 2 < all, "{few} MiB, {all} MiB");
}

/// A photograph that nothing compresses.
fn noise(width: usize, height: usize, seed: u32) -> Vec<u8> {
    let mut state = seed + 1;
    let data = (0..width * height * 3).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let data = data.collect();
    pixels::encode_png(&Rgb8 {
        width,
        height,
        data,
    })
    .unwrap()
}

#[test]
fn the_page_compares_photographs_without_ground_truth() {
    let name = "the_page_compares_photographs_without_ground_truth";
    let Some(test) = trained(name) else { return };
    let hostile = "x\"><img src=q onerror=forged=true>";
    test.write(&format!("mine/{hostile}.png"), photo(30, 22));
    test.write("mine/z.png", photo(20, 26));
    restore(&test, "mine -o out --compare")
        .exits(0)
        .says("page: out/index.html");
    let html = test.read("out/index.html");
    assert!(!html.contains("<img src=q"), "a name is text");
    // LQ, baseline, restored and masks of two photographs, two thumbnails, and the list of all.
    assert_eq!(files_below(&test.path("out/img")).len(), 11);
    assert_eq!(list(&test.path("out")).len(), 4);
    leaves_nothing_behind(&test, "out");
    restore(&test, "mine/z.png -o out --compare")
        .exits(2)
        .says("is there already");
    // A model without units has no baseline, and none is made up.
    test.run("restore mine/z.png --model base -f p.yaml --device cpu -o plain --compare")
        .exits(0);
    assert_eq!(files_below(&test.path("plain/img")).len(), 4);
    let Some(browser) = browser(name) else { return };
    let facts = driven(&browser, &test, "out/index.html", DRIVER);
    assert_eq!(facts["errors"], serde_json::json!([]), "{facts}");
    assert_eq!(facts["first"], "baseline | restored");
    assert_eq!(
        facts["keys"],
        serde_json::json!(["LQ", "bicubic", "baseline", "restored"])
    );
    assert_eq!(
        facts["modes"],
        serde_json::json!(["slider", "flip", "all", "difference"])
    );
    assert_eq!(facts["masks"], 2);
    assert_eq!(facts["images"], serde_json::json!([hostile, "z"]));
    assert_eq!(facts["size"], serde_json::json!([60, 44]));
    assert!(!facts["note"].as_str().unwrap().contains("PSNR"), "{facts}");
    assert_eq!(
        (&facts["hidden"], &facts["forged"]),
        (&true.into(), &false.into())
    );
}
