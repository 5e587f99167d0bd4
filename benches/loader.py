"""Times the training's loader on 100 images of 2040x1356 with 64 masks each: batches a second and peak memory.

    python benches/loader.py --pipeline target/release/pipeline --rust PATH/loader [--images 100] [--runs 7]

--rust is the bench binary (`cargo bench -p pipeline-worker --bench loader --no-run` prints where it is). The images are
cut from the photographs in pipelines/photos, enlarged, with noise, so that their PNG files are as large as those of real
ones. Needs Pillow and numpy.
"""
import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

import numpy
from PIL import Image

PHOTOS = Path(__file__).parent.parent / "pipelines/photos"
YAML = """stages:
  pairs:
    prepare: {images: hr, degrade: {sr: 4}}
  masks:
    mask: {images: pairs}
"""


def make(folder, count):
    """PNG files of 2040x1356, each another part of a photograph at another size."""
    folder.mkdir()
    dice = numpy.random.default_rng(0)
    photos = [Image.open(p).convert("RGB") for p in sorted(PHOTOS.glob("*/*.png"))]
    for n in range(count):
        photo = photos[n % len(photos)]
        side = int(min(photo.size) * dice.uniform(0.6, 0.95))
        x, y = (int(dice.integers(0, s - side)) for s in photo.size)
        part = photo.crop((x, y, x + side, y + side * 1356 // 2040)).resize((2040, 1356), Image.BICUBIC)
        noisy = numpy.asarray(part).astype(numpy.int16) + dice.integers(-4, 5, (1356, 2040, 3))
        Image.fromarray(noisy.clip(0, 255).astype(numpy.uint8)).save(folder / f"{n:03}.png", compress_level=6)


def output_of(pipeline, root, stage):
    said = subprocess.run([pipeline, "path", "-f", "p.yaml", stage], cwd=root, capture_output=True, text=True, check=True)
    return said.stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--rust", required=True)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--batches", type=int, default=300)
    parser.add_argument("--runs", type=int, default=7)
    args = parser.parse_args()
    args.pipeline = str(Path(args.pipeline).resolve())
    with tempfile.TemporaryDirectory() as root:
        root = Path(root)
        make(root / "hr", args.images)
        size = sum(p.stat().st_size for p in (root / "hr").iterdir()) / args.images / 1e6
        (root / "p.yaml").write_text(YAML)
        subprocess.run([args.pipeline, "run", "p.yaml", "-q"], cwd=root, check=True)
        folders = [output_of(args.pipeline, root, stage) for stage in ("pairs", "masks")]
        found = json.loads((Path(folders[1]) / "masks.json").read_text())["images"]
        print(f"{args.images} images, PNG of {size:.1f} MB, {statistics.mean(i['found'] for i in found):.0f} masks found")
        rates, peaks = [], []
        for _ in range(args.runs):
            said = subprocess.run([args.rust, *folders, str(args.batches)], capture_output=True, text=True, check=True)
            words = said.stdout.split()
            rates.append(float(words[0]))
            peaks.append(int(words[-2]))
    rate, peak = statistics.median(rates), max(peaks)
    print(f"{rate:.1f} batches/s ({min(rates):.1f}-{max(rates):.1f}, {args.runs} runs)  bar 50: {'kept' if rate >= 50 else 'MISSED'}")
    print(f"peak memory {peak} MiB  bar 1024: {'kept' if peak <= 1024 else 'MISSED'}")


if __name__ == "__main__":
    main()
