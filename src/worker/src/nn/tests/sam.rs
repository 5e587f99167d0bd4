//! Segment Anything's weights: the official names and shapes, Hugging Face's, refusals, and NaN by module.
//! Unaware of the mask generator beyond its settings.

use std::collections::BTreeMap;

use tch::nn::VarStore;
use tch::{Device, Kind, Tensor, no_grad};

use super::fixture;
use crate::nn::checkpoint::{self, save_safetensors};
use crate::nn::params;
use crate::nn::sam::prompt::Points;
use crate::nn::sam::{Config, Params, Precision, Sam, SamError};

/// A model of a few thousand parameters, the shape of `sam_hf.safetensors`.
pub(super) fn tiny() -> Config {
    Config {
        img_size: 128,
        patch_size: 8,
        embed_dim: 32,
        depth: 3,
        num_heads: 2,
        mlp_ratio: 2.0,
        window_size: 7,
        global_attn_indexes: vec![1],
        prompt_dim: 32,
        dec_mlp_dim: 64,
        dec_heads: 4,
        iou_hidden: 48,
        ..Config::vit_b()
    }
}

/// The model of `sam_hf.safetensors`.
pub(super) fn tiny_sam() -> Sam {
    Sam::load(
        &fixture("sam_hf.safetensors"),
        &tiny(),
        Device::Cpu,
        Precision::Fp32,
        None,
    )
    .unwrap()
}

/// Names and shapes of `sam_keys.txt` for one model.
fn official_keys(model: &str) -> BTreeMap<String, Vec<i64>> {
    let text = std::fs::read_to_string(fixture("sam_keys.txt")).unwrap();
    let head = format!("# {model} ");
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with(&head))
        .skip(1);
    let lines = lines.take_while(|line| !line.starts_with('#'));
    let parsed = lines.flat_map(|line| {
        let (names, shape) = line.split_once(' ').unwrap();
        let shape: Vec<i64> = shape.split('x').map(|n| n.parse().unwrap()).collect();
        expanded(names)
            .into_iter()
            .map(move |name| (name, shape.clone()))
    });
    parsed.collect()
}

/// `a.{0,2}.b` as `a.0.b` and `a.2.b`.
fn expanded(names: &str) -> Vec<String> {
    let Some((start, rest)) = names.split_once('{') else {
        return vec![names.to_owned()];
    };
    let (numbers, end) = rest.split_once('}').unwrap();
    numbers
        .split(',')
        .map(|number| format!("{start}{number}{end}"))
        .collect()
}

/// One model after the other; ViT-H takes 2.5 GB for a moment.
#[test]
fn published_shapes_have_the_official_names() {
    for (name, config, tensors, numbers) in [
        ("vit_b", Config::vit_b(), 314, 93_735_728),
        ("vit_l", Config::vit_l(), 482, 312_343_088),
        ("vit_h", Config::vit_h(), 594, 641_090_864),
    ] {
        let sam = Sam::new(&config, Device::Cpu).unwrap();
        let ours: BTreeMap<String, Vec<i64>> = params::named(sam.store())
            .into_iter()
            .map(|(key, t)| (key, t.size()))
            .collect();
        assert_eq!(ours, official_keys(name), "{name}");
        assert_eq!((ours.len(), params::count(sam.store())), (tensors, numbers));
    }
}

/// Of both naming schemes, as tuning programs save them.
#[test]
fn weights_are_found_behind_any_entry_and_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sam.safetensors");
    let own = official_weights();
    let theirs = checkpoint::open(&fixture("sam_hf.safetensors")).unwrap();
    for weights in [&own, &theirs.tensors().unwrap()] {
        for prefix in ["model.", "sam.", "state_dict.module.sam_model."] {
            let named = weights
                .iter()
                .map(|(name, t)| (format!("{prefix}{name}"), t.shallow_clone()))
                .collect();
            save_safetensors(&file, &named, &BTreeMap::new()).unwrap();
            let sam = Sam::load(&file, &tiny(), Device::Cpu, Precision::Fp32, None);
            let sam = sam.unwrap();
            assert_eq!(params::snapshot(sam.store()), own, "{prefix}");
            let place = prefix.trim_end_matches('.');
            assert_eq!(sam.notes, [format!("the network stands behind `{place}`")]);
        }
    }
}

#[test]
fn hugging_faces_weights_give_hugging_faces_masks() {
    let io = checkpoint::open(&fixture("sam_hf_io.safetensors"))
        .unwrap()
        .tensors_as_stored()
        .unwrap();
    let sam = tiny_sam();
    let features = sam.features(&io["in.x"]).unwrap();
    assert!(off(&features, &io["out.features"]) < 1e-4);
    let points = Points {
        coords: &io["in.points"],
        labels: &io["in.labels"],
    };
    let prediction = no_grad(|| {
        let sparse = sam.prompt_encoder.sparse(Some(&points), None);
        sam.mask_decoder
            .predict(&sam.image_side(&features, None), &sparse)
    });
    let masks = no_grad(|| sam.mask_decoder.masks(&prediction, 1, 3));
    let scale = io["out.masks"].abs().max().double_value(&[]).max(1.0);
    assert!(off(&masks, &io["out.masks"]) / scale < 1e-4);
    assert!(off(&prediction.iou.narrow(1, 1, 3), &io["out.iou"]) < 1e-4);
}

fn off(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[])
}

/// The weights of `sam_hf.safetensors` under official names.
fn official_weights() -> BTreeMap<String, Tensor> {
    params::snapshot(tiny_sam().store())
}

/// What loading these weights says.
fn refusal(weights: &BTreeMap<String, Tensor>, config: &Config) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    save_safetensors(&path, weights, &BTreeMap::new()).unwrap();
    let error = Sam::load(&path, config, Device::Cpu, Precision::Fp32, None).unwrap_err();
    error.to_string()
}

