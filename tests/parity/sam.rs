//! Segment Anything's networks one by one, and its resize, against the official code.
//! Unaware of the mask generator (`sam_generator`).

use pipeline_worker::nn::sam::decoder::MaskDecoder;
use pipeline_worker::nn::sam::encoder::{ImageEncoder, windows};
use pipeline_worker::nn::sam::prompt::{Points, PromptEncoder};
use pipeline_worker::nn::sam::{Config, relpos};
use pipeline_worker::nn::{checkpoint, params};
use pixels::{Rgb8, longest_side_size, matlab_bicubic_u8_to, pil_bilinear_u8};
use tch::nn::{Path, VarStore};
use tch::{Kind, Tensor, no_grad};

use crate::case::{Case, Change, Outcome, Quantity, Tensors, device, max_abs, tensor, worse};
use crate::networks::{Reached, with_strict};

/// A part of a SAM with the case's weights, and the store that holds them.
fn part<T>(
    case: &Case,
    name: &str,
    change: Change,
    new: fn(&Path, &Config) -> T,
) -> Result<(T, VarStore), String> {
    let store = VarStore::new(device());
    let net = new(&(store.root() / name), &case.get("/config")?);
    let mut weights = case.params()?;
    weights.retain(|key, _| key.starts_with(name));
    checkpoint::assign(&store, &weights).map_err(|error| error.to_string())?;
    if change == Change::Weight {
        enlarge_last(&store);
    }
    Ok((net, store))
}

/// The last weight by name: it takes part in every output of its network.
fn enlarge_last(store: &VarStore) {
    if let Some(last) = params::named(store).values_mut().next_back() {
        let _ = no_grad(|| last.g_mul_scalar_(1.01));
    }
}

/// A tensor of the case, on the device.
fn input(tensors: &Tensors, name: &str) -> Result<Tensor, String> {
    Ok(tensor(tensors, name)?.to_device(device()))
}

/// `max_abs`, what was reached on the way, and the strict tolerance.
fn outcome(case: &Case, error: f64, reached: Option<Quantity>) -> Result<Outcome, String> {
    let mut quantities = vec![case.quantity("max_abs", error)?];
    quantities.extend(reached);
    Ok(Outcome::Ran(with_strict(case, quantities, error)?))
}

/// `model: sam_image_encoder`.
pub fn image_encoder(case: &Case, change: Change) -> Result<Outcome, String> {
    let (net, _store) = part(case, "image_encoder", change, ImageEncoder::new)?;
    let tensors = case.tensors()?;
    let x = input(&tensors, "in.x")?.to_kind(Kind::Float);
    no_grad(|| {
        let mut reached = Reached::new(&tensors);
        let mut tokens = Tensor::new();
        let y = net.walk(&x, &mut |name, output| {
            reached.see(name, output);
            if name == "patch_embed" {
                tokens = output.shallow_clone();
            }
        });
        see_first_block(&net, &tokens, &mut reached);
        let error = max_abs(&y, tensor(&tensors, "out.y")?);
        outcome(case, error, reached.quantity(case)?)
    })
}

/// The norm and the attention of the first block, whose attention is stored as its first window.
fn see_first_block(net: &ImageEncoder, patches: &Tensor, reached: &mut Reached) {
    let Some(block) = net.blocks.first() else {
        return;
    };
    let normed = block.norm1.forward(&net.placed(patches));
    reached.see("blocks.0.norm1", &normed);
    let inside = block
        .window
        .map_or(normed.shallow_clone(), |side| windows(&normed, side));
    reached.see(
        "blocks.0.attn",
        &block.attn.proj.forward(&block.attn.attend(&inside)),
    );
}

/// `model: sam_rel_pos`: each `out.q<Q>_k<K>` from one table.
pub fn rel_pos(case: &Case, change: Change) -> Result<Outcome, String> {
    let tensors = case.tensors()?;
    let mut table = tensor(&tensors, "in.table")?.to_kind(Kind::Float);
    if change == Change::Backwards {
        table = table.flip([0]);
    }
    let mut error = 0.0;
    for (name, expected) in &tensors {
        if let Some((q, k)) = name
            .strip_prefix("out.q")
            .and_then(|sizes| sizes.split_once("_k"))
        {
            let side = |text: &str| text.parse().map_err(|_| format!("no sizes in `{name}`"));
            let ours = relpos::relative_positions(side(q)?, side(k)?, &table);
            error = worse(error, max_abs(&ours, expected));
        }
    }
    outcome(case, error, None)
}

