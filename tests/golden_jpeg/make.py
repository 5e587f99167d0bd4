"""Writes the JPEG files of this folder and digests.csv, the BLAKE3 of the RGB samples that Pillow decodes from each.
Also one picture in three formats without loss (same.*), and a mask of 9x7 pixels with JPEG's ringing (mask.jpg).

    pip install pillow opencv-python-headless blake3 && python tests/golden_jpeg/make.py

The photographs are those of pipelines/photos (see LICENSES.md there). Pillow brings its own libjpeg-turbo; OpenCV only
writes the samplings that Pillow cannot write. Made with Pillow 13.0.0 (libjpeg-turbo 3.2.0).
"""

import csv
import os
from pathlib import Path

import blake3
import cv2
import numpy as np
from PIL import Image, features

HERE = Path(__file__).parent
PHOTOS = HERE.parent.parent / "pipelines" / "photos"


def crop(name, width, height, left, top):
    image = Image.open(PHOTOS / name).convert("RGB")
    return image.crop((left, top, left + width, top + height))


def photographs():
    """One digest over the samples of all photographs of BSDS500 in the folder that PIPELINE_REAL names, by name."""
    folder = Path(os.environ.get("PIPELINE_REAL", HERE.parent.parent.parent / "shared" / "real")) / "bsd"
    if not folder.is_dir():
        return
    digest = blake3.blake3()
    files = sorted(folder.glob("*/*.jpg"), key=lambda path: path.name)
    for path in files:
        digest.update(np.asarray(Image.open(path).convert("RGB")).tobytes())
    (HERE / "bsd.txt").write_text(f"{len(files)} {digest.hexdigest()}\n")


def main():
    astronaut = crop("test/astronaut.png", 203, 157, 170, 40)
    coffee = crop("train/coffee.png", 160, 121, 100, 100)
    for name, subsampling in [("444", "4:4:4"), ("422", "4:2:2"), ("420", "4:2:0")]:
        for progressive in [False, True]:
            kind = "progressive" if progressive else "baseline"
            astronaut.save(HERE / f"{name}-{kind}.jpg", quality=75, subsampling=subsampling, progressive=progressive)
    coffee.save(HERE / "420-fine.jpg", quality=96, subsampling="4:2:0", optimize=True)
    coffee.save(HERE / "420-coarse.jpg", quality=12, subsampling="4:2:0")
    coffee.save(HERE / "420-restarts.jpg", quality=75, subsampling="4:2:0", restart_marker_blocks=3)
    coffee.convert("L").save(HERE / "grey.jpg", quality=75)
    coffee.convert("L").save(HERE / "grey-progressive.jpg", quality=75, progressive=True)
    for width, height in [(1, 1), (2, 9), (17, 3)]:
        crop("train/coffee.png", width, height, 120, 150).save(HERE / f"420-{width}x{height}.jpg", subsampling="4:2:0")
    bgr = np.asarray(astronaut)[:, :, ::-1]
    for name, factor in [("440", cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440), ("411", cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411)]:
        cv2.imwrite(str(HERE / f"{name}.jpg"), bgr, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor])
    mask = Image.new("L", (24, 20))
    mask.paste(255, (0, 0, 9, 7))
    mask.save(HERE / "mask.jpg", quality=75)
    for name, options in [("png", {}), ("tif", {"compression": "tiff_lzw"}), ("webp", {"lossless": True})]:
        coffee.crop((0, 0, 40, 32)).save(HERE / f"same.{name}", **options)
    rows = []
    for path in sorted(HERE.glob("*.jpg")):
        samples = np.asarray(Image.open(path).convert("RGB"))
        height, width, _ = samples.shape
        rows.append([path.name, width, height, blake3.blake3(samples.tobytes()).hexdigest()])
    with open(HERE / "digests.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "width", "height", "blake3_of_rgb"])
        writer.writerows(rows)
    photographs()
    print(len(rows), "files, libjpeg-turbo", features.version("libjpeg_turbo"))


main()
