//! Images and masks as people have them: formats, sub-folders, names, partners, files that are keyed because they are read.
//! Unaware of how samples are decoded; the crate that does has its own tests.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use pixels::{Form, MaskStack, Photo, Rgb8, read_rgb8, write_photo};

use crate::support::{Ran, Test, files_below, photo, png};

const PREPARE: &str = "stages:\n  pairs:\n    prepare: {images: photos, degrade: {sr: 2}}\n    resources: {threads: 1}\n";

/// A mask stage that reads the folder `made`; `more` stands beside its path.
fn masks(more: &str) -> String {
    format!(
        "{PREPARE}  masks:\n    mask: {{images: pairs, count: 4, segmenter: {{files: {{path: made{more}}}}}}}\n"
    )
}

fn golden(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden_jpeg");
    std::fs::read(folder.join(name)).unwrap()
}

/// A mask of 24×20 pixels of one value on another, as a grey PNG.
fn mask(inside: u8, outside: u8) -> Vec<u8> {
    let row = |y| {
        (0..24)
            .map(|x| if x < 9 && y < 7 { inside } else { outside })
            .collect()
    };
    png((24, 20), 0, 8, row)
}

/// A photograph of 48×40 pixels called `house`, whose LR image is 24×20.
fn house(test: Test) -> Test {
    test.photo("photos/house.png", 48, 40)
}

fn areas(test: &Test) -> Vec<u64> {
    let stack = MaskStack::read(&test.output("mask", "masks/house.masks")).unwrap();
    stack.masks.iter().map(pixels::Rle::area).collect()
}

#[test]
fn every_mask_file_that_is_read_is_in_the_key() {
    let test = house(Test::new()).file("p.yaml", masks(""));
    test.write("made/house/0.png", mask(255, 0));
    for name in [
        "1.PNG", "2.jpg", "3.jpeg", "4.bmp", "5.tif", "6.webp", "7.JFIF",
    ] {
        test.write(&format!("made/house/{name}"), "first");
    }
    test.write("made/tree.JSON", "[]");
    test.run("run p.yaml").exits(0).says("2 ran");
    test.run("plan p.yaml").says("0 to run, 2 fresh");
    for name in [
        "house/1.PNG",
        "house/2.jpg",
        "house/4.bmp",
        "house/6.webp",
        "tree.JSON",
    ] {
        test.write(&format!("made/{name}"), format!("second {name}"));
        test.run("plan p.yaml").says("1 to run, 1 fresh").says(name);
        test.run("run p.yaml").exits(0).says("1 ran");
    }
    test.write("made/house/metadata.csv", "id");
    test.run("plan p.yaml")
        .says("0 to run, 2 fresh")
        .says("note: 1 file of `made` is not read: 1 `.csv`");
}

#[test]
fn what_a_folder_holds_beside_its_images_is_said_by_plan_and_run() {
    let name = "what_a_folder_holds_beside_its_images_is_said_by_plan_and_run";
    let Some(test) = Test::with_worker(name).map(house) else {
        return;
    };
    let test = test
        .file("p.yaml", PREPARE)
        .photo("photos/sub/house.png", 40, 48)
        .photo("photos/sub/deeper/tree.png", 40, 48)
        .file("photos/a.heic", "");
    let note = "3 files of `photos` are not read: 2 in sub-folders (`recursive: true` reads them), 1 `.heic`";
    test.run("plan p.yaml").exits(0).says(note);
    test.run("run p.yaml").exits(0).says(note);
    let all = "--set stages.pairs.prepare.recursive=true";
    test.run(&format!("plan p.yaml {all}"))
        .says("1 to run")
        .says("1 file of `photos` is not read: 1 `.heic`");
    test.run(&format!("run p.yaml {all}"))
        .exits(0)
        .says("1 ran");
    let lists = test.outputs("prepare", "hr");
    let mut names: Vec<usize> = lists.iter().map(|hr| files_below(hr).len()).collect();
    names.sort_unstable();
    assert_eq!(names, [1, 3]);
    assert!(
        lists
            .iter()
            .any(|hr| hr.join("sub__deeper__tree.png").is_file())
    );
}