#[test]
fn official_names_load_with_and_without_stored_constants() {
    let mut weights = official_weights();
    weights.insert(
        "pixel_mean".to_owned(),
        Tensor::from_slice(&[123.675_f32, 116.28, 103.53]),
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    save_safetensors(&path, &weights, &BTreeMap::new()).unwrap();
    let sam = Sam::load(&path, &tiny(), Device::Cpu, Precision::Fp32, None).unwrap();
    assert_eq!(
        params::count(sam.store()),
        params::count(tiny_sam().store())
    );
}

#[test]
fn wrong_weights_are_listed_by_name() {
    let mut weights = official_weights();
    let _ = weights.remove("mask_decoder.iou_token.weight").unwrap();
    weights.insert(
        "mask_decoder.extra".to_owned(),
        Tensor::from_slice(&[1.0_f32]),
    );
    weights.insert(
        "image_encoder.pos_embed".to_owned(),
        Tensor::zeros([1, 16, 16, 1024], (Kind::Float, Device::Cpu)),
    );
    let text = refusal(&weights, &tiny());
    assert!(
        text.contains("1 missing: mask_decoder.iou_token.weight"),
        "{text}"
    );
    assert!(text.contains("1 unexpected: mask_decoder.extra"), "{text}");
    assert!(
        text.contains("image_encoder.pos_embed is [1, 16, 16, 1024], not [1, 16, 16, 32]"),
        "{text}"
    );
    assert!(
        text.contains("this looks like Segment Anything: its image encoder has width 1024"),
        "{text}"
    );
}

#[test]
fn a_nan_is_named_where_it_is_stored_and_where_it_shows() {
    let mut weights = official_weights();
    let bias = "image_encoder.blocks.1.mlp.lin2.bias";
    let _ = weights.get_mut(bias).unwrap().get(3).fill_(f64::NAN);
    let text = refusal(&weights, &tiny());
    assert!(text.contains("NaN") && text.contains(bias), "{text}");

    let sam = tiny_sam();
    let _ = no_grad(|| params::named(sam.store())[bias].get(3).fill_(f64::INFINITY));
    let x = Tensor::zeros([1, 3, 128, 128], (Kind::Float, Device::Cpu));
    let error = sam.features(&x).unwrap_err().to_string();
    assert!(error.contains("`image_encoder.blocks.1`"), "{error}");
}

#[test]
fn shapes_and_settings_that_cannot_be_are_refused() {
    for change in [
        |c: &mut Config| c.patch_size = 7,
        |c: &mut Config| c.num_heads = 0,
        |c: &mut Config| c.dec_heads = 3,
        |c: &mut Config| c.global_attn_indexes = vec![3],
    ] {
        let mut config = tiny();
        change(&mut config);
        assert!(
            matches!(Sam::new(&config, Device::Cpu), Err(SamError::Config { .. })),
            "{config:?}"
        );
    }
    for params in [
        Params::grid(0),
        Params {
            points_per_batch: 0,
            ..Params::default()
        },
        Params {
            crop_n_layers: 40,
            ..Params::default()
        },
        Params {
            box_nms_thresh: f64::NAN,
            ..Params::default()
        },
        Params {
            point_grids: Some(vec![]),
            ..Params::default()
        },
    ] {
        assert!(
            matches!(params.check(), Err(SamError::Params { .. })),
            "{params:?}"
        );
    }
}

#[test]
fn bfloat16_is_near() {
    let (mut sam, x) = (
        tiny_sam(),
        Tensor::randn([1, 3, 128, 128], (Kind::Float, Device::Cpu)),
    );
    let exact = sam.features(&x).unwrap();
    sam.set_precision(Precision::Bf16);
    let near = sam.features(&x).unwrap();
    assert_eq!(near.kind(), Kind::Float);
    let error = off(&near, &exact);
    assert!(error > 0.0 && error < 0.3, "{error}");
}

/// Half precision stays in the encoder.
#[test]
fn the_mask_decoder_computes_in_bfloat16_with_the_encoder_and_hands_float32_on() {
    let x = Tensor::randn([1, 3, 128, 128], (Kind::Float, Device::Cpu));
    let mut sam = tiny_sam();
    let features = sam.features(&x).unwrap();
    let (coords, labels) = (
        Tensor::from_slice(&[31.0, 40.0, 90.0, 11.0]).view([2, 1, 2]),
        Tensor::ones([2, 1], (Kind::Float, Device::Cpu)),
    );
    let mut decoded = |precision| {
        sam.set_precision(precision);
        no_grad(|| {
            let points = Points {
                coords: &coords,
                labels: &labels,
            };
            let sparse = sam.prompt_encoder.sparse(Some(&points), None);
            let prediction = (sam.mask_decoder).predict(&sam.image_side(&features, None), &sparse);
            let masks = sam.mask_decoder.masks(&prediction, 0, 4);
            (masks, prediction.iou)
        })
    };
    let exact = decoded(Precision::Fp32);
    assert_eq!(decoded(Precision::Fp16), exact);
    let near = decoded(Precision::Bf16);
    for (near, exact) in [(&near.0, &exact.0), (&near.1, &exact.1)] {
        assert_eq!(near.kind(), Kind::Float);
        let error = off(near, exact) / exact.abs().max().double_value(&[]);
        assert!(error > 0.0 && error < 0.1, "{error}");
    }
}

/// An empty store holds nothing, so that the checks above compare something.
#[test]
fn the_tiny_model_has_parameters() {
    assert_eq!(params::count(&VarStore::new(Device::Cpu)), 0);
    assert!(params::count(tiny_sam().store()) > 50_000);
}
