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
from copy import deepcopy
from functools import partial
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
    Probe,
    Sums,
    cell_counts,
    colour_features,
    confusions,
    fit,
    frozen,
    network_features,
    sample_tile,
    sums,
)
from samrs.training.settings import device_of
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
    about = {"mode": "probe", "draws": draws, "seed": seed}
    for body in bodies(inits):
        places = {s: benchmark.unit(body, {**about, "share": s}) / "probe.json" for s in shares}
        finished = {s: content for s, place in places.items() if (content := kept(place))}
        missing = [share for share in shares if share not in finished]
        if missing:
            chosen = {
                share: [drawn(benchmark.train, share, seed, draw) for draw in range(draws)]
                for share in missing
            }
            for share, found in _probe_body(body, benchmark, chosen, seed, runtime).items():
                finished[share] = json_bytes([{"body": body, **row} for row in found])
                places[share].parent.mkdir(parents=True, exist_ok=True)
                keep(places[share], finished[share])
        read = [row for share in shares for row in json.loads(finished[share])]
        names = dict.fromkeys(row["features"] for row in read)
        rows += [row for name in names for row in read if row["features"] == name]
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
    chosen: Mapping[float, Sequence[Sequence[int]]],
    seed: int,
    runtime: Mapping[str, Any],
) -> dict[float, list[Row]]:
    """Rows of each share, whose draws are answered together: other shares change none of them."""
    ask, tiles = _features(body, benchmark, seed, runtime), benchmark.tiles
    classes, desc = len(tiles.categories), f"probe {benchmark.name} {body}"
    every = {(share, n): each for share, draws in chosen.items() for n, each in enumerate(draws)}
    labelled = {index for each in every.values() for index in each}
    learned: dict[tuple[str, float, int], Sums] = {}
    for index in progress(sorted(labelled), desc=desc, unit="tile"):
        found = sample_tile(tiles.tile(index), ask, np.random.default_rng([seed, 2, index]))
        for name, features in found.features.items():
            of_tile = sums(features, found.labels, classes)
            for draw in (draw for draw, each in every.items() if index in each):
                if (name, *draw) in learned:
                    learned[name, *draw] += of_tile
                else:
                    learned[name, *draw] = deepcopy(of_tile)
    probes: dict[tuple[str, float], list[Probe]] = {}
    for (name, share, _), of_draw in sorted(learned.items()):
        probes.setdefault((name, share), []).append(fit(of_draw))
    total: dict[tuple[str, float], Any] = dict.fromkeys(probes, 0)
    for index in progress(benchmark.test, desc=f"{desc}: test", unit="tile"):
        image, labels = tiles.read_once(index, benchmark.test)
        seen, counts = ask(image[None]), cell_counts(labels, classes)
        for (name, share), of_share in probes.items():
            total[name, share] += confusions(seen.scores(name, of_share)[0], counts)
    return {
        share: [
            {
                "features": name,
                "share": share,
                "draw": draw,
                "tiles": len(draws[draw]),
                "miou": scores(matrix, tiles.categories)["miou"],
            }
            for name in dict.fromkeys(name for name, _ in probes)
            for draw, matrix in enumerate(total[name, share])
        ]
        for share, draws in chosen.items()
    }


def _features(
    body: str, benchmark: Benchmark, seed: int, runtime: Mapping[str, Any]
) -> Callable[[Image], Features]:
    if body == COLOUR:
        return colour_features
    init, other = (BASE, seed + 1) if body == CONTROL else (body, seed)
    network = frozen(benchmark.start(init, other).to(device_of(runtime)))
    return partial(network_features, network)


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
