//! A worker that says anything: the run ends, and its result is what the completion record says.
//! Unaware of what a worker computes.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use engine::run::last_words;

use crate::fuzzer::fuzz;
use crate::support::{SOON, Test};

const YAML: &str = "stages:\n  pairs: {prepare: {images: photos, degrade: {sr: 2}}}\n";

/// A worker that prints what the file `said` holds before it does its work.
fn talking(said: &[u8]) -> Test {
    let test = Test::new().photos().file("p.yaml", YAML);
    std::fs::write(test.outside("said"), said).unwrap();
    let script = std::fs::read_to_string(test.worker()).unwrap();
    let script = script.replace("set -e\n", "set -e\ncat \"$STUB_FOLDER/said\"\n");
    test.write("talking.sh", script);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(test.path("talking.sh"), mode).unwrap();
    test
}

#[test]
fn whatever_a_worker_says_the_run_goes_on() {
    let progress = |step: u64, total: u64| {
        format!(
            "{{\"event\":\"progress\",\"step\":{step},\"total\":{total},\"unit\":\"\\u001b[2J\"}}\n"
        )
    };
    let endless = [vec![b'x'; 40 << 20], b"\n".to_vec()].concat();
    let cases: Vec<Vec<u8>> = vec![
        b"\xff\xfe not UTF-8\n".repeat(100_000),
        endless,
        [progress(0, u64::MAX), progress(u64::MAX, 0), progress(1, 1)]
            .concat()
            .into_bytes(),
        b"{\"event\":\"progress\",\"step\":1e999,\"total\":-1,\"unit\":1}\n".to_vec(),
        b"{\"job\":18446744073709551615,\"event\":\"done\",\"facts\":{}}\n".to_vec(),
        b"{\"job\":7,\"event\":\"failed\",\"message\":\"of nobody\"}\n".to_vec(),
        format!("{}\n", "[".repeat(1_000_000)).into_bytes(),
        b"{\"event\":\"note\",\"message\":\"\\u001b[2J\\u202e\\nfailed: forged\"}\n".to_vec(),
        b"\0\0\0\n\r\r\n".to_vec(),
    ];
    for said in cases {
        let test = talking(&said);
        let begin = Instant::now();
        for words in ["run p.yaml", "run p.yaml --json --force pairs"] {
            let mut command = test.command(words);
            command.env("PIPELINE_WORKER", test.path("talking.sh"));
            let ran = crate::support::Ran::of(command.output().unwrap()).exits(0);
            let text = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
            assert!(
                !text.lines().any(|l| l.starts_with("failed: forged")),
                "{text}"
            );
        }
        assert!(begin.elapsed() < SOON);
    }
}

#[test]
fn a_worker_cannot_lie_about_its_end() {
    for said in [
        "{\"event\":\"failed\",\"message\":\"no\",\"hint\":\"\"}\n",
        "{\"event\":\"failed\",\"message\":\"no\"}\n{\"event\":\"failed\",\"message\":\"no\"}\n",
    ] {
        let test = talking(said.as_bytes());
        let script = test
            .read("talking.sh")
            .replace("echo '{\"event\":\"done\"", "exit 0; echo '");
        test.write("talking.sh", script);
        let mut command = test.command("run p.yaml");
        command.env("PIPELINE_WORKER", test.path("talking.sh"));
        crate::support::Ran::of(command.output().unwrap())
            .exits(1)
            .says("failed: pairs: no");
    }
}

#[test]
fn mutated_events() {
    let lines = [
        "{\"event\":\"progress\",\"step\":3,\"total\":9,\"unit\":\"iteration\",\"loss\":0.1,\"psnr\":30.0,\"images_per_second\":2.5}\n",
        "{\"job\":2,\"event\":\"note\",\"message\":\"hm\"}\n{\"event\":\"done\",\"facts\":{\"a\":[1,{\"b\":null}]}}\n",
        "{\"event\":\"failed\",\"message\":\"m\",\"hint\":\"h\",\"interrupted\":true,\"out_of_gpu_memory\":false}\n",
        "text of a library\n{\"event\":\"done\",\"facts\":{}}\n",
    ];
    let corpus: Vec<Vec<u8>> = lines.iter().map(|l| l.as_bytes().to_vec()).collect();
    let mut sink = tempfile::tempfile().unwrap();
    fuzz("events", 3.0, &corpus, |bytes| {
        let mut log = sink.try_clone().ok();
        let last = last_words(bytes, &mut log, &|_, _| {});
        assert!(last.len() <= 1 << 16);
        let _ = sink.set_len(0);
    });
    sink.flush().unwrap();
}
