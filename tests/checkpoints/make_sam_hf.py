"""Writes sam_hf.safetensors and sam_hf_io.safetensors: a tiny random SAM as Hugging Face's transformers saves it, with an
input and what transformers computes from it.

    pip install torch transformers safetensors && python make_sam_hf.py

All parameters are random and exact in float16. transformers' default for the mask decoder's norms is an epsilon of 1e-6
where Meta's code has 1e-5; the latter is set here.
"""
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import SamConfig, SamModel

CONFIG = dict(
    vision_config=dict(
        hidden_size=32, output_channels=32, num_hidden_layers=3, num_attention_heads=2, image_size=128, patch_size=8,
        window_size=7, global_attn_indexes=[1], num_pos_feats=16, mlp_dim=64, mlp_ratio=2.0,
    ),
    prompt_encoder_config=dict(hidden_size=32, image_size=128, patch_size=8, mask_input_channels=16),
    mask_decoder_config=dict(
        hidden_size=32, mlp_dim=64, num_hidden_layers=2, num_attention_heads=4, attention_downsample_rate=2,
        iou_head_hidden_dim=48, iou_head_depth=3, num_multimask_outputs=3, layer_norm_eps=1e-5,
    ),
)


def randomise(model):
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            scale = 0.1 if p.dim() == 1 else 1.0 / max(p[0].numel(), 1) ** 0.5
            value = noise * scale + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
            p.copy_(value.half().float())


@torch.no_grad()
def main():
    torch.manual_seed(1)
    here = Path(__file__).parent
    model = SamModel(SamConfig(**CONFIG)).eval()
    randomise(model)
    for name, buffer in model.named_buffers():
        buffer.copy_(buffer.half().float())
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, safe_serialization=True)
        state = load_file(Path(folder) / "model.safetensors")
    save_file({k: v.half() for k, v in state.items()}, here / "sam_hf.safetensors", {"format": "pt"})
    x = torch.randn(1, 3, 128, 128)
    points = torch.tensor([[[[30.0, 80.5]], [[100.25, 7.0]]]])  # (1, 2 prompts, 1 point, xy)
    labels = torch.tensor([[[1], [0]]])
    out = model(pixel_values=x, input_points=points, input_labels=labels, multimask_output=True)
    save_file(
        {
            "in.x": x, "in.points": points[0], "in.labels": labels[0].int(),
            "out.features": model.get_image_embeddings(x).contiguous(),
            "out.masks": out.pred_masks[0].contiguous(), "out.iou": out.iou_scores[0].contiguous(),
        },
        here / "sam_hf_io.safetensors",
    )


if __name__ == "__main__":
    main()
