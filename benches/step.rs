//! Times one training step of IMDN or ART ×4 with SPT units: 64 masks, 64×64 patches, float32, on the CPU.
//! Unaware of `PyTorch`: `step_pytorch.py` times the same step there and runs this program in turns with its own.
//!
//! `cargo bench -p pipeline-worker --bench step -- [steps] [threads] [imdn|art] [channels_last]` prints the seconds of
//! each step, one a line. The batch is 4 for IMDN, 1 for ART; `channels_last` is the schedule's option of that name.

#![expect(
    clippy::print_stdout,
    reason = "the printed numbers are what this program is for"
)]

use std::io::BufRead;
use std::time::Instant;

use pipeline_worker::nn::adam::{self, Adam};
use pipeline_worker::nn::backbone::{self, Backbone};
use pipeline_worker::nn::spt::{self, Spt, Tuned};
use pipeline_worker::nn::transformer::{to_map, to_tokens};
use pipeline_worker::nn::{art, imdn, params};
use spec::names::{Init, Share, Variant};
use tch::nn::VarStore;
use tch::{Device, Kind, Reduction, Tensor};

const PATCH: i64 = 64;
const MASKS: i64 = 64;

fn main() {
    let numbers: Vec<i32> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let (steps, threads) = (
        numbers.first().copied().unwrap_or(7),
        numbers.get(1).copied().unwrap_or(2),
    );
    tch::set_num_threads(threads);
    let art = std::env::args().any(|arg| arg == "art");
    let (config, batch) = if art {
        (backbone::Config::Art(art::Config::published(4)), 1)
    } else {
        (backbone::Config::Imdn(imdn::Config::X4), 4)
    };
    let inner = std::env::args().any(|arg| arg == "channels_last");
    let mut work = Work::new(&config, batch, inner);
    let warm_up = work.step();
    println!("loss {warm_up:.6}");
    if steps == 0 {
        return serve(&mut work);
    }
    for _ in 0..steps {
        println!("{:.4}", work.timed());
    }
}

/// One step for each line read, so that another program can take turns.
fn serve(work: &mut Work) {
    for _ in std::io::stdin().lock().lines() {
        println!("{:.4}", work.timed());
    }
}

/// A network, its optimiser and one batch.
struct Work {
    net: Tuned,
    adam: Adam,
    _stores: [VarStore; 2],
    x: Tensor,
    masks: Tensor,
    target: Tensor,
}

impl Work {
    fn new(config: &backbone::Config, batch: i64, channels_last: bool) -> Self {
        let mut frozen = VarStore::new(Device::Cpu);
        let backbone = Backbone::new(&frozen.root(), config);
        params::draw(&frozen, 1);
        frozen.freeze();
        let store = VarStore::new(Device::Cpu);
        let spt = Spt::new(&store.root(), &units(&backbone));
        spt::initialise(&store, Init::Default, 2);
        tch::manual_seed(3);
        let rand =
            |c: i64, side: i64| Tensor::rand([batch, c, side, side], (Kind::Float, Device::Cpu));
        let laid = |x: Tensor| {
            if channels_last {
                to_map(&to_tokens(&x))
            } else {
                x
            }
        };
        Self {
            net: Tuned { backbone, spt },
            adam: Adam::new(&params::named(&store), adam::Config::default()),
            _stores: [frozen, store],
            x: laid(rand(3, PATCH)),
            masks: laid(rand(MASKS, PATCH).gt(0.8).to_kind(Kind::Float)),
            target: rand(3, PATCH * 4),
        }
    }

    /// One step: forward, L1 loss, backward, Adam. The loss.
    fn step(&mut self) -> f64 {
        let loss = self
            .net
            .forward(&self.x, &self.masks)
            .l1_loss(&self.target, Reduction::Mean);
        self.adam.step(&loss, 1e-4);
        loss.double_value(&[])
    }

    /// Seconds of one step.
    fn timed(&mut self) -> f64 {
        let start = Instant::now();
        self.step();
        start.elapsed().as_secs_f64()
    }
}

fn units(backbone: &Backbone) -> spt::Config {
    spt::Config {
        channels: backbone.channels(),
        masks: MASKS,
        units: backbone.blocks(),
        alpha: 1.0,
        variant: Variant::Spt,
        share: Share::None,
    }
}
