"""Probe a benchmark: what frozen features of pre-training are worth with few labels.

It is a probe, not the paper's fine-tuning: the network stays as it is and a linear map is learned
(``samrs/training/linear_probe.py``), again and again from other draws of labelled tiles. All bodies
see the same draws, so that a gain is a mean of paired differences and has an interval. Two floors
stand beside: plain colour, and a network of random weights; another one of random weights is the
negative control, whose gain ought to be 0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from samrs.core.progress import progress
from samrs.core.shards import json_bytes
from samrs.finetune.benchmark import Benchmark
from samrs.finetune.intervals import interval, paired
from samrs.training.blocks import Image
from samrs.training.evaluation import scores
from samrs.training.linear_probe import (
    Features,
    Sample,
    cell_counts,
    colour_features,
    confusions,
    fit,
    joined,
    network_features,
    sample,
)
from samrs.training.loop import device_of
from samrs.work.kept import keep, kept

BASE = "scratch"
"""The body that gains are told against: random weights."""
COLOUR, CONTROL = "rgb", "scratch_of_another_seed"

Row = dict[str, Any]


def bodies(inits: Sequence[str]) -> list[str]:
    """What is probed: the floors, the control, and what ``inits`` asks for.

    Args:
        inits: of ``finetune.inits``.
    """
    return [COLOUR, BASE, CONTROL, *(init for init in inits if init != BASE)]


def probe(
    benchmark: Benchmark,
    *,
    inits: Sequence[str],
    shares: Sequence[float],
    draws: int,
    seed: int,
    runtime: Mapping[str, Any],
) -> list[Row]:
    """Probe every body; a row for each of its features, shares and draws, with ``miou``.

    Args:
        benchmark: to learn from and to test on.
        inits: see ``bodies``.
        shares: of the training tiles, below 1.
        draws: of labelled tiles at each share.
        seed: of draws and random weights.
        runtime: speed only.
    """
    rows: list[Row] = []
    chosen = {
        (share, draw): drawn(benchmark.train, share, seed, draw)
        for share in shares
        for draw in range(draws)
    }
    for body in bodies(inits):
        place = benchmark.folder / f"probe-{body}.json"  # finished bodies are not probed again
        finished = kept(place)
        if finished is None:
            found = _probe_body(body, benchmark, chosen, seed, runtime)
            finished = json_bytes([{"body": body, **row} for row in found])
            keep(place, finished)
        rows += json.loads(finished)
    return rows


def drawn(train: Sequence[int], share: float, seed: int, draw: int) -> list[int]:
    """The labelled tiles of a draw, at least one; a smaller share is part of a larger one.

    Args:
        train: tiles that may be drawn.
        draw: its number.
    """
    order = np.random.default_rng([seed, draw]).permutation(len(train))
    return sorted(train[int(i)] for i in order[: max(1, round(share * len(train)))])


def _probe_body(
    body: str,
    benchmark: Benchmark,
    chosen: Mapping[tuple[float, int], Sequence[int]],
    seed: int,
    runtime: Mapping[str, Any],
) -> list[Row]:
    ask, tiles = _features(body, benchmark, seed, runtime), benchmark.tiles
    classes, desc = len(tiles.categories), f"probe {benchmark.name} {body}"
    samples: dict[int, Sample] = {}
    for index in progress(sorted(set().union(*chosen.values())), desc=desc, unit="tile"):
        image, labels = tiles.read(index)
        samples[index] = sample(ask(image), labels, np.random.default_rng([seed, 2, index]))
    names = list(next(iter(samples.values())).features)
    probes = {
        name: [fit(*joined([samples[i] for i in each], name), classes) for each in chosen.values()]
        for name in names
    }
    total: dict[str, Any] = dict.fromkeys(names, 0)
    for index in progress(benchmark.test, desc=f"{desc}: test", unit="tile"):
        image, labels = tiles.read_once(index, benchmark.test)
        features, counts = ask(image), cell_counts(labels, classes)
        for name in names:
            total[name] += confusions(features[name], counts, probes[name])
    return [
        {
            "features": name,
            "share": share,
            "draw": draw,
            "tiles": len(chosen[share, draw]),
            "miou": scores(matrix, tiles.categories)["miou"],
        }
        for name in names
        for (share, draw), matrix in zip(chosen, total[name], strict=True)
    ]


def _features(
    body: str, benchmark: Benchmark, seed: int, runtime: Mapping[str, Any]
) -> Callable[[Image], Features]:
    if body == COLOUR:
        return colour_features
    init, other = (BASE, seed + 1) if body == CONTROL else (body, seed)
    network = benchmark.start(init, other).to(device_of(runtime)).eval()
    return lambda image: {n: f.cpu() for n, f in network_features(network, image).items()}


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Means over draws with 95 % intervals (Student's t), all by features, body and share.

    Returns:
        ``miou`` of each body; ``gain``: paired differences to ``scratch``; of plain colour, which
        has features of its own, too. Each is ``{mean, low, high}``.
    """
    table: dict[str, dict[str, dict[str, list[float]]]] = {}
    for row in rows:
        shares = table.setdefault(row["features"], {}).setdefault(row["body"], {})
        shares.setdefault(f"{row['share']:g}", []).append(row["miou"])
    colour = table.pop(COLOUR)[COLOUR]
    miou: dict[str, Any] = {}
    gain: dict[str, Any] = {}
    for features, found in sorted(table.items()):
        for body, shares in {COLOUR: colour, **found}.items():
            for share, values in shares.items():
                miou.setdefault(features, {}).setdefault(body, {})[share] = interval(values)
                if body != BASE:
                    of_body = gain.setdefault(features, {}).setdefault(body, {})
                    of_body[share] = paired(values, found[BASE][share])
    return {"miou": miou, "gain": gain}
