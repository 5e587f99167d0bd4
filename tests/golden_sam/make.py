"""Writes this folder's golden numbers: paths through Segment Anything that tests/golden does not take.

    pip install torch torchvision opencv-python-headless pycocotools safetensors
    python make.py <checkout of facebookresearch/segment-anything@dca509f>

Crops, clean-up of small regions, explicit point grids, boxes and masks as prompts, a mask of its own for each prompt.
The weights are those of tests/golden/sam_weights.safetensors. Thresholds lie in the middle of the widest gap near a
quantile of the random model's scores, so that the set of masks does not hang on the last bit.
"""
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
WEIGHTS = "../golden/sam_weights.safetensors"


def official(config):
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
    c = config
    grid = c["img_size"] // c["patch_size"]
    encoder = ImageEncoderViT(
        depth=c["depth"], embed_dim=c["embed_dim"], img_size=c["img_size"], mlp_ratio=c["mlp_ratio"],
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), num_heads=c["num_heads"], patch_size=c["patch_size"],
        qkv_bias=True, use_rel_pos=True, global_attn_indexes=c["global_attn_indexes"], window_size=c["window_size"],
        out_chans=c["prompt_dim"])
    for block, length in c["rel_pos_lengths_overridden"].items():
        attn = encoder.blocks[int(block)].attn
        attn.rel_pos_h = torch.nn.Parameter(torch.zeros(length, attn.rel_pos_h.shape[1]))
        attn.rel_pos_w = torch.nn.Parameter(torch.zeros(length, attn.rel_pos_w.shape[1]))
    prompts = PromptEncoder(
        embed_dim=c["prompt_dim"], image_embedding_size=(grid, grid), input_image_size=(c["img_size"],) * 2,
        mask_in_chans=c["mask_in_chans"])
    transformer = TwoWayTransformer(
        depth=c["dec_depth"], embedding_dim=c["prompt_dim"], mlp_dim=c["dec_mlp_dim"], num_heads=c["dec_heads"])
    decoder = MaskDecoder(
        num_multimask_outputs=3, transformer=transformer, transformer_dim=c["prompt_dim"], iou_head_depth=3,
        iou_head_hidden_dim=c["iou_hidden"])
    sam = Sam(encoder, prompts, decoder).eval()
    state = load_file(HERE / WEIGHTS)
    sam.load_state_dict({k[len("param."):]: v.float() for k, v in state.items()})
    return sam


def in_gap(values, quantile, width=0.15):
    """The middle of the widest gap between neighbouring values around a quantile."""
    v = np.sort(values)
    low, high = np.quantile(v, [max(quantile - width, 0), min(quantile + width, 1)])
    v = v[(v >= low) & (v <= high)]
    at = np.argmax(np.diff(v))
    return float((v[at] + v[at + 1]) / 2)


def generate(sam, image, amg):
    from segment_anything import SamAutomaticMaskGenerator
    return SamAutomaticMaskGenerator(sam, **amg, output_mode="binary_mask").generate(image)


def scores(sam, image, amg):
    records = generate(sam, image, {**amg, "pred_iou_thresh": 0.0, "stability_score_thresh": 0.0, "min_mask_region_area": 0,
                                    "box_nms_thresh": 2.0, "crop_nms_thresh": 2.0})
    return [np.array([r[key] for r in records]) for key in ("predicted_iou", "stability_score")]


