"""What nano is trained on: 512 px items with instance ids, cut and distorted into crops.

What stands on an instance and belongs to it, boats in a harbor, cars on a bridge, the pitch of a
track field, has an id of its own and is a part of its parent's mask: a pixel has two ids, that of
what is seen there and that of what it stands on.

Item `i` is a procedural scene of seed 10,000,000 + i, or, every sixth, random shapes on random
ground; items from 3,000 on are airports, and from 3,600 on things that may fill a frame: track
fields, bridges, harbors, planes, and large shapes. Items are drawn once and kept raw under the
bank's folder: drawing one takes longer than a training step on it. Everything is a function of the
seed and the numbers given, so the same command trains on the same crops.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from samrs.nano.shapes import Ids, Image, Rng, draw_ground, paste_shapes

ITEM = 512
FIRST_SEED = 10_000_000
FIRST_AIRPORT = 3000
"""Items from here on: in the scenes before, one instance of 360 is a plane."""
FIRST_LARGE = 3600
LARGE = (None, "sports", "sports", "river", "river", "marina", "airport", "city")
"""Themes of items from ``FIRST_LARGE`` on, in turn; None: shapes."""
LARGE_GSD = (0.2, 0.7)
"""Metres per px of them: a track field of 170 m spans 240 px or more."""
LAYERS = 2
SCALES, WIDE_SCALES = (0.75, 2.3), (0.5, 6.0)
"""Of pieces of items: as pictures of the frame's size show things, and as others do, down to those
of 128 px, which the frame magnifies eight times."""
PLAIN = 0.5
"""Share of the crops whose colours are left as they are, save for a little light."""
FEWEST_PX = 10
CELLS = {256: (1,), 512: (1, 1, 2), 1024: (1, 1, 2, 4)}
"""How many pieces a side a crop of each size is put together from."""


@dataclass(frozen=True)
class Crop:
    """A training image and some of its instances.

    Args:
        image: (n, n, 3) uint8 RGB.
        ids: (n, n) int32, the instance seen at every pixel, 0 for none.
        masks: (K, n, n) bool.
        filled_hw: what of the crop is image; the rest is padding, as SAM pads to 1024 px.
    """

    image: Image
    ids: NDArray[np.int32]
    masks: NDArray[np.bool_]
    filled_hw: tuple[int, int]


def load_item(folder: Path, index: int) -> tuple[Image, Ids]:
    """The image (512, 512, 3) and ids (512, 512, 2), as of `draw_item`, of one item; drawn and
    written to `folder` on first use."""
    path = folder / f"{index:06d}.npy"
    if not path.exists() or np.load(path, mmap_mode="r").shape[-1] != 3 + LAYERS:
        image, ids = draw_item(index)
        folder.mkdir(parents=True, exist_ok=True)
        # numpy appends .npy to a name that lacks it
        partial = path.with_suffix(f".{os.getpid()}.npy")
        np.save(partial, np.dstack([image.astype(np.int16), ids]))
        partial.replace(path)
    packed = np.load(path, mmap_mode="r")
    return packed[..., :3], packed[..., 3:]


def draw_item(index: int) -> tuple[Image, Ids]:
    """Draws item `index`: shapes on random ground, or a scene, every fourth with a few shapes.

    Returns:
        The image (512, 512, 3) and ids (512, 512, 2), 0 for none: of what is seen, and of what
        that stands on.
    """
    rng = np.random.default_rng((FIRST_SEED, index))
    large = index >= FIRST_LARGE
    usual = "airport" if index >= FIRST_AIRPORT else None
    theme = LARGE[index % len(LARGE)] if large else usual
    if (large and theme is None) or (index % 6 == 0 and index < FIRST_AIRPORT):
        image, ids = draw_ground(rng, ITEM), np.zeros((ITEM, ITEM, LAYERS), np.int16)
        count = rng.integers(3, 9) if large else rng.integers(8, 26)
        paste_shapes(rng, image, ids[..., 0], int(count), least=48 if large else 6)
        return image, ids
    from samrs.scenes.render import render_scene  # imported late

    low, high = LARGE_GSD if large else (0.12, 1.0)
    gsd = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    scene = render_scene(
        FIRST_SEED + index, size_hw=(ITEM, ITEM), gsd=gsd, density=float(rng.uniform(0.6, 2.0)),
        theme=theme,
    )  # fmt: skip
    image, ids = scene.image.copy(), np.zeros((ITEM, ITEM, LAYERS), np.int16)
    for number, thing in enumerate(scene.objects, start=1):
        x0, y0, x1, y1 = thing.box
        here = ids[y0:y1, x0:x1]
        here[thing.mask, 1] = here[thing.mask, 0]
        here[thing.mask, 0] = number
    if index % 4 == 1:
        before = ids[..., 0].copy()
        paste_shapes(rng, image, ids[..., 0], int(rng.integers(1, 6)))
        ids[ids[..., 0] != before, 1] = 0  # a shape belongs to nothing
    return image, ids


def draw_crop(
    rng: Rng,
    folder: Path,
    *,
    bank: Sequence[int] | NDArray[np.int64],
    size: int,
    most: int,
    wide: float = 0.0,
) -> Crop:
    """A square crop of `size` px, at most `most` instances of it, colours and all distorted.

    Args:
        bank: numbers of the bank's items; one is chosen evenly for each piece.
        size: px, a key of `CELLS`.
        wide: share of its pieces with one of ``WIDE_SCALES``.
    """
    cells = int(rng.choice(CELLS[size]))
    side = size // cells
    image = np.empty((size, size, 3), np.uint8)
    ids = np.zeros((size, size, LAYERS), np.int32)
    for row in range(cells):
        for column in range(cells):
            place = np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]
            scales = WIDE_SCALES if wide and rng.random() < wide else SCALES
            item = load_item(folder, int(rng.choice(bank)))
            part, part_ids = _cut(rng, *item, side, scales)
            image[place] = part
            ids[place] = np.where(part_ids > 0, part_ids + 1000 * (row * cells + column), 0)
    image = distort_colours(rng, image)
    filled = (size, size)
    if rng.random() < 0.15:
        short = int(size * rng.uniform(0.5, 1))
        filled = (short, size) if rng.random() < 0.6 else (size, short)
        ids[filled[0] :], ids[:, filled[1] :] = 0, 0
    return Crop(image, ids[..., 0], _choose(rng, ids, most), filled)


def _cut(
    rng: Rng, image: Image, ids: Ids, side: int, scales: tuple[float, float]
) -> tuple[Image, Ids]:
    """A random window scaled to `side` px, turned and mirrored."""
    low = max(scales[0], side / ITEM)
    high = max(scales[1], low)
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    window = min(ITEM, round(side / scale))
    y, x = rng.integers(0, ITEM - window + 1, 2)
    image = np.ascontiguousarray(image[y : y + window, x : x + window], dtype=np.uint8)
    ids = np.ascontiguousarray(ids[y : y + window, x : x + window])
    if window != side:
        smooth = cv2.INTER_AREA if window > side else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (side, side), interpolation=smooth), np.uint8)
        ids = np.asarray(cv2.resize(ids, (side, side), interpolation=cv2.INTER_NEAREST_EXACT))
    if rng.random() < 0.5:
        image, ids = image[:, ::-1], ids[:, ::-1]
    turns = int(rng.integers(4))
    return np.rot90(image, turns), np.rot90(ids, turns)


def distort_colours(rng: Rng, image: Image) -> Image:
    """Light, contrast, gamma, hue, grey, blur, noise, and JPEG's marks, each sometimes."""
    if rng.random() < PLAIN:
        return np.asarray(cv2.convertScaleAbs(image, alpha=rng.uniform(0.85, 1.15)), np.uint8)
    if rng.random() < 0.35:
        sigma = rng.uniform(0.4, 1.6)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    ramp = np.arange(256, dtype=np.float32) / 255
    tables = np.stack([ramp] * 3)
    if rng.random() < 0.8:
        gain, lift, gamma = rng.uniform(0.6, 1.4), rng.uniform(-0.15, 0.15), rng.uniform(0.6, 1.6)
        tables = np.clip((tables**gamma - 0.5) * gain + 0.5 + lift, 0, 1)
    if rng.random() < 0.6:
        tables = tables * rng.uniform(0.8, 1.2, (3, 1)) + rng.uniform(-0.06, 0.06, (3, 1))
    lut = np.clip(tables.T * 255, 0, 255).astype(np.uint8)[None]
    image = np.asarray(cv2.LUT(np.ascontiguousarray(image), lut), np.uint8)
    if rng.random() < 0.1:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    elif rng.random() < 0.3:
        image = image[..., rng.permutation(3)]
    if rng.random() < 0.3:
        noise = rng.integers(-128, 128, image.shape, dtype=np.int8)
        strength = rng.uniform(0.02, 0.12)
        image = np.clip(image + noise * np.float32(strength), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))]
        image = np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], 1), np.uint8)
    return image


def _choose(rng: Rng, ids: NDArray[np.int32], most: int) -> NDArray[np.bool_]:
    """(K, n, n) masks of at most `most` instances of ids (n, n, 2), rare sizes (powers of two of
    the area) first."""
    areas = np.bincount(ids.ravel())
    areas[0] = 0
    numbers = np.flatnonzero(areas >= FEWEST_PX)
    areas = areas[numbers]
    if not len(numbers):
        return np.zeros((0, *ids.shape), np.bool_)
    bins = np.log2(areas).astype(int)
    weight = 1 / np.sqrt(np.bincount(bins)[bins])
    count = min(most, len(numbers))
    chosen = rng.choice(len(numbers), count, replace=False, p=weight / weight.sum())
    seen, below = ids[..., 0], ids[..., 1]
    wanted = numbers[chosen, None, None]
    return np.asarray((seen == wanted) | (below == wanted))
