"""How good is a mask? An estimate of its IoU with the true one, from its scores alone.

Boosted regression trees on the scores of MASKS (``core/records.py``), then a monotone calibration
curve. Both are fitted by ``samrs fit-quality`` on procedural scenes and stand as text in
``samrs/models/quality.json``; applying them takes numpy only (0.2 s of one core for 30,000
masks). Card: ``docs/models/quality.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from samrs.core.errors import MissingInputError, ProductError
from samrs.core.shards import sha256

Floats = NDArray[np.float64]

BAD = 0.5
"""Masks of a lower IoU count as bad."""
FORMAT = 1
CHUNK = 512
"""Masks whose way through all trees is followed together: what that takes fits a core's cache."""
COLUMNS = (
    "hbb",
    "area",
    "mask_hbb",
    "predicted_iou",
    "stability_score",
    "box_iou",
    "obb_iou",
    "outside",
    "components",
)
"""Columns of a released row that the estimate looks at; it also takes ``disagreement``."""

FEATURES = {
    "predicted_iou": 1,
    "stability_score": 1,
    "disagreement": -1,
    "box_iou": 1,
    "obb_iou": 1,
    "outside": -1,
    "parts": -1,
    "filled": 0,
    "mask_filled": 0,
    "side": 0,
    "elongation": 0,
}
"""What the trees see, and how the estimate may change with it: only up (1), only down (-1), or
either way (0)."""


def features(columns: Mapping[str, ArrayLike]) -> Floats:
    """The trees' input (N, F), F in the order of FEATURES; NaN where a score is not there.

    Args:
        columns: COLUMNS as arrays of N, ``hbb`` and ``mask_hbb`` (N, 4) xyxy; ``disagreement``
            where the recipe has one. None and NaN mean that there is no such score.
    """
    given = {name: np.asarray(columns[name], dtype=np.float64) for name in COLUMNS}
    wide, high = _sides(given["hbb"])
    mask_wide, mask_high = _sides(given["mask_hbb"])
    none = np.full(len(given["area"]), np.nan)
    found = {
        **given,
        "disagreement": np.asarray(columns.get("disagreement", none), dtype=np.float64),
        "parts": np.log2(given["components"].clip(min=1)),
        "filled": given["area"] / (wide * high).clip(min=1),
        "mask_filled": given["area"] / (mask_wide * mask_high).clip(min=1),
        "side": np.log2(np.sqrt(wide * high).clip(min=1)),
        "elongation": np.log2(
            np.maximum(wide, high).clip(min=1) / np.minimum(wide, high).clip(min=1)
        ),
    }
    return np.stack([found[name] for name in FEATURES], axis=1)


def _sides(boxes: Floats) -> tuple[Floats, Floats]:
    x0, y0, x1, y1 = boxes.reshape(-1, 4).T
    return (x1 - x0).clip(min=0), (y1 - y0).clip(min=0)


