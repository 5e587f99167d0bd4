//! A short training of SPT units on a frozen backbone, step by step against naive `PyTorch`.
//! Unaware of data sets and schedules: the case holds all batches.

use pipeline_worker::nn::adam::{self, Adam};
use pipeline_worker::nn::backbone::Backbone;
use pipeline_worker::nn::params;
use pipeline_worker::nn::spt::{self, Tuned};
use spec::names::{Share, Variant};
use tch::nn::VarStore;
use tch::{Kind, Reduction, Tensor};

use crate::case::{
    Case, Change, Outcome, Quantity, Tensors, device, floats, max_abs, tensor, worse,
};
use crate::networks::{build_imdn, build_spt, published};

/// `model: spt_training_trace`.
pub fn training(case: &Case, change: Change) -> Result<Outcome, String> {
    let name: String = case.get("/config/backbone")?;
    if !name.eq_ignore_ascii_case("imdn") {
        return Ok(Outcome::NotRun(format!("no backbone `{name}` here")));
    }
    if case.get_or("/config/weight_decay", 0.0)? != 0.0 {
        return Ok(Outcome::NotRun(
            "weight decay is not part of the method".to_owned(),
        ));
    }
    let config = published(case)?;
    let tensors = case.tensors()?;
    let store = VarStore::new(device());
    let spt = build_spt(&store, &units(case)?, &floats(&tensors, "spt."))?;
    let backbone = Backbone::from(build_imdn(&config, &case.params()?, change)?);
    let seen = Trace::run(case, &Tuned { backbone, spt }, &store, &tensors, change)?;
    Ok(Outcome::Ran(seen.quantities(
        case,
        &tensors,
        &params::snapshot(&store),
    )?))
}

fn units(case: &Case) -> Result<spt::Config, String> {
    Ok(spt::Config {
        channels: case.get("/config/nf")?,
        masks: case.get("/config/n_masks")?,
        units: case.get("/config/n_units")?,
        alpha: case.get("/config/alpha")?,
        variant: case.get_or("/config/variant", Variant::Spt)?,
        share: case.get_or("/config/share", Share::None)?,
    })
}

/// What a training showed.
struct Trace {
    losses: Vec<f64>,
    gradients: Tensors,
    first_output: Tensor,
}

impl Trace {
    fn run(
        case: &Case,
        net: &Tuned,
        store: &VarStore,
        data: &Tensors,
        change: Change,
    ) -> Result<Self, String> {
        let params = params::named(store);
        let mut adam = Adam::new(&params, optimiser(case, change)?);
        let rate: f64 =
            case.get::<f64>("/config/lr")? * if change == Change::Rate { 1.01 } else { 1.0 };
        let mut seen = Self {
            losses: Vec::new(),
            gradients: Tensors::new(),
            first_output: Tensor::new(),
        };
        for step in 0..case.get::<i64>("/config/steps")? {
            let batch = |name: &str| {
                Ok::<_, String>(
                    tensor(data, name)?
                        .get(step)
                        .to_kind(Kind::Float)
                        .to_device(device()),
                )
            };
            let y = net.forward(&(batch("in.lr_u8")? / 255.0), &batch("in.masks_u8")?);
            let loss = y.l1_loss(&(batch("in.hr_u8")? / 255.0), Reduction::Mean);
            seen.losses.push(loss.double_value(&[]));
            let gradients = adam.gradients(&loss);
            adam.apply(&gradients, rate);
            if step == 0 {
                seen.gradients = params.keys().cloned().zip(gradients).collect();
                seen.first_output = y.detach();
            }
        }
        Ok(seen)
    }

    fn quantities(
        &self,
        case: &Case,
        data: &Tensors,
        last: &Tensors,
    ) -> Result<Vec<Quantity>, String> {
        let losses = Tensor::from_slice(&self.losses);
        let loss = max_abs(&losses, tensor(data, "out.losses")?);
        let grad = over(data, "grad_step0.", &self.gradients, max_abs)?;
        let last = over(data, "final.", last, mean_abs)?;
        let mut quantities = vec![
            case.quantity("loss_abs", loss)?,
            case.quantity("grad_abs", grad)?,
            case.quantity("final_param_mean_abs", last)?,
        ];
        if let Some(y) = data.get("out.y_step0") {
            quantities.push(Quantity::informative(
                "y_step0",
                max_abs(&self.first_output, y),
                1e-4,
            ));
        }
        let norm = over(data, "gradnorm_step0.", &self.gradients, norm_off)?;
        quantities.push(Quantity::informative("gradnorm_rel", norm, 1e-4));
        Ok(quantities)
    }
}

fn optimiser(case: &Case, change: Change) -> Result<adam::Config, String> {
    let [beta1, beta2]: [f64; 2] = case.get("/config/betas")?;
    let beta2 = if change == Change::Beta2 { 0.99 } else { beta2 };
    Ok(adam::Config {
        beta1,
        beta2,
        eps: case.get("/config/eps")?,
    })
}

/// The worst error over all tensors `<prefix><name>` of the file and ours of that name.
fn over(
    data: &Tensors,
    prefix: &str,
    ours: &Tensors,
    error: fn(&Tensor, &Tensor) -> f64,
) -> Result<f64, String> {
    let mut worst = 0.0;
    for (name, expected) in data {
        if let Some(name) = name.strip_prefix(prefix) {
            worst = worse(worst, error(tensor(ours, name)?, expected));
        }
    }
    Ok(worst)
}

fn mean_abs(ours: &Tensor, expected: &Tensor) -> f64 {
    (ours.to_kind(Kind::Double) - expected.to_kind(Kind::Double))
        .abs()
        .mean(Kind::Double)
        .double_value(&[])
}

/// How far the norm of our gradient is off the expected norm, relative to it.
fn norm_off(ours: &Tensor, expected: &Tensor) -> f64 {
    let (ours, expected) = (
        ours.to_kind(Kind::Double).norm().double_value(&[]),
        expected.double_value(&[]),
    );
    (ours - expected).abs() / expected.abs().max(1e-9)
}