#[test]
fn every_format_without_loss_gives_the_same_samples() {
    let name = "every_format_without_loss_gives_the_same_samples";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test.file("p.yaml", PREPARE.replace("{sr: 2}", "{denoise: 25}"));
    for (n, ending) in ["png", "tif", "webp"].into_iter().enumerate() {
        let ending = if n == 1 { "TIFF" } else { ending };
        let file = golden(&format!("same.{}", ["png", "tif", "webp"][n]));
        test.write(&format!("photos/{n}.{ending}"), file);
    }
    // The same JPEG under each of its endings.
    for (n, ending) in ["jpg", "jpeg", "jpe", "jfif"].into_iter().enumerate() {
        test.write(&format!("photos/j{n}.{ending}"), golden("420-baseline.jpg"));
    }
    test.run("run p.yaml").exits(0).says("1 ran");
    let folder = test.output("prepare", "hr");
    let read = |name: &str| read_rgb8(&folder.join(name)).unwrap().image;
    assert_eq!(read("0.png"), read("1.png"));
    assert_eq!(read("0.png"), read("2.png"));
    let jpeg = read("j0.png");
    assert_eq!((jpeg.width, jpeg.height), (203, 157));
    let digests = String::from_utf8(golden("digests.csv")).unwrap();
    let line = digests
        .lines()
        .find(|l| l.starts_with("420-baseline"))
        .unwrap();
    // What Pillow decodes, to the bit.
    assert!(
        line.ends_with(&blake3::hash(&jpeg.data).to_string()),
        "{line}"
    );
    assert!((1..4).all(|n| read(&format!("j{n}.png")) == jpeg));
}

#[test]
fn results_of_another_jpeg_decoder_are_none_of_todays() {
    let manifests = |test: &Test| -> String {
        let records = files_below(&test.path("cache/records"));
        records
            .iter()
            .map(|r| std::fs::read_to_string(r).unwrap())
            .collect()
    };
    let plain = house(Test::new()).file("p.yaml", PREPARE);
    plain.run("run p.yaml").exits(0);
    assert!(!manifests(&plain).contains("decoder"));
    plain.write("photos/tree.jpg", golden("grey.jpg"));
    plain.run("run p.yaml").exits(0).says("1 ran");
    assert!(manifests(&plain).contains("decoder.jpeg"));
}

#[test]
fn masks_with_losses_are_divided_at_half_and_that_is_said() {
    let name = "masks_with_losses_are_divided_at_half_and_that_is_said";
    let Some(test) = Test::with_worker(name).map(house) else {
        return;
    };
    let test = test.file("p.yaml", masks(""));
    test.write("made/house/0.jpg", golden("mask.jpg"));
    test.run("run p.yaml")
        .exits(0)
        .says("1 mask file is stored with losses");
    assert_eq!(areas(&test), [63]);
}

/// Red is a third as bright as white, and labels from 1 on are nearly black: no mask is made of either by a rule for grey.
#[test]
fn masks_with_losses_in_which_brightness_says_nothing_are_refused() {
    let name = "masks_with_losses_in_which_brightness_says_nothing_are_refused";
    let Some(test) = Test::with_worker(name).map(house) else {
        return;
    };
    let test = test.file("p.yaml", masks(""));
    std::fs::create_dir_all(test.path("made/house")).unwrap();
    let jpeg = |colour: [u8; 3]| {
        let pixel = |i: usize| {
            if i % 24 < 9 && i / 24 < 7 {
                colour
            } else {
                [0; 3]
            }
        };
        let data = (0..24 * 20).flat_map(pixel).collect();
        let photo = Photo {
            image: Rgb8::new(24, 20, data).unwrap(),
            alpha: None,
            profile: None,
            exif: None,
        };
        write_photo(&test.path("made/house/0.jpg"), &photo, Form::Jpeg(95)).unwrap();
    };
    for (colour, why) in [
        ([255, 0, 0], "has colours, of which brightness says little"),
        ([90, 90, 90], "nothing in it is half as bright as white"),
    ] {
        jpeg(colour);
        test.run("run p.yaml")
            .exits(1)
            .says(&format!("it is stored with losses, and {why}").replace(", and has", " and has"))
            .says("hint: say which with `read: half`");
    }
    for (colour, area) in [([255; 3], 63), ([0; 3], 0)] {
        jpeg(colour);
        test.run("run p.yaml").exits(0);
        assert_eq!(areas(&test).iter().sum::<u64>(), area);
        std::fs::remove_dir_all(test.path("cache")).unwrap();
    }
}