def _as_array(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column as (N,), or (N, 4) for boxes; null is NaN."""
    if pa.types.is_fixed_size_list(column.type):
        size = column.type.list_size
        return np.asarray(pc.list_flatten(column).to_numpy().reshape(-1, size))
    return np.asarray(column.to_numpy())


@dataclass(frozen=True, kw_only=True)
class Trees:
    """T boosted regression trees of at most M nodes each; node 0 is the root.

    Args:
        baseline: what the trees' answers are added to.
        feature: (T, M) int, which feature a node looks at.
        threshold: (T, M), values up to it go left; leaves send everything to themselves.
        missing_left: (T, M) bool, where NaN goes.
        children: (2, T, M) int, the left and right child; a leaf's are itself.
        value: (T, M) a leaf's answer.
        depth: steps from the root to the deepest leaf.
    """

    baseline: float
    feature: NDArray[np.int64]
    threshold: Floats
    missing_left: NDArray[np.bool_]
    children: NDArray[np.int64]
    value: Floats
    depth: int

    @classmethod
    def from_lists(cls, baseline: float, trees: Sequence[Mapping[str, list[Any]]]) -> Trees:
        """From ``feature, threshold, missing_left, left, right, value`` of each tree's nodes.

        Leaves have feature -1.

        Args:
            baseline: the estimate before any tree.
            trees: the nodes of each, as lists of one length.
        """
        shape = len(trees), max(len(tree["feature"]) for tree in trees)
        own = np.broadcast_to(np.arange(shape[1]), shape)
        feature, children = np.zeros(shape, np.int64), np.stack([own, own])
        threshold, value = np.full(shape, np.inf), np.zeros(shape)
        missing_left = np.ones(shape, np.bool_)
        for t, tree in enumerate(trees):
            said = np.array(tree["feature"])
            inner = np.flatnonzero(said >= 0)
            feature[t, inner] = said[inner]
            threshold[t, inner] = np.array(tree["threshold"])[inner]
            missing_left[t, inner] = np.array(tree["missing_left"])[inner]
            for side, name in enumerate(("left", "right")):
                children[side, t, inner] = np.array(tree[name])[inner]
            value[t, : len(said)] = tree["value"]
        depth = max(_depth(children[:, t]) for t in range(shape[0]))
        return cls(
            baseline=baseline,
            feature=feature,
            threshold=threshold,
            missing_left=missing_left,
            children=children,
            value=value,
            depth=depth,
        )

    def predict(self, table: Floats) -> Floats:
        """The sum of the trees' answers (N,) to features (N, F), added in the trees' order."""
        parts = [self._sums(table[i : i + CHUNK]) for i in range(0, len(table), CHUNK)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _sums(self, table: Floats) -> Floats:
        count, nodes = self.feature.shape
        first = (np.arange(count) * nodes)[:, None]
        flat = table.T.ravel()
        rows = np.arange(len(table))
        at = np.broadcast_to(first, (count, len(table)))
        for _ in range(self.depth):
            seen = flat[self.feature.take(at) * len(table) + rows]
            left = (seen <= self.threshold.take(at)) | (np.isnan(seen) & self.missing_left.take(at))
            at = first + np.where(left, self.children[0].take(at), self.children[1].take(at))
        answers = np.empty((count + 1, len(table)))
        answers[0], answers[1:] = self.baseline, self.value.take(at)
        return np.asarray(np.add.reduce(answers, axis=0))


def _depth(children: NDArray[np.int64]) -> int:
    """Steps from node 0 to the deepest leaf; ``children`` (2, M), every child after its parent."""
    deep = np.zeros(children.shape[1], np.int64)
    for node, (left, right) in enumerate(children.T):
        if left != node:
            deep[left] = deep[right] = deep[node] + 1
    return int(deep.max())


@dataclass(frozen=True)
class Quality:
    """The fitted estimate.

    Args:
        trees: fitted to IoU.
        said: (K,) what the trees say, rising.
        seen: (K,) the mean IoU seen where they say it, rising.
        about: what it was fitted on and how well it does; goes to manifests.
    """

    trees: Trees
    said: Floats
    seen: Floats
    about: dict[str, Any]

    def estimate(self, columns: Mapping[str, ArrayLike]) -> Floats:
        """Estimated IoU (N,), in [0, 1]; 0 for empty masks. See ``features`` for the columns."""
        raw = self.trees.predict(features(columns))
        answer = np.interp(raw, self.said, self.seen)
        return np.where(np.asarray(columns["area"]) > 0, answer.clip(0, 1), 0.0).round(6)

    def of_columns(self, columns: Mapping[str, pa.ChunkedArray]) -> Floats:
        """The estimates (N,) of Arrow columns of RELEASED."""
        names = [name for name in (*COLUMNS, "disagreement") if name in columns]
        return self.estimate({name: _as_array(columns[name]) for name in names})

    def uncalibrated(self, labels: Mapping[str, Any]) -> str | None:
        """Why the estimate of these labels is no more than a rank; None where it is calibrated.

        A part of a recipe is the same at another size: the level holds there
        (``docs/models/quality.md``).

        Args:
            labels: the manifest of a sam_label product.
        """
        fitted = self.about["fitted_on"]
        for name in ("segmenter", "model_sha256"):
            if (got := labels.get(name)) != fitted[name]:
                return f"{name} {got}, fitted on {fitted[name]}"
        parts = {part.partition("@")[0] for part in str(labels.get("recipe")).split("+")}
        if foreign := parts - set(fitted["prompts"]):
            return f"prompts {', '.join(sorted(foreign))}, fitted on {', '.join(fitted['prompts'])}"
        return None


def read_quality(path: Path) -> Quality:
    """The estimate of ``samrs/models/quality.json``.

    Raises:
        MissingInputError: there is no such file.
        ProductError: the file is broken, of another format or for other features.
    """
    if not path.is_file():
        raise MissingInputError(
            f"{path}: no fitted estimate of quality, got no such file; the bundled one is samrs/"
            "models/quality.json; check it out, or run samrs fit-quality"
        )
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # no JSON, or no UTF-8
        said = None
    if not isinstance(said, dict):
        raise ProductError(
            f"{path}: no fitted estimate of quality, got a broken file; JSON text as "
            "samrs.fit_quality writes it is needed; check it out again, or fit again"
        )
    if (got := (said.get("format"), said.get("features"))) != (FORMAT, list(FEATURES)):
        raise ProductError(
            f"{path}: not of this version, got format {got[0]} with features {got[1]}; format "
            f"{FORMAT} with {list(FEATURES)} is allowed; run samrs fit-quality again"
        )
    curve = said["calibration"]
    return Quality(
        Trees.from_lists(said["baseline"], said["trees"]),
        np.array(curve["said"]),
        np.array(curve["seen"]),
        {**said["about"], "sha256": sha256(path)},
    )
