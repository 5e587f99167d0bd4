//! ART and CAT beyond parity: sizes of the published networks, odd image sizes, groups, windows, tiles.
//! Unaware of the golden numbers, which `tests/parity` compares.

use std::collections::BTreeMap;

use spec::kinds::Tiling;
use tch::nn::{Path, VarStore};
use tch::{Device, Kind, Tensor, no_grad};

use crate::nn::art::{self, Art, Groups};
use crate::nn::backbone::Backbone;
use crate::nn::cat::{self, Cat, Windows};
use crate::nn::tiling::{self, Border, Overlap, Rule};
use crate::nn::transformer::PositionBias;
use crate::nn::{checkpoint, params};

/// A network of some shape, at a path.
type Build = Box<dyn Fn(&Path<'_>) -> Backbone>;

fn art_of(config: art::Config) -> Build {
    Box::new(move |p| Art::new(p, &config).into())
}

fn cat_of(config: cat::Config) -> Build {
    Box::new(move |p| Cat::new(p, &config).into())
}

fn numbers(config: &Build) -> (usize, usize) {
    let store = VarStore::new(Device::Cpu);
    let _net = config(&store.root());
    (params::count(&store), params::named(&store).len())
}

#[test]
fn the_published_networks_have_their_size() {
    let art = |config| numbers(&art_of(config));
    assert_eq!(art(art::Config::published(2)), (16_398_107, 962));
    assert_eq!(art(art::Config::published(3)), (16_582_747, 962));
    assert_eq!(art(art::Config::published(4)), (16_545_819, 964));
    assert_eq!(art(art::Config::small(4)).0, 11_867_259);
    assert_eq!(art(art::Config::denoising()), (16_149_783, 958));
    // Of CAT's 1574 and 1576 tensors, 36 are masks, which are computed here.
    let cat = |config| numbers(&cat_of(config));
    assert_eq!(cat(cat::Config::published(2)), (16_456_103, 1538));
    assert_eq!(cat(cat::Config::published(3)), (16_640_743, 1538));
    assert_eq!(cat(cat::Config::published(4)), (16_603_815, 1540));
    assert_eq!(cat(cat::Config::wide(4)).0, 16_603_815);
}

fn small_art(scale: i64) -> Build {
    let published = if scale == 1 {
        art::Config::denoising()
    } else {
        art::Config::published(scale)
    };
    art_of(art::Config {
        embed_dim: 32,
        depths: vec![2, 1],
        num_heads: vec![2, 4],
        interval: vec![5, 4],
        window_size: 4,
        mlp_ratio: 1.5,
        ..published
    })
}

fn small_cat() -> Build {
    cat_of(cat::Config {
        embed_dim: 32,
        depth: vec![2, 2],
        num_heads: vec![2, 4],
        split_size_0: vec![2, 3],
        mlp_ratio: 1.5,
        ..cat::Config::published(3)
    })
}

fn drawn(config: &Build) -> (VarStore, Backbone) {
    let store = VarStore::new(Device::Cpu);
    let net = config(&store.root());
    params::draw(&store, 5);
    (store, net)
}

fn picture(b: i64, h: i64, w: i64) -> Tensor {
    let n = b * 3 * h * w;
    let wave = (Tensor::arange(n, (Kind::Float, Device::Cpu)) * 0.71).sin();
    wave.abs().view([b, 3, h, w])
}

#[test]
fn any_image_size_is_restored() {
    for config in [small_art(1), small_art(2), small_art(4), small_cat()] {
        let (_store, net) = drawn(&config);
        for (h, w) in [
            (1, 1),
            (1, 9),
            (3, 4),
            (4, 4),
            (5, 3),
            (4, 11),
            (8, 20),
            (13, 7),
        ] {
            let y = no_grad(|| net.baseline(&picture(2, h, w)));
            assert_eq!(y.size(), [2, 3, h * net.scale(), w * net.scale()]);
            assert_eq!(y.isfinite().all().int64_value(&[]), 1, "{h}×{w}");
        }
    }
}

#[test]
fn images_of_a_batch_do_not_mix() {
    for config in [small_art(2), small_cat()] {
        let (_store, net) = drawn(&config);
        let x = picture(2, 12, 18);
        let both = no_grad(|| net.baseline(&x));
        let second = no_grad(|| net.baseline(&x.narrow(0, 1, 1)));
        let error = (both.narrow(0, 1, 1) - second).abs().max();
        assert!(error.double_value(&[]) < 1e-5);
    }
}

/// What one image was like must not change the next, though in the official module a small one does.
#[test]
fn a_small_image_changes_nothing_for_the_next() {
    let (_store, net) = drawn(&small_art(2));
    let x = picture(1, 11, 14);
    let before = no_grad(|| net.baseline(&x));
    let _ = no_grad(|| net.baseline(&picture(1, 3, 9)));
    assert_eq!(no_grad(|| net.baseline(&x)), before);
}

/// The groups that each token of an image falls into, by calling `map` with a function that numbers them.
fn members(groups: &Groups, h: i64, w: i64) -> BTreeMap<i64, Vec<(i64, i64)>> {
    let places = Tensor::arange(h * w, (Kind::Float, Device::Cpu)).view([1, h, w, 1]);
    let first_of_group = |tokens: &Tensor, gh: i64, gw: i64| {
        assert_eq!(tokens.size()[1], gh * gw);
        tokens.narrow(1, 0, 1).expand_as(tokens).contiguous()
    };
    let named = groups.map(&places, &first_of_group);
    assert_eq!(named.size(), [1, h, w, 1]);
    let mut members = BTreeMap::<i64, Vec<(i64, i64)>>::new();
    for y in 0..h {
        for x in 0..w {
            let group = named.double_value(&[0, y, x, 0]) as i64;
            members.entry(group).or_default().push((y, x));
        }
    }
    members
}

#[test]
fn dense_groups_are_windows() {
    for (h, w) in [(8, 8), (9, 13), (4, 6)] {
        for tokens in members(&Groups::dense(h, w, 4), h, w).values() {
            let window = |&(y, x): &(i64, i64)| (y / 4, x / 4);
            assert!(tokens.iter().all(|t| window(t) == window(&tokens[0])));
        }
        let count = ((h + 3) / 4) * ((w + 3) / 4);
        assert_eq!(members(&Groups::dense(h, w, 4), h, w).len() as i64, count);
    }
}

#[test]
fn sparse_groups_are_an_interval_apart() {
    for (h, w) in [(8, 8), (9, 13), (3, 6)] {
        let groups = members(&Groups::sparse(h, w, 4), h, w);
        for tokens in groups.values() {
            let phase = |&(y, x): &(i64, i64)| (y % 4, x % 4);
            assert!(tokens.iter().all(|t| phase(t) == phase(&tokens[0])));
        }
        assert_eq!(groups.len() as i64, h.min(4) * w.min(4));
    }
}

/// The bias between two tokens is the MLP's answer for their offset alone.
#[test]
fn the_bias_depends_on_the_offset_alone() {
    let store = VarStore::new(Device::Cpu);
    let bias = PositionBias::new(&store.root(), 64, 2);
    params::draw(&store, 3);
    let (h, w) = (3, 4);
    let table = no_grad(|| bias.forward(h, w)).view([2, h, w, h, w]);
    let at = |y: i64, x: i64, v: i64, u: i64| table.double_value(&[1, y, x, v, u]);
    let apart = |other: f64| (at(0, 1, 1, 3) - other).abs();
    assert!(apart(at(1, 0, 2, 2)) < 1e-9, "offset (-1, -2) as well");
    assert!(apart(at(1, 3, 0, 1)) > 1e-6, "offset (1, 2)");
    let larger = no_grad(|| bias.forward(5, 5)).view([2, 5, 5, 5, 5]);
    let other = larger.double_value(&[1, 0, 0, 1, 2]);
    assert!(apart(other) < 1e-6, "in groups of any size");
}

#[test]
fn a_kept_bias_follows_its_weights() {
    let store = VarStore::new(Device::Cpu);
    let bias = PositionBias::new(&store.root(), 64, 2);
    params::draw(&store, 3);
    let first = no_grad(|| bias.forward(2, 2));
    assert!(!first.requires_grad());
    assert!(bias.forward(2, 2).requires_grad(), "while it is trained");
    params::draw(&store, 4);
    assert_ne!(no_grad(|| bias.forward(2, 2)), first, "after loading");
}

/// With one value a token and no preference, attention is the mean over the window.
#[test]
fn shifted_windows_keep_both_ends_of_the_image_apart() {
    let (h, w, split) = (2, 6, 2);
    let columns = Tensor::arange(w, (Kind::Float, Device::Cpu)).view([1, 1, w]);
    let v = columns.expand([1, h, w], false).unsqueeze(-1).unsqueeze(-1);
    let zero = v.zeros_like();
    let qkv = Tensor::stack(&[&zero, &zero, &v], 3); // (1, H, W, 3, 1, 1)
    let bias = Tensor::zeros([1, 1, h * split, h * split], (Kind::Float, Device::Cpu));
    let assert_means = |shift, expected: [f32; 6]| {
        let means = Windows::vertical(h, split, shift).attend(&qkv, &bias);
        let error = means.select(1, 0).flatten(0, -1) - Tensor::from_slice(&expected);
        assert!(error.abs().max().double_value(&[]) < 1e-6, "{shift}");
    };
    assert_means(0, [0.5, 0.5, 2.5, 2.5, 4.5, 4.5]);
    assert_means(1, [0.0, 1.5, 1.5, 3.5, 3.5, 5.0]);
}

#[test]
fn tiles_of_a_local_function_leave_no_seams() {
    let rule = |side, border, overlap, multiple| Rule {
        side: Some(side),
        multiple,
        border,
        overlap,
    };
    let rules = [
        rule(7, Border::Reflect, Overlap::Fraction(3), 1),
        rule(5, Border::Symmetric, Overlap::Pixels(16), 4),
    ];
    for (h, w) in [(4, 6), (20, 23), (7, 30)] {
        let x = picture(1, h, w);
        for rule in rules {
            let y = tiling::tiled(&x, &rule, 2, &mut |piece| {
                assert_eq!(piece.size()[2] % rule.multiple, 0);
                Ok::<_, String>(piece.upsample_nearest2d_vec(None::<&[i64]>, [2.0, 2.0]))
            });
            assert_eq!(
                y.unwrap(),
                x.upsample_nearest2d_vec(None::<&[i64]>, [2.0, 2.0])
            );
        }
    }
}

#[test]
fn images_are_cut_as_the_official_test_cuts_them() {
    let pieces = |config: &Build, tiling, h, w| {
        let (_store, net) = drawn(config);
        let mut sizes = Vec::new();
        let _ = tiling::tiled(&picture(1, h, w), &net.tiling(tiling), 1, &mut |piece| {
            sizes.push((piece.size()[2], piece.size()[3]));
            Ok::<_, String>(piece.shallow_clone())
        });
        sizes
    };
    assert_eq!(
        pieces(&small_art(1), Tiling::Official, 199, 10),
        [(199, 10)]
    );
    // 211 rows become two parts of 106, each reaching a tenth into the other.
    assert_eq!(
        pieces(&small_art(1), Tiling::Official, 211, 10),
        [(116, 10); 2]
    );
    assert_eq!(pieces(&small_art(1), Tiling::None, 211, 10), [(211, 10)]);
    assert_eq!(pieces(&small_cat(), Tiling::Official, 211, 10), [(216, 12)]);
}

#[test]
fn drawn_norms_are_one_and_linear_layers_small() {
    let (store, _net) = drawn(&small_art(2));
    let named = params::named(&store);
    let norm = &named["layers.0.residual_group.blocks.0.norm1.weight"];
    assert_eq!(*norm, norm.ones_like());
    let bias = &named["layers.0.residual_group.blocks.0.mlp.fc1.bias"];
    assert_eq!(*bias, bias.zeros_like());
    let weight = &named["layers.0.residual_group.blocks.0.attn.qkv.weight"];
    let deviation = weight.std(true).double_value(&[]);
    assert!((deviation - 0.02).abs() < 1e-3, "{deviation}");
}

#[test]
fn other_networks_are_recognised() {
    let guess = |wanted: &Build, found: &Build| {
        let (file, model) = (VarStore::new(Device::Cpu), VarStore::new(Device::Cpu));
        let _nets = (found(&file.root()), wanted(&model.root()));
        let error = checkpoint::assign(&model, &params::snapshot(&file)).unwrap_err();
        (*error.guess.unwrap()).to_owned()
    };
    let art = art_of;
    let cat = cat_of(cat::Config::published(2));
    let small = art(art::Config::small(3));
    let denoising = art(art::Config::denoising());
    assert_eq!(
        guess(&cat, &small),
        "ART-S ×3: `backbone: {art: {scale: 3, mlp_ratio: 2.0, interval: [8, 8, 8, 8, 8, 8]}}` has its names and \
         shapes; `interval` and `window` show in no weight"
    );
    assert_eq!(
        guess(&small, &denoising),
        "ART for denoising: `backbone: {art: {scale: 1}}` has its names and shapes; `interval` and `window` show in no \
         weight"
    );
    assert_eq!(
        guess(&small, &cat),
        "CAT-A ×2: `backbone: {cat: {scale: 2}}` has its names and shapes; `split` shows in no weight"
    );
    let published = guess(&cat, &art(art::Config::published(4)));
    assert!(
        published.starts_with("ART ×4: `backbone: {art: {scale: 4}}` has"),
        "{published}"
    );
}
