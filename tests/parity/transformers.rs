//! ART and CAT against the official code: whole, within, and as their official tests cut and pad images.
//! Unaware of SPT units and training.

use pipeline_worker::nn::art::Art;
use pipeline_worker::nn::backbone::{Backbone, Network};
use pipeline_worker::nn::cat::{self, Cat};
use pipeline_worker::nn::checkpoint;
use pipeline_worker::nn::tiling::tiled;
use pipeline_worker::nn::transformer::{Frame, to_tokens};
use serde::de::DeserializeOwned;
use serde_json::Value;
use spec::kinds::Tiling;
use tch::nn::{Path, VarStore};
use tch::{Kind, Tensor, no_grad};

use crate::case::{Case, Change, Outcome, Tensors, device, max_abs, tensor};
use crate::networks::{Reached, enlarge_first, with_strict};

/// Options of the official constructors that change neither weights nor results in evaluation.
const WITHOUT_EFFECT: [&str; 9] = [
    "type",
    "img_size",
    "patch_size",
    "split_size_1",
    "drop_rate",
    "attn_drop_rate",
    "drop_path_rate",
    "use_checkpoint",
    "use_chk",
];
/// Options that exist here with one value only.
fn fixed() -> [(&'static str, Value); 5] {
    [
        ("block_name", "CATB_axial".into()),
        ("qkv_bias", true.into()),
        ("qk_scale", Value::Null),
        ("patch_norm", true.into()),
        ("ape", false.into()),
    ]
}

/// The configuration that an official option object describes.
fn read<T: DeserializeOwned>(case: &Case, pointer: &str) -> Result<T, String> {
    let mut options: serde_json::Map<String, Value> = case.get(pointer)?;
    options.retain(|name, value| {
        let unset = name == "upsampler" && value.is_null();
        !unset && !WITHOUT_EFFECT.contains(&name.as_str())
    });
    for (name, only) in fixed() {
        match options.remove(name) {
            Some(value) if value != only => {
                return Err(format!("`{name}: {value}` does not exist here"));
            }
            _ => {}
        }
    }
    serde_json::from_value(Value::Object(options)).map_err(|error| format!("{pointer}: {error}"))
}

/// The backbone `name` (`art` or `cat`) with the options at `pointer`, and its weights, frozen.
pub fn build(
    name: &str,
    case: &Case,
    pointer: &str,
    weights: Tensors,
    change: Change,
) -> Result<Backbone, String> {
    Ok(match name {
        "art" => build_art(case, pointer, &weights, change)?.into(),
        _ => build_cat(case, pointer, weights, change)?.into(),
    })
}

fn build_art(case: &Case, at: &str, weights: &Tensors, change: Change) -> Result<Art, String> {
    let config = read(case, at)?;
    frozen(|p| Art::new(p, &config), weights, change)
}

fn build_cat(case: &Case, at: &str, mut weights: Tensors, change: Change) -> Result<Cat, String> {
    let config = read(case, at)?;
    weights.retain(|name, _| !cat::is_buffer(name));
    frozen(|p| Cat::new(p, &config), &weights, change)
}

fn frozen<N>(
    new: impl FnOnce(&Path<'_>) -> N,
    weights: &Tensors,
    change: Change,
) -> Result<N, String> {
    let mut store = VarStore::new(device());
    let net = new(&store.root());
    checkpoint::assign(&store, weights).map_err(|error| error.to_string())?;
    if change == Change::Weight {
        enlarge_first(&store);
    }
    store.freeze();
    Ok(net)
}

/// `model: art` and `model: cat`.
pub fn forward(name: &str, case: &Case, change: Change) -> Result<Outcome, String> {
    let weights = case.params()?;
    let tensors = case.tensors()?;
    let x = input(&tensors)?;
    no_grad(|| {
        let mut reached = Reached::new(&tensors);
        let y = match name {
            "art" => walk_art(
                &build_art(case, "/config", &weights, change)?,
                &x,
                &mut reached,
            ),
            _ => walk_cat(
                &build_cat(case, "/config", weights, change)?,
                &x,
                &mut reached,
            ),
        };
        let error = max_abs(&y, tensor(&tensors, "out.y")?);
        let mut quantities = vec![case.quantity("max_abs", error)?];
        quantities.extend(reached.quantity(case)?);
        Ok(Outcome::Ran(with_strict(case, quantities, error)?))
    })
}

/// `model: art_official_test` and `model: cat_official_test`.
pub fn official_test(name: &str, case: &Case, change: Change) -> Result<Outcome, String> {
    let net = build(name, case, "/config", case.params()?, change)?;
    let tensors = case.tensors()?;
    let x = input(&tensors)?;
    let chopped = case.get_or("/opt/val/use_chop", false)?;
    let tiling = match change {
        Change::Tiling => Tiling::None,
        _ if chopped => Tiling::Side(200),
        _ => Tiling::Official,
    };
    let y = no_grad(|| {
        let rule = net.tiling(tiling);
        tiled(&x, &rule, net.scale(), &mut |piece| {
            Ok::<_, String>(net.baseline(piece))
        })
    })?;
    let error = max_abs(&y, tensor(&tensors, "out.y")?);
    let quantities = vec![case.quantity("max_abs", error)?];
    Ok(Outcome::Ran(with_strict(case, quantities, error)?))
}

fn input(tensors: &Tensors) -> Result<Tensor, String> {
    let x = tensor(tensors, "in.x")?;
    Ok(x.to_kind(Kind::Float).to_device(device()))
}

fn walk_art(net: &Art, x: &Tensor, reached: &mut Reached) -> Tensor {
    let first = net.frame.first(&net.frame.centre(x));
    let mut tokens = net.embed(&first);
    reached.see("conv_first", &first);
    reached.see("patch_embed", &sequence(&tokens));
    let y = net.forward(x, &mut |i, out| {
        let mut inner = tokens.shallow_clone();
        for (j, block) in net.groups[i].blocks.iter().enumerate() {
            inner = block.forward(&inner);
            let name = format!("layers.{i}.residual_group.blocks.{j}");
            reached.see(&name, &sequence(&inner));
        }
        tokens = to_tokens(&out);
        reached.see(&format!("layers.{i}"), &sequence(&tokens));
        out
    });
    see_end(&net.frame, &tokens, reached);
    y
}

fn walk_cat(net: &Cat, x: &Tensor, reached: &mut Reached) -> Tensor {
    let mut tokens = net.embed(&net.frame.first(&net.frame.centre(x)));
    reached.see("before_RG", &sequence(&tokens));
    let y = net.forward(x, &mut |i, out| {
        let mut inner = tokens.shallow_clone();
        for (j, block) in net.groups[i].blocks.iter().enumerate() {
            inner = block.forward(&inner);
            reached.see(&format!("layers.{i}.blocks.{j}"), &sequence(&inner));
        }
        tokens = to_tokens(&out);
        reached.see(&format!("layers.{i}"), &sequence(&tokens));
        out
    });
    see_end(&net.frame, &tokens, reached);
    y
}

fn see_end(frame: &Frame, tokens: &Tensor, reached: &mut Reached) {
    let normed = frame.norm(tokens);
    reached.see("norm", &sequence(&normed));
    reached.see("conv_after_body", &frame.after_body(&normed));
}

/// (B, H, W, C) as the official (B, H · W, C).
fn sequence(tokens: &Tensor) -> Tensor {
    tokens.flatten(1, 2)
}
