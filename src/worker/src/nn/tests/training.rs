//! First values, the optimiser's state, and gradients where they are easily lost.
//! Unaware of data sets and schedules.

use std::collections::BTreeMap;

use spec::names::{Init, Share, Variant};
use tch::nn::VarStore;
use tch::{Device, Kind, Reduction, Tensor, no_grad};

use crate::nn::adam::{self, Adam, StateError};
use crate::nn::backbone::Backbone;
use crate::nn::imdn::{self, Imdn};
use crate::nn::spt::{self, Spt, Tuned};
use crate::nn::{checkpoint, params};

const SMALL: imdn::Config = imdn::Config {
    nf: 16,
    num_modules: 2,
    upscale: 2,
    ..imdn::Config::X2
};

/// A small frozen network with units in a store of their own.
struct World {
    net: Tuned,
    store: VarStore,
    frozen: VarStore,
    x: Tensor,
    masks: Tensor,
    target: Tensor,
}

impl World {
    fn new(variant: Variant, init: Init) -> Self {
        let mut frozen = VarStore::new(Device::Cpu);
        let backbone = Backbone::from(Imdn::new(&frozen.root(), &SMALL));
        params::draw(&frozen, 1);
        frozen.freeze();
        let store = VarStore::new(Device::Cpu);
        let config = spt::Config {
            channels: 16,
            masks: 4,
            units: 2,
            alpha: 1.0,
            variant,
            share: Share::None,
        };
        let spt = Spt::new(&store.root(), &config);
        spt::initialise(&store, init, 2);
        let ramp = |c: i64, side: i64| {
            let n = c * side * side;
            (Tensor::arange(n, (Kind::Float, Device::Cpu)) * 0.37)
                .sin()
                .abs()
                .view([1, c, side, side])
        };
        let masks = ramp(4, 8).gt(0.5).to_kind(Kind::Float);
        Self {
            net: Tuned { backbone, spt },
            store,
            frozen,
            x: ramp(3, 8),
            masks,
            target: ramp(3, 16),
        }
    }

    fn loss(&self) -> Tensor {
        self.net
            .forward(&self.x, &self.masks)
            .l1_loss(&self.target, Reduction::Mean)
    }

    fn adam(&self) -> Adam {
        Adam::new(&params::named(&self.store), adam::Config::default())
    }

    /// The names of parameters that `steps` steps changed.
    fn moved(&self, steps: usize) -> Vec<String> {
        let before = params::snapshot(&self.store);
        let mut adam = self.adam();
        (0..steps).for_each(|_| adam.step(&self.loss(), 1e-2));
        let after = params::snapshot(&self.store);
        before
            .iter()
            .filter(|(name, value)| after[*name] != **value)
            .map(|(name, _)| name.clone())
            .collect()
    }
}

#[test]
fn identity_starts_from_the_baseline_exactly() {
    for &variant in Variant::ALL {
        let world = World::new(variant, Init::Identity);
        let baseline = world.net.backbone.baseline(&world.x);
        assert_eq!(
            no_grad(|| world.net.forward(&world.x, &world.masks)),
            baseline,
            "{variant}"
        );
        let world = World::new(variant, Init::Default);
        assert_ne!(
            no_grad(|| world.net.forward(&world.x, &world.masks)),
            baseline,
            "{variant}"
        );
    }
}

#[test]
fn identity_trains_feat_after_one_step_and_everything_soon() {
    let has = |names: &[String], part: &str| names.iter().any(|name| name.contains(part));
    for (variant, first, then) in [
        (Variant::Spt, "feat.2", "prior.2"),
        (Variant::SptF, "feat.2", "prior.2"),
        (Variant::SptP, "feat.2", "fuse.0"),
        (Variant::SptCat, "cat.2", "cat.0"),
    ] {
        let one = World::new(variant, Init::Identity).moved(1);
        assert!(has(&one, first) && !has(&one, then), "{variant}: {one:?}");
        let two = World::new(variant, Init::Identity).moved(2);
        assert!(has(&two, then), "{variant}: {two:?}");
        let world = World::new(variant, Init::Identity);
        assert_eq!(
            world.moved(3).len(),
            params::named(&world.store).len(),
            "{variant}"
        );
    }
}

/// The numbers are part of what a result depends on: they are the same on every machine, and these.
#[test]
fn first_values_are_pinned() {
    let world = World::new(Variant::Spt, Init::Default);
    let weight = &params::named(&world.store)["head.0.weight"];
    let bound = 1.0 / (7.0 * 9.0_f64).sqrt();
    assert!(weight.abs().max().double_value(&[]) <= bound);
    assert!(weight.abs().mean(Kind::Double).double_value(&[]) > 0.45 * bound);
    let first: Vec<f32> = Vec::try_from(weight.flatten(0, -1).narrow(0, 0, 3)).unwrap();
    assert_eq!(first, FIRST);
    assert_eq!(params::count(&world.store), 32_336);
}

const FIRST: [f32; 3] = [-0.035_665_04, -0.082_634_63, -0.108_605_3];

