//! A graph of thirty commands that is killed, run eight times at once, damaged, and starved of disk: never a wrong
//! result. Unaware of how the cache does it. A tenth of the rounds, or fewer; all of them with `PIPELINE_SOAK=1`.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::bad_disk::Disk;
use crate::dice::Dice;
use crate::rounds::rounds;
use crate::support::{Ran, Test, files_below, list};

const STAGES: usize = 30;
const LAYER: usize = 10;

/// Three layers of ten commands; each writes its output in two goes with a pause between, from two stages of the layer
/// above. `round` is in every key and in no output, so each round computes everything anew and ends with the same bytes.
/// `count` is a folder where each execution leaves a line.
fn graph(count: &Path) -> String {
    let mut text = "vars: {round: 0}\nstages:\n".to_owned();
    for n in 0..STAGES {
        let inputs: Vec<String> = (0..2)
            .filter(|_| n >= LAYER)
            .map(|k| format!("i{k}: s{}", (n / LAYER - 1) * LAYER + (n + k) % LAYER))
            .collect();
        let read = if n < LAYER {
            "seq 200"
        } else {
            "cat i0/* i1/*"
        };
        text += &format!(
            "  s{n}:\n    command:\n      shell: \"echo run >> $COUNT/{n}-$ROUND; printf 'half {n} ' > o/{n}; sleep 0.00{}; {read} >> o/{n}\"\n      \
             stages: {{{}}}\n      outputs: [o/{n}]\n      env: {{ROUND: '{{round}}', COUNT: '{}'}}\n",
            n % 7,
            inputs.join(", "),
            count.display()
        );
    }
    text
}

/// A folder with the graph and its counts.
fn ready() -> Test {
    let test = Test::new();
    std::fs::create_dir(test.outside("count")).unwrap();
    test.write("p.yaml", graph(&test.outside("count")));
    test
}

fn words(round: u64) -> String {
    format!("run p.yaml --quiet --keep-going --set vars.round={round}")
}

/// The bytes of all outputs in the project folder.
fn outputs(test: &Test) -> BTreeMap<String, Vec<u8>> {
    let files = files_below(&test.path("o"));
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files
        .iter()
        .map(|path| (name(path), std::fs::read(path).unwrap()))
        .collect()
}

/// What an undisturbed run leaves.
fn undisturbed() -> BTreeMap<String, Vec<u8>> {
    let test = ready();
    test.run(&words(0)).exits(0);
    let wanted = outputs(&test);
    assert_eq!(wanted.len(), STAGES);
    wanted
}

/// The next run ends well with the right bytes, and another one has nothing to do.
fn finish(test: &Test, round: u64, wanted: &BTreeMap<String, Vec<u8>>) {
    test.run(&words(round)).exits(0);
    assert_eq!(&outputs(test), wanted, "round {round}");
    let again = test.run(&format!("{} --json", words(round))).exits(0);
    let last = again.events().pop().unwrap();
    assert_eq!(
        (&last["ran"], &last["fresh"]),
        (&0.into(), &STAGES.into()),
        "{again}"
    );
    assert!(
        list(&test.path("cache/damaged")).is_empty(),
        "round {round}"
    );
}

