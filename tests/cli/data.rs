//! Data sets by name: what is said of one that is missing or not whole, joined ones, and `pipeline data check`.
//! Unaware of what is computed from them.

use crate::support::Test;

const SETS: &str = "\
stages:
  train:
    prepare: {dataset: [div2k, flickr2k], root: data, degrade: {sr: 2}}
  tests:
    each: {dataset: [set5, kodak24], sigma: [15, 25]}
    prepare: {root: data, degrade: {denoise: \"{sigma}\"}}
  masks:
    mask: {images: \"tests[dataset=set5,sigma=15]\"}
";

fn kodak(test: Test, images: usize) -> Test {
    (1..=images).fold(test, |test, n| {
        test.photo(&format!("data/Kodak24/kodim{n:02}.png"), 48, 40)
    })
}

#[test]
fn a_missing_data_set_is_one_message_and_the_plan_prints() {
    let test = kodak(Test::new().file("p.yaml", SETS), 24);
    let plan = test
        .run("plan p.yaml")
        .exits(0)
        .says("6 stages on cpu: 2 to run, 0 fresh, 4 blocked");
    let said = |text: &str| plan.stdout.matches(text).count();
    assert_eq!(
        said("the data set Set5 is missing: put its 5 images into `data/Set5/HR`"),
        1
    );
    assert_eq!(said("the data set DIV2K is missing: put its 800"), 1);
    assert_eq!(
        said("optional LR images: `data/DIV2K/DIV2K_train_LR_bicubic/X2`"),
        1
    );
    assert_eq!(said("from: the test sets of EDSR"), 1);
    assert_eq!(
        said("p.yaml:5:22: dataset: the data set Set5 is missing (`data/Set5/HR`)"),
        2
    );
    assert_eq!(said("Kodak24 is missing"), 0);
    test.run("run p.yaml --keep-going")
        .exits(1)
        .says("the data set Flickr2K is missing: put its 2650");
}

#[test]
fn another_number_of_images_is_a_warning_with_both() {
    let yaml =
        "stages:\n  pairs:\n    prepare: {dataset: kodak24, root: data, degrade: {denoise: 15}}\n";
    let test = kodak(Test::new().file("p.yaml", yaml), 23);
    let warning =
        "warning: the data set Kodak24 has 23 images in `data/Kodak24`, and 24 are expected";
    test.run("run p.yaml").exits(0).says(warning);
    test.run("plan p.yaml")
        .exits(0)
        .says(warning)
        .says("1 fresh");
    test.run("data check p.yaml")
        .exits(0)
        .says("odd      Kodak24       23, expected 24 images");
    let test = kodak(test, 24);
    test.run("plan p.yaml")
        .exits(0)
        .says("1 to run")
        .never_says("warning");
}

#[test]
fn data_check_lists_data_sets_weights_and_folders_with_their_state() {
    let yaml = format!(
        "{SETS}  imdn:\n    pretrained: {{backbone: {{imdn: {{scale: 2}}}}, file: w/a.pth}}\n  own:\n    \
         prepare: {{images: photos, degrade: {{sr: 2}}}}\n"
    );
    let test = kodak(Test::new().photos().file("p.yaml", yaml), 24);
    let test = (1..=5).fold(test, |t, n| {
        t.photo(&format!("data/Set5/HR/{n}.png"), 48, 40)
    });
    test.run("data check p.yaml")
        .exits(1)
        .says("missing  DIV2K         0 of 800 images below data; LR will be made (×2)")
        .says("ok       Set5          5 images below data\n")
        .says("ok       Kodak24       24 images")
        .says("ok       2 files in photos")
        .says("missing  there is no file `w/a.pth`");
    test.run("data check p.yaml masks").exits(0).says("Set5");
}

#[test]
fn joined_folders_and_lr_images_that_are_there_become_pairs() {
    let name = "joined_folders_and_lr_images_that_are_there_become_pairs";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let yaml =
        "stages:\n  pairs:\n    prepare: {dataset: [set5, set14], root: data, degrade: {sr: 2}}\n";
    let test = test
        .file("p.yaml", yaml)
        .photo("data/Set5/HR/b.png", 48, 40)
        .photo("data/Set5/LR_bicubic/X2/bx2.png", 24, 20)
        .photo("data/Set14/HR/a.png", 41, 40);
    test.run("run p.yaml").exits(0).says("Set14 has 1 image ");
    let pairs = std::fs::read_to_string(test.output("prepare", "pairs.json")).unwrap();
    let at = |name: &str| pairs.find(&format!("\"name\": \"{name}\"")).unwrap();
    assert!(
        at("a") < at("b"),
        "in the order of names, whatever the folder\n{pairs}"
    );
    let given = std::fs::read(test.path("data/Set5/LR_bicubic/X2/bx2.png")).unwrap();
    let used = pixels::decode_rgb8(
        &std::fs::read(test.output("prepare", "lq/b.png")).unwrap(),
        std::path::Path::new("b"),
    );
    let given = pixels::decode_rgb8(&given, std::path::Path::new("b"));
    assert_eq!(used.unwrap().image, given.unwrap().image);
    let test = test.photo("data/Set14/HR/b.png", 48, 40);
    test.run("run p.yaml").exits(1).says("have one name");
}

#[test]
fn a_plan_without_data_is_a_short_list_and_an_error() {
    let test = crate::support::Test::new();
    let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines/tables.yaml");
    let mut command = test.command(&format!("plan {tables} --root ."));
    command
        .env("PIPELINE_DATA", "nowhere")
        .env("PIPELINE_WEIGHTS", "nowhere");
    let ran = crate::support::Ran::of(command.output().unwrap()).exits(1);
    let lines = ran.stdout.lines().count();
    assert!(lines < 45, "{lines} lines\n{}", &ran.stdout[..4000]);
    let ran = ran
        .says(", 31 tune)")
        .says("by what is missing; -v lists each");
    assert!(!ran.stdout.contains("is blocked\n"));
}
