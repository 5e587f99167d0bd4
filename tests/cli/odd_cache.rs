//! FIFOs and devices in place of each file of a cache: nothing waits for them, and nothing grows.
//! Unaware of what each file is for.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Ran, SOON, Test, files_below};

const YAML: &str = "stages:\n  one: {command: {shell: 'echo 1 > one.txt', outputs: [one.txt]}}\n";

/// The command ends soon, with whatever code.
fn ends(test: &Test, words: &str, about: &str) -> Ran {
    let mut child = test.command(words).spawn().unwrap();
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > SOON {
            child.kill().unwrap();
            panic!("`{words}` waits for {about}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ran::of(child.wait_with_output().unwrap()).never_says("panicked")
}

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

fn replace(path: &Path, with: &str) {
    let _ = std::fs::remove_file(path);
    match with {
        "fifo" => fifo(path),
        device => symlink(device, path).unwrap(),
    }
}

/// The files that a cache has after a run, and some that it may have.
fn files(test: &Test) -> Vec<PathBuf> {
    let cache = test.path("cache");
    let all = files_below(&cache).into_iter();
    let mut files: Vec<PathBuf> = all
        .map(|f| f.strip_prefix(&cache).unwrap().to_owned())
        .collect();
    let record = files.iter().find(|f| f.starts_with("records")).unwrap();
    let key = record.file_stem().unwrap().to_owned();
    for more in ["memo", "records.index", "leases/lease-1-0"] {
        files.push(more.into());
    }
    files.push(Path::new("pins").join(key));
    files
}

#[test]
fn nothing_in_a_cache_is_waited_for() {
    let count = {
        let test = Test::new().file("p.yaml", YAML);
        test.run("run p.yaml").exits(0);
        files(&test).len()
    };
    for n in 0..count {
        for with in ["fifo", "/dev/zero"] {
            let test = Test::new().file("p.yaml", YAML);
            test.run("run p.yaml").exits(0);
            let mut files = files(&test);
            files.sort();
            let Some(file) = files.get(n) else { continue };
            let path = test.path("cache").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            replace(&path, with);
            let about = format!("{with} at {}", file.display());
            for words in [
                "plan p.yaml",
                "runs",
                "show",
                "log one",
                "cache ls",
                "cache verify",
                "cache gc --dry-run",
                "run p.yaml",
                "run p.yaml --force one",
                "cache gc",
            ] {
                ends(&test, words, &about);
            }
        }
    }
}

#[test]
fn archives_and_reports_are_regular_files() {
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0);
    for with in ["fifo", "/dev/zero"] {
        replace(&test.path("a.tar"), with);
        let said = "not a regular file";
        ends(&test, "cache import a.tar", with).exits(2).says(said);
        replace(&test.path("reports/p/alpha.txt"), with);
        ends(&test, "run p.yaml", with).exits(1).says(said);
        test.remove("reports/p/alpha.txt");
    }
    ends(&test, "run p.yaml", "nothing").exits(0);
}