/// A process that nobody waits for until it is killed.
fn start(test: &Test, words: &str) -> Child {
    let mut command = test.command(words);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn pause(dice: &mut Dice, longest_ms: u64) {
    std::thread::sleep(Duration::from_micros(dice.roll(longest_ms * 1_000)));
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A shell that the run has started, if it has one now.
fn stage_of(run: &Child) -> Option<Pid> {
    let wanted = run.id().to_string();
    list(Path::new("/proc")).into_iter().find_map(|folder| {
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        let (front, back) = stat.rsplit_once(") ")?;
        let is_shell = front.ends_with("(sh") && back.split(' ').nth(1) == Some(&wanted);
        let pid = front.split(' ').next()?.parse().ok()?;
        Pid::from_raw(pid).filter(|_| is_shell)
    })
}

/// Waits, but not for long, until a record is written and has not got its name.
fn a_commit_is_under_way(test: &Test) {
    let begin = Instant::now();
    let is_new = |path: &PathBuf| path.extension().is_some_and(|e| e == "new");
    while begin.elapsed() < Duration::from_secs(1) {
        if files_below(&test.path("cache/records")).iter().any(is_new) {
            return;
        }
    }
}

/// Kills once, in one of four ways; the way's name.
fn disturb(test: &Test, round: u64, dice: &mut Dice) -> &'static str {
    let run = start(test, &words(round));
    match dice.roll(4) {
        0 => {
            pause(dice, 300);
            kill(run);
            "run process"
        }
        1 => {
            pause(dice, 300);
            if let Some(stage) = stage_of(&run) {
                let _ = kill_process(stage, Signal::KILL); // it may have ended meanwhile
            }
            Ran::of(run.wait_with_output().unwrap());
            "stage process"
        }
        2 => {
            a_commit_is_under_way(test);
            kill(run);
            "during commit"
        }
        _ => {
            pause(dice, 200);
            let gc = start(test, "cache gc --keep-newer 0s");
            pause(dice, 60);
            kill(gc);
            kill(run);
            "during gc"
        }
    }
}

#[test]
fn killed_at_any_moment_the_next_run_ends_with_the_same_bytes() {
    let (wanted, test) = (undisturbed(), ready());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (all, mut ways) = (rounds(300, 30), BTreeMap::new());
    for round in 1..=all {
        for _ in 0..=dice.roll(2) {
            *ways.entry(disturb(&test, round, &mut dice)).or_insert(0) += 1;
        }
        finish(&test, round, &wanted);
    }
    test.run("cache verify")
        .exits(0)
        .says("all as they were written");
    println!(
        "figures: {all} rounds of SIGKILL on {STAGES} stages: {ways:?}; all bytes as undisturbed, nothing damaged"
    );
}

#[test]
fn eight_runs_at_once_run_each_stage_once() {
    let (wanted, test) = (undisturbed(), ready());
    let all = rounds(20, 2);
    for round in 1..=all {
        let words = format!("{} --json", words(round));
        let runs: Vec<Child> = (0..8)
            .map(|_| test.command(&words).spawn().unwrap())
            .collect();
        let ran: u64 = runs
            .into_iter()
            .map(|run| {
                let run = Ran::of(run.wait_with_output().unwrap()).exits(0);
                run.events().pop().unwrap()["ran"].as_u64().unwrap()
            })
            .sum();
        assert_eq!(ran, STAGES as u64, "round {round}");
        for n in 0..STAGES {
            assert_eq!(
                std::fs::read_to_string(test.outside(&format!("count/{n}-{round}"))).unwrap(),
                "run\n",
                "stage {n}, round {round}"
            );
        }
        assert_eq!(outputs(&test), wanted);
    }
    println!(
        "figures: {all} rounds of 8 runs at once of {STAGES} stages: each executed once, all exit 0"
    );
}

/// Each stage leaves other bytes each time, so a reader notices that another run has replaced what it read.
#[test]
fn runs_that_force_the_same_stage_at_once_all_end_well() {
    let test = Test::new();
    let moment = "sleep 0.02; ";
    test.write(
        "p.yaml",
        format!(
            "stages:\n  \
             a: {{command: {{shell: '{moment}date +%s%N > a.txt', outputs: [a.txt]}}}}\n  \
             b: {{command: {{shell: '{moment}cat a/a.txt > b.txt', stages: {{a: a}}, outputs: [b.txt]}}}}\n  \
             c: {{command: {{shell: '{moment}cat b/b.txt > c.txt', stages: {{b: b}}, outputs: [c.txt]}}}}\n"
        ),
    );
    test.run("run p.yaml").exits(0);
    let mut dice = Dice(8);
    let rounds = rounds(100, 5);
    for round in 0..rounds {
        let mut start = |_| {
            pause(&mut dice, 150);
            let mut command = test.command("run p.yaml --force a");
            let output = command.stdout(Stdio::piped()).stderr(Stdio::piped());
            output.spawn().unwrap()
        };
        let all: Vec<Child> = (0..3).map(&mut start).collect();
        for child in all {
            let ended = child.wait_with_output().unwrap();
            assert!(ended.status.success(), "round {round}: {ended:?}");
        }
        test.run("plan p.yaml").exits(0).says("3 fresh");
        let [a, b, c] = ["a.txt", "b.txt", "c.txt"].map(|name| test.read(name));
        assert!(
            a == b && b == c && !a.is_empty(),
            "round {round}: {a}{b}{c}"
        );
    }
    println!("figures: {rounds} rounds of three forced runs at once");
}

#[test]
fn a_disk_that_fills_up_under_commands_is_told_and_more_room_is_enough() {
    let name = "a_disk_that_fills_up_under_commands_is_told_and_more_room_is_enough";
    let (wanted, test) = (undisturbed(), ready());
    let Some(disk) = Disk::mount(name, &test, "cache", "size=8m") else {
        return;
    };
    let (points, mut failed) = (rounds(50, 5), 0);
    for point in 0..points {
        let free = 12 * (point * 50 / points) + 4;
        disk.remount(&format!("size={free}k"));
        let ran = test.run(&words(point));
        if !ran.succeeded() {
            failed += 1;
            assert!(ran.tells_a_failure(), "{ran}");
        }
        disk.remount("size=8m");
        finish(&test, point, &wanted);
        for path in list(&test.path("cache")) {
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            removed.unwrap();
        }
    }
    assert!(failed > 1);
    println!(
        "figures: a full disk at {points} points: {failed} runs failed and said so, every next run ended with the right bytes"
    );
}

/// Flips a bit as a failing disk would: the time of the last change stays.
fn flip(path: &Path, bit: u64) {
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, bit / 8).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << (bit % 8))], bit / 8)
        .unwrap();
    file.set_times(std::fs::FileTimes::new().set_modified(time))
        .unwrap();
}

