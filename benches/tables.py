"""Times `pipeline plan pipelines/tables.yaml`: with no data, and with stand-ins for every data set and its LR images whose
digests are memoised. Prints medians and ranges in seconds, runs taken in turn.

    python benches/tables.py target/release/pipeline --runs 7
"""
import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
# Folder of HR images, folder of LR images, names.
SETS = [
    ("DIV2K/DIV2K_train_HR", "DIV2K/DIV2K_train_LR_bicubic", [f"{n:04}" for n in range(1, 801)]),
    ("DIV2K/DIV2K_valid_HR", "DIV2K/DIV2K_valid_LR_bicubic", [f"{n:04}" for n in range(801, 901)]),
    ("Flickr2K/Flickr2K_HR", "Flickr2K/Flickr2K_LR_bicubic", [f"{n:06}" for n in range(1, 2651)]),
    ("BSR/BSDS500/data/images/train", None, [f"{n}" for n in range(12000, 12200)]),
    ("BSR/BSDS500/data/images/test", None, [f"{n}" for n in range(22000, 22200)]),
    ("WED", None, [f"{n:05}" for n in range(1, 4745)]),
] + [
    (f"{name}/HR", f"{name}/LR_bicubic", [f"{name}_{n:03}" for n in range(images)])
    for name, images in [("Set5", 5), ("Set14", 14), ("B100", 100), ("Urban100", 100), ("Manga109", 109)]
] + [
    (name, None, [f"{name}_{n:03}" for n in range(images)])
    for name, images in [("CBSD68", 68), ("Kodak24", 24), ("McMaster", 18)]
]
WEIGHTS = [f"{net}{x}" for net in ["art/SR_ART_x", "cat/SR_CAT_A_x", "imdn/IMDN_x"] for x in (2, 3, 4)] + [
    f"art/ColorDN_ART_level{sigma}" for sigma in (15, 25, 50)] + ["sam/sam_vit_h_4b8939"]


def write(path):
    """A file with bytes of its own, which planning digests and does not decode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(path))


def stand_ins(root):
    for hr, lr, names in SETS:
        for name in names:
            write(root / "data" / hr / f"{name}.png")
            for x in (2, 3, 4) if lr else ():
                write(root / "data" / lr / f"X{x}" / f"{name}x{x}.png")
    for name in WEIGHTS:
        write(root / "weights" / f"{name}.pth")
    (root / "worker.sh").symlink_to(PROJECT / "tests/cli/worker.sh")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("pipeline", type=Path)
    arguments.add_argument("--runs", type=int, default=7)
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        stand_ins(root)
        version = subprocess.run([arguments.pipeline, "--version"], capture_output=True, text=True, check=True)
        base = dict(os.environ, PIPELINE_WORKER=str(root / "worker.sh"), STUB_VERSION=version.stdout.split()[-1])
        there = {"PIPELINE_DATA": str(root / "data"), "PIPELINE_WEIGHTS": str(root / "weights")}
        absent = {name: str(root / "absent") for name in there}

        def call(command, places, *more):
            words = [arguments.pipeline.resolve(), command, PROJECT / "pipelines/tables.yaml", *more]
            words += ["--device", "cpu", "--root", root]
            begin = time.perf_counter()
            subprocess.run(words, env=base | places, cwd=root, capture_output=True, check=True)
            return time.perf_counter() - begin

        # A file that is younger than two seconds is not memoised; a run writes the memo, a plan writes nothing.
        time.sleep(3)
        call("run", there, "sr-val[2]")
        seconds = {"absent": [], "memoised": []}
        for _ in range(arguments.runs):
            seconds["absent"].append(call("plan", absent))
            seconds["memoised"].append(call("plan", there))
        for name, values in seconds.items():
            print(f"{name}: {statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f})")


main()
