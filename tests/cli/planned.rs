//! Files outside that hold other bytes for the worker than for the plan: nothing is computed from them, also where every
//! stat is as it was. Unaware of how that is noticed.
//!
//! The worker starts in a mount namespace of its own, where another file lies over the one that was hashed. Nobody else
//! sees that: inode, size and times of the path stay what they were.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use spec::Job;

use crate::sam::{SHAPE, weights};
use crate::support::{Ran, Test, photo};

/// Reads images, LR images, masks of two kinds and two checkpoints.
fn yaml() -> String {
    format!(
        "\
stages:
  pairs: {{prepare: {{images: photos, lr: lr, degrade: {{sr: 2}}}}}}
  files: {{mask: {{images: pairs, count: 2, segmenter: {{files: {{path: made}}}}}}}}
  sam: {{mask: {{images: pairs, grid: 2, count: 2, segmenter: {{sam: {{model: {SHAPE}, weights: in/sam.safetensors}}}}}}}}
  net: {{pretrained: {{backbone: {{imdn: {{scale: 2, width: 16, blocks: 1}}}}, file: in/net.safetensors}}}}
"
    )
}

/// A network to read, of a training that takes a moment.
const NET: &str = "\
stages:
  pairs: {prepare: {images: photos, degrade: {sr: 2}}}
  base: {train: {backbone: {imdn: {scale: 2, width: 16, blocks: 1}}, images: pairs, iterations: 1, patch: 8, batch: 1}}
";

/// How this user gets a mount namespace; `None`, and a line that says so, where there is none.
fn namespace(name: &str) -> Option<&'static str> {
    let works = |how: &&str| {
        let mut command = Command::new("unshare");
        let tried = command.args([how, "mount", "--bind", ".", "."]);
        let tried = tried.stdout(Stdio::null()).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let found = ["-m", "-rm"].into_iter().find(works);
    if found.is_none() {
        println!("skipped: {name}: no mount namespace here");
    }
    found
}

fn test(name: &str) -> Option<Test> {
    let how = namespace(name)?;
    let test = Test::with_worker(name)?
        .without_walls()
        .photos()
        .file("net.yaml", NET);
    let real = test.worker().display();
    let script = format!(
        "#!/bin/sh\ncase $1 in --*) exec '{real}' \"$@\";; esac\n[ -e over ] || exec '{real}' \"$@\"\n\
         exec unshare {how} sh -c 'mount --bind other \"$(cat over)\" && exec \"$0\" \"$@\"' '{real}' \"$@\"\n"
    );
    test.write("worker.sh", script);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(test.path("worker.sh"), mode).unwrap();
    test.run("run net.yaml").exits(0);
    test.write("in/net.safetensors", "");
    std::fs::copy(
        test.output("train", "weights.safetensors"),
        test.path("in/net.safetensors"),
    )
    .unwrap();
    let test = test
        .photo("lr/a.png", 24, 20)
        .photo("lr/b.png", 20, 24)
        .photo("made/a/0.png", 24, 20)
        .file("made/b.json", "[]")
        .file("in/sam.safetensors", std::fs::read(weights()).unwrap());
    test.write("made/a/0.png", mask(24, 20));
    Some(test.file("p.yaml", yaml()))
}

/// A picture in black and white.
fn mask(width: usize, height: usize) -> Vec<u8> {
    let data = (0..width * height).flat_map(|i| [if i % 7 < 3 { 255 } else { 0 }; 3]);
    pixels::encode_png(&pixels::Rgb8::new(width, height, data.collect()).unwrap()).unwrap()
}

fn run(test: &Test, words: &str) -> Ran {
    let mut command = test.command(words);
    let command = command.env("PIPELINE_WORKER", test.path("worker.sh"));
    Ran::of(command.output().unwrap())
}

/// The bytes of a file with one changed in its last tenth, and its size and times.
fn changed(test: &Test, path: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(test.path(path)).unwrap();
    let at = bytes.len() - bytes.len() / 10 - 1;
    bytes[at] ^= 1;
    bytes
}

#[test]
fn what_a_worker_would_read_is_what_was_hashed() {
    let Some(test) = test("what_a_worker_would_read_is_what_was_hashed") else {
        return;
    };
    for (stage, path, other) in [
        ("pairs", "photos/a.png", photo(40, 32)),
        ("pairs", "lr/b.png", photo(20, 24).repeat(2)),
        ("files", "made/a/0.png", mask(24, 22)),
        ("files", "made/b.json", b"[ ]".to_vec()),
        (
            "sam",
            "in/sam.safetensors",
            changed(&test, "in/sam.safetensors"),
        ),
        (
            "net",
            "in/net.safetensors",
            changed(&test, "in/net.safetensors"),
        ),
    ] {
        if stage != "pairs" {
            run(&test, "run p.yaml pairs").exits(0);
        }
        let before = test.committed();
        test.write("other", other);
        test.write("over", path);
        run(&test, &format!("run p.yaml {stage}"))
            .exits(1)
            .says(&format!("failed: {stage}: cannot read `{path}`"))
            .says("it changed since it was planned with")
            .says("hint: run again, which plans with the files as they are now");
        assert_eq!(test.committed(), before, "{path}");
        test.remove("over");
    }
    run(&test, "run p.yaml").exits(0).says("3 ran, 1 fresh");
}

/// Weights that a stage has made are read whole as well.
#[test]
fn weights_of_another_stage_are_what_was_hashed() {
    let Some(test) = test("weights_of_another_stage_are_what_was_hashed") else {
        return;
    };
    let more = "  score: {evaluate: {model: base, images: pairs}}\n  \
                tuned: {tune: {backbone: base, images: pairs, scheme: full, iterations: 1, patch: 8, batch: 1}}\n";
    test.write("net.yaml", format!("{NET}{more}"));
    let path = test.output("train", Job::WEIGHTS);
    let path = path.to_str().unwrap();
    let before = test.committed();
    test.write("other", changed(&test, path));
    test.write("over", path);
    for stage in ["score", "tuned"] {
        run(&test, &format!("run net.yaml {stage}"))
            .exits(1)
            .says("weights.safetensors`: it changed since it was planned with");
        assert_eq!(test.committed(), before, "{stage}");
    }
    test.remove("over");
    run(&test, "run net.yaml").exits(0).says("2 ran, 2 fresh");
}

/// As a swap that a person makes: the file itself is another one when the worker comes to it.
#[test]
fn a_file_that_is_replaced_before_the_worker_reads_it_is_refused() {
    let name = "a_file_that_is_replaced_before_the_worker_reads_it_is_refused";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test.without_walls().photos().file(
        "p.yaml",
        "stages:\n  pairs: {prepare: {images: photos, degrade: {sr: 2}}}\n",
    );
    let real = test.worker().display();
    let script = format!(
        "#!/bin/sh\ncase $1 in --*) exec '{real}' \"$@\";; esac\nif [ -e other ]; then cp other photos/a.png; mv other photos/c.png; fi\nexec '{real}' \"$@\"\n"
    );
    test.write("worker.sh", script);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(test.path("worker.sh"), mode).unwrap();
    test.write("other", photo(32, 32));
    let ran = run(&test, "run p.yaml").exits(1);
    let told = [
        "cannot read `photos/a.png`: it changed since it was planned with",
        "cannot read `photos/c.png`: it came after the plan was made, and is not in the key",
    ];
    assert!(told.iter().any(|told| ran.stderr.contains(told)), "{ran}");
    assert!(test.committed().is_empty());
    run(&test, "run p.yaml").exits(0).says("1 ran");
}
