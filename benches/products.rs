//! Prints what the choice of `nn/kernels.rs` rests on, for the processor that runs it: GFLOP/s of the linear layers of
//! SAM, ART and of a 3×3 convolution, by each library and in bfloat16.
//! Unaware of whole networks, which `step.rs` and `sam.rs` time.
//!
//! `cargo bench -p pipeline-worker --bench products -- [threads] [runs]`; medians of `runs`, the ways taken in turn.

#![expect(
    clippy::print_stdout,
    reason = "the printed numbers are what this program is for"
)]

use std::time::Instant;

use pipeline_worker::nn::kernels::{Processor, Products, linear_by};
use tch::{Device, Kind, Tensor, no_grad};

/// What the layer is of, rows, channels in and out.
const LAYERS: [(&str, [i64; 3]); 6] = [
    ("SAM ViT-B, MLP in", [4096, 768, 3072]),
    ("SAM ViT-B, MLP out", [4096, 3072, 768]),
    ("SAM ViT-B, qkv", [4096, 768, 2304]),
    ("ART, MLP in", [4096, 180, 720]),
    ("ART, MLP out", [4096, 720, 180]),
    ("ART, qkv", [4096, 180, 540]),
];

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let threads = numbers.first().copied().unwrap_or(2);
    let runs = numbers.get(1).copied().unwrap_or(11).max(1);
    tch::set_num_threads(i32::try_from(threads).unwrap_or(2));
    let processor = Processor::here();
    println!("{processor}, {threads} threads, GFLOP/s, medians of {runs}\n");
    println!("| work | `linear` (MKL) | 1×1 convolution (oneDNN) | bf16 |");
    println!("|---|---|---|---|");
    for (name, size) in LAYERS {
        let rates = no_grad(|| linear_rates(size, runs, processor.bf16));
        println!(
            "| {name}, {}×{} → {} | {rates} |",
            size[0], size[1], size[2]
        );
    }
    let rates = no_grad(|| convolution_rates(runs, processor.bf16));
    println!("| convolution 3×3, 64 → 64, 64×64 | – | {rates} |");
}

/// One row's cells: MKL, oneDNN, bfloat16.
fn linear_rates([rows, inputs, outputs]: [i64; 3], runs: usize, bf16: bool) -> String {
    let operands = |kind: Kind| {
        let make = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu)).to_kind(kind);
        (
            make(&[rows, inputs]),
            make(&[outputs, inputs]),
            make(&[outputs]),
        )
    };
    let (full, low) = (operands(Kind::Float), operands(Kind::BFloat16));
    let by = |products, (x, w, b): &(Tensor, Tensor, Tensor)| linear_by(products, x, w, b);
    let gemm = || by(Products::Gemm, &full);
    let convolution = || by(Products::Convolution, &full);
    let low = || by(Products::Gemm, &low);
    let mut ways: Vec<&dyn Fn() -> Tensor> = vec![&gemm, &convolution];
    if bf16 {
        ways.push(&low);
    }
    cells(&ways, 2.0 * (rows * inputs * outputs) as f64, 3, runs)
}

fn convolution_rates(runs: usize, bf16: bool) -> String {
    let make = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu));
    let (x, w) = (make(&[4, 64, 64, 64]), make(&[64, 64, 3, 3]));
    let (xb, wb) = (x.to_kind(Kind::BFloat16), w.to_kind(Kind::BFloat16));
    let full = || x.conv2d(&w, None::<&Tensor>, 1, 1, 1, 1);
    let low = || xb.conv2d(&wb, None::<&Tensor>, 1, 1, 1, 1);
    let mut ways: Vec<&dyn Fn() -> Tensor> = vec![&full];
    if bf16 {
        ways.push(&low);
    }
    cells(
        &ways,
        2.0 * f64::from(4 * 64 * 64 * 9) * (64.0 * 64.0),
        2,
        runs,
    )
}

/// The rates of `ways` as `cells` cells of a row; a way that this processor lacks is a dash.
fn cells(ways: &[&dyn Fn() -> Tensor], operations: f64, cells: usize, runs: usize) -> String {
    let mut seconds = vec![Vec::new(); ways.len()];
    for _ in 0..=runs {
        for (way, times) in ways.iter().zip(&mut seconds) {
            let start = Instant::now();
            drop(way());
            times.push(start.elapsed().as_secs_f64());
        }
    }
    let rate = |times: &mut Vec<f64>| {
        times.remove(0); // the first warms up
        times.sort_by(f64::total_cmp);
        format!("{:.0}", operations / times[times.len() / 2] / 1e9)
    };
    let mut texts: Vec<String> = seconds.iter_mut().map(rate).collect();
    texts.resize(cells, "–".into());
    texts.join(" | ")
}
