"""Full fine-tuning, as the paper does it: all weights are trained.

For every initialisation and every share of the training tiles one network is trained and tested.
Smaller shares are part of larger ones, and every run of a share sees the same tiles in the same
order, so that runs differ in their initialisation alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback

from samrs.core.shards import json_bytes
from samrs.finetune.benchmark import Benchmark
from samrs.training.evaluation import confusion, scores
from samrs.training.loop import device_of
from samrs.training.segmentation import Settings, history_rows, train_network
from samrs.work.kept import keep, kept


def runs(
    benchmark: Benchmark,
    *,
    inits: Sequence[str],
    shares: Sequence[float],
    settings: Settings,
    runtime: Mapping[str, Any],
    callbacks: Sequence[Callback],
) -> list[dict[str, Any]]:
    """Train and test every init x share; finished ones are not repeated.

    Args:
        benchmark: to train and to test on.
        inits: of ``INITS``.
        shares: of the training tiles, in (0, 1]; at least one tile is taken.
        settings: of every training.
        runtime: speed only.
        callbacks: of Lightning, beside the trainer's own.

    Returns:
        Each with init, share, tiles, scores and the ``history`` of its loss.
    """
    rows: list[dict[str, Any]] = []
    for init in inits:
        for share in shares:
            place = benchmark.folder / f"{init}-{share}"
            finished = kept(place / "run.json")
            if finished is None:
                run = _run(
                    benchmark,
                    place,
                    init=init,
                    share=share,
                    settings=settings,
                    runtime=runtime,
                    callbacks=callbacks,
                )
                finished = json_bytes({"init": init, "share": share, **run})
                keep(place / "run.json", finished)
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
    settings: Settings,
    runtime: Mapping[str, Any],
    callbacks: Sequence[Callback],
) -> dict[str, Any]:
    network = benchmark.start(init, settings.seed)
    train = nested_share(benchmark.train, share, settings.seed)
    desc = f"finetune {benchmark.name} {init} {share:g}"
    losses = train_network(
        network,
        {"benchmark": benchmark.tiles},
        {"benchmark": train},
        work,
        settings=settings,
        desc=desc,
        runtime=runtime,
        callbacks=callbacks,
    )
    matrix = confusion(
        network.to(device_of(runtime)),
        "benchmark",
        benchmark.tiles,
        benchmark.test,
        desc=f"{desc}: test",
        window=settings.crop,
        stride=2 * settings.crop // 3,
        flip=True,
        precision=settings.precision,
    )
    history = history_rows(losses)
    return {"tiles": len(train), **scores(matrix, benchmark.tiles.categories), "history": history}


def by_init(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Scores of runs by init and share, as ``dvc metrics show`` names them: ``scratch.0.05.miou``.

    Args:
        runs: each with ``init``, ``share``, ``tiles`` and scores; a ``history`` is left out.
    """
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        scores = {k: v for k, v in run.items() if k not in ("init", "share", "history")}
        found.setdefault(run["init"], {})[f"{run['share']:g}"] = scores
    return found


def compare(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``miou`` by init and share, and ``gain`` by share of ``pretrain`` over ``scratch``.

    Args:
        runs: each with ``init``, ``share`` and ``miou``.
    """
    miou: dict[str, dict[str, float]] = {}
    for run in runs:
        miou.setdefault(run["init"], {})[f"{run['share']:g}"] = run["miou"]
    base, ours = miou.get("scratch", {}), miou.get("pretrain", {})
    gain = {share: round(ours[share] - base[share], 4) for share in ours if share in base}
    return {"miou": miou, "gain": gain}