#[test]
fn masks_that_can_be_read_in_two_ways_are_refused_until_one_is_chosen() {
    let name = "masks_that_can_be_read_in_two_ways_are_refused_until_one_is_chosen";
    let Some(test) = Test::with_worker(name).map(house) else {
        return;
    };
    // A cut-out: white everywhere, opaque inside.
    let row = |y: u32| -> Vec<u8> {
        let alpha = |x: u32| if x < 9 && y < 7 { 255 } else { 0 };
        (0..24).flat_map(|x| [255, 255, 255, alpha(x)]).collect()
    };
    test.write("made/house/0.png", png((24, 20), 6, 8, row));
    test.write("p.yaml", masks(""));
    test.run("run p.yaml")
        .exits(1)
        .says("its transparency and its colours show different masks")
        .says("hint: say which with `read: alpha` or `read: nonzero` beside `path`");
    test.write("p.yaml", masks(", read: alpha"));
    test.run("run p.yaml").exits(0);
    assert_eq!(areas(&test), [63]);
    test.write("p.yaml", masks(", read: opacity"));
    test.run("plan p.yaml").exits(2).says("alpha");
    // Soft edges.
    test.write("made/house/0.png", mask(255, 40));
    test.write("p.yaml", masks(""));
    test.run("run p.yaml")
        .exits(1)
        .says("`read: half` or `read: nonzero`");
}

#[test]
fn masks_of_sa_1b_with_pythons_numbers_are_read() {
    let name = "masks_of_sa_1b_with_pythons_numbers_are_read";
    let Some(test) = Test::with_worker(name).map(house) else {
        return;
    };
    let test = test.file("p.yaml", masks(""));
    let json = "\u{feff}{\"image\": {\"image_id\": 7, \"file_name\": \"house.jpg\"}, \"annotations\": [{\"area\": 480, \
                \"predicted_iou\": NaN, \"segmentation\": {\"size\": [20, 24], \"counts\": [0, 480]}}]}";
    test.write("made/house.json", json);
    test.run("run p.yaml").exits(0);
    assert_eq!(areas(&test), [480]);
}

#[test]
fn a_name_that_is_not_utf_8_is_read_and_said() {
    let name = "a_name_that_is_not_utf_8_is_read_and_said";
    let Some(test) = Test::with_worker(name).map(house) else {
        return;
    };
    let test = test.file("p.yaml", PREPARE);
    let odd = test.path("photos").join(OsStr::from_bytes(b"caf\xe9.png"));
    std::fs::write(&odd, photo(40, 40)).unwrap();
    let note = "1 name in `photos` is not UTF-8; bytes are written as in `caf%E9.png`";
    test.run("plan p.yaml").exits(0).says(note);
    test.run("run p.yaml").exits(0).says(note);
    assert!(test.output("prepare", "hr/caf%E9.png").is_file());
    test.write("photos/caf%E9.png", photo(40, 40));
    test.run("run p.yaml").exits(1).says("have one name");
}

#[test]
fn exact_names_win_and_what_is_ambiguous_names_both() {
    let name = "exact_names_win_and_what_is_ambiguous_names_both";
    let Some(test) = Test::with_worker(name).map(house) else {
        return;
    };
    let grey = |value: u8| {
        let image = Rgb8::new(24, 20, vec![value; 24 * 20 * 3]).unwrap();
        pixels::encode_png(&image).unwrap()
    };
    let test = test
        .photo("photos/housex2.png", 48, 40)
        .file("lr/house.png", grey(10))
        .file("lr/housex2.png", grey(20))
        .file("p.yaml", PREPARE.replace("degrade", "lr: lr, degrade"));
    test.run("run p.yaml").exits(0);
    let lq = test.output("prepare", "lq/house.png");
    assert_eq!(read_rgb8(&lq).unwrap().image.data[0], 10);

    test.remove("photos/housex2.png");
    test.remove("lr/house.png");
    test.write("lr/house_LR.png", grey(30));
    test.run("run p.yaml")
        .exits(1)
        .says("`lr` holds two LR images for `house.png`: `housex2.png` and `house_LR.png`")
        .says("hint: say how they are named");
    test.run("run p.yaml --set stages.pairs.prepare.names=\"{}_LR\"")
        .exits(0);
    test.remove("lr/housex2.png");
    test.write("lr/house.jpg", golden("mask.jpg"));
    test.write("lr/house.jpeg", golden("mask.jpg"));
    test.run("run p.yaml")
        .exits(1)
        .says("holds both `house.jp")
        .says("and `house.jp");
    test.run("plan p.yaml --set stages.pairs.prepare.names=LR")
        .exits(2)
        .says("`LR` is no template");
}

