//! Image folders and images that are missing or wrong: what is said, what is kept, and that a repair is enough.
//! Unaware of pixels' own tests.

use std::os::unix::fs::PermissionsExt;

use crate::support::{TINY, Test, list, photo, png};

#[test]
fn a_missing_folder_blocks_and_the_plan_still_prints() {
    let test = Test::new().file("p.yaml", TINY);
    test.run("plan p.yaml")
        .exits(1)
        .says("7 stages on cpu: 0 to run, 0 fresh, 7 blocked")
        .says("p.yaml:3:23: images: there is no folder `photos`")
        .says("\n             hint: check the spelling, and that the data set was unpacked there")
        .says("- input `backbone` (base) is blocked");
    test.run("run p.yaml")
        .exits(1)
        .says("blocked: pairs: p.yaml:3:23: images: there is no folder `photos`")
        .says("hint: check the spelling")
        .says("0 ran, 0 fresh, 0 failed, 7 not run");
    let last = test
        .run("run p.yaml --json")
        .exits(1)
        .events()
        .pop()
        .unwrap();
    assert_eq!((&last["failed"], &last["not_run"]), (&0.into(), &7.into()));
    assert!(test.committed().is_empty() && test.noted().is_empty());
    test.photos().run("run p.yaml").exits(0).says("7 ran");
}

#[test]
fn one_missing_folder_does_not_keep_the_rest_from_running() {
    let yaml = format!("{TINY}  other:\n    prepare: {{images: elsewhere, degrade: {{sr: 2}}}}\n");
    let test = Test::new().tiny().file("p.yaml", yaml);
    test.run("run p.yaml")
        .exits(1)
        .says("blocked: other: p.yaml:23:23: images: there is no folder `elsewhere`")
        .says("7 ran, 0 fresh, 0 failed, 1 not run");
}

#[test]
fn an_empty_folder_a_file_and_names_that_are_not_there() {
    let test = Test::new().tiny().file("empty/notes.txt", "no image");
    let run = |set: &str| {
        let ran = test.run(&format!(
            "run p.yaml pairs --set stages.pairs.prepare.{set}"
        ));
        ran.exits(1).says("blocked: pairs:")
    };
    run("images=empty")
        .says("images: the folder `empty` holds no image")
        .says("hint: names that end in png, jpg, jpeg, jpe, jfif, bmp, tif, tiff or webp are looked for");
    run("images=p.yaml").says("`p.yaml` is a file, not a folder");
    run("only=[a.png,c.png]").says("`photos` holds no c.png");
    run("lr=nowhere").says("lq: there is no folder `nowhere`");
    assert!(test.committed().is_empty());
}

#[test]
fn a_file_that_may_not_be_read() {
    let test = Test::new().tiny();
    let set_mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(test.path("photos/b.png"), mode).unwrap();
    };
    set_mode(0o000);
    let Some(ran) = test.run_bound("a_file_that_may_not_be_read", "run p.yaml") else {
        return;
    };
    ran.exits(1)
        .says("blocked: pairs: p.yaml:3:23: images: no permission: cannot ")
        .says("`photos/b.png`")
        .says("0 ran, 0 fresh, 0 failed, 7 not run");
    assert!(test.committed().is_empty());
    set_mode(0o600);
    let again = test
        .run_bound("a_file_that_may_not_be_read", "run p.yaml")
        .unwrap();
    again.exits(0).says("7 ran");
}

#[test]
fn damaged_and_foreign_images_fail_their_stage() {
    let name = "damaged_and_foreign_images_fail_their_stage";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    let whole = photo(48, 40);
    let run = |bytes: &[u8]| {
        test.write("photos/c.png", bytes);
        let ran = test.run("run p.yaml pairs masks").exits(1);
        assert!(test.committed().is_empty(), "{ran}");
        ran.says("not run: masks")
            .says("0 ran, 0 fresh, 1 failed, 1 not run")
            .says("log: ")
    };
    run(&whole[..whole.len() / 2])
        .says("failed: pairs: `photos/c.png` is damaged: ")
        .says("hint: fetch or write the file again");
    run(b"this is a text")
        .says("failed: pairs: `photos/c.png` is not an image")
        .says("hint: convert it to PNG");
    test.write("photos/c.png", photo(1, 1));
    test.run("run p.yaml pairs")
        .exits(1)
        .says("c.png")
        .says("hint: ");
    test.write("photos/c.png", whole);
    test.run("run p.yaml pairs masks")
        .exits(0)
        .says("2 ran, 0 fresh, 0 failed");
    assert_eq!(test.committed(), ["mask", "prepare"]);
    assert!(
        list(&test.path("cache/partial")).len() <= 3,
        "only what failed is left"
    );
}

#[test]
fn two_images_of_one_name_are_refused() {
    let Some(test) = Test::with_worker("two_images_of_one_name_are_refused").map(Test::tiny) else {
        return;
    };
    test.write("photos/a.jpg", photo(48, 40));
    test.run("run p.yaml pairs")
        .exits(1)
        .says("`photos/a.jpg` and `photos/a.png` have one name")
        .says("hint: rename one");
}

#[test]
fn images_smaller_than_a_patch() {
    let Some(test) = Test::with_worker("images_smaller_than_a_patch").map(Test::tiny) else {
        return;
    };
    test.run("run p.yaml base --set stages.base.train.patch=24")
        .exits(1)
        .says("failed: base: the image `a` is 24×20 LQ pixels, smaller than a patch of 24×24")
        .says("hint: lower `patch`, or leave the image out with `only`");
    assert_eq!(test.committed(), ["prepare"]);
    test.run("run p.yaml base")
        .exits(0)
        .says("1 ran, 1 fresh, 0 failed");
    assert_eq!(test.committed(), ["prepare", "train"]);
}

#[test]
fn an_image_that_changes_while_a_stage_runs_gives_no_result() {
    let test = Test::new().tiny().without_walls();
    // The stand-in itself changes the image: it notes what it does in a file that is linked to it.
    std::os::unix::fs::symlink(test.path("photos/a.png"), test.path("ran.txt")).unwrap();
    test.run("run p.yaml pairs")
        .exits(1)
        .says("failed: pairs: `photos/a.png` changed while the stage ran")
        .says("hint: run again");
    assert!(test.committed().is_empty());
}

#[test]
fn lr_images_that_are_missing_or_of_another_size() {
    let name = "lr_images_that_are_missing_or_of_another_size";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    let test = test.photo("lr/ax2.png", 24, 20);
    let run = |code| {
        test.run("run p.yaml pairs --set stages.pairs.prepare.lr=lr")
            .exits(code)
    };
    run(1)
        .says("there is no LR image for `b.png` in `lr`")
        .says("hint: it is called `b.png`, `bx2.png` or another usual name");
    test.write("lr/b.png", photo(24, 24));
    run(1)
        .says("`photos/b.png` is 40×48 and `lr/b.png` 24×24: not ×2")
        .says("hint: use the LR folder of this scale, or none to have it made");
    assert!(test.committed().is_empty());
    test.write("lr/b.png", photo(20, 24));
    run(0).says("1 ran");
}

#[test]
fn grey_images_in_a_colour_set_are_taken_and_said() {
    let name = "grey_images_in_a_colour_set_are_taken_and_said";
    let Some(test) = Test::with_worker(name).map(Test::tiny) else {
        return;
    };
    let row = |y| (0..48).map(|x| (x * 5 + y * 3) as u8).collect();
    test.write("photos/c.png", png((48, 40), 0, 8, row));
    test.run("run p.yaml pairs")
        .exits(0)
        .says("c: grey, copied to three channels");
}
