"""Times the training's loader on images of 2040x1356 with 64 masks each: batches a second, waiting and memory.

    python benches/loader.py --pipeline target/release/pipeline --rust PATH/loader [--images 1000] [--runs 7] [--folder DIR]

--rust is the bench binary (`cargo bench -p pipeline-worker --bench loader --no-run` prints where it is). The images are
cut from the photographs in pipelines/photos, enlarged, with noise, so that their PNG files are as large as those of real
ones. --folder keeps them and the cache for the next time; 1,000 images take 17 GB there. Needs Pillow and numpy. Cold means
that the page cache was dropped (as root) or that the files were advised out of it.
"""
import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy
from PIL import Image

from worker_env import WORKER

PHOTOS = Path(__file__).parent.parent / "pipelines/photos"
YAML = """stages:
  pairs:
    prepare: {images: hr, degrade: {sr: 4}}
  masks:
    mask: {images: pairs}
"""


def make_one(at):
    """A PNG file of 2040x1356, another part of a photograph at another size for each number."""
    folder, n = at
    dice = numpy.random.default_rng(n)
    photos = sorted(PHOTOS.glob("*/*.png"))
    photo = Image.open(photos[n % len(photos)]).convert("RGB")
    side = int(min(photo.size) * dice.uniform(0.6, 0.95))
    x, y = (int(dice.integers(0, s - side)) for s in photo.size)
    part = photo.crop((x, y, x + side, y + side * 1356 // 2040)).resize((2040, 1356), Image.BICUBIC)
    noisy = numpy.asarray(part).astype(numpy.int16) + dice.integers(-4, 5, (1356, 2040, 3))
    Image.fromarray(noisy.clip(0, 255).astype(numpy.uint8)).save(folder / f"{n:04}.png", compress_level=1)


def make(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    missing = [(folder, n) for n in range(count) if not (folder / f"{n:04}.png").exists()]
    with multiprocessing.Pool() as pool:
        pool.map(make_one, missing, chunksize=10)


def output_of(pipeline, root, stage):
    said = subprocess.run([pipeline, "path", "-f", "p.yaml", stage], cwd=root, capture_output=True, text=True, check=True)
    return said.stdout.strip()


def asked(rust, folders, *words):
    """Numbers by the words before or behind them."""
    said = subprocess.run([rust, *folders, *words], capture_output=True, text=True, check=True, env=WORKER).stdout
    lines = [line.split() for line in said.splitlines() if not line.startswith("{")]
    found = {line[0]: float(line[1]) for line in lines if line[0] in ("opened", "decoded")}
    for line in lines:
        if "waited" in line:
            found["waited"] = float(line[line.index("waited") + 1])
        if "batches/s," in line:
            found.update(rate=float(line[0]), anonymous=int(line[3]), peak=int(line[7]))
    return found


def drop(files):
    """Takes files out of the page cache."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        for file in files:
            with open(file, "rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(file, most=None):
    """Reads a file from its beginning; MB/s."""
    start, done = time.time(), 0
    with open(file, "rb", buffering=0) as opened:
        while (part := opened.read(4 << 20)) and (most is None or done < most):
            done += len(part)
    return done / 1e6 / (time.time() - start)


def row(what, values, unit, bar=None, most=False):
    value = statistics.median(values)
    kept = "" if bar is None else f"  bar {bar}: {'kept' if (value <= bar if most else value >= bar) else 'MISSED'}"
    print(f"{what}: {value:.4g} {unit} ({min(values):.4g}-{max(values):.4g}, {len(values)} runs){kept}", flush=True)


def measure(args, root, folders):
    decoded = root / "cache/decoded"
    alone, making = [], []
    for _ in range(args.making):
        shutil.rmtree(decoded, ignore_errors=True)
        alone.append(asked(args.rust, folders, "decode")["decoded"])
        making.append(asked(args.rust, folders, "1", "2", "keep")["opened"])
    files = [p for p in decoded.rglob("*") if p.is_file()]
    if args.making:
        row("decoding all images", alone, "s")
        row("decoding them into the cache", making, "s")
        row("ratio of pairs", [m / a for m, a in zip(making, alone)], "x", 1.2, most=True)
    else:
        asked(args.rust, folders, "1", "2", "keep")
    size = sum(p.stat().st_size for p in files) / 1e9
    drop(files)
    print(f"{size:.2f} GB decoded; the disk reads {read(max(files, key=lambda p: p.stat().st_size), 2 << 30):.0f} MB/s", flush=True)
    batches = str(args.batches)
    cold = []
    for _ in range(args.runs):
        drop(files)
        cold.append(asked(args.rust, folders, batches, "2", "keep"))
    row("cold", [f["rate"] for f in cold], "batches/s", 60)
    for file in files:
        read(file)
    warm = [asked(args.rust, folders, batches, "2", "keep") for _ in range(args.runs)]
    row("warm", [f["rate"] for f in warm], "batches/s", 150)
    row("RssAnon", [f["anonymous"] for f in warm + cold], "MiB", 1024, most=True)
    row("VmHWM", [f["peak"] for f in warm + cold], "MiB")
    steps = [asked(args.rust, folders, "40", "2", "keep", "step=0.5") for _ in range(3)]
    row("waited behind steps of 0.5 s", [f["waited"] for f in steps], "%", 1, most=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--rust", required=True)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--batches", type=int, default=500)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--making", type=int, default=1, help="how often everything is decoded into the cache")
    parser.add_argument("--held", type=int, default=0, help="runs with images in memory, as without a cache of them")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    args.pipeline = str(Path(args.pipeline).resolve())
    with tempfile.TemporaryDirectory() as temporary:
        root = args.folder or Path(temporary)
        make(root / "hr", args.images)
        size = sum(p.stat().st_size for p in (root / "hr").iterdir()) / args.images / 1e6
        (root / "p.yaml").write_text(YAML)
        subprocess.run([args.pipeline, "run", "p.yaml", "-q", "--device", "cpu"], cwd=root, check=True)
        folders = [output_of(args.pipeline, root, stage) for stage in ("pairs", "masks")]
        found = json.loads((Path(folders[1]) / "masks.json").read_text())["images"]
        print(f"{args.images} images, PNG of {size:.1f} MB, {statistics.mean(i['found'] for i in found):.0f} masks found")
        measure(args, root, folders)
        if args.held:
            row("held in memory", [asked(args.rust, folders, "200")["rate"] for _ in range(args.held)], "batches/s")


if __name__ == "__main__":
    main()
