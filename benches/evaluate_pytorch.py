"""Times the evaluation of one 2040x1356 image through IMDN x4 in PyTorch with BasicSR's metrics, in turns with ours.

    python benches/evaluate_pytorch.py --basicsr CHECKOUT --imdn CHECKOUT --rust PATH/evaluate [--runs 9] [--threads 2]

Both sides: 510x339 LR pixels in 8 bits to an 8-bit image, then PSNR and SSIM on Y (not rounded), 4 pixels shaved. A run
is one of the one, then one of the other. --basicsr is a checkout of XPixelGroup/BasicSR (numpy and OpenCV installed),
--imdn one of Zheng222/IMDN; --rust the bench binary (`cargo bench -p pipeline-worker --bench evaluate --no-run`).
"""
import argparse
import importlib.util
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy
import torch

from worker_env import WORKER


def beside(name):
    """A script of this folder as a module."""
    where = importlib.util.spec_from_file_location("official", Path(__file__).parent / name)
    module = importlib.util.module_from_spec(where)
    where.loader.exec_module(module)
    return module


class PyTorch:
    def __init__(self, args):
        self.metrics = beside("basicsr.py").official(Path(args.basicsr))[:2]
        sys.path.insert(0, args.imdn)
        from model.architecture import IMDN
        self.net = IMDN(upscale=4).eval()
        dice = numpy.random.default_rng(0)
        self.lr = dice.integers(0, 256, (339, 510, 3), dtype=numpy.uint8)
        self.hr = dice.integers(0, 256, (1356, 2040, 3), dtype=numpy.uint8)

    def timed(self):
        start = time.perf_counter()
        with torch.no_grad():
            x = torch.from_numpy(self.lr).permute(2, 0, 1).unsqueeze(0).float().div(255)
            y = self.net(x).squeeze(0).clamp(0, 1).permute(1, 2, 0).numpy()
        restored = (y * 255.0).round().astype(numpy.uint8)
        for metric in self.metrics:
            metric(restored, self.hr, crop_border=4, test_y_channel=True)
        return time.perf_counter() - start


class Rust:
    def __init__(self, args):
        command = [args.rust, "0", str(args.threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=WORKER)
        self.process.stdout.readline()

    def timed(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--basicsr", "--imdn", "--rust"):
        parser.add_argument(name, required=True)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    sides = {"pytorch": PyTorch(args), "ours": Rust(args)}
    sides["pytorch"].timed()
    samples = {name: [] for name in sides}
    for _ in range(args.runs):
        for name, side in sides.items():
            samples[name].append(side.timed())
    for name, values in samples.items():
        print(f"{name:8} median {statistics.median(values):.3f} s ({min(values):.3f}-{max(values):.3f}, {args.runs} runs)")
    ratio = statistics.median(samples["pytorch"]) / statistics.median(samples["ours"])
    pairs = statistics.median(p / o for p, o in zip(samples["pytorch"], samples["ours"]))
    print(f"PyTorch / ours {ratio:.2f} (pairs {pairs:.2f})  bar 1.2: {'kept' if ratio >= 1.2 else 'MISSED'}")


if __name__ == "__main__":
    main()
