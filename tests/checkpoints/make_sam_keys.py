"""Writes sam_keys.txt: the names and shapes of the official ViT-B, ViT-L and ViT-H state dicts.

    python make_sam_keys.py <checkout of facebookresearch/segment-anything>

The models are built on the meta device, so nothing is downloaded and no memory is needed. One line a name and shape;
names that differ only in the number of an encoder block share a line, with the numbers in braces.
"""
import re
import sys
from pathlib import Path

import torch


def lines(state):
    groups = {}
    for name, tensor in state.items():
        block = re.match(r"image_encoder\.blocks\.(\d+)\.(.*)", name)
        key = f"image_encoder.blocks.{{}}.{block[2]}" if block else name
        shape = "x".join(map(str, tensor.shape))
        groups.setdefault((key, shape), []).append(block[1] if block else "")
    for (key, shape), blocks in groups.items():
        yield f"{key.replace('{}', '{' + ','.join(blocks) + '}')} {shape}"


def main():
    sys.path.insert(0, sys.argv[1])
    from segment_anything import sam_model_registry
    text = []
    for name in ("vit_b", "vit_l", "vit_h"):
        with torch.device("meta"):
            state = sam_model_registry[name]().state_dict()
        text += [f"# {name} {len(state)} tensors, {sum(t.numel() for t in state.values())} numbers", *lines(state)]
    Path(__file__).with_name("sam_keys.txt").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
