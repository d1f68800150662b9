"""Whatever the boxes, the cut and the rules: samrs verify finds what the pipeline makes sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samrs.core.geometry import rotated_box_to_polygon
from samrs.label.label import label
from samrs.release.background import RULES as BACKGROUNDS
from samrs.release.overlap import RULES as OVERLAPS
from samrs.verify.verify import verify
from samrs.weights.checkpoint import Checkpoint
from tests.datasets.by_hand import write_image
from tests.label.test_label import RUNTIME
from tests.normalize.test_normalize import dota_scene, run
from tests.products_by_hand import OPEN, QUALITY, release

Rng = np.random.Generator


def draw_scene(rng: Rng, root: Path, name: str) -> None:
    """Boxes of any size, within the image and across its border, upright and turned."""
    height, width = (int(side) for side in rng.integers(5, 120, 2))
    lines = []
    for _ in range(int(rng.integers(1, 12))):
        x, y = rng.uniform(-10, [width + 10, height + 10])
        long, short = np.exp(rng.uniform(-1, 5, 2))
        turn = float(rng.choice([0.0, rng.uniform(0, np.pi)]))
        corners = rotated_box_to_polygon(x, y, long, short, turn).ravel()
        told = " ".join(f"{v:.{int(rng.choice([0, 3]))}f}" for v in corners)
        lines.append(f"{told} {rng.choice(['plane', 'ship'])} {int(rng.random() < 0.3)}")
    dota_scene(root, *lines, name=name)
    pixels = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    write_image(root / f"images/{name}.png", pixels)


def draw_cut(rng: Rng) -> dict[str, Any]:
    tile = None if rng.random() < 0.2 else int(rng.integers(8, 64))
    return {
        "tile": tile,
        "overlap": int(rng.integers(0, (tile or 1) * 3 // 4 + 1)) if tile else 0,
        "min_visible": float(rng.choice([0, 0.3, 0.7, 1])),
        "max_quarantined": 1.0,
        **{name: bool(rng.random() < 0.5) for name in ("clip", "pad", "keep_difficult")},
    }


def draw_rules(rng: Rng) -> dict[str, Any]:
    choices: dict[str, list[Any]] = {
        "margin": [None, 0, 0.1], "max_hole": [0, 0.05, 1], "min_part": [0, 0.05, 0.5],
        "core": [0, 0.5, 1], "min_area": [0, 4, 20], "max_outside": [0.5, 1],
        "min_box_iou": [0, 0.3], "max_parts": [None, 1], "keep_difficult": [True, False],
        "overlap": list(OVERLAPS), "background": list(BACKGROUNDS),
    }  # fmt: skip
    return {name: values[int(rng.integers(len(values)))] for name, values in choices.items()}


@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(n, marks=pytest.mark.slow) for n in range(12, 100))]
)
def test_what_is_made_of_any_boxes_is_sound(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for number in range(int(rng.integers(1, 4))):
        draw_scene(rng, tmp_path / "in", f"P{number}")
    normalized, labelled = tmp_path / "normalized", tmp_path / "labelled"
    run("dota", tmp_path / "in", normalized, **draw_cut(rng))
    segmenter = str(rng.choice(["box", "obb", "grabcut"]))
    label(
        normalized, labelled, prompt="rbox" if segmenter == "obb" else "hbox",
        checkpoint=Checkpoint(segmenter, "nano"), precision="float32-fast", runtime=RUNTIME,
        work=tmp_path / "work",
    )  # fmt: skip
    released = tmp_path / "release" / "sota"
    release(normalized, labelled, released, QUALITY, **{**OPEN, **draw_rules(rng)})
    assert verify(normalized).lines() == []
    assert verify(labelled, normalized).lines() == []
    assert verify(released).lines() == []
