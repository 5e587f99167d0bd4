//! Groups of images of which one has no embedding, and the images that such tests need.

use artifacts::{PairEntry, PairList};
use pixels::{Rgb8, write_png};
use spec::kinds::Degrade;
use spec::names::PairImage;
use tch::Tensor;

use super::*;
use crate::nn::params;
use crate::nn::sam::Precision;

/// Images of so many pixels each in a row, called `0`, `1`, …; nothing can be read of one without.
pub fn images(folder: &std::path::Path, widths: &[usize]) -> Arc<Images> {
    let pair = |(n, &width): (usize, &usize)| {
        let hr = format!("{n}.png");
        if width > 0 {
            let image = Rgb8::new(width, 1, vec![7; 3 * width]).unwrap();
            write_png(&folder.join(&hr), &image).unwrap();
        }
        PairEntry {
            name: n.to_string(),
            hr,
            lq: None,
            width,
            height: 1,
            digest: String::new(),
            notes: Vec::new(),
        }
    };
    let list = PairList {
        degrade: Degrade::Denoise(0.0),
        seed: 0,
        pairs: widths.iter().enumerate().map(pair).collect(),
    };
    list.write(folder).unwrap();
    Arc::new(Images::open(folder, PairImage::Hq).unwrap())
}

/// A model whose encoder leaves the numbers of half precision for white images, and for those near the mean does not.
fn model() -> Sam {
    let config = Config {
        img_size: 64,
        patch_size: 16,
        embed_dim: 32,
        depth: 1,
        num_heads: 2,
        mlp_ratio: 1.0,
        window_size: 0,
        global_attn_indexes: vec![0],
        prompt_dim: 32,
        dec_mlp_dim: 32,
        dec_heads: 2,
        iou_hidden: 32,
        ..Config::vit_b()
    };
    let mut sam = Sam::new(&config, tch::Device::Cpu).unwrap();
    params::draw(sam.store(), 1);
    let weight = &params::named(sam.store())["image_encoder.patch_embed.proj.weight"];
    params::overwrite(weight, &(Tensor::ones_like(weight) * 50.0));
    sam.set_precision(Precision::Fp16);
    sam
}

#[test]
fn an_image_without_an_embedding_costs_none_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let images = images(folder.path(), &[1, 1, 1, 1]);
    let group = [[124, 116, 104], [124, 116, 104], [255; 3], [124, 116, 104]]
        .iter()
        .enumerate();
    let picture = |(at, rgb): (usize, &[u8; 3])| {
        let image = Rgb8::new(64, 64, rgb.repeat(64 * 64)).unwrap();
        let scaled = Scaled::of(&image, 64).unwrap();
        Picture { at, image, scaled }
    };
    let group: Vec<Picture> = group.map(picture).collect();
    let sam = model();
    let (embeddings, failed) = embed(&sam, &group, &images);
    assert_eq!(embeddings.len(), 2);
    let error = failed.unwrap().to_string();
    assert!(error.starts_with("2: "), "{error}");
    let (embeddings, failed) = embed(&sam, &group[..2], &images);
    assert_eq!((embeddings.len(), failed), (2, None));
}
