//! Times batches of aligned LR, HR and mask patches as training takes them, and prints the peak memory.
//! Unaware of networks; `loader.py` makes the images and masks and runs this program.
//!
//! `cargo bench -p pipeline-worker --bench loader -- PAIRS MASKS [batches] [threads]`: output folders of a `prepare` and
//! a `mask` stage. Batches of 4, patches of 64×64 LR pixels. The first batches visit every image once and are not
//! counted.

#![expect(
    clippy::print_stdout,
    reason = "the printed numbers are what this program is for"
)]

use std::path::Path;
use std::time::Instant;

use pipeline_worker::work::{Batches, WorkError};
use spec::kinds::Schedule;

const BATCH: u64 = 4;
const MASKS: usize = 64;

fn main() -> Result<(), WorkError> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let [pairs, masks, rest @ ..] = arguments.as_slice() else {
        println!("usage: loader PAIRS MASKS [batches] [threads]");
        return Ok(());
    };
    let number = |at: usize, default| {
        rest.get(at)
            .and_then(|n: &String| n.parse().ok())
            .unwrap_or(default)
    };
    let (count, threads) = (number(0, 500_u64), number(1, 2_u64));
    tch::set_num_threads(i32::try_from(threads).unwrap_or(2));
    let schedule = Schedule {
        batch: BATCH as u32,
        patch: Some(64),
        ..Schedule::default()
    };
    let (pairs, masks) = (Path::new(pairs), Path::new(masks));
    let device = tch::Device::Cpu;
    let batches = Batches::open(pairs, Some(masks), &schedule, Some(MASKS), device)?;
    let warm = 100;
    for iteration in 0..warm {
        batches.batch(iteration)?;
    }
    let start = Instant::now();
    for iteration in warm..warm + count {
        let batch = batches.batch(iteration)?;
        assert_eq!(batch.hr.size(), [BATCH as i64, 3, 256, 256]);
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!("{rate:.1} batches/s, peak memory {} MiB", peak_mib());
    Ok(())
}

/// The most memory this process has had (Linux).
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
