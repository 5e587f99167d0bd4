"""Times BasicSR's own PSNR, SSIM and imresize on a 2040x1356 image, in turn with ours if asked.

    python benches/basicsr.py <BasicSR checkout> --ours "<command that prints `name seconds` lines>"

The checkout (XPixelGroup/BasicSR) is yours to get; nothing of it is copied. Needs numpy, opencv and torch.
Ours: cargo build --release -p pixels --example time, then target/release/examples/time.
"""

import argparse
import importlib
import shlex
import statistics
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np


def official(checkout: Path):
    """The three functions, without running the package's __init__ files (they import training code)."""
    for name in ["basicsr", "basicsr.metrics", "basicsr.utils"]:
        package = types.ModuleType(name)
        package.__path__ = [str(checkout / name.replace(".", "/"))]
        sys.modules[name] = package
    color = importlib.import_module("basicsr.utils.color_util")
    sys.modules["basicsr.utils"].bgr2ycbcr = color.bgr2ycbcr
    metrics = importlib.import_module("basicsr.metrics.psnr_ssim")
    resize = importlib.import_module("basicsr.utils.matlab_functions")
    return metrics.calculate_psnr, metrics.calculate_ssim, resize.imresize


def image(seed: int) -> np.ndarray:
    """1356x2040x3 random samples around a ramp, as `benches/time.rs` has them."""
    ramp = (np.arange(2040) * 200 // 2040)[None, :, None]
    return (ramp + np.random.RandomState(seed).randint(0, 40, (1356, 2040, 3))).astype(np.uint8)


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--ours", help="a command that prints `psnr+ssim <s>` and `resize <s>`")
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()

    psnr, ssim, imresize = official(arguments.checkout)
    a, b = image(1), image(2)
    floats = a.astype(np.float32) / 255
    options = dict(crop_border=4, test_y_channel=True)
    theirs = {
        "psnr+ssim": lambda: (psnr(a, b, **options), ssim(a, b, **options)),
        "resize": lambda: imresize(floats, 0.25),
    }
    times = {(who, name): [] for name in theirs for who in ["BasicSR", "ours"]}
    for work in theirs.values():
        work()
    for _ in range(arguments.runs):
        for name, work in theirs.items():
            times["BasicSR", name].append(seconds(work))
        if arguments.ours:
            output = subprocess.run(shlex.split(arguments.ours), check=True, capture_output=True, text=True).stdout
            for name, value in (line.split() for line in output.splitlines()):
                times["ours", name].append(float(value))
    for name in theirs:
        medians = {}
        for who in ["BasicSR", "ours"]:
            if values := times[who, name]:
                medians[who] = statistics.median(values)
                print(f"{name:10} {who:8} median {medians[who]:.4f} s  ({min(values):.4f} to {max(values):.4f}, {len(values)} runs)")
        if len(medians) == 2:
            print(f"{name:10} ratio    {medians['BasicSR'] / medians['ours']:.1f}")


if __name__ == "__main__":
    main()
