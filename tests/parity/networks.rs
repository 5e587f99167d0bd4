//! Forward passes of the backbones, alone and with SPT units, against the official code.
//! Unaware of training.

use pipeline_worker::nn::backbone::{Backbone, Network};
use pipeline_worker::nn::dncnn::{self, Dncnn};
use pipeline_worker::nn::imdn::{self, Imdn};
use pipeline_worker::nn::spt::{self, Spt, Tuned};
use pipeline_worker::nn::{checkpoint, params};
use tch::nn::VarStore;
use tch::{Kind, Tensor, no_grad};

use crate::case::{
    Case, Change, Outcome, Quantity, Tensors, device, floats, max_abs, tensor, worse,
};
use crate::transformers;

/// The slope with or without the change.
pub fn slope(change: Change) -> f64 {
    if change == Change::Slope {
        0.06
    } else {
        imdn::SLOPE
    }
}

/// IMDN of `config` with these weights, frozen, in a store of its own.
pub fn build_imdn(
    config: &imdn::Config,
    weights: &Tensors,
    change: Change,
) -> Result<Imdn, String> {
    let mut store = VarStore::new(device());
    let mut net = Imdn::new(&store.root(), config);
    net.slope = slope(change);
    checkpoint::assign(&store, weights).map_err(|error| error.to_string())?;
    if change == Change::Weight {
        enlarge_first(&store);
    }
    store.freeze();
    Ok(net)
}

/// Makes the first weight 1 % larger.
pub fn enlarge_first(store: &VarStore) {
    if let Some(first) = params::named(store).values_mut().next() {
        let _ = no_grad(|| first.g_mul_scalar_(1.01));
    }
}

/// SPT units of `config` with these weights.
pub fn build_spt(store: &VarStore, config: &spt::Config, weights: &Tensors) -> Result<Spt, String> {
    let units = Spt::new(&store.root(), config);
    checkpoint::assign(store, weights).map_err(|error| error.to_string())?;
    Ok(units)
}

/// `model: imdn`.
pub fn imdn(case: &Case, change: Change) -> Result<Outcome, String> {
    let net = build_imdn(&case.get("/config")?, &case.params()?, change)?;
    let tensors = case.tensors()?;
    let x = tensor(&tensors, "in.x")?
        .to_kind(Kind::Float)
        .to_device(device());
    no_grad(|| {
        let mut reached = Reached::new(&tensors);
        let y = walk(&net, &x, &mut reached);
        let error = max_abs(&y, tensor(&tensors, "out.y")?);
        let mut quantities = vec![case.quantity("max_abs", error)?];
        quantities.extend(reached.quantity(case)?);
        Ok(Outcome::Ran(with_strict(case, quantities, error)?))
    })
}

/// `model: dncnn`.
pub fn dncnn(case: &Case, change: Change) -> Result<Outcome, String> {
    let net = build_dncnn(&case.get("/config")?, &case.params()?, change)?;
    let tensors = case.tensors()?;
    let x = tensor(&tensors, "in.x")?
        .to_kind(Kind::Float)
        .to_device(device());
    let y = no_grad(|| net.forward(&x, &mut |_, features| features));
    let error = max_abs(&y, tensor(&tensors, "out.y")?);
    let quantities = vec![case.quantity("max_abs", error)?];
    Ok(Outcome::Ran(with_strict(case, quantities, error)?))
}

/// `DnCNN` of `config` with these weights, frozen, in a store of its own.
fn build_dncnn(config: &dncnn::Config, weights: &Tensors, change: Change) -> Result<Dncnn, String> {
    let mut store = VarStore::new(device());
    let net = Dncnn::new(&store.root(), config);
    checkpoint::assign(&store, weights).map_err(|error| error.to_string())?;
    if change == Change::Weight {
        enlarge_first(&store);
    }
    store.freeze();
    Ok(net)
}

/// A forward pass that shows all that can be reached.
fn walk(net: &Imdn, x: &Tensor, reached: &mut Reached) -> Tensor {
    reached.see("fea_conv", &net.fea_conv.forward(x));
    let mut input = net.fea_conv.forward(x);
    let mut outs = Vec::new();
    let y = net.forward(x, &mut |i, out| {
        let block = &net.blocks[i];
        reached.see(&format!("IMDB{}.c1", i + 1), &block.c1.forward(&input));
        reached.see(
            &format!("IMDB{}.cca", i + 1),
            &block.cca.forward(&block.distil(&input, net.slope)),
        );
        reached.see(&format!("IMDB{}", i + 1), &out);
        input = out.shallow_clone();
        outs.push(out.shallow_clone());
        out
    });
    reached.see("LR_conv", &net.lr_features(&outs));
    y
}

