"""Times Segment Anything ViT-B in the official code, in turns with this project's own.

    python benches/sam_official.py <checkout of facebookresearch/segment-anything> --rust PATH/sam [--image FILE]
                                   [--runs 5] [--threads 2] [--sides 8 24] [--kept 30 100] [--only encoder]
                                   [--precision bf16]

Needs torch, torchvision, numpy, Pillow, safetensors. --rust is the bench binary (`cargo bench -p pipeline-worker --bench
sam --no-run` prints where it is). Both sides have the same random weights, the same photograph and the same thresholds:
`100 %` keeps every candidate up to box NMS, `30 %` the 30 % with the highest predicted IoU. A run is one task of the one,
then the same task of the other, so that a noisy machine is noisy for both. `encoder` includes preprocessing; `masks` is
the generator on an embedding that is there already, `generate` is both. Prints medians, extremes and the ratio.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from worker_env import WORKER

PHOTO = Path(__file__).parent / "../pipelines/photos/test"


def randomise(sam):
    torch.manual_seed(0)
    with torch.no_grad():
        for name, p in sam.named_parameters():
            if "rel_pos" in name or "pos_embed" in name:
                p.normal_(0, 0.02)


class Official:
    def __init__(self, checkout, image, weights, model="vit-b"):
        sys.path.insert(0, checkout)
        from segment_anything import SamAutomaticMaskGenerator, sam_model_registry
        torch.manual_seed(0)
        self.sam = sam_model_registry[model.replace("-", "_")]()
        randomise(self.sam)
        save_file({k: v.contiguous() for k, v in self.sam.state_dict().items()}, weights)
        self.generator, self.image = SamAutomaticMaskGenerator, image

    def prepare(self, side, iou, stability):
        settings = dict(points_per_side=side, pred_iou_thresh=iou, stability_score_thresh=stability)
        return self.generator(self.sam, **settings, output_mode="uncompressed_rle")

    def timed(self, task, *settings):
        generator = self.prepare(*settings) if settings else self.prepare(8, 0.0, 0.0)
        predictor = generator.predictor
        if task == "masks":
            predictor.set_image(self.image)
            predictor.set_image = lambda image: None
            predictor.reset_image = lambda: None
        start = time.perf_counter()
        masks = predictor.set_image(self.image) if task == "embed" else generator.generate(self.image)
        return time.perf_counter() - start, len(masks or [])

    def predicted_iou(self, side):
        generator = self.prepare(side, 0.0, 0.0)
        generator.box_nms_thresh = 2.0
        return np.array([record["predicted_iou"] for record in generator.generate(self.image)])


class Ours:
    def __init__(self, binary, weights, image, threads, *more, environment=WORKER):
        command = [binary, weights, image, str(threads), *more]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout.readline().strip() == "ready"

    def timed(self, task, *settings):
        self.process.stdin.write(" ".join(map(str, (task, *settings))) + "\n")
        self.process.stdin.flush()
        seconds, masks, mib = self.process.stdout.readline().split()
        self.peak_mib = float(mib)
        return float(seconds), int(masks)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def compare(name, sides, runs, task, *settings):
    samples = {side: [] for side in sides}
    for side, work in sides.items():
        if task != "masks" or side == "ours":
            work.timed(task, *settings)  # warm-up
    for _ in range(runs):
        for side, work in sides.items():
            samples[side].append(work.timed(task, *settings))
    for side, pairs in samples.items():
        seconds = [pair[0] for pair in pairs]
        print(f"{name:24} {side:9} median {statistics.median(seconds):.3f} s, {min(seconds):.3f} to {max(seconds):.3f}, "
              f"{pairs[0][1]} masks")
    if "ours" in samples:
        official, ours = ([pair[0] for pair in samples[side]] for side in ("official", "ours"))
        pairs = statistics.median(a / b for a, b in zip(official, ours))
        print(f"{name:24} ratio     {statistics.median(official) / statistics.median(ours):.2f} (pairs {pairs:.2f}, "
              f"best {min(official) / min(ours):.2f}), load {os.getloadavg()[0]:.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout")
    parser.add_argument("--rust")
    parser.add_argument("--image")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sides", type=int, nargs="*", default=[8, 24])
    parser.add_argument("--kept", type=int, choices=[30, 100], nargs="*", default=[30, 100], help="percent of the candidates")
    parser.add_argument("--only", choices=["encoder", "masks", "generate"])
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="ours; the official code is fp32")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    path = args.image or str(sorted(PHOTO.rglob("*.[jp][pn]g"))[0])
    image = np.array(Image.open(path).convert("RGB"))
    with tempfile.TemporaryDirectory() as folder:
        weights = str(Path(folder) / "vit_b.safetensors")
        sides = {"official": Official(args.checkout, image, weights)}
        if args.rust:
            sides["ours"] = Ours(args.rust, weights, path, args.threads, "vit-b", "cpu", args.precision)
        print(f"ViT-B, {image.shape[1]}x{image.shape[0]}, {args.threads} threads, torch {torch.__version__}, {args.runs} runs")
        if args.only in (None, "encoder"):
            compare("encoder", sides, args.runs, "embed")
        for side in args.sides if args.only != "encoder" else []:
            keep = float(np.quantile(sides["official"].predicted_iou(side), 0.7)) if 30 in args.kept else None
            for share, iou in [(share, keep if share == 30 else 0.0) for share in args.kept]:
                for task in ("masks", "generate") if args.only is None else [args.only]:
                    compare(f"{task} {side}x{side} {share} %", sides, args.runs, task, side, iou, 0.0)


if __name__ == "__main__":
    main()
