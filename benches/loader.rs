//! Times batches of aligned LR, HR and mask patches as training takes them, and prints the memory that it took.
//! Unaware of networks; `loader.py` makes the images and masks and runs this program.
//!
//! `cargo bench -p pipeline-worker --bench loader -- PAIRS MASKS [batches] [threads] [keep] [step=SECONDS]`: output folders
//! of a `prepare` and a `mask` stage in a cache. `decode` decodes all images once instead and prints the seconds. Batches of 4, patches of 64×64 LR pixels, made ahead as in a training.
//! `keep` keeps images decoded in the cache, as trainings of large sets do; without it they are held in memory, and the
//! first 100 batches, which visit every image once, are not counted. `step=` busies all threads for so long after each
//! batch, as a training step does, and prints which share of the time was waited for data.

#![expect(
    clippy::print_stdout,
    reason = "the printed numbers are what this program is for"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pipeline_worker::work::{Batches, Data, Reporter, WorkError};
use rayon::prelude::*;
use spec::KeepDecoded;
use spec::kinds::Schedule;
use store::{Key, Store};
use tch::{Device, Kind, Tensor};

const BATCH: u64 = 4;
const MASKS: usize = 64;

fn main() -> Result<(), WorkError> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let [pairs, masks, rest @ ..] = arguments.as_slice() else {
        println!("usage: loader PAIRS MASKS [batches] [threads] [keep] [step=SECONDS]");
        return Ok(());
    };
    let numbers: Vec<u64> = rest.iter().filter_map(|n| n.parse().ok()).collect();
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let (count, threads) = (number(0, 500), number(1, 2));
    let step: Option<f64> = rest
        .iter()
        .find_map(|a| a.strip_prefix("step=")?.parse().ok());
    tch::set_num_threads(i32::try_from(threads).unwrap_or(2));
    if rest.iter().any(|a| a == "decode") {
        println!("decoded {:.2} s", decode(Path::new(pairs)));
        return Ok(());
    }
    let schedule = Schedule {
        batch: BATCH as u32,
        patch: Some(64),
        ..Schedule::default()
    };
    let (pairs, masks) = (Path::new(pairs), Path::new(masks));
    let keep = rest.iter().any(|a| a == "keep");
    let keep = keep.then(|| kept([("images", pairs), ("masks", masks)]));
    let data = Data {
        images: pairs,
        masks: Some((masks, MASKS)),
        keep: keep.as_ref(),
    };
    let reporter = Reporter::new(Arc::default(), 0);
    let start = Instant::now();
    let batches = Batches::open(data, &schedule, Device::Cpu, &reporter)?;
    println!("opened {:.2} s", start.elapsed().as_secs_f64());
    let warm_up = if keep.is_some() { 0 } else { 100 };
    let mut feed = batches.feed(0, warm_up + count, threads as usize)?;
    for _ in 0..warm_up {
        feed.take()?;
    }
    let (start, waited, mut anonymous) = (Instant::now(), feed.waited(), 0);
    let mut sum = 0.0;
    while let Some(batch) = feed.take()? {
        assert_eq!(batch.hr.size(), [BATCH as i64, 3, 256, 256]);
        if let Some(step) = step {
            sum += busy(step);
        }
        anonymous = mib("RssAnon:").max(anonymous);
    }
    let seconds = start.elapsed().as_secs_f64();
    let share = (feed.waited() - waited) / seconds * 100.0;
    println!("{sum:.0} waited {share:.3} %");
    println!(
        "{:.1} batches/s, RssAnon {anonymous} MiB, peak memory {} MiB",
        count as f64 / seconds,
        mib("VmHWM:")
    );
    Ok(())
}

/// Seconds for decoding every image on all threads, for nothing.
#[expect(
    clippy::expect_used,
    reason = "a benchmark over folders that `loader.py` names"
)]
fn decode(pairs: &Path) -> f64 {
    let list = ["hr", "lq"].map(|name| std::fs::read_dir(pairs.join(name)).expect("a folder"));
    let files: Vec<_> = list
        .into_iter()
        .flatten()
        .map(|e| e.expect("a file").path())
        .collect();
    let start = Instant::now();
    let pixels = files
        .par_iter()
        .map(|file| pixels::read_rgb8(file).expect("an image").image.data.len());
    let pixels: usize = pixels.sum();
    assert!(pixels > 0);
    start.elapsed().as_secs_f64()
}

/// What `pipeline` tells a training of these outputs.
fn kept(inputs: [(&str, &Path); 2]) -> KeepDecoded {
    let contents = inputs.map(|(role, folder)| {
        let (store, key) = stored(folder);
        let content = store.made(&key).map(|made| made.content.to_string());
        (role.to_owned(), content.unwrap_or_default())
    });
    KeepDecoded {
        folder: stored(inputs[0].1).0.decoded_path(),
        above: 0,
        contents: contents.into(),
    }
}

/// The cache that these outputs lie in, and their key.
#[expect(
    clippy::expect_used,
    reason = "a benchmark over folders that `loader.py` names"
)]
fn stored(folder: &Path) -> (Store, Key) {
    let key = folder
        .file_name()
        .and_then(|name| name.to_str()?.parse().ok());
    let root = folder.ancestors().nth(3).expect("cache/outputs/aa/KEY");
    let store = Store::open_read_only(root).expect("a cache");
    (store, key.expect("a key"))
}

/// Matrix products on all threads for so many seconds.
fn busy(seconds: f64) -> f64 {
    let start = Instant::now();
    let x = Tensor::ones([512, 512], (Kind::Float, Device::Cpu));
    let mut sum = 0.0;
    while start.elapsed().as_secs_f64() < seconds {
        sum += x.matmul(&x).double_value(&[0, 0]);
    }
    sum
}

/// A line of this process's status in MiB (Linux).
fn mib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(name));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
