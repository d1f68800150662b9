"""Full fine-tuning, as the paper does it: all weights are trained.

For every initialisation, every share of the training tiles and every seed one network is trained
and tested. Smaller shares are part of larger ones, and every run of a share and seed sees the same
tiles in the same order, so that these differ in their initialisation alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback

from samrs.core.shards import json_bytes
from samrs.finetune.benchmark import Benchmark
from samrs.finetune.intervals import FEWEST, interval, paired
from samrs.training.evaluation import Protocol, confusion, scores
from samrs.training.ranks import is_first
from samrs.training.segmentation import history_rows, train_network
from samrs.training.settings import Settings, device_of
from samrs.training.watching import BEST
from samrs.work.kept import keep, kept
from samrs.work.lock import locked


def runs(
    benchmark: Benchmark,
    *,
    inits: Sequence[str],
    shares: Sequence[float],
    seeds: Sequence[int],
    settings: Settings,
    protocol: Protocol,
    runtime: Mapping[str, Any],
    callbacks: Sequence[Callback],
) -> list[dict[str, Any]]:
    """Train and test every init x share x seed; finished ones are not repeated.

    Args:
        benchmark: to train and to test on.
        inits: of ``INITS``.
        shares: of the training tiles, in (0, 1]; at least one tile is taken.
        seeds: each chooses labelled tiles, crops and the random weights.
        settings: of every training.
        protocol: of every test.
        runtime: speed only.
        callbacks: of Lightning, beside the trainer's own.

    Returns:
        Each with init, share, seed, tiles, scores and the ``history`` of its loss; in processes
        that torchrun began beside the first, those only that were finished before.
    """
    rows: list[dict[str, Any]] = []
    for init, share, seed in product(inits, shares, seeds):
        chosen = {"mode": "full", "share": share, "seed": seed}
        place = benchmark.unit(init, {**vars(settings), **vars(protocol), **chosen})
        finished = kept(place / "run.json")
        if finished is None:
            with locked(place, "trains this", None) if is_first() else nullcontext():
                run = _run(
                    benchmark,
                    place,
                    init=init,
                    share=share,
                    seed=seed,
                    settings=settings,
                    protocol=protocol,
                    runtime=runtime,
                    callbacks=callbacks,
                )
                if not is_first():
                    continue
                finished = json_bytes({"init": init, "share": share, "seed": seed, **run})
                keep(place / "run.json", finished)
                for path in (*place.glob("*.ckpt"), *place.glob(BEST)):
                    path.unlink()
        rows.append(json.loads(finished))
    return rows


def nested_share(indices: Sequence[int], share: float, seed: int) -> list[int]:
    """A share of the tiles, at least one; a smaller share is part of a larger one.

    Args:
        indices: of the training tiles.
    """
    order = np.random.default_rng(seed).permutation(len(indices))
    count = max(1, round(share * len(indices)))
    return sorted(indices[int(i)] for i in order[:count])


def _run(
    benchmark: Benchmark,
    work: Path,
    *,
    init: str,
    share: float,
    seed: int,
    settings: Settings,
    protocol: Protocol,
    runtime: Mapping[str, Any],
    callbacks: Sequence[Callback],
) -> dict[str, Any]:
    network = benchmark.start(init, seed, settings.drop_path)
    train = nested_share(benchmark.train, share, seed)
    desc = f"finetune {benchmark.name} {init} {share:g} {seed}"
    trained = train_network(
        network,
        {"benchmark": benchmark.tiles},
        {"benchmark": train},
        work,
        settings=settings,
        seed=seed,
        desc=desc,
        runtime=runtime,
        callbacks=callbacks,
    )
    if not is_first():
        return {}
    whole, inside = confusion(
        network.to(device_of(runtime)),
        "benchmark",
        benchmark.tiles,
        benchmark.test,
        protocol,
        desc=f"{desc}: test",
        crop=settings.crop,
        precision=settings.precision,
    )
    told = scores(whole, benchmark.tiles.categories)
    if protocol.boundary:
        told["without_boundary"] = scores(inside, benchmark.tiles.categories)
    if trained.scores:
        told["validation"] = {f"{step}": round(s, 4) for step, s in trained.scores.items()}
    return {"tiles": len(train), **told, "history": history_rows(trained.losses)}


def by_init(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Scores of runs by init, share and seed: ``scratch.0.05.2023.miou`` in ``dvc metrics show``.

    Args:
        runs: each with ``init``, ``share``, ``seed``, ``tiles`` and scores; a ``history`` is left
            out.
    """
    found: dict[str, Any] = {}
    for run in runs:
        scores = {k: v for k, v in run.items() if k not in ("init", "share", "seed", "history")}
        shares = found.setdefault(run["init"], {})
        shares.setdefault(f"{run['share']:g}", {})[str(run["seed"])] = scores
    return found


def compare(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``miou`` by init and share, and ``gain`` of ``pretrain`` over each other init by share.

    Runs of a share and seed see the same tiles in the same order, so that gains are paired. Of
    fewer than ``FEWEST`` seeds there is a mean without ends and no gain.

    Args:
        runs: each with ``init``, ``share``, ``seed`` and ``miou``.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        shares = found.setdefault(run["init"], {})
        shares.setdefault(f"{run['share']:g}", []).append(run["miou"])
    enough = all(len(v) >= FEWEST for shares in found.values() for v in shares.values())
    miou = {
        init: {share: interval(v) if enough else _mean(v) for share, v in shares.items()}
        for init, shares in found.items()
    }
    ours = found.get("pretrain", {}) if enough else {}
    gain = {
        init: {share: paired(ours[share], theirs[share]) for share in ours}
        for init, theirs in found.items()
        if ours and init != "pretrain"
    }
    return {"miou": miou, "gain": gain}


def _mean(values: Sequence[float]) -> dict[str, float]:
    return {"mean": round(float(np.mean(values)), 4)}
