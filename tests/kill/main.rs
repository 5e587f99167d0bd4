//! Kills a run with SIGKILL at random moments, continues it by the same command, and compares every byte.
//! Unaware of what the stages compute.
//!
//! By default a few rounds on the reduced quickstart. `PIPELINE_KILL_ROUNDS`, `PIPELINE_KILLS` (kills a round),
//! `PIPELINE_KILL_FILE` and `PIPELINE_KILL_SEED` make it longer or other: `make soak` runs the long form.

#[path = "../dice.rs"]
mod dice;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use walkdir::WalkDir;

use dice::Dice;

fn main() -> ExitCode {
    // `cargo test -- --list` and filters of other targets: this program is one test.
    if std::env::args().any(|a| a == "--list") {
        return ExitCode::SUCCESS;
    }
    if !worker().is_file() {
        say("skipped: kill: no pipeline-worker beside pipeline (make build)");
        say("0 passed, 0 failed, 1 skipped");
        return ExitCode::SUCCESS;
    }
    match soak() {
        Ok(()) => {
            say("1 passed, 0 failed");
            ExitCode::SUCCESS
        }
        Err(why) => {
            say(&format!("FAILED: {why}"));
            say("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the report of a test program")]
fn say(line: &str) {
    println!("{line}");
}

fn pipeline() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_pipeline"))
}

fn worker() -> PathBuf {
    pipeline().with_file_name("pipeline-worker")
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(default)
}

fn soak() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = std::env::var("PIPELINE_KILL_FILE")
        .unwrap_or_else(|_| "pipelines/small/quickstart.yaml".into());
    let file = root.join(file);
    let (rounds, kills) = (
        number("PIPELINE_KILL_ROUNDS", 3),
        number("PIPELINE_KILLS", 4),
    );
    let mut dice = Dice(number("PIPELINE_KILL_SEED", 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);

    let reference = tempfile::tempdir().map_err(|e| e.to_string())?;
    let begin = Instant::now();
    finish(&file, reference.path())?;
    let full = begin.elapsed();
    let wanted = snapshot(reference.path())?;
    say(&format!(
        "{}: {} files, {:.1} s undisturbed",
        file.display(),
        wanted.len(),
        full.as_secs_f64()
    ));

    let mut counts = [0_u64; 2];
    for round in 1..=rounds {
        let work = tempfile::tempdir().map_err(|e| e.to_string())?;
        for _ in 0..kills {
            // Kills come all over the time the whole run takes, early ones more often than not.
            let delay = full.mul_f64(fraction(&mut dice) / kills as f64 * 1.5);
            let hit = kill_once(&file, work.path(), delay, fraction(&mut dice) < 0.5)?;
            counts[usize::from(hit)] += 1;
        }
        finish(&file, work.path())?;
        compare(&wanted, &snapshot(work.path())?).map_err(|why| format!("round {round}: {why}"))?;
        if again(&file, work.path())? != 0 {
            return Err(format!(
                "round {round}: something ran although nothing had changed"
            ));
        }
    }
    say(&format!(
        "{rounds} rounds of {kills} SIGKILLs: {} hit the orchestrator, {} a worker; all bytes as undisturbed",
        counts[0], counts[1]
    ));
    Ok(())
}

fn run(file: &Path, root: &Path) -> Command {
    let mut command = Command::new(pipeline());
    command
        .arg("run")
        .arg(file)
        .arg("--root")
        .arg(root)
        .arg("--json");
    command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

fn finish(file: &Path, root: &Path) -> Result<(), String> {
    let output = run(file, root).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{}: {}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    ))
}

/// How many stages a further run runs.
fn again(file: &Path, root: &Path) -> Result<u64, String> {
    let output = run(file, root).output().map_err(|e| e.to_string())?;
    let last = text(&output.stdout)
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned();
    let value: serde_json::Value =
        serde_json::from_str(&last).map_err(|e| format!("{last}: {e}"))?;
    value["ran"].as_u64().ok_or(last)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Starts the run and kills, after `delay`, the orchestrator or one of its workers; whether it was a worker.
fn kill_once(file: &Path, root: &Path, delay: Duration, at_worker: bool) -> Result<bool, String> {
    let mut command = run(file, root);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    std::thread::sleep(delay);
    let victim = at_worker.then(|| child_of(&child)).flatten();
    if let Some(pid) = victim {
        let _ = kill_process(pid, Signal::KILL);
        // The orchestrator reports the failed stage and ends by itself.
        child.wait().map_err(|e| e.to_string())?;
        return Ok(true);
    }
    let _ = child.kill();
    child.wait().map_err(|e| e.to_string())?;
    Ok(false)
}

/// A child process of the orchestrator, if it has one now.
fn child_of(parent: &Child) -> Option<Pid> {
    let wanted = parent.id().to_string();
    let processes = std::fs::read_dir("/proc").ok()?;
    let pids = processes
        .flatten()
        .filter_map(|e| e.file_name().to_string_lossy().parse::<i32>().ok());
    let is_child = |pid: &i32| {
        // What looks after the stages is none of them.
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&words).contains("__supervise") {
            return false;
        }
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name in parentheses: state, then the parent.
        stat.rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(1))
            == Some(wanted.as_str())
    };
    pids.into_iter().find(is_child).and_then(Pid::from_raw)
}

/// Every file of results and reports with its bytes' digest.
fn snapshot(root: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    for folder in ["cache/outputs", "reports"] {
        for entry in WalkDir::new(root.join(folder)) {
            let path = entry.map_err(|e| e.to_string())?.into_path();
            if path.is_file() && !names_its_run(&path, root) {
                let bytes = std::fs::read(&path).map_err(|e| e.to_string())?;
                let name = path.strip_prefix(root).unwrap_or(&path).display();
                files.insert(name.to_string(), store::Digest::of(&bytes).to_string());
            }
        }
    }
    Ok(files)
}

/// Reports other than CSV files and pictures name the run that made them, which is another each time.
fn names_its_run(path: &Path, root: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    path.starts_with(root.join("reports")) && !matches!(ending, Some("csv" | "png" | "svg"))
}

fn compare(
    wanted: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
) -> Result<(), String> {
    let names: std::collections::BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let differ: Vec<&str> = names
        .into_iter()
        .filter(|n| wanted.get(*n) != found.get(*n))
        .map(String::as_str)
        .collect();
    if differ.is_empty() {
        Ok(())
    } else {
        Err(format!("these files differ: {}", differ.join(", ")))
    }
}

/// From 0 to 1: the moments are random, and the same for a seed.
fn fraction(dice: &mut Dice) -> f64 {
    const STEPS: u64 = 1 << 53;
    dice.roll(STEPS) as f64 / STEPS as f64
}
