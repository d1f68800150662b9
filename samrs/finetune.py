"""Fine-tune on a human-labelled benchmark: what pre-training brings, with few and all labels.

For every initialisation and every share of the training tiles one network is trained and tested.
Smaller shares are part of larger ones, and every run of a share sees the same tiles in the same
order, so that runs differ in their initialisation alone.

Output: ``history.csv`` (init, share, step, loss), ``scores.csv`` (init, share, category, iou),
``manifest.json``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback

from samrs.core.errors import ParameterError, ProductError
from samrs.core.shards import (
    fresh_product,
    json_bytes,
    read_manifest,
    sha256,
    write_csv,
    write_manifest,
)
from samrs.reading.splits import use_of
from samrs.training.coverage import warn_of_untrained
from samrs.training.evaluation import confusion, scores
from samrs.training.loop import device_of
from samrs.training.networks import MultiHeadNetwork, load_encoder_decoder
from samrs.training.segmentation import LIBRARIES, Settings, history_rows, train_network
from samrs.training.tiles import SemanticTiles
from samrs.work.fingerprint import fingerprint
from samrs.work.kept import keep, kept

INITS = ("scratch", "imagenet", "pretrain")


def finetune(
    normalized: Path,
    pretrained: Path,
    out: Path,
    work: Path,
    callbacks: Sequence[Callback] = (),
    *,
    inits: Sequence[str],
    shares: Sequence[float],
    settings: Settings,
    runtime: Mapping[str, Any],
) -> dict[str, Any]:
    """Train and test every init x share, write the product ``finetune`` and return its metrics.

    Tested are the tiles for test, or for val where there are none for test with labels; trained is
    on neither. What a split is for its name says (``reading/splits.py``).

    Args:
        normalized: product ``normalize/<benchmark>`` with true label maps.
        pretrained: product ``pretrain``; its manifest names encoder and decoder.
        out: folder of the product; what stood there before is removed.
        work: folder for unfinished training; finished runs found there are not repeated.
        inits: of ``INITS``; ``imagenet`` downloads the encoder's weights.
        shares: of the training tiles, in (0, 1]; at least one tile is taken.
        callbacks: of Lightning, beside the trainer's own.
        settings: of every training.
        runtime: speed only.

    Returns:
        ``tested`` tiles; ``classes_without_training_pixel``, how many tested classes can only score
        0; ``runs``, each with init, share, tiles, miou, oa, mf1 and iou by category
        (``samrs/training/evaluation.py`` says what is in the means); ``miou`` by init and share;
        ``gain``: by share the mIoU of ``pretrain`` less that of ``scratch``, where both ran.

    Raises:
        ParameterError: an init is unknown or a number out of range.
        MissingInputError: a product or the encoder's weights are missing.
        ProductError: the benchmark lacks tiles to train or to test on.
    """
    check_runs(inits=inits, shares=shares)
    parameters = {**vars(settings), "inits": list(inits), "shares": list(shares)}
    folder = work / fingerprint(
        parameters,
        code=["samrs.finetune"],
        libraries=LIBRARIES,
        inputs=[normalized, pretrained],
    )
    tiles = SemanticTiles(normalized, folder / "tiles")
    train, test = split_tiles(tiles.splits, normalized)
    unlearned = warn_of_untrained(f"finetune {about_name(normalized)}", tiles, train, test)
    about = read_manifest(pretrained)
    rows: list[dict[str, Any]] = []
    for init in inits:
        for share in shares:
            place = folder / f"{init}-{share}"
            finished = kept(place / "run.json")
            if finished is None:
                network = start(init, about, pretrained, len(tiles.categories), settings.seed)
                chosen = nested_share(train, share, settings.seed)
                desc = f"finetune {about_name(normalized)} {init} {share:g}"
                run = _run(
                    network,
                    tiles,
                    place,
                    train=chosen,
                    test=test,
                    settings=settings,
                    desc=desc,
                    runtime=runtime,
                    callbacks=callbacks,
                )
                finished = json_bytes({"init": init, "share": share, **run})
                keep(place / "run.json", finished)
            rows.append(json.loads(finished))
    _export(rows, out)
    inputs = {"normalize": sha256(normalized / "manifest.json"), "pretrain": _weights(about)}
    files = {path.name: sha256(path) for path in sorted(out.iterdir())}
    product = {"product": "finetune", "dataset": about_name(normalized)}
    write_manifest(out, {**product, "parameters": parameters, "inputs": inputs, "files": files})
    shutil.rmtree(folder)
    return {
        "tested": len(test),
        "classes_without_training_pixel": unlearned,
        "runs": by_init(rows),
        **compare(rows),
    }


def check_runs(*, inits: Sequence[str], shares: Sequence[float]) -> None:
    """Refuse runs that cannot be.

    Args:
        inits: of ``INITS``.
        shares: of the training tiles, in (0, 1].

    Raises:
        ParameterError: an init is unknown, or a share out of range.
    """
    for init in inits:
        if init not in INITS:
            raise ParameterError(
                f"finetune.inits: unknown name, got {init!r}; {', '.join(INITS)} are allowed; "
                "correct params.yaml"
            )
    for share in shares:
        if not 0 < share <= 1:
            raise ParameterError(
                f"finetune.shares: not a share, got {share}; above 0 and up to 1 is allowed; "
                "correct params.yaml"
            )


def about_name(product: Path) -> str:
    """The dataset a product was made of."""
    return str(read_manifest(product)["dataset"])


def _weights(about: Mapping[str, Any]) -> str:
    return str(about["files"]["encoder_decoder.safetensors"])


def split_tiles(splits: Sequence[str], product: Path) -> tuple[list[int], list[int]]:
    """Tiles to train on and to test on, by what their splits are for (``reading/splits.py``)."""
    uses = [use_of(split) for split in splits]
    tested = "test" if "test" in uses else "val"
    train = [i for i, use in enumerate(uses) if use == "train"]
    test = [i for i, use in enumerate(uses) if use == tested]
    if not train or not test:
        raise ProductError(
            f"{product}: nothing to {'test' if train else 'train'} on, got tiles of the splits "
            f"{sorted(set(splits))}; train and one of test and val are needed; check the dataset"
        )
    return train, test


def nested_share(indices: Sequence[int], share: float, seed: int) -> list[int]:
    """A share of the tiles, at least one; a smaller share is part of a larger one.

    Args:
        indices: of the training tiles.
    """
    order = np.random.default_rng(seed).permutation(len(indices))
    count = max(1, round(share * len(indices)))
    return sorted(indices[int(i)] for i in order[:count])


def start(
    init: str, about: Mapping[str, Any], pretrained: Path, outputs: int, seed: int
) -> MultiHeadNetwork:
    """A network with one head and the weights of an init; the head is the same for each.

    Args:
        about: ``encoder`` and ``decoder`` by name.
        pretrained: the product of pre-training, for the init ``pretrain``.
        outputs: number of classes.
    """
    weights = "imagenet" if init == "imagenet" else None
    network = MultiHeadNetwork(
        about["encoder"], weights, about["decoder"], {"benchmark": outputs}, seed=seed
    )
    if init == "pretrain":
        load_encoder_decoder(network, pretrained / "encoder_decoder.safetensors")
    return network


def _run(
    network: MultiHeadNetwork,
    tiles: SemanticTiles,
    work: Path,
    *,
    train: Sequence[int],
    test: Sequence[int],
    settings: Settings,
    desc: str,
    runtime: Mapping[str, Any],
    callbacks: Sequence[Callback],
) -> dict[str, Any]:
    losses = train_network(
        network,
        {"benchmark": tiles},
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
        tiles,
        test,
        desc=f"{desc}: test",
        window=settings.crop,
        stride=2 * settings.crop // 3,
        flip=True,
        precision=settings.precision,
    )
    history = history_rows(losses)
    return {"tiles": len(train), **scores(matrix, tiles.categories), "history": history}


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


def _export(rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    fresh_product(out)
    keyed = [((row["init"], row["share"]), row) for row in rows]
    history = [(*key, *step) for key, row in keyed for step in row["history"]]
    write_csv(out / "history.csv", ["init", "share", "step", "loss"], history)
    ious = [(*key, name, value) for key, row in keyed for name, value in row["iou"].items()]
    write_csv(out / "scores.csv", ["init", "share", "category", "iou"], ious)
