//! Times Segment Anything ViT-B on the CPU, one task for each line read: `embed` is the image encoder with its
//! preprocessing, `masks N IOU STABILITY` an N×N grid on that embedding, `generate N IOU STABILITY` both.
//! Unaware of the official code: `sam_official.py` times that, and runs this program in turns with it.
//!
//! `cargo bench -p pipeline-worker --bench sam -- WEIGHTS IMAGE [threads]`; each answer is seconds and number of masks.
//! Without arguments, what it would need is printed.

#![expect(
    clippy::print_stdout,
    reason = "the printed numbers are what this program is for"
)]

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use pipeline_worker::nn::sam::{Config, Embedding, Generator, Params, Precision, Sam};
use pixels::{Rgb8, read_rgb8};
use tch::Device;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let [weights, image, rest @ ..] = args.as_slice() else {
        println!("arguments: WEIGHTS IMAGE [threads]; see benches/sam_official.py");
        return Ok(());
    };
    let threads = rest.first().and_then(|text| text.parse().ok()).unwrap_or(2);
    tch::set_num_threads(threads);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads as usize)
        .build_global()?;
    let mut work = Work {
        sam: Sam::load(
            Path::new(weights),
            &Config::vit_b(),
            Device::Cpu,
            Precision::Fp32,
        )?,
        image: read_rgb8(Path::new(image))?.image,
        embedding: None,
    };
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let start = Instant::now();
        let masks = work.answer(&line?)?;
        println!("{:.4} {masks}", start.elapsed().as_secs_f64());
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// A model, an image, and the last embedding.
struct Work {
    sam: Sam,
    image: Rgb8,
    embedding: Option<Embedding>,
}

impl Work {
    /// Does one task; the number of masks.
    fn answer(&mut self, line: &str) -> Result<usize, Box<dyn Error>> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (task, settings) = words.split_first().ok_or("an empty line")?;
        if *task != "masks" || self.embedding.is_none() {
            self.embedding = Some(self.sam.embed(&self.image)?);
        }
        match (settings, &self.embedding) {
            ([n, iou, stability], Some(embedding)) => {
                let params = Params {
                    pred_iou_thresh: iou.parse()?,
                    stability_score_thresh: stability.parse()?,
                    ..Params::grid(n.parse()?)
                };
                Ok(Generator::new(params)?
                    .masks(&self.sam, &self.image, embedding)?
                    .len())
            }
            _ => Ok(0),
        }
    }
}
