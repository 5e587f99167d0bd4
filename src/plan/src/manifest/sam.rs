//! The lines of a mask stage that SAM makes, and what such stages can share when they run.
//! Unaware of how SAM computes and of who shares.

use std::fmt::Display;

use spec::Kind;
use spec::backbones::spaced;
use spec::kinds::{Mask, Sam, SamModel, SamShape, Segmenter};
use store::Key;

use super::Lines;

/// What stages have in common that can share an expensive start: masks of several grids, over the same images with the
/// same SAM, need the model and each image's embedding once. `None` for stages that have no such start.
pub fn start(kind: &Kind, manifest: &str) -> Option<Key> {
    let Kind::Mask(Mask {
        segmenter: Segmenter::Sam(_),
        ..
    }) = kind
    else {
        return None;
    };
    let shared = |line: &&str| {
        let shared = [
            "input.images\t",
            "config.of\t",
            "config.segmenter\t",
            "config.segmenter.model",
            "config.segmenter.precision\t",
            "config.segmenter.entry\t",
            "outside.segmenter.sam.weights/",
            "numerics\t",
        ];
        shared.iter().any(|prefix| line.starts_with(prefix))
    };
    let lines: Vec<&str> = manifest.lines().filter(shared).collect();
    Some(Key::of_manifest(&format!(
        "start of {}\n",
        lines.join("\n")
    )))
}

impl Lines {
    /// The number of points worked on at once only moves last bits, but a last bit can move a mask's edge.
    pub(super) fn sam(&mut self, sam: &Sam) {
        let Sam {
            model,
            weights: _,
            entry,
            precision,
            order,
            points_per_batch,
            pred_iou_thresh,
            stability_score_thresh,
            stability_score_offset,
            box_nms_thresh,
            crop_n_layers,
            crop_nms_thresh,
            crop_overlap_ratio,
            crop_n_points_downscale_factor,
            point_grids,
            min_mask_region_area,
        } = sam;
        let numbers: [(&str, &dyn Display); 12] = [
            ("precision", precision),
            ("order", order),
            ("points_per_batch", points_per_batch),
            ("pred_iou_thresh", pred_iou_thresh),
            ("stability_score_thresh", stability_score_thresh),
            ("stability_score_offset", stability_score_offset),
            ("box_nms_thresh", box_nms_thresh),
            ("crop_n_layers", crop_n_layers),
            ("crop_nms_thresh", crop_nms_thresh),
            ("crop_overlap_ratio", crop_overlap_ratio),
            (
                "crop_n_points_downscale_factor",
                crop_n_points_downscale_factor,
            ),
            ("min_mask_region_area", min_mask_region_area),
        ];
        for (name, value) in numbers {
            self.put(&format!("config.segmenter.{name}"), value);
        }
        for (layer, points) in point_grids.iter().flatten().enumerate() {
            let points: Vec<String> = points.iter().map(|[x, y]| format!("{x} {y}")).collect();
            self.put(
                &format!("config.segmenter.point_grids.{layer}"),
                points.join(", "),
            );
        }
        self.option("config.segmenter.entry", entry.as_ref());
        self.sam_model(model);
    }

    fn sam_model(&mut self, model: &SamModel) {
        self.put("config.segmenter.model", model.name());
        let SamModel::Custom(shape) = model else {
            return;
        };
        let SamShape {
            img_size,
            patch_size,
            embed_dim,
            depth,
            num_heads,
            mlp_ratio,
            window_size,
            global_attn_indexes,
            prompt_dim,
            mask_in_chans,
            dec_depth,
            dec_mlp_dim,
            dec_heads,
            iou_hidden,
        } = shape;
        let numbers = [
            ("img_size", img_size),
            ("patch_size", patch_size),
            ("embed_dim", embed_dim),
            ("depth", depth),
            ("num_heads", num_heads),
            ("mlp_ratio", mlp_ratio),
            ("window_size", window_size),
            ("prompt_dim", prompt_dim),
            ("mask_in_chans", mask_in_chans),
            ("dec_depth", dec_depth),
            ("dec_mlp_dim", dec_mlp_dim),
            ("dec_heads", dec_heads),
            ("iou_hidden", iou_hidden),
        ];
        for (name, value) in numbers {
            self.put(&format!("config.segmenter.model.{name}"), value);
        }
        self.put(
            "config.segmenter.model.global_attn_indexes",
            spaced(global_attn_indexes),
        );
    }
}