/// `model: sam_prompt_encoder`: points, and boxes and masks where the case has them.
pub fn prompt_encoder(case: &Case, change: Change) -> Result<Outcome, String> {
    let (net, _store) = part(case, "prompt_encoder", change, PromptEncoder::new)?;
    let tensors = case.tensors()?;
    let optional = |name: &str| tensors.get(name).map(|t| t.to_device(device()));
    let (coords, labels) = (optional("in.coords"), optional("in.labels"));
    let labels = labels.map(|labels| {
        if change == Change::Label {
            labels.zeros_like()
        } else {
            labels
        }
    });
    let points = coords.as_ref().zip(labels.as_ref());
    let points = points.map(|(coords, labels)| Points { coords, labels });
    let masks = optional("in.masks").or_else(|| optional("in.mask"));
    no_grad(|| {
        let ours = [
            (
                "out.sparse",
                net.sparse(points.as_ref(), optional("in.boxes").as_ref()),
            ),
            ("out.dense_pe", net.dense_pe()),
            ("out.dense", net.dense(masks.as_ref())),
        ];
        let mut error = 0.0;
        for (name, ours) in ours {
            if let Some(expected) = tensors.get(name) {
                let ours = ours.expand_as(expected);
                error = worse(error, max_abs(&ours, expected));
            }
        }
        outcome(case, error, None)
    })
}

/// `model: sam_mask_decoder`: all four masks and their predicted IoU.
pub fn mask_decoder(case: &Case, change: Change) -> Result<Outcome, String> {
    let (net, _store) = part(case, "mask_decoder", change, MaskDecoder::new)?;
    let tensors = case.tensors()?;
    let float = |name: &str| Ok::<_, String>(input(&tensors, name)?.to_kind(Kind::Float));
    let (embedding, pe) = (float("in.image_embedding")?, float("in.image_pe")?);
    let (sparse, dense) = (float("in.sparse")?, float("in.dense")?);
    no_grad(|| {
        let mut reached = Reached::new(&tensors);
        let image = net.image_side(&embedding, &pe, &dense);
        let _ = net
            .transformer
            .walk(&image, &net.tokens(&sparse), &mut |name, output| {
                reached.see(&format!("transformer.{name}"), output);
            });
        let prediction = net.predict(&image, &sparse);
        let masks = max_abs(
            &net.masks(&prediction, 0, 4),
            tensor(&tensors, "out.masks4")?,
        );
        let iou = max_abs(&prediction.iou, tensor(&tensors, "out.iou4")?);
        let own = no_sharing(&net, [&embedding, &pe, &dense, &sparse], &prediction.iou);
        let error = worse(worse(masks, iou), own);
        outcome(case, error, reached.quantity(case)?)
    })
}

/// How far the IoU moves when each prompt brings the same mask embedding of its own, which takes another path.
fn no_sharing(
    net: &MaskDecoder,
    [embedding, pe, dense, sparse]: [&Tensor; 4],
    iou: &Tensor,
) -> f64 {
    let dense = dense.expand([sparse.size()[0], -1, -1, -1], false);
    let prediction = net.predict(&net.image_side(embedding, pe, &dense), sparse);
    max_abs(&prediction.iou, &iou.to_device(tch::Device::Cpu))
}

/// `model: sam_resize`: each `in.<i>` scaled to the target length.
pub fn resize(case: &Case, change: Change) -> Result<Outcome, String> {
    let tensors = case.tensors()?;
    let target = case.get("/config/target_length")?;
    let (mut levels, mut share) = (0_u8, 0.0_f64);
    for (name, given) in &tensors {
        let Some(i) = name.strip_prefix("in.") else {
            continue;
        };
        let image = image(given)?;
        let (width, height) = longest_side_size(image.width, image.height, target);
        let ours = match change {
            Change::Resize => matlab_bicubic_u8_to(&image, width, height),
            _ => pil_bilinear_u8(&image, width, height),
        };
        let expected = crate::sam::image(tensor(&tensors, &format!("out.{i}"))?)?;
        if ours.size() != expected.size() {
            return Err(format!(
                "{name} became {:?}, not {:?}",
                ours.size(),
                expected.size()
            ));
        }
        let differences = || {
            ours.data
                .iter()
                .zip(&expected.data)
                .map(|(a, b)| a.abs_diff(*b))
        };
        levels = levels.max(differences().max().unwrap_or(0));
        let off = differences().filter(|&d| d > 0).count();
        share = share.max(off as f64 / expected.data.len() as f64);
    }
    Ok(Outcome::Ran(vec![
        case.quantity("grey_levels", f64::from(levels))?,
        case.quantity("share_of_samples", share)?,
    ]))
}

/// An image stored as (H, W, 3) bytes.
pub fn image(t: &Tensor) -> Result<Rgb8, String> {
    let size = t.size();
    let data = Vec::<u8>::try_from(t.contiguous().view([-1])).map_err(|error| error.to_string())?;
    Rgb8::new(size[1] as usize, size[0] as usize, data).map_err(|error| error.to_string())
}
