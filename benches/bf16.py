"""Measures how far `precision: bf16` moves SAM's masks and the PSNR of restored images, on the photographs of the project.

    python benches/bf16.py --pipeline target/release/pipeline [--weights FILE --model vit-b] [--real DIR] [--grid 8]

Masks: each photograph of pipelines/photos through `pipeline masks` in float32 and in bf16; printed is the mean over masks
of the IoU with their best match of the other precision, both ways, and how many masks there are. Without --weights ViT-B has
random weights, drawn as PyTorch draws them first: all its masks are kept, and say how much rounding moves the edges of masks
whose logits are noise, no more. PSNR: IMDN x4 and colour DnCNN (sigma 25) with their official weights, where --real (or
PIPELINE_REAL) has them. Needs numpy, and a processor with AVX512-BF16.
"""
import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = sorted(p for folder in ("test", "train") for p in (ROOT / "pipelines/photos" / folder).glob("*.png"))
YAML = """stages:
  pairs:
    prepare: {{images: photos, degrade: {{sr: 4}}}}
  set5:
    prepare: {{images: "{real}/Set5/HR", lq: "{real}/Set5/LR_bicubic/X4", degrade: {{sr: 4}}}}
  noisy:
    prepare: {{images: photos, degrade: {{denoise: 25}}}}
  imdn:
    pretrained: {{backbone: {{imdn: {{scale: 4}}}}, file: "{real}/imdn/IMDN_x4.pth"}}
  dncnn:
    pretrained: {{backbone: {{dncnn: {{}}}}, file: "{real}/dncnn/cdncnn_s25.safetensors"}}
  imdn-photos:
    each: {{precision: [fp32, bf16]}}
    evaluate: {{model: imdn, images: pairs, channel: y_rounded, precision: "{{precision}}"}}
  imdn-set5:
    each: {{precision: [fp32, bf16]}}
    evaluate: {{model: imdn, images: set5, channel: y_rounded, precision: "{{precision}}"}}
  dncnn-photos:
    each: {{precision: [fp32, bf16]}}
    evaluate: {{model: dncnn, images: noisy, precision: "{{precision}}"}}
"""


def random_weights(file):
    """ViT-B as safetensors: weights uniform within 1/sqrt(inputs), norms 1 and 0, the rest normal."""
    dice, tensors = numpy.random.default_rng(0), {}
    keys = (ROOT / "tests/checkpoints/sam_keys.txt").read_text()
    own = next(part for part in keys.split("# ") if part.startswith("vit_b "))
    for line in own.splitlines()[1:]:
        pattern, shape = line.rsplit(" ", 1)
        shape = [int(n) for n in shape.split("x")]
        many = re.search(r"\{(.*?)\}", pattern)
        for n in many[1].split(",") if many else [""]:
            tensors[re.sub(r"\{.*?\}", n, pattern)] = shape
    header, parts, at = {}, [], 0
    for name, shape in tensors.items():
        module = name.rsplit(".", 1)[0]
        weight = tensors.get(module + ".weight", [])
        is_norm = len(weight) == 1
        if any(word in name for word in ("embed", "token", "gaussian")) and "proj" not in name:
            values = dice.standard_normal(shape, numpy.float32) * (0.02 if "pos_embed" in name else 1)
        elif "rel_pos" in name:
            values = dice.standard_normal(shape, numpy.float32) * 0.02
        elif is_norm:
            values = numpy.full(shape, 1 if name.endswith("weight") else 0, numpy.float32)
        else:
            bound = numpy.prod(weight[1:] or [1]) ** -0.5
            values = dice.uniform(-bound, bound, shape)
        data = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
        parts.append(data)
    head = json.dumps(header).encode()
    with open(file, "wb") as out:
        out.write(len(head).to_bytes(8, "little") + head)
        out.writelines(parts)