#[test]
fn the_names_of_common_releases_are_found() {
    let name = "the_names_of_common_releases_are_found";
    let Some(test) = Test::with_worker(name).map(house) else {
        return;
    };
    let test = test.file("p.yaml", PREPARE.replace("degrade", "lr: lr, degrade"));
    for lr in [
        "house_x2",
        "house_bicLRx2",
        "house_SRF_2_LR",
        "house_LR",
        "houseX2",
    ] {
        test.write(&format!("lr/{lr}.png"), photo(24, 20));
        test.run("run p.yaml").exits(0);
        test.remove(&format!("lr/{lr}.png"));
    }
}

#[test]
fn conversions_of_lr_images_are_said() {
    let name = "conversions_of_lr_images_are_said";
    let Some(test) = Test::with_worker(name).map(house) else {
        return;
    };
    let test = test
        .file("lr/house.png", mask(255, 0))
        .file("p.yaml", PREPARE.replace("degrade", "lr: lr, degrade"));
    test.run("run p.yaml")
        .exits(0)
        .says("LR image house.png: grey, copied to three channels");
}

#[test]
fn a_name_that_is_too_long_is_called_that() {
    let test = Test::new().file("p.yaml", PREPARE.replace("photos", &"y".repeat(300)));
    test.run("plan p.yaml")
        .says("the name is too long for the file system: shorten it");
}

/// A PNG that claims a size; its data are too short, which must not matter.
fn claims(width: u32, height: u32, colour: u8, depth: u8) -> Vec<u8> {
    let mut file = png((1, 1), colour, depth, |_| vec![0; 8]);
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&file[12..29]);
    file[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    file
}

#[test]
fn what_claims_too_many_pixels_is_refused_before_it_takes_memory() {
    let test = Test::new();
    let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\x04\0\0\x28\0\0\0".to_vec();
    bmp.extend([11_584_u32, 11_584].map(u32::to_le_bytes).concat());
    bmp.extend(b"\x01\0\x08\0\x01\0\0\0");
    bmp.resize(1100, 0);
    let mut jpeg = golden("grey.jpg");
    let frame = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x2d, 0x40, 0x2d, 0x40]);
    let files = [
        ("one-bit", claims(11_585, 11_585, 0, 1)),
        ("deep", claims(11_585, 11_585, 6, 16)),
        ("wide", claims(134_217_728, 1, 0, 1)),
        ("high", claims(1, 134_217_728, 0, 1)),
        ("runs", bmp),
        ("jpeg", jpeg),
    ];
    for (name, bytes) in files {
        test.write(&format!("{name}.png"), bytes);
        test.run(&format!("masks {name}.png --out made"))
            .exits(1)
            .says("more than the 67108864 that are accepted")
            .says("PIPELINE_MAX_PIXELS");
    }
    let mut raised = test.command("masks wide.png --out made");
    let raised = raised
        .env("PIPELINE_MAX_PIXELS", "200_000_000")
        .output()
        .unwrap();
    let said = String::from_utf8(raised.stderr).unwrap();
    assert!(said.contains("is damaged"), "{said}");
}

#[test]
fn a_fifo_among_images_or_masks_is_named_and_not_waited_for() {
    let make = |path: &Path| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    let test = house(Test::new()).file("p.yaml", masks(""));
    test.write("made/house/0.png", mask(255, 0));
    make(&test.path("made/house/1.png"));
    test.run("run p.yaml")
        .exits(1)
        .says("`made/house/1.png` is a FIFO, not a regular file");
    make(&test.path("photos/tree.png"));
    test.run("plan p.yaml")
        .says("`photos/tree.png` is a FIFO, not a regular file");
    test.run("masks photos/tree.png --out out")
        .exits(1)
        .says("it is a FIFO, not a regular file");
}

