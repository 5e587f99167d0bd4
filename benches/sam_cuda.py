"""Segment Anything on a GPU: this project's generator in bf16 (or TF32) beside the official code in float32, on the same card.

    python benches/sam_cuda.py <checkout of facebookresearch/segment-anything> --rust PATH/sam
                               [--model vit-h] [--side 8] [--images 16] [--at-once 8] [--runs 5] [--device cuda]
                               [--precision bf16|tf32]

Random weights, one photograph, all candidates kept up to box NMS. Needs torch, numpy, Pillow, safetensors; the official
code also wants torchvision, of which plain stand-ins are used where it is missing (resize by Pillow, NMS in torch: both
take milliseconds of an image that takes hundreds). The official code has no batches of images, so it takes them one by
one; ours go through the encoder --at-once together. Prints images per second, peak memory by nvidia-smi, and the share of
the card's measured matrix peak that the encoder's arithmetic alone makes up; the last line is a row for scripts/cuda.sh.
The bar is of bf16; TF32 has none.
`--device cpu` runs the same program on the processor in float32, to try it.
"""
import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sam_official import PHOTO, Official, Ours
from step_pytorch import Watch
from worker_env import WORKER, with_tf32

# Of the image encoder for one image of 1024x1024, in GFLOP.
ENCODER = {"vit-b": 972, "vit-l": 2986, "vit-h": 5961}


def stand_in_for_torchvision():
    """What the official code takes from torchvision, in its place."""
    def nms(boxes, scores, threshold):
        order, kept = scores.argsort(descending=True), []
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        while len(order):
            best, order = order[0], order[1:]
            kept.append(best)
            low, high = torch.max(boxes[best, :2], boxes[order, :2]), torch.min(boxes[best, 2:], boxes[order, 2:])
            shared = (high - low).clamp(min=0).prod(1)
            order = order[shared / (area[best] + area[order] - shared) <= threshold]
        return torch.stack(kept) if kept else torch.empty(0, dtype=torch.long)

    def resize(image, size):
        return image.resize((size[1], size[0]), Image.BILINEAR)

    contents = {
        "torchvision": {}, "torchvision.ops": {}, "torchvision.transforms": {},
        "torchvision.ops.boxes": {
            "batched_nms": lambda boxes, scores, _groups, iou_threshold: nms(boxes, scores, iou_threshold),
            "box_area": lambda boxes: (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
        },
        "torchvision.transforms.functional": {"resize": resize, "to_pil_image": Image.fromarray},
    }
    for name, members in contents.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)


def matrix_peak(kind, device):
    """TFLOP/s of a large square matrix product."""
    side = 8192 if device == "cuda" else 1024
    a, b = torch.randn(2, side, side, device=device).to(kind)
    seconds = []
    for _ in range(20):
        begin = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    return 2 * side**3 / statistics.median(seconds) / 1e12


def figures(name, args, rates, mib, peak):
    rate = statistics.median(rates)
    share = rate * ENCODER[args.model] / 1e3 / peak
    print(f"{name:9} {rate:.3f} images/s ({min(rates):.3f}-{max(rates):.3f}), {mib} MiB, "
          f"encoder {100 * share:.0f} % of {peak:.1f} TFLOP/s", flush=True)
    return rate, f"{rate:.2f} images/s, {mib} MiB, {100 * share:.0f} % of the matrix peak"


def official(args, image, weights, watch):
    if watch:
        torch.cuda.empty_cache()  # what the matrix products took
        watch.most = 0
    side = Official(args.checkout, image, weights, args.model)
    side.sam.to(args.device)
    rates = []
    for n in range(args.runs + 1):
        begin = time.perf_counter()
        for _ in range(args.images):
            side.timed("generate", args.side, 0.0, 0.0)
        if n > 0:  # the first one warms up
            rates.append(args.images / (time.perf_counter() - begin))
    return rates, watch.end() if watch else 0


def ours(args, path, weights):
    watch = Watch() if args.device == "cuda" else None
    numbers = "bf16" if args.precision == "bf16" else "fp32"
    environment = with_tf32(WORKER) if args.precision == "tf32" else WORKER
    side = Ours(args.rust, weights, path, args.threads, args.model, args.device, numbers, environment=environment)
    rates = []
    for n in range(args.runs + 1):
        done, seconds = 0, 0.0
        while done < args.images:
            count = min(args.at_once, args.images - done)
            seconds += side.timed("batch", count, args.side, 0.0, 0.0)[0]
            done += count
        if n > 0:
            rates.append(args.images / seconds)
    side.end()
    return rates, watch.end() if watch else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout")
    parser.add_argument("--rust", required=True)
    parser.add_argument("--model", choices=sorted(ENCODER), default="vit-h")
    parser.add_argument("--side", type=int, default=8)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], help="ours; bf16 on CUDA, fp32 on the processor unless said")
    args = parser.parse_args()
    args.precision = args.precision or ("bf16" if args.device == "cuda" else "fp32")
    try:
        import torchvision  # noqa: F401
    except ImportError:
        stand_in_for_torchvision()
        print("torchvision is not here: plain stand-ins", flush=True)
    path = str(sorted(PHOTO.rglob("*.[jp][pn]g"))[0])
    image = np.array(Image.open(path).convert("RGB"))
    card = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout if args.device == "cuda" else "CPU"
    print(f"{args.model}, {args.side}x{args.side} points, {args.images} images, torch {torch.__version__}, {card.strip()}", flush=True)
    # Before this process has a context, which counts as the other side's does.
    watch = Watch() if args.device == "cuda" else None
    single, half = matrix_peak(torch.float32, args.device), matrix_peak(torch.bfloat16, args.device)
    # TF32's own peak cannot be measured in a process that keeps float32: it is half of bf16's by the card's data sheet.
    peak = {"fp32": single, "tf32": half / 2, "bf16": half}[args.precision]
    with tempfile.TemporaryDirectory() as folder:
        weights = str(Path(folder) / "sam.safetensors")
        rates, mib = official(args, image, weights, watch)
        theirs, their_text = figures("official", args, rates, mib, single)
        rates, mib = ours(args, path, weights)
    rate, text = figures("ours", args, rates, mib, peak)
    kinds = "fp32" if args.precision == "fp32" else f"{args.precision} beside fp32"
    bar = "5" if args.precision == "bf16" else ""
    print(f"row: SAM {args.model} {args.side}x{args.side}, {kinds} | {text} | official {their_text} | {rate / theirs:.2f} | {bar}", flush=True)


if __name__ == "__main__":
    main()
