//! Feeds a reader with mutated files for a while and counts them; several test programs include this.
//! Unaware of what the reader does: a panic or an abort ends the test by itself, time and memory are watched here.
//!
//! Cases are the same in each run (`Dice`), one after the other until the time is up: `make test` gives each target a
//! few seconds, `make soak` sets `PIPELINE_FUZZ_SECONDS`.

use std::time::{Duration, Instant};

use crate::dice::Dice;

/// The longest that one file may take, of the processor's time: a machine that is busy with other work makes none slow.
const MOST_SECONDS: f64 = 5.0;

/// The most memory that the process may have had when a target is done, in bytes.
const MOST_MEMORY: u64 = 2 << 30;

/// Runs `reader` over every file of the corpus and then over mutations of them until the time is up. Prints the count.
pub fn fuzz(target: &str, seconds: f64, corpus: &[Vec<u8>], reader: impl Fn(&[u8])) {
    assert!(!corpus.is_empty(), "{target} has no corpus");
    let set = std::env::var("PIPELINE_FUZZ_SECONDS");
    let seconds = set.ok().and_then(|s| s.parse().ok()).unwrap_or(seconds);
    let (begin, limit) = (Instant::now(), Duration::from_secs_f64(seconds));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut cases = 0_u64;
    for file in corpus {
        timed(target, file, &reader);
        cases += 1;
    }
    while begin.elapsed() < limit {
        let file = mutated(corpus, &mut dice);
        timed(target, &file, &reader);
        cases += 1;
    }
    let peak = peak_memory();
    println!("figures: fuzz {target}: {cases} cases, {} MiB", peak >> 20);
    assert!(peak < MOST_MEMORY, "{target}: {peak} bytes of memory");
}

/// The most memory that this process had, as the kernel counts; 0 where it does not say.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn timed(target: &str, file: &[u8], reader: &impl Fn(&[u8])) {
    let begin = Instant::now();
    reader(file);
    if begin.elapsed().as_secs_f64() <= MOST_SECONDS {
        return;
    }
    let begin = thread_seconds();
    reader(file);
    let seconds = thread_seconds() - begin;
    if seconds > MOST_SECONDS {
        let kept = std::env::temp_dir().join(format!("slow-{target}"));
        let _ = std::fs::write(&kept, file);
        panic!(
            "{target} took {seconds:.1} s for a file of {} bytes, kept as {}",
            file.len(),
            kept.display()
        );
    }
}

/// Seconds that this thread had a processor; without end where the kernel does not say.
fn thread_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split_whitespace().next().and_then(|n| n.parse().ok());
    nanoseconds.map_or(f64::INFINITY, |n: f64| n / 1e9)
}

/// One file of the corpus after one to eight changes: bits, bytes, runs, numbers that are often mishandled, pieces of
/// other files, cuts and repetitions.
fn mutated(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let pick = |dice: &mut Dice| corpus[dice.roll(corpus.len() as u64) as usize].clone();
    let mut file = pick(dice);
    for _ in 0..=dice.roll(8) {
        let at = |dice: &mut Dice, file: &[u8]| dice.roll(file.len() as u64 + 1) as usize;
        let from = at(dice, &file);
        let to = (from + dice.roll(64) as usize).min(file.len());
        match dice.roll(8) {
            0 if from < file.len() => file[from] ^= 1 << dice.roll(8),
            1 if from < file.len() => file[from] = dice.roll(256) as u8,
            2 => drop(file.drain(from..to)),
            3 => {
                let piece = file[from..to].to_vec();
                let times = 1 + dice.roll(16) as usize;
                file.splice(from..from, piece.repeat(times));
            }
            4 => {
                let other = pick(dice);
                let start = at(dice, &other);
                let end = (start + dice.roll(256) as usize).min(other.len());
                file.splice(from..to, other[start..end].iter().copied());
            }
            5 => file.truncate(from),
            6 => {
                let number = INTERESTING[dice.roll(INTERESTING.len() as u64) as usize];
                let width = 1 << dice.roll(4);
                let bytes = if dice.roll(2) == 0 {
                    number.to_le_bytes()[..width].to_vec()
                } else {
                    number.to_be_bytes()[8 - width..].to_vec()
                };
                let end = (from + width).min(file.len());
                file.splice(from..end, bytes);
            }
            _ => {
                let word = WORDS[dice.roll(WORDS.len() as u64) as usize];
                file.splice(from..to, word.bytes());
            }
        }
        file.truncate(1 << 20);
    }
    file
}

const INTERESTING: &[u64] = &[
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

const WORDS: &[&str] = &[
    "0",
    "-1",
    "1e309",
    "NaN",
    "null",
    "true",
    "~",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    "\"",
    "'",
    ":",
    ": ",
    "- ",
    "\n",
    "\t",
    "\r",
    "\0",
    "\u{1b}[2J",
    "\u{202e}",
    "&a",
    "*a",
    "<<",
    "!!str",
    "|",
    ">",
    "%",
    "#",
    "${",
    "${HOME}",
    "{x}",
    "../",
    "/",
    "/dev/zero",
    "99999999999999999999",
    "18446744073709551616",
    "0x10",
    "1_000",
    "..",
    "*",
    "**",
    "\\",
];