def decoded(record):
    """The pixels of a mask of COCO run lengths, column by column."""
    text, counts, at = record["segmentation"]["counts"], [], 0
    if isinstance(text, list):
        counts = text
    else:
        while at < len(text):
            value, shift, more = 0, 0, True
            while more:
                c = ord(text[at]) - 48
                value |= (c & 31) << shift
                more, at, shift = bool(c & 32), at + 1, shift + 5
                if not more and c & 16:
                    value |= -1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    return numpy.repeat(numpy.arange(len(counts)) % 2 == 1, counts)


def agreement(a, b):
    """IoU of each mask of `a` with its best match in `b`, and the other way round."""
    a, b = (numpy.stack([decoded(r) for r in masks]).astype(numpy.float32) for masks in (a, b))
    both = a @ b.T
    iou = both / (a.sum(1)[:, None] + b.sum(1)[None] - both)
    return iou.max(1), iou.max(0)


def masks(args, folder):
    weights = args.weights
    keep = []
    if weights is None:
        weights = folder / "vit_b.safetensors"
        random_weights(weights)
        keep = ["--set", "pred_iou_thresh=0", "--set", "stability_score_thresh=0", "--set", "box_nms_thresh=1"]
    for precision in ("fp32", "bf16"):
        command = [args.pipeline, "masks", *PHOTOS, "--out", folder / precision, "--device", "cpu", "--weights", weights]
        command += ["--model", args.model, "--grid", args.grid, "--count", "1000", "--set", f"precision={precision}", *keep]
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ways = [[], []]
    for photo in PHOTOS:
        full, half = (json.loads((folder / p / f"{photo.stem}.json").read_text()) for p in ("fp32", "bf16"))
        found = agreement(full, half)
        print(f"{photo.stem}: {len(full)} masks in fp32, {len(half)} in bf16, IoU {found[0].mean():.4f} and {found[1].mean():.4f}")
        for way, values in zip(ways, found):
            way.append(values.mean())
    print(f"mean best-match IoU over {len(PHOTOS)} photographs: of fp32's masks {numpy.mean(ways[0]):.4f} "
          f"({min(ways[0]):.4f}-{max(ways[0]):.4f}), of bf16's {numpy.mean(ways[1]):.4f} ({min(ways[1]):.4f}-{max(ways[1]):.4f})")


def psnr(args, folder):
    real = args.real and Path(args.real).resolve()
    if not real or not (real / "imdn").is_dir():
        print("PSNR: no official weights (--real)")
        return
    (folder / "photos").mkdir()
    for photo in PHOTOS:
        shutil.copy(photo, folder / "photos")
    (folder / "p.yaml").write_text(YAML.format(real=real))
    subprocess.run([args.pipeline, "run", "p.yaml", "-q", "--device", "cpu"], cwd=folder, check=True)

    def column(stage):
        said = subprocess.run([args.pipeline, "path", "-f", "p.yaml", stage], cwd=folder, capture_output=True, text=True, check=True)
        with open(Path(said.stdout.strip()) / "metrics.csv") as file:
            return numpy.array([float(row["psnr"]) for row in csv.DictReader(file)])

    for what in ("imdn-photos", "imdn-set5", "dncnn-photos"):
        full, half = (column(f"{what}[precision={p}]") for p in ("fp32", "bf16"))
        moved = half - full
        print(f"{what}: {full.mean():.4f} dB in fp32, {half.mean():.4f} in bf16: {moved.mean():+.4f} "
              f"({moved.min():+.4f} to {moved.max():+.4f}, {len(moved)} images)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--model", default="vit-b")
    parser.add_argument("--grid", default="8")
    parser.add_argument("--real", default=os.environ.get("PIPELINE_REAL"))
    parser.add_argument("--only", choices=("masks", "psnr"))
    args = parser.parse_args()
    args.pipeline = str(Path(args.pipeline).resolve())
    with tempfile.TemporaryDirectory() as folder:
        if args.only != "psnr":
            masks(args, Path(folder))
        if args.only != "masks":
            psnr(args, Path(folder))


if __name__ == "__main__":
    main()
