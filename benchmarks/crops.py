"""Crops a second of one core, from packed tiles and from whole decoded ones: a JSON line.

    python -m benchmarks.crops
    python -m benchmarks.crops --images FOLDER --tiles 8 --crops 400

Both draw the same 224 px crops of the same tiles of 1024 px, in turn, and they must be the same
bytes. ``whole`` is what training did before: a PNG and its label map are decoded for each crop, and
looked through for foreground. ``packed`` reads windows (``samrs/training/blocks.py``). Neither
keeps a decoded tile: at SAMRS's size no tile comes twice before it is pushed out. Tiles are
rendered scenes, or the pictures of a folder with discs as labels. Seconds are of the CPU.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from samrs.core.images import decode_labels, decode_rgb, encode_rgb
from samrs.core.label_png import encode_labels
from samrs.core.records import IGNORE
from samrs.scenes.render import render_scene
from samrs.training.augmentation import COLOUR, ON_FOREGROUND, PAD_RGB, SCALES, augment
from samrs.training.blocks import Frame, Image, PackedTile, pack

SIDE = 1024


def whole(
    image: Image, labels: Image, crop: int, background: Sequence[int], rng: np.random.Generator
) -> tuple[Image, Image]:
    """The crop (crop, crop, 3) and labels that ``augment`` draws, from whole arrays."""
    side = round(crop / rng.uniform(*SCALES))
    part, known = _cut(image, labels, side, crop, background, rng)
    if (known == IGNORE).all() and side > crop:
        part, known = _cut(image, labels, crop, crop, background, rng)
    turns = int(rng.integers(4))
    part, known = np.rot90(part, turns), np.rot90(known, turns)
    for axis in (0, 1):
        if rng.random() < 0.5:
            part, known = np.flip(part, axis), np.flip(known, axis)
    return _shift_colour(part, rng), np.ascontiguousarray(known)


def _cut(
    image: Image,
    labels: Image,
    side: int,
    crop: int,
    background: Sequence[int],
    rng: np.random.Generator,
) -> tuple[Image, Image]:
    x, y = _corner(labels, side, background, rng)
    part, known = image[y : y + side, x : x + side], labels[y : y + side, x : x + side]
    below, right = side - known.shape[0], side - known.shape[1]
    if below or right:
        part = np.asarray(
            cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_CONSTANT, value=PAD_RGB),
            np.uint8,
        )
        known = np.pad(known, ((0, below), (0, right)), constant_values=IGNORE)
    part = cv2.resize(part, (crop, crop), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    known = cv2.resize(known, (crop, crop), interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8)
    return part, known


def _corner(
    labels: Image, side: int, background: Sequence[int], rng: np.random.Generator
) -> tuple[int, int]:
    last_y, last_x = (max(length - side, 0) for length in labels.shape)
    x, y = int(rng.integers(last_x + 1)), int(rng.integers(last_y + 1))
    counts = np.bincount(labels.ravel(), minlength=IGNORE + 1)
    categories = [int(i) for i in np.flatnonzero(counts) if i not in background]
    if categories and rng.random() < ON_FOREGROUND:
        wanted = labels == rng.choice(categories)
    elif (labels[y : y + side, x : x + side] == IGNORE).all():
        wanted = labels != IGNORE
    else:
        return x, y
    chosen = np.flatnonzero(wanted)
    if chosen.size:
        row, column = divmod(int(rng.choice(chosen)), labels.shape[1])
        x = min(max(column - int(rng.integers(side)), 0), last_x)
        y = min(max(row - int(rng.integers(side)), 0), last_y)
    return x, y


def _shift_colour(image: Image, rng: np.random.Generator) -> Image:
    saturation, contrast, brightness = rng.uniform(-COLOUR, COLOUR, 3)
    pixels = image.astype(np.float32)
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + (pixels - grey) * (1 + saturation)
    level = grey.mean()
    pixels = level + (pixels - level) * (1 + contrast) + 255 * brightness / 2
    return np.asarray(np.clip(np.rint(pixels), 0, 255), dtype=np.uint8)


def pictures(folder: Path | None, count: int) -> list[tuple[Image, Image]]:
    """Images (1024, 1024, 3) and label maps of discs on unlabelled ground."""
    files = sorted(folder.rglob("*.[jp][pn]g"))[:count] if folder else []
    if folder and not files:
        raise SystemExit(f"{folder}: no picture, got none of .jpg and .png; give another folder")
    found = []
    for number in range(len(files) or count):
        rng = np.random.default_rng([3, number])
        if files:
            image = decode_rgb(files[number].read_bytes(), str(files[number]))
            image = np.asarray(cv2.resize(image, (SIDE, SIDE)), np.uint8)
        else:
            image = render_scene(number, size_hw=(SIDE, SIDE)).image
        labels = np.full((SIDE, SIDE), IGNORE, np.uint8)
        for _ in range(30):
            x, y, radius = (int(v) for v in rng.integers([0, 0, 5], [SIDE, SIDE, 40]))
            cv2.circle(labels, (x, y), radius, int(rng.integers(18)), -1)
        found.append((image, labels))
    return found


def _from(frame: Frame, data: bytes) -> PackedTile:
    return PackedTile(frame, lambda begin, end: data[begin:end])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crops")
    parser.add_argument("--images", type=Path, help="folder of pictures; else scenes are rendered")
    parser.add_argument("--tiles", type=int, default=8)
    parser.add_argument("--crops", type=int, default=200)
    parser.add_argument("--crop", type=int, default=224)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    tiles = pictures(given.images, given.tiles)
    encoded = [(encode_rgb(image), encode_labels(labels)) for image, labels in tiles]
    begin = time.process_time()
    stored = [pack(image, labels) for image, labels in tiles]
    packing = time.process_time() - begin
    seconds = [0.0, 0.0]
    for number in range(given.crops):
        image, labels = encoded[number % len(tiles)]
        begin = time.process_time()
        tile = _from(*stored[number % len(tiles)])
        ours = augment(tile, given.crop, (IGNORE,), np.random.default_rng(number))
        middle = time.process_time()
        pair = decode_rgb(image, "tile"), decode_labels(labels, "tile")
        theirs = whole(*pair, given.crop, (IGNORE,), np.random.default_rng(number))
        seconds[0] += middle - begin
        seconds[1] += time.process_time() - middle
        assert np.array_equal(ours[0], theirs[0].transpose(2, 0, 1))
        assert np.array_equal(ours[1], theirs[1])
    size = sum(len(data) for _, data in stored)
    result = {
        "crops": given.crops,
        "packed_ms": round(1000 * seconds[0] / given.crops, 2),
        "whole_ms": round(1000 * seconds[1] / given.crops, 2),
        "ratio": round(seconds[1] / seconds[0], 2),
        "packing_ms_a_tile": round(1000 * packing / len(tiles), 1),
        "bytes_of_png": round(size / sum(len(a) + len(b) for a, b in encoded), 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