#[test]
fn half_a_jpeg_with_an_end_marker_is_damaged() {
    let name = "half_a_jpeg_with_an_end_marker_is_damaged";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test.file("p.yaml", PREPARE);
    for file in ["420-baseline.jpg", "420-progressive.jpg", "grey.jpg"] {
        let whole = golden(file);
        let half = [&whole[..whole.len() / 2], b"\xff\xd9"].concat();
        test.write("photos/a.jpg", half);
        test.run("run p.yaml")
            .exits(1)
            .says("`photos/a.jpg` is damaged");
    }
}

/// Edges of the pixel graph alone would take more.
#[test]
fn masks_of_a_large_picture_take_little_memory() {
    let name = "masks_of_a_large_picture_take_little_memory";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let side = 3072;
    let row = vec![90; 3 * side];
    let large = crate::support::png((side as u32, side as u32), 2, 8, |_| row.clone());
    let yaml = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {denoise: 5}}
  masks:
    mask: {images: pairs, of: hr}
    resources: {threads: 1}
";
    let test = test.file("photos/a.png", large).file("p.yaml", yaml);
    test.run("run p.yaml").exits(0);
    let records = crate::support::files_below(&test.path("cache/records"));
    let peaks: Vec<f64> = records
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .filter(|record| record.contains("config.segmenter"))
        .map(|record| {
            let text = record.split("\"peak_memory_mib\":").nth(1).unwrap();
            let end = text.find([',', '}']).unwrap();
            text[..end].trim().parse().unwrap()
        })
        .collect();
    assert_eq!(peaks.len(), 1);
    assert!(peaks[0] < 480.0, "{peaks:?} MiB");
}

#[test]
fn images_are_prepared_side_by_side_as_far_as_they_fit_into_memory_and_give_the_same_bytes() {
    let name =
        "images_are_prepared_side_by_side_as_far_as_they_fit_into_memory_and_give_the_same_bytes";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let yaml = "\
stages:
  pairs:
    prepare: {images: photos, degrade: {sr: 2}}
    resources: {threads: 8}
";
    let test = (0..8).fold(test.file("p.yaml", yaml), |test, n| {
        test.photo(&format!("photos/{n}.png"), 1500, 1500 - 2 * n)
    });
    let prepared = |memory: &str| {
        let mut command = test.command("run p.yaml --force pairs");
        let ran = Ran::of(command.env("PIPELINE_MAX_MEMORY", memory).output().unwrap());
        (ran, test.outputs("prepare", "pairs.json"))
    };
    let (ran, list) = prepared("");
    ran.exits(0);
    let whole = std::fs::read(&list[0]).unwrap();
    // Room for one at a time, and for two.
    for memory in ["100M", "200M"] {
        let (ran, list) = prepared(memory);
        ran.exits(0);
        assert_eq!(std::fs::read(&list[0]).unwrap(), whole, "{memory}");
    }
    // One that does not fit by itself is an error, and no image is left out.
    let (ran, _) = prepared("10M");
    ran.exits(1)
        .says("MB, more than the 10.5 MB that it may take here")
        .says("hint: ");
}

/// Results from before mask files were read by their form were made in another way, where there was a choice.
#[test]
fn how_mask_files_are_read_is_in_the_key_of_png_files_without_a_choice_alone() {
    let test = house(Test::new()).file("p.yaml", masks(""));
    let says = || {
        let ran = test.run("explain masks -f p.yaml -v").exits(0);
        ran.stdout.contains("decoder.masks  by form")
    };
    test.write("made/house.json", "[]");
    assert!(!says(), "JSON is read as ever");
    test.write("made/house/0.png", mask(255, 0));
    assert!(says());
    test.write("p.yaml", masks(", read: half"));
    assert!(!says(), "`read:` is in the key itself");
    test.remove("made/house/0.png");
    test.write("p.yaml", masks(""));
    test.write("made/house/0.jpg", golden("grey.jpg"));
    assert!(!says(), "files of this name were in no key");
}
