//! One iteration: forward, loss and backward of each part of a batch, then the optimiser.
//! Unaware of where batches come from and of when a training ends.

use spec::kinds::Schedule;
use spec::names::{Loss, Precision};
use tch::{Kind, Tensor};

use super::batch::Batch;
use super::state::State;
use crate::nn::{host, precision};
use crate::work::WorkError;
use crate::work::model::Model;

/// Trains on a batch at learning rate `lr`; returns the mean loss.
///
/// The batch is taken in `accumulate` equal parts, whose gradients are added: the same step as of the whole up to
/// rounding, in the memory of a part.
pub(super) fn step(
    model: &Model,
    state: &mut State,
    batch: &Batch,
    schedule: &Schedule,
    lr: f64,
) -> Result<f64, WorkError> {
    let parts = batch.parts(i64::from(schedule.accumulate));
    let share = 1.0 / parts.len() as f64;
    let (mut losses, mut gradients) = (Vec::with_capacity(parts.len()), Vec::new());
    for part in &parts {
        let loss = part_loss(model, part, schedule)?;
        let loss = if parts.len() == 1 { loss } else { loss * share };
        gradients = sum(gradients, state.adam.gradients(&loss));
        losses.push(loss.detach());
    }
    // The only wait of a step, for all its parts together, when all its work is on its way to a GPU. A loss that is no number
    // has reached the weights by then: the stage fails, and keeps none of them.
    state.adam.apply(&gradients, lr);
    let losses = host::floats(&Tensor::stack(&losses, 0));
    let value = losses.into_iter().map(f64::from).sum();
    check_finite(value, state.iteration + 1)?;
    Ok(value)
}

fn part_loss(model: &Model, part: &Batch, schedule: &Schedule) -> Result<Tensor, WorkError> {
    let kind = match schedule.precision {
        Precision::Fp32 | Precision::Tf32 => Kind::Float,
        Precision::Bf16 => Kind::BFloat16,
    };
    let output = precision::with(kind, || model.forward(&part.lq, part.masks.as_ref()))?;
    Ok(loss(
        &precision::to(&output, Kind::Float),
        &part.hr,
        schedule.loss,
    ))
}

/// A scalar, of the unclamped output.
fn loss(output: &Tensor, target: &Tensor, kind: Loss) -> Tensor {
    let difference = output - target;
    match kind {
        Loss::L1 => difference.abs().mean(Kind::Float),
        Loss::Charbonnier => (difference.square() + 1e-6).sqrt().mean(Kind::Float),
    }
}

fn check_finite(loss: f64, iteration: u64) -> Result<(), WorkError> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(WorkError::new(
        format!("the loss is {loss} at iteration {iteration}"),
        "lower `lr`; if the images hold flat patches, make `patch` larger",
    ))
}