def generator_case(sam, config, name, image, amg, quantiles):
    if amg.get("point_grids") is not None:
        amg = {**amg, "points_per_side": None, "point_grids": [np.array(g) for g in amg["point_grids"]]}
    iou, stability = scores(sam, image, amg)
    amg["pred_iou_thresh"] = in_gap(iou, quantiles[0])
    amg["stability_score_thresh"] = in_gap(stability[stability > 0], quantiles[1])
    records = generate(sam, image, amg)
    if amg.get("point_grids") is not None:
        amg["point_grids"] = [g.tolist() for g in amg["point_grids"]]
    column = lambda key: torch.tensor([r[key] for r in records], dtype=torch.float64)
    from segment_anything import SamPredictor
    predictor = SamPredictor(sam)
    predictor.set_image(image)
    save_file({
        "in.image": torch.from_numpy(image),
        "out.masks": torch.from_numpy(np.stack([np.packbits(r["segmentation"].flatten()) for r in records])),
        "out.predicted_iou": column("predicted_iou"), "out.stability_score": column("stability_score"),
        "out.bbox_xywh": column("bbox"), "out.crop_boxes": column("crop_box"), "out.areas": column("area"),
        "out.points": column("point_coords")[:, 0].contiguous(), "mid.features": predictor.features,
    }, HERE / f"{name}.safetensors")
    print(name, len(records), "masks,", len({tuple(r["crop_box"]) for r in records}), "crops")
    return dict(id=name, file=f"{name}.safetensors", weights=[WEIGHTS], model="sam_mask_generator", config=config, amg=amg,
                n_masks=len(records), tolerance=dict(mask_iou_min=0.999, flipped_pixels_max=20, scores=1e-4,
                                                                bbox_px=1, features=1e-3),
                how="SamAutomaticMaskGenerator.generate on a part of the photograph of tests/golden, turned or not")


@torch.no_grad()
def prompt_case(sam, config):
    torch.manual_seed(3)
    side = config["img_size"]
    coords, labels = torch.rand(3, 2, 2, dtype=torch.float64) * side, torch.tensor([[1, 0], [0, 1], [1, -1]])
    corners = torch.rand(3, 2, 2).sort(1)[0].reshape(3, 4) * side
    masks = torch.randn(3, 1, side // 4, side // 4)
    sparse, dense = sam.prompt_encoder(points=(coords, labels), boxes=corners, masks=masks)
    save_file({"in.coords": coords, "in.labels": labels.int(), "in.boxes": corners, "in.masks": masks, "out.sparse": sparse,
               "out.dense": dense, "out.dense_pe": sam.prompt_encoder.get_dense_pe().contiguous()},
              HERE / "prompts.safetensors")
    embedding = torch.randn(1, *dense.shape[1:])
    pe = sam.prompt_encoder.get_dense_pe().contiguous()
    masks4, iou4 = sam.mask_decoder.predict_masks(embedding, pe, sparse, dense)
    save_file({"in.image_embedding": embedding, "in.image_pe": pe, "in.sparse": sparse, "in.dense": dense,
               "out.masks4": masks4, "out.iou4": iou4}, HERE / "own_masks.safetensors")
    common = dict(weights=[WEIGHTS], config=config, seed=3)
    return [
        dict(id="prompts", file="prompts.safetensors", model="sam_prompt_encoder", tolerance=dict(max_abs=1e-4),
             how="PromptEncoder.forward with points, boxes and masks", **common),
        dict(id="own_masks", file="own_masks.safetensors", model="sam_mask_decoder", tolerance=dict(max_abs=2e-3),
             how="MaskDecoder.predict_masks, a mask prompt of its own for each prompt", **common),
    ]


def main():
    sys.path.insert(0, sys.argv[1])
    torch.set_num_threads(1)
    manifest = json.loads((HERE / "../golden/manifest.json").read_text())
    config = next(c["config"] for c in manifest["cases"] if c["model"] == "sam_mask_generator")
    sam = official(config)
    base = dict(points_per_batch=7, stability_score_offset=0.5, box_nms_thresh=0.9, crop_n_layers=0, crop_nms_thresh=0.95)
    photo = load_file(HERE / "../golden/amg_photo.safetensors")["in.image"].numpy()
    turned = photo[::-1, ::-1].copy()
    rng = np.random.default_rng(5)
    many = [rng.random((40, 2)).tolist(), rng.random((30, 2)).tolist()]
    cases = [
        generator_case(sam, config, "crops", turned, dict(
            base, points_per_side=12, crop_n_layers=1, crop_n_points_downscale_factor=2), (0.2, 0.3)),
        generator_case(sam, config, "clean", photo, dict(
            base, points_per_side=9, min_mask_region_area=40), (0.2, 0.3)),
        generator_case(sam, config, "grids", turned[10:, :171].copy(), dict(
            base, crop_n_layers=1, point_grids=many, min_mask_region_area=15), (0.2, 0.2)),
        *prompt_case(sam, config),
    ]
    (HERE / "manifest.json").write_text(json.dumps({"cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
