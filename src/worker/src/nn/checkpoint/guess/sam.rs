//! Which size of Segment Anything a file of weights looks like, by Meta's names or Hugging Face's.
//! Unaware of other networks.

use tch::Device;

use super::recognised::{Recognised, count};
use crate::nn::checkpoint::Shapes;
use crate::nn::sam::{Config, Sam, is_constant, official_name};

/// The size shows in the width and the depth of the image encoder.
pub(super) fn sam(found: &Shapes) -> Option<Recognised> {
    let is_hugging_face = found.contains_key("vision_encoder.pos_embed");
    let own = |(name, shape): (&String, &Vec<i64>)| {
        let name = if is_hugging_face {
            official_name(name)
        } else {
            name.clone()
        };
        (!is_constant(&name)).then(|| (name, shape.clone()))
    };
    let own: Shapes = found.iter().filter_map(own).collect();
    let width = *own.get("image_encoder.pos_embed")?.last()?;
    let depth = count(&own, |i| {
        format!("image_encoder.blocks.{i}.attn.qkv.weight")
    });
    let title = "Segment Anything";
    let published = [
        (Config::vit_b(), "ViT-B", "vit-b"),
        (Config::vit_l(), "ViT-L", "vit-l"),
        (Config::vit_h(), "ViT-H", "vit-h"),
    ];
    let known = published
        .into_iter()
        .find(|(config, ..)| (config.embed_dim, config.depth) == (width, depth));
    let known = known.and_then(|(config, size, model)| Some((shapes(&config)?, size, model)));
    let mut recognised = if let Some((shapes, size, model)) = known {
        let title = format!("{title} {size}");
        Recognised::compared(
            &title,
            format!("model: {model}"),
            shapes,
            &own,
            String::new(),
        )
    } else {
        let remark = format!(
            "its image encoder has width {width} and {depth} blocks, which no published size has"
        );
        Recognised::unknown(title, remark)
    };
    recognised.input = "RGB, 0 to 255; the worker scales the longer side and normalises";
    Some(recognised)
}

/// Names and shapes of a model. All blocks with a window are alike, and all without: one of each is built.
fn shapes(config: &Config) -> Option<Shapes> {
    let two = Config {
        depth: 2,
        global_attn_indexes: vec![1],
        ..config.clone()
    };
    let sam = Sam::new(&two, Device::Cpu).ok()?;
    let mut all = Shapes::new();
    for (name, shape) in crate::nn::checkpoint::shapes(sam.store()) {
        let Some((block, rest)) = name
            .strip_prefix("image_encoder.blocks.")
            .and_then(|n| n.split_once('.'))
        else {
            all.insert(name, shape);
            continue;
        };
        let is_windowed = block == "0";
        for at in (0..config.depth).filter(|at| config.window(*at).is_some() == is_windowed) {
            all.insert(format!("image_encoder.blocks.{at}.{rest}"), shape.clone());
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_sizes_are_known_by_their_names_and_shapes() {
        for (config, fits) in [
            (Config::vit_b(), "model: vit-b"),
            (Config::vit_l(), "model: vit-l"),
            (Config::vit_h(), "model: vit-h"),
        ] {
            let mut all = shapes(&config).unwrap();
            all.insert("pixel_mean".into(), vec![3, 1, 1]);
            assert_eq!(sam(&all).unwrap().fits.as_deref(), Some(fits));
            all.insert("image_encoder.neck.0.weight".into(), vec![1]);
            let other = sam(&all).unwrap();
            assert_eq!(other.fits, None);
            assert_eq!(
                other.remark,
                format!("but 1 of its names or shapes differ from `{fits}`")
            );
        }
    }
}
