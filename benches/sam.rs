//! Times Segment Anything, one task for each line read: `embed` is the image encoder with its preprocessing,
//! `masks N IOU STABILITY` an N×N grid on that embedding, `generate N IOU STABILITY` both, `batch K N IOU STABILITY`
//! both for K copies of the image that go through the encoder together.
//! Unaware of the official code: `sam_official.py` times that, and runs this program in turns with it.
//!
//! `cargo bench -p pipeline-worker --bench sam -- WEIGHTS IMAGE [threads] [model] [device] [precision]`; each answer is
//! seconds, number of masks, and the highest resident memory of this process so far in MiB. Models are `vit-b`, `vit-l`,
//! `vit-h`, devices `cpu` and `cuda`, precisions `fp32`, `bf16`, `fp16`; `PIPELINE_KERNELS` counts as in a worker. Without
//! arguments, what it needs is printed.

#![expect(
    clippy::print_stdout,
    reason = "the printed numbers are what this program is for"
)]

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use pipeline_worker::nn::sam::{Config, Embedding, Generator, Params, Precision, Sam, Scaled};
use pipeline_worker::nn::{cuda, kernels};
use pixels::{Rgb8, read_rgb8};
use tch::{Cuda, Device};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let [weights, image, rest @ ..] = args.as_slice() else {
        println!(
            "arguments: WEIGHTS IMAGE [threads] [model] [device] [precision]; see benches/sam_official.py"
        );
        return Ok(());
    };
    let word = |n: usize, default: &'static str| rest.get(n).map_or(default, String::as_str);
    kernels::choose()?;
    let threads: usize = word(0, "2").parse()?;
    tch::set_num_threads(threads.try_into()?);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    let mut work = Work {
        sam: Sam::load(
            Path::new(weights),
            &model(word(1, "vit-b"))?,
            device(word(2, "cpu"))?,
            precision(word(3, "fp32"))?,
            None,
        )?,
        image: read_rgb8(Path::new(image))?.image,
        embedding: None,
    };
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let start = Instant::now();
        let masks = work.answer(&line?)?;
        let seconds = start.elapsed().as_secs_f64();
        println!("{seconds:.4} {masks} {:.0}", peak_mib());
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn model(name: &str) -> Result<Config, String> {
    match name {
        "vit-b" => Ok(Config::vit_b()),
        "vit-l" => Ok(Config::vit_l()),
        "vit-h" => Ok(Config::vit_h()),
        _ => Err(format!("no model `{name}`")),
    }
}

fn device(name: &str) -> Result<Device, String> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "cuda" => {
            let loaded = cuda::load();
            if Cuda::is_available() {
                Ok(Device::Cuda(0))
            } else {
                Err(format!("no CUDA here: {loaded:?}"))
            }
        }
        _ => Err(format!("no device `{name}`")),
    }
}

fn precision(name: &str) -> Result<Precision, String> {
    match name {
        "fp32" => Ok(Precision::Fp32),
        "bf16" => Ok(Precision::Bf16),
        "fp16" => Ok(Precision::Fp16),
        _ => Err(format!("no precision `{name}`")),
    }
}

/// The highest resident memory so far, by the kernel.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok());
    kib.map_or(f64::NAN, |kib: f64| kib / 1024.0)
}

/// A model, an image, and the last embedding.
struct Work {
    sam: Sam,
    image: Rgb8,
    embedding: Option<Embedding>,
}

impl Work {
    /// Does one task, and waits until the device has done it; the number of masks.
    fn answer(&mut self, line: &str) -> Result<usize, Box<dyn Error>> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (task, settings) = words.split_first().ok_or("an empty line")?;
        let masks = if *task == "batch" {
            let (count, settings) = settings.split_first().ok_or("no number of images")?;
            let scaled = Scaled::of(&self.image, self.sam.config.img_size)?;
            let images = vec![&scaled; count.parse()?];
            let embeddings = self.sam.embed_all(&images).map_err(|(_, error)| error)?;
            let masks = embeddings.iter().map(|e| self.masks(settings, e));
            masks.sum::<Result<usize, _>>()?
        } else {
            if *task != "masks" || self.embedding.is_none() {
                self.embedding = Some(self.sam.embed(&self.image)?);
            }
            match &self.embedding {
                Some(embedding) if !settings.is_empty() => self.masks(settings, embedding)?,
                _ => 0,
            }
        };
        if let Device::Cuda(index) = self.sam.device() {
            Cuda::synchronize(index as i64);
        }
        Ok(masks)
    }

    fn masks(&self, settings: &[&str], embedding: &Embedding) -> Result<usize, Box<dyn Error>> {
        let [n, iou, stability] = settings else {
            return Err("a grid wants N IOU STABILITY".into());
        };
        let params = Params {
            pred_iou_thresh: iou.parse()?,
            stability_score_thresh: stability.parse()?,
            ..Params::grid(n.parse()?)
        };
        let masks = Generator::new(params)?.masks(&self.sam, &self.image, embedding)?;
        Ok(masks.len())
    }
}
