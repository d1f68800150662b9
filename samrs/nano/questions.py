"""The prompts nano is asked in training, and the answers expected: numpy in, tensors out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samrs.nano.shapes import Rng
from samrs.sam.nano import MASK_STRIDE, TOKEN

KINDS = ("box", "box+point", "points", "mask", "box+mask", "point+mask")
SHARES = (0.60, 0.08, 0.12, 0.09, 0.07, 0.04)
WINDOWS = (8, 16, 32)
POINTS = 2
JITTER = 0.03
INSIDE = 1000.0


@dataclass(kw_only=True)
class Questions:
    """K prompts and their targets; a kind's absent parts are there too, until `take`.

    Args:
        kind: (K,) position in `KINDS`.
        place: (K,) position of the crop in the batch.
        boxes: (K, 4) xyxy in frame px.
        points: (K, 2, 2) xy in frame px; labels (K, 2): 1 inside, 0 outside, -1 no point.
        masks: (K, 1, 4 g, 4 g) SAM's mask prompt of the window: +1000 inside, -1000 outside.
        offset: (K, 2) xy of the crop in the frame, in tokens.
        corner: (K, 2) xy, in tokens of the crop, of the window that is decoded.
        targets: (K, 4 g, 4 g) how many of a cell's 16 px are the instance's; g tokens a side.
    """

    kind: Tensor
    place: Tensor
    boxes: Tensor | None
    points: Tensor | None
    labels: Tensor | None
    masks: Tensor | None
    offset: Tensor
    corner: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.kind)

    def kinds(self) -> list[int]:
        """The kinds that occur."""
        return sorted({int(k) for k in self.kind})

    def select(self, which: Tensor) -> Questions:
        """Some of the questions, by a (K,) bool.

        Args:
            which: True for those to take.
        """
        parts: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        chosen: dict[str, Any] = {k: None if v is None else v[which] for k, v in parts.items()}
        return Questions(**chosen)

    def take(self, kind: int) -> Questions:
        """The questions of one kind, with the parts it has."""
        part = self.select(self.kind == kind)
        words = KINDS[kind]
        if "box" not in words:
            part.boxes = None
        if "point" not in words:
            part.points = part.labels = None
        if "mask" not in words:
            part.masks = None
        return part

    @staticmethod
    def joined(parts: list[Questions]) -> Questions:
        """One batch from questions with windows of one size.

        Args:
            parts: one or more, each a batch.
        """
        names = [f.name for f in fields(Questions)]
        return Questions(**{k: torch.cat([getattr(p, k) for p in parts]) for k in names})


def draw_kinds(rng: Rng) -> tuple[int, int]:
    """The kinds of prompt of one step: a few large decoder calls are faster than many small."""
    return 0, int(rng.choice(len(KINDS), p=SHARES))


def ask(
    rng: Rng,
    masks: NDArray[np.bool_],
    *,
    place: int,
    offset: NDArray[Any],
    kinds: tuple[int, int],
    whole: float,
    windows: tuple[int, ...] = WINDOWS,
) -> list[Questions]:
    """One question for each of the (K, n, n) masks of crop `place` of a batch.

    Most instances are decoded in the smallest of the `windows` (tokens a side) that leaves room
    around them, placed at random; the others over the whole crop.

    Args:
        offset: (x, y) of the crop in the frame, in tokens.
        kinds: positions in `KINDS` to choose from.
        whole: share of the questions that are decoded over the whole crop.
    """
    return [
        _ask_one(rng, m, place, offset, kinds[int(rng.integers(2))], whole, windows) for m in masks
    ]


def _ask_one(
    rng: Rng,
    mask: NDArray[np.bool_],
    place: int,
    offset: NDArray[Any],
    kind: int,
    whole: float,
    windows: tuple[int, ...],
) -> Questions:
    tight = _box(mask)
    box = _jittered(rng, tight, mask.shape[0])
    points, labels = _points(rng, mask, tight)
    sides = () if rng.random() < whole else windows
    corner, grid = _window(rng, tight, mask.shape[0] // TOKEN, sides)
    x, y = corner * TOKEN
    mask = mask[y : y + grid * TOKEN, x : x + grid * TOKEN]
    low = grid * TOKEN // MASK_STRIDE
    prompt = np.full((low, low), -INSIDE, np.float32)
    if "mask" in KINDS[kind]:
        prompt = _mask_prompt(rng, mask, box - np.tile(corner * TOKEN, 2))
    cells = mask.reshape(low, MASK_STRIDE, low, MASK_STRIDE)
    shift = np.asarray(offset * TOKEN, np.float32)
    return Questions(
        kind=torch.tensor([kind]),
        place=torch.tensor([place]),
        boxes=torch.from_numpy(box + np.tile(shift, 2))[None],
        points=torch.from_numpy(points + shift)[None],
        labels=torch.from_numpy(labels)[None],
        masks=torch.from_numpy(prompt)[None, None],
        offset=torch.from_numpy(offset)[None],
        corner=torch.from_numpy(corner)[None],
        targets=torch.from_numpy(cells.sum((1, 3), dtype=np.uint8))[None],
    )


def _window(
    rng: Rng, box: NDArray[np.float32], grid: int, windows: tuple[int, ...]
) -> tuple[NDArray[np.int64], int]:
    """The corner xy and side, in tokens, of the part of a `grid` x `grid` crop to decode."""
    for side in windows:
        low = np.maximum(np.ceil(box[2:] / TOKEN).astype(int) - side, 0)
        high = np.minimum(box[:2].astype(int) // TOKEN, grid - side)
        fits = (box[2:] - box[:2]).max() < (side - 2) * TOKEN and (low <= high).all()
        if fits:
            return rng.integers(low, high + 1), side
    return np.zeros(2, np.int64), grid


def _box(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    x, y = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return np.array([x[0], y[0], x[-1] + 1, y[-1] + 1], np.float32)


def _jittered(rng: Rng, box: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Half the boxes as they are; half as annotators draw them, a few percent off, rather wide."""
    if rng.random() < 0.4:
        return box
    sides = np.tile(box[2:] - box[:2], 2)
    noise = rng.normal(0, JITTER, 4) * sides + rng.normal(0, 0.4, 4)
    wider = rng.uniform(0, 0.04) * sides * (-1, -1, 1, 1)
    moved = np.clip(box + noise.clip(-0.1 * sides, 0.1 * sides) + wider, 0, size)
    return np.asarray(moved, np.float32)


