//! Numbers for other tools: event files, lines of JSON, and evaluations side by side.
//! Unaware of results: a stand-in takes the worker's place.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{TINY, Test, files_below, list};

/// A tiny pipeline that has run, its trainings with numbers.
fn done() -> Test {
    let test = Test::new().photos().file("p.yaml", TINY);
    let stand_in = std::fs::read_to_string(test.worker()).unwrap();
    let header = "echo 'iteration,loss,lr,psnr' >\"$out/steps.csv\"";
    assert!(stand_in.contains(header));
    let more = "printf 'iteration,loss,lr,psnr\\n0,,,29\\n1,0.5,0.1,\\n2,0.25,0.05,30.5\\n' >\"$out/steps.csv\"";
    std::fs::remove_file(test.worker()).unwrap();
    std::fs::write(test.worker(), stand_in.replace(header, more)).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(test.worker(), mode).unwrap();
    test.run("run p.yaml").exits(0);
    test
}

fn event_files(test: &Test) -> Vec<PathBuf> {
    files_below(&test.path("reports/p/tensorboard"))
}

#[test]
fn trainings_and_evaluations_leave_lines_and_event_files() {
    let test = done();
    let lines = test.read("reports/p/metrics.jsonl");
    let lines: Vec<Value> = lines
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let of = |key: &str| -> Vec<(u64, f64)> {
        let own = lines.iter().filter(|l| l["key"] == key);
        own.map(|l| (l["step"].as_u64().unwrap(), l["value"].as_f64().unwrap()))
            .collect()
    };
    assert_eq!(of("tuned/loss"), [(1, 0.5), (2, 0.25)]);
    assert_eq!(of("tuned/psnr/validation"), [(0, 29.0), (2, 30.5)]);
    assert_eq!(of("score/psnr"), [(0, 30.0)]);
    let folders = list(&test.path("reports/p/tensorboard"));
    let names: Vec<_> = folders
        .iter()
        .map(|f| f.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["base", "tuned"]);
    assert_eq!(event_files(&test).len(), 2);
    // The same training is the same file.
    test.run("run p.yaml --force score").exits(0);
    assert_eq!(event_files(&test).len(), 2);
}

/// A Python that has `TensorBoard`.
fn with_tensorboard(name: &str) -> Option<String> {
    let python = std::env::var("PIPELINE_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python)
        .args(["-c", "import tensorboard"])
        .output();
    if has.is_ok_and(|o| o.status.success()) {
        return Some(python);
    }
    println!(
        "skipped: {name}: no tensorboard (pip install tensorboard; PIPELINE_PYTHON names the Python)"
    );
    None
}

/// `TensorBoard`'s own reader, where Python has it.
#[test]
fn tensorboard_reads_the_event_files() {
    let name = "tensorboard_reads_the_event_files";
    let Some(python) = with_tensorboard(name) else {
        return;
    };
    let test = done();
    let script = "import sys\n\
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader\n\
        for e in LegacyEventFileLoader(sys.argv[1]).Load():\n\
        \x20   for v in e.summary.value: print(v.tag, e.step, v.simple_value)\n";
    let read = |file: &Path| {
        let output = Command::new(&python)
            .arg("-c")
            .arg(script)
            .arg(file)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let files = event_files(&test);
    let expected = "psnr/validation 0 29.0\nloss 1 0.5\nlr 1 0.10000000149011612\nloss 2 0.25\n\
        lr 2 0.05000000074505806\npsnr/validation 2 30.5\n";
    assert_eq!(read(&files[1]), expected);
}

/// Crops of what an evaluation kept, read by `TensorBoard`'s own reader: PNG files of the size that is said.
#[test]
fn tensorboard_reads_the_crops_of_restored_images() {
    let name = "tensorboard_reads_the_crops_of_restored_images";
    let Some(test) = Test::with_worker(name) else {
        return;
    };
    let test = test
        .photo("photos/a.png", 300, 40)
        .photo("photos/b.png", 40, 48);
    let yaml = TINY.replace("images: pairs}", "images: pairs, save: true}");
    test.write("p.yaml", yaml);
    test.run("run p.yaml").exits(0);
    let files = event_files(&test);
    let bytes = std::fs::read(&files[0]).unwrap();
    let png = b"\x89PNG\r\n\x1a\n";
    let count = |file: &[u8]| file.windows(8).filter(|w| w == png).count();
    assert_eq!(count(&bytes), 6, "LQ, restored and GT of two images");
    assert_eq!(
        count(&std::fs::read(&files[1]).unwrap()),
        0,
        "nothing was kept of the other"
    );
    let Some(python) = with_tensorboard(name) else {
        return;
    };
    let script = "import struct, sys\n\
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader\n\
        for e in LegacyEventFileLoader(sys.argv[1]).Load():\n\
        \x20   for v in e.summary.value:\n\
        \x20       if v.HasField('image'):\n\
        \x20           i = v.image\n\
        \x20           assert struct.unpack('>II', i.encoded_image_string[16:24]) == (i.width, i.height)\n\
        \x20           print(v.tag, e.step, i.width, i.height, i.colorspace)\n";
    let output = Command::new(&python)
        .arg("-c")
        .arg(script)
        .arg(&files[0])
        .output()
        .unwrap();
    let expected = "score-base/a/LQ 3 128 20 3\nscore-base/a/restored 3 256 40 3\nscore-base/a/GT 3 256 40 3\n\
        score-base/b/LQ 3 20 24 3\nscore-base/b/restored 3 40 48 3\nscore-base/b/GT 3 40 48 3\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn evaluations_stand_side_by_side_with_what_differs() {
    let test = done();
    let text = test.run("exp").exits(0).stdout;
    let head: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head[0], "stage");
    assert!(head.contains(&"scheme") && head.contains(&"psnr"), "{text}");
    assert!(!head.contains(&"set"), "all are of one set: {text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    let csv = test.run("exp -f p.yaml --csv score").exits(0).stdout;
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.lines().nth(1).unwrap().starts_with("score,"), "{csv}");
    let rows = test.run("exp --json").exits(0).events();
    assert_eq!(rows[1]["stage"], "score");
    assert_eq!(rows[1]["metrics"]["psnr"], 30.0);
    assert_eq!(rows[1]["parameters"]["scheme"], "SPT");
    let other = Test::new().tiny();
    other
        .run("exp -f p.yaml")
        .exits(1)
        .says("no evaluation has a result yet");
}