#[test]
fn a_flipped_bit_anywhere_in_the_cache_never_breaks_a_run() {
    let (wanted, test) = (undisturbed(), ready());
    test.run(&words(0)).exits(0);
    let mut dice = Dice(0x853c_49e6_748f_ea9b);
    let all = rounds(200, 20);
    for round in 0..all {
        let rooms =
            ["outputs", "records", "last", "runs"].map(|room| test.path(&format!("cache/{room}")));
        let mut files: Vec<PathBuf> = rooms.iter().flat_map(|room| files_below(room)).collect();
        files.extend(["memo", "records.index"].map(|name| test.path(&format!("cache/{name}"))));
        files.retain(|file| std::fs::metadata(file).is_ok_and(|meta| meta.len() > 0));
        let file = &files[dice.roll(files.len() as u64) as usize];
        flip(file, dice.roll(std::fs::metadata(file).unwrap().len() * 8));
        test.run(&words(0)).exits(0).never_says("panicked");
        assert_eq!(outputs(&test), wanted, "round {round}: {}", file.display());
    }
    println!(
        "figures: {all} flipped bits in outputs, records, journals, memo and index: every run exit 0 with the right bytes"
    );
}

/// Paths that a command opens, by strace; none, and a line that says so, where there is no strace.
fn opened(name: &str, test: &Test, words: &str) -> Option<Vec<String>> {
    let program = test.command(words);
    let trace = test.path("trace");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-e", "trace=open,openat,openat2", "-o"])
        .arg(&trace);
    strace.arg(program.get_program()).args(program.get_args());
    strace.envs(program.get_envs().filter_map(|(k, v)| Some((k, v?))));
    strace
        .current_dir(program.get_current_dir().unwrap())
        .stdout(Stdio::null());
    if !strace.status().is_ok_and(|status| status.success()) {
        println!("skipped: {name}: no strace here");
        return None;
    }
    let text = std::fs::read_to_string(trace).unwrap();
    let quoted = text
        .lines()
        .filter_map(|line| line.split('"').nth(1).map(str::to_owned));
    Some(quoted.collect())
}

#[test]
fn a_plan_on_a_warm_cache_opens_no_image_and_no_output() {
    let name = "a_plan_on_a_warm_cache_opens_no_image_and_no_output";
    let test = Test::new().tiny();
    test.run("run p.yaml").exits(0);
    std::thread::sleep(Duration::from_millis(2_100)); // younger files are read again, as they may still change
    test.run("run p.yaml").exits(0).says("0 ran, 7 fresh");
    let Some(paths) = opened(name, &test, "plan p.yaml") else {
        return;
    };
    assert!(
        paths.iter().any(|path| path.ends_with("p.yaml")),
        "{paths:?}"
    );
    let is_read = |path: &&String| path.contains(".png") || path.contains("cache/outputs/");
    let read: Vec<&String> = paths.iter().filter(is_read).collect();
    assert!(read.is_empty(), "{read:?}");
}