def _points(
    rng: Rng, mask: NDArray[np.bool_], box: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The box's centre or a random point of the instance, sometimes one more, in or out of it."""
    x0, y0, x1, y1 = box.astype(int)
    window = mask[y0:y1, x0:x1]
    inside, outside = np.argwhere(window)[:, ::-1], np.argwhere(~window)[:, ::-1]
    points = np.zeros((POINTS, 2), np.float32)
    labels = np.full(POINTS, -1, np.float32)
    centre = (box[:2] + box[2:]) / 2 - (x0, y0)
    at = np.minimum(centre.astype(int), (x1 - x0 - 1, y1 - y0 - 1))
    central = window[at[1], at[0]] and rng.random() < 0.5
    points[0] = centre if central else inside[rng.integers(len(inside))] + 0.5
    labels[0] = 1
    if rng.random() < 0.35:
        negative = len(outside) > 0 and rng.random() < 0.5
        among = outside if negative else inside
        points[1] = among[rng.integers(len(among))] + 0.5
        labels[1] = 0 if negative else 1
    return points + np.array((x0, y0), np.float32), labels


def _mask_prompt(
    rng: Rng, mask: NDArray[np.bool_], box: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The filled box or (mostly) smallest rotated box, as SAMRS makes it a mask prompt."""
    canvas = np.zeros(mask.shape, np.float32)
    if rng.random() < 0.7:
        outline, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        corners = cv2.boxPoints(cv2.minAreaRect(np.concatenate(outline)))
        cv2.fillPoly(canvas, [np.round(corners * 16).astype(np.int32)], (1.0,), shift=4)
    else:
        x0, y0, x1, y1 = np.round(box).astype(int).clip(0)
        canvas[y0:y1, x0:x1] = 1
    # bilinear to a quarter reads the middle 2x2 of each 4x4
    middle = canvas[1::4, 1::4] + canvas[1::4, 2::4] + canvas[2::4, 1::4] + canvas[2::4, 2::4]
    return np.asarray((middle / 2 - 1) * INSIDE, np.float32)