#[test]
fn shared_and_fewer_units_have_fewer_parameters() {
    let count = |units, share| {
        let store = VarStore::new(Device::Cpu);
        let config = spt::Config {
            channels: 64,
            masks: 64,
            units,
            alpha: 1.0,
            variant: Variant::Spt,
            share,
        };
        let _spt = Spt::new(&store.root(), &config);
        params::count(&store)
    };
    assert_eq!(count(6, Share::None), 1_626_176);
    assert!(count(2, Share::None) < count(6, Share::None));
    assert_eq!(count(6, Share::Units), count(1, Share::None));
}

#[test]
fn an_optimiser_taken_up_again_ends_with_the_same_bits() {
    let whole = World::new(Variant::Spt, Init::Default);
    let mut adam = whole.adam();
    (0..6).for_each(|_| adam.step(&whole.loss(), 1e-3));

    let first = World::new(Variant::Spt, Init::Default);
    let mut adam = first.adam();
    (0..3).for_each(|_| adam.step(&first.loss(), 1e-3));
    let (weights, moments, steps) = (params::snapshot(&first.store), adam.export(), adam.steps());

    let second = World::new(Variant::Spt, Init::Identity);
    checkpoint::assign(&second.store, &weights).unwrap();
    let mut adam = second.adam();
    adam.import(&moments, steps).unwrap();
    (0..3).for_each(|_| adam.step(&second.loss(), 1e-3));
    assert_eq!(adam.steps(), 6);
    let (ours, theirs) = (
        params::snapshot(&second.store),
        params::snapshot(&whole.store),
    );
    assert!(ours.iter().all(|(name, value)| theirs[name] == *value));
}

#[test]
fn a_foreign_optimiser_state_is_refused() {
    let world = World::new(Variant::Spt, Init::Default);
    let mut adam = world.adam();
    let good = adam.export();
    let mut lacking = BTreeMap::new();
    lacking.extend(
        good.iter()
            .skip(1)
            .map(|(name, t)| (name.clone(), t.shallow_clone())),
    );
    assert!(matches!(
        adam.import(&lacking, 1),
        Err(StateError::Missing(_))
    ));
    lacking.insert(
        good.keys().next().unwrap().clone(),
        Tensor::zeros([3], (Kind::Float, Device::Cpu)),
    );
    assert!(matches!(
        adam.import(&lacking, 1),
        Err(StateError::Shape { .. })
    ));
    let mut more = adam.export();
    more.insert(
        "mean.other".to_owned(),
        Tensor::zeros([1], (Kind::Float, Device::Cpu)),
    );
    assert!(matches!(
        adam.import(&more, 1),
        Err(StateError::Unexpected(_))
    ));
    assert_eq!(adam.steps(), 0);
}

/// Adam by hand, two steps of one number: g = 2 then g = -1.
#[test]
fn adam_agrees_with_its_formula() {
    let store = VarStore::new(Device::Cpu);
    let param = store.root().zeros("w", &[1]);
    let mut adam = Adam::new(&params::named(&store), adam::Config::default());
    let (mut m, mut v, mut w) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (t, g) in [(1, 2.0), (2, -1.0)] {
        adam.apply(&[Tensor::from_slice(&[g as f32])], 0.1);
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let (corrected_m, corrected_v) =
            (m / (1.0 - 0.9_f64.powi(t)), v / (1.0 - 0.999_f64.powi(t)));
        w -= 0.1 * corrected_m / (corrected_v.sqrt() + 1e-8);
        assert!((param.double_value(&[0]) - w).abs() < 1e-6, "step {t}");
    }
}

/// In front of the first unit nothing asks for a gradient, so nothing of the frozen network is recorded or kept for the
/// way back; and the units' gradients are those of a network that is not frozen.
#[test]
fn the_frozen_part_in_front_of_the_first_unit_is_not_recorded() {
    let world = World::new(Variant::Spt, Init::Default);
    let mut recorded = Vec::new();
    let _ = world.net.backbone.forward(&world.x, &mut |i, h| {
        recorded.push(h.requires_grad());
        let (h, _) = world.net.spt.apply(i, h, &world.masks, None);
        h
    });
    assert_eq!(recorded, [false, true]);
    let adam = world.adam();
    let frozen = adam.gradients(&world.loss());
    for param in params::named(&world.frozen).values() {
        let _ = param.set_requires_grad(true);
    }
    let free = adam.gradients(&world.loss());
    for (a, b) in frozen.iter().zip(&free) {
        assert!((a - b).abs().max().double_value(&[]) < 1e-7);
    }
}

#[test]
fn a_constant_channel_gives_no_nan() {
    let store = VarStore::new(Device::Cpu);
    let net = Backbone::from(Imdn::new(&store.root(), &SMALL));
    params::draw(&store, 1);
    params::zero(&store, |name| {
        name.contains(".c1.") || name.contains(".c4.")
    });
    let x = Tensor::full([1, 3, 6, 6], 0.5, (Kind::Float, Device::Cpu));
    let loss = net.baseline(&x).abs().mean(Kind::Float);
    assert!(loss.double_value(&[]).is_finite());
    let adam = Adam::new(&params::named(&store), adam::Config::default());
    for gradient in adam.gradients(&loss) {
        assert_eq!(gradient.isfinite().all().int64_value(&[]), 1);
    }
}