/// Gradients added up; one that the loss does not depend on is undefined and counts as zero.
fn sum(before: Vec<Tensor>, more: Vec<Tensor>) -> Vec<Tensor> {
    if before.is_empty() {
        return more;
    }
    let add = |(a, b): (Tensor, Tensor)| match (a.defined(), b.defined()) {
        (true, true) => a + b,
        (true, false) => a,
        (false, _) => b,
    };
    before.into_iter().zip(more).map(add).collect()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the same bits, or others")]
mod tests {
    use std::collections::BTreeMap;

    use spec::backbones::{Architecture, Art, Cat, Imdn};
    use spec::names::{Init, Share, Variant};

    use super::*;
    use crate::nn::{params, spt};
    use crate::work::training::run::begin;
    use artifacts::SptCard;

    const MASKS: i64 = 3;

    const IMDN: Imdn = Imdn {
        scale: 2,
        width: 16,
        blocks: 2,
    };

    const SPT: SptCard = SptCard {
        masks: MASKS as u32,
        units: 2,
        alpha: 1.0,
        variant: Variant::Spt,
        share: Share::None,
    };

    fn model() -> Model {
        drawn(&Architecture::Imdn(IMDN), Some(&SPT))
    }

    fn drawn(network: &Architecture, card: Option<&SptCard>) -> Model {
        let model = Model::new(network, card, tch::Device::Cpu);
        params::draw(&model.backbone, 1);
        if let Some(units) = &model.units {
            spt::initialise(units, Init::Default, 2);
        }
        model
    }

    fn ramp(count: i64, channels: i64, side: i64) -> Tensor {
        let n = count * channels * side * side;
        let x = Tensor::arange(n, (Kind::Float, tch::Device::Cpu)) * 0.71;
        x.sin().abs().view([count, channels, side, side])
    }

    fn batch() -> Batch {
        let masks = ramp(4, MASKS, 8).gt(0.5).to_kind(Kind::Float);
        Batch {
            lq: ramp(4, 3, 8),
            hr: ramp(4, 3, 16),
            masks: Some(masks),
        }
    }

    /// The loss and the weights after one step.
    fn after(schedule: &Schedule) -> (f64, BTreeMap<String, Tensor>) {
        let model = model();
        let mut state = begin(&model, schedule);
        let loss = step(&model, &mut state, &batch(), schedule, 1e-3).unwrap();
        (loss, model.snapshot())
    }

    fn schedule(accumulate: u32, loss: Loss) -> Schedule {
        Schedule {
            batch: 4 / accumulate,
            accumulate,
            loss,
            ..Schedule::default()
        }
    }

    /// The largest difference between two sets of weights.
    fn apart(a: &BTreeMap<String, Tensor>, b: &BTreeMap<String, Tensor>) -> f64 {
        let distance = |(name, x): (&String, &Tensor)| (x - &b[name]).abs().max().double_value(&[]);
        a.iter().map(distance).fold(0.0, f64::max)
    }

    /// Adam's first step moves each weight by the learning rate in the direction of its gradient, however small that
    /// is, so gradients are compared and not weights.
    #[test]
    fn accumulated_gradients_are_those_of_the_larger_batch() {
        let gradients = |accumulate: u32| {
            let model = model();
            let schedule = schedule(accumulate, Loss::L1);
            let state = begin(&model, &schedule);
            let parts = batch().parts(i64::from(accumulate));
            let losses = parts.iter().map(|part| {
                let loss = part_loss(&model, part, &schedule).unwrap();
                loss / f64::from(accumulate)
            });
            losses
                .map(|loss| state.adam.gradients(&loss))
                .fold(Vec::new(), sum)
        };
        let whole = gradients(1);
        for accumulate in [2, 4] {
            for (ours, theirs) in gradients(accumulate).iter().zip(&whole) {
                let off = (ours - theirs).abs().max().double_value(&[]);
                let scale = theirs.abs().max().double_value(&[]);
                assert!(off <= 1e-5 * scale, "{off} of {scale}");
            }
        }
    }

    #[test]
    fn a_step_in_parts_has_the_loss_of_the_whole_and_trains_units_only() {
        let start = model().snapshot();
        for loss in [Loss::L1, Loss::Charbonnier] {
            let (one, whole) = after(&schedule(1, loss));
            let (four, parts) = after(&schedule(4, loss));
            assert!((one - four).abs() < 1e-6, "{one} {four}");
            assert!(apart(&whole, &start) > 0.5e-3);
            assert!(apart(&whole, &parts) < 2.1e-3, "no weight moves further");
            let moved = |name: &&String| whole[*name] != start[*name];
            assert!(start.keys().filter(moved).all(|n| n.starts_with("spt.")));
        }
        assert_ne!(
            after(&schedule(1, Loss::L1)).0,
            after(&schedule(1, Loss::Charbonnier)).0
        );
    }

    #[test]
    fn bf16_is_close_to_fp32_and_leaves_weights_in_fp32() {
        let (full, _) = after(&schedule(1, Loss::L1));
        let low = Schedule {
            precision: Precision::Bf16,
            ..schedule(1, Loss::L1)
        };
        let (half, weights) = after(&low);
        assert!(
            (full - half).abs() < 0.02 * full && full != half,
            "{full} {half}"
        );
        assert!(weights.values().all(|w| w.kind() == Kind::Float));
        let (again, _) = after(&schedule(1, Loss::L1));
        assert_eq!(full, again, "what computes after it computes in fp32");
    }

    fn networks() -> [Architecture; 3] {
        let art = Art {
            scale: 2,
            width: 32,
            depths: vec![2, 1],
            heads: 2,
            interval: Some(vec![4, 2]),
            window: 4,
            mlp_ratio: 2.0,
        };
        let cat = Cat {
            scale: 2,
            width: 32,
            depths: vec![2, 1],
            heads: 2,
            split: Some(vec![2, 4]),
            mlp_ratio: 2.0,
        };
        [
            Architecture::Imdn(IMDN),
            Architecture::Art(art),
            Architecture::Cat(cat),
        ]
    }

    #[test]
    fn a_step_waits_for_the_device_once_and_sends_nothing() {
        for network in networks() {
            for (card, accumulate) in [(Some(SPT), 1), (Some(SPT), 4), (None, 1)] {
                let model = drawn(&network, card.as_ref());
                let schedule = schedule(accumulate, Loss::L1);
                let mut state = begin(&model, &schedule);
                let (loss, traffic) =
                    host::traffic(|| step(&model, &mut state, &batch(), &schedule, 1e-3));
                assert!(loss.is_ok_and(f64::is_finite));
                let traffic = (traffic.waits, traffic.uploads);
                assert_eq!(traffic, (1, 0), "{network:?} in {accumulate} parts");
            }
        }
    }
}
