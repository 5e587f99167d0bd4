//! Times one training step of IMDN or ART ×4 with SPT units: 64 masks, 64×64 patches.
//! Unaware of `PyTorch`: `step_pytorch.py` times the same step there and runs this program in turns with its own.
//!
//! `cargo bench -p pipeline-worker --bench step -- [steps] [threads] [imdn|art] [channels_last] [cuda] [bf16] [batch=N]`
//! prints the seconds of each step, one a line. The batch is 4 for IMDN, 1 for ART unless said; `channels_last` and
//! `bf16` are the schedule's options of those names, `bf16` on CUDA only. Without `cuda` it computes on the CPU, by the
//! kernels that are chosen there for a user, or that `PIPELINE_KERNELS` names.

#![expect(
    clippy::print_stdout,
    reason = "the printed numbers are what this program is for"
)]

use std::io::BufRead;
use std::time::Instant;

use pipeline_worker::nn::adam::{self, Adam};
use pipeline_worker::nn::art::{self, Art};
use pipeline_worker::nn::backbone::Backbone;
use pipeline_worker::nn::imdn::{self, Imdn};
use pipeline_worker::nn::kernels::{self, Layout};
use pipeline_worker::nn::spt::{self, Spt, Tuned};
use pipeline_worker::nn::transformer::{to_map, to_tokens};
use pipeline_worker::nn::{cuda, params, precision};
use spec::names::{Init, Share, Variant};
use tch::nn::VarStore;
use tch::{Cuda, Device, Kind, Reduction, Tensor};

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
    let kernels = kernels::choose().unwrap_or_else(|why| panic!("{why}"));
    let batch = if is_asked("art") { 1 } else { 4 };
    let batch = std::env::args()
        .find_map(|arg| arg.strip_prefix("batch=")?.parse().ok())
        .unwrap_or(batch);
    let device = device();
    let by_kernels = device == Device::Cpu && kernels.layout == Layout::ChannelsLast;
    let mut work = Work::new(batch, device, by_kernels || is_asked("channels_last"));
    let warm_up = work.step();
    println!("loss {warm_up:.6}");
    if steps == 0 {
        return serve(&mut work);
    }
    for _ in 0..steps {
        println!("{:.4}", work.timed());
    }
}

fn is_asked(word: &str) -> bool {
    std::env::args().any(|arg| arg == word)
}

fn device() -> Device {
    if !is_asked("cuda") {
        return Device::Cpu;
    }
    let loaded = cuda::load();
    assert!(Cuda::is_available(), "no CUDA here: {loaded:?}");
    Device::Cuda(0)
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
    kind: Kind,
}

impl Work {
    fn new(batch: i64, device: Device, channels_last: bool) -> Self {
        let mut frozen = VarStore::new(device);
        let backbone: Backbone = if is_asked("art") {
            Art::new(&frozen.root(), &art::Config::published(4)).into()
        } else {
            Imdn::new(&frozen.root(), &imdn::Config::X4).into()
        };
        params::draw(&frozen, 1);
        frozen.freeze();
        let store = VarStore::new(device);
        let spt = Spt::new(&store.root(), &units(&backbone));
        spt::initialise(&store, Init::Default, 2);
        tch::manual_seed(3);
        let rand = |c: i64, side: i64| Tensor::rand([batch, c, side, side], (Kind::Float, device));
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
            kind: if is_asked("bf16") {
                Kind::BFloat16
            } else {
                Kind::Float
            },
        }
    }

    /// One step: forward, L1 loss, backward, Adam. The loss.
    fn step(&mut self) -> f64 {
        let output = precision::with(self.kind, || self.net.forward(&self.x, &self.masks));
        let loss = precision::to(&output, Kind::Float).l1_loss(&self.target, Reduction::Mean);
        self.adam.step(&loss, 1e-4);
        if let Device::Cuda(index) = self.x.device() {
            Cuda::synchronize(index as i64);
        }
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