/// Compares intermediate results that the file holds, relative to their size where that exceeds 1.
pub struct Reached<'a> {
    tensors: &'a Tensors,
    worst: f64,
    seen: usize,
}

impl<'a> Reached<'a> {
    /// Nothing seen yet.
    pub fn new(tensors: &'a Tensors) -> Self {
        Self {
            tensors,
            worst: 0.0,
            seen: 0,
        }
    }

    /// Compares `ours`, or as much of its first dimension as the file holds, with `mid.<name>` where that is there.
    pub fn see(&mut self, name: &str, ours: &Tensor) {
        if let Some(expected) = self.tensors.get(&format!("mid.{name}")) {
            let size = expected.abs().max().double_value(&[]).max(1.0);
            let ours = ours.narrow(0, 0, expected.size()[0].min(ours.size()[0]));
            self.worst = worse(self.worst, max_abs(&ours, expected) / size);
            self.seen += 1;
        }
    }

    /// `mid(<seen>of<stored>)`, with the tolerance of the output.
    pub fn quantity(&self, case: &Case) -> Result<Option<Quantity>, String> {
        let stored = self
            .tensors
            .keys()
            .filter(|name| name.starts_with("mid."))
            .count();
        let name = format!("mid({}of{stored})", self.seen);
        let tolerance = case.get("/tolerance/max_abs")?;
        Ok((stored > 0).then_some(Quantity {
            name,
            value: self.worst,
            tolerance,
            binding: true,
        }))
    }
}

/// Adds the strict tolerance where the manifest has one.
pub fn with_strict(
    case: &Case,
    mut quantities: Vec<Quantity>,
    error: f64,
) -> Result<Vec<Quantity>, String> {
    if case.entry.get("strict_tolerance").is_some() {
        quantities.push(Quantity::informative(
            "strict",
            error,
            case.get("/strict_tolerance")?,
        ));
    }
    Ok(quantities)
}

/// `model: spt_forward`.
pub fn spt_forward(case: &Case, change: Change) -> Result<Outcome, String> {
    let name: String = case.get("/config/backbone")?;
    let net = match name.to_lowercase().as_str() {
        "imdn" => Backbone::from(build_imdn(
            &case.get("/config/backbone_config")?,
            &case.params()?,
            change,
        )?),
        "dncnn" => Backbone::from(build_dncnn(
            &case.get("/config/backbone_config")?,
            &case.params()?,
            change,
        )?),
        other @ ("art" | "cat") => {
            let pointer = "/config/backbone_config";
            transformers::build(other, case, pointer, case.params()?, change)?
        }
        other => return Ok(Outcome::NotRun(format!("no backbone `{other}` here"))),
    };
    let tensors = case.tensors()?;
    let config = spt::Config {
        channels: case.get("/config/channels")?,
        masks: case.get("/config/n_masks")?,
        units: case.get("/config/last_block")?,
        alpha: case.get::<f64>("/config/alpha")? * if change == Change::Alpha { 1.01 } else { 1.0 },
        variant: case.get("/config/variant")?,
        share: case.get("/config/share")?,
    };
    let store = VarStore::new(device());
    let tuned = Tuned {
        backbone: net,
        spt: build_spt(&store, &config, &floats(&tensors, "spt."))?,
    };
    let x = tensor(&tensors, "in.x")?
        .to_kind(Kind::Float)
        .to_device(device());
    let masks = masks(&tensors, change)?;
    let error = no_grad(|| {
        Ok::<_, String>(max_abs(
            &tuned.forward(&x, &masks),
            tensor(&tensors, "out.y")?,
        ))
    })?;
    Ok(Outcome::Ran(with_strict(
        case,
        vec![case.quantity("max_abs", error)?],
        error,
    )?))
}

fn masks(tensors: &Tensors, change: Change) -> Result<Tensor, String> {
    let masks = tensor(tensors, "in.masks_u8")?
        .to_kind(Kind::Float)
        .to_device(device());
    if change == Change::Mask {
        let _ = masks.narrow(1, 0, 1).zero_();
    }
    Ok(masks)
}

/// The shape of the backbone that a training trace names.
pub fn published(case: &Case) -> Result<imdn::Config, String> {
    Ok(imdn::Config {
        nf: case.get("/config/nf")?,
        num_modules: case.get_or("/config/num_modules", 6)?,
        ..imdn::Config::published(case.get("/config/upscale")?)
    })
}
