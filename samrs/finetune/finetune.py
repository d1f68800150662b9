"""Fine-tune on a human-labelled benchmark: what pre-training brings, with few and many labels.

``mode: probe`` learns a linear map of frozen features (``probe.py``) and writes ``probe.csv``
(body, features, share, draw, tiles, miou); ``mode: full`` trains all weights (``full.py``) and
writes ``history.csv`` (init, share, seed, step, loss) and ``scores.csv`` (init, share, seed,
category, iou).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from samrs.core.errors import ParameterError
from samrs.core.shards import fresh_product, sha256, write_csv, write_manifest
from samrs.finetune import probe
from samrs.finetune.benchmark import INITS, read_benchmark
from samrs.finetune.intervals import FEWEST
from samrs.training.coverage import warn_of_untrained
from samrs.training.evaluation import Protocol
from samrs.training.initial_weights import check_word, is_file
from samrs.training.ranks import is_first
from samrs.training.settings import Settings

MODES = ("probe", "full")
PROBED = ("body", "features", "share", "draw", "tiles", "miou")


def finetune(
    normalized: Path,
    pretrained: Path,
    out: Path,
    work: Path,
    callbacks: Sequence[Any] = (),
    store: Path | None = None,
    *,
    mode: str,
    inits: Sequence[str],
    shares: Sequence[float],
    draws: int,
    seeds: Sequence[int],
    settings: Settings,
    protocol: Protocol,
    runtime: Mapping[str, Any],
) -> dict[str, Any]:
    """Probe or fine-tune every init x share, write the product ``finetune``, return its metrics.

    Tested are the tiles for test, or for val where there are none for test with labels; trained is
    on neither. What a split is for its name says (``reading/splits.py``).

    Args:
        normalized: product ``normalize/<benchmark>`` with true label maps.
        pretrained: product ``pretrain``; its manifest names encoder and decoder.
        out: folder of the product; what stood there before is removed.
        work: folder of units of work, init x share x seed, or body x share of probes; finished
            ones found there are not repeated, others than this run's are removed.
        mode: of ``MODES``: ``probe`` (``probe.py``) or ``full``, which trains all weights.
        inits: ``scratch``, ``imagenet`` (downloaded), ``pretrain``, or the path of a file of the
            encoder's weights (``samrs/training/initial_weights.py``).
        shares: of the training tiles, in (0, 1], below 1 for probes; at least one tile is taken.
        callbacks: of Lightning, beside the trainer's own.
        store: folder of packed tiles, which all trainings share; None: one in ``work``.
        draws: of labelled tiles at each share, for probes.
        seeds: one a training, which chooses labelled tiles, crops and random weights; from three on
            means have intervals; probes use the first.
        settings: of every training.
        protocol: of every test of full fine-tuning; probes answer for whole tiles.
        runtime: speed only.

    Returns:
        ``mode``, ``tested`` tiles, ``classes_without_training_pixel``, how many tested classes can
        only score 0. Of probes ``draws``, ``miou`` and ``gain`` of ``summarise`` in ``probe.py``.
        Of full fine-tuning ``runs`` by init, share and seed, each with tiles, miou, oa, mf1 and iou
        by category (``samrs/training/evaluation.py`` says what is in the means); ``miou`` and
        ``gain`` of ``compare`` in ``full.py``. Nothing in torchrun's processes beside the first.

    Raises:
        ParameterError: an init is unknown or a number out of range.
        MissingInputError: a product or the encoder's weights are missing.
        ProductError: the benchmark lacks tiles to train or to test on.
    """
    check_runs(mode=mode, inits=inits, shares=shares, draws=draws, seeds=seeds)
    if mode == "probe" and not is_first():
        return {}
    chosen = {"inits": list(inits), "shares": list(shares), "draws": draws, "seeds": list(seeds)}
    parameters = {**vars(settings), **vars(protocol), "mode": mode, **chosen}
    benchmark = read_benchmark(normalized, pretrained, work, store or work / "tiles")
    tiles, train, test = benchmark.tiles, benchmark.train, benchmark.test
    loaded = {i: benchmark.start(i, seeds[0]).loaded for i in inits if is_file(i)}
    unlearned = warn_of_untrained(f"finetune {benchmark.name}", tiles, train, test)
    runs: dict[str, Any] = {"inits": inits, "shares": shares, "runtime": runtime}
    if mode == "probe":
        rows = probe.probe(benchmark, draws=draws, seed=seeds[0], **runs)
        told = {"draws": draws, **probe.summarise(rows)}
    else:
        from samrs.finetune import full  # with Lightning, whose import takes seconds

        runs |= {"seeds": seeds, "settings": settings, "protocol": protocol}
        rows = full.runs(benchmark, callbacks=callbacks, **runs)
        if not is_first():
            return {}
        told = {"runs": full.by_init(rows), **full.compare(rows)}
    (_export_probes if mode == "probe" else _export_runs)(rows, out)
    about = {"dataset": benchmark.name, "parameters": parameters, "initial_weights": loaded}
    _write_manifest(out, about, normalized, benchmark.about)
    benchmark.prune()
    told |= {"tested": len(test), "classes_without_training_pixel": unlearned}
    return {"mode": mode, **told}


def check_runs(
    *,
    mode: str,
    inits: Sequence[str],
    shares: Sequence[float],
    draws: int,
    seeds: Sequence[int],
) -> None:
    """Refuse runs that cannot be.

    Args:
        mode: of ``MODES``.
        inits: of ``INITS``, or files of weights.
        shares: of the training tiles, in (0, 1], below 1 for probes.
        draws: at least ``FEWEST``.
        seeds: at least one, none twice.

    Raises:
        ParameterError: a name is unknown, or a number out of range.
    """
    if mode not in MODES:
        raise ParameterError(
            f"finetune.mode: unknown name, got {mode!r}; {', '.join(MODES)} are allowed; correct "
            "params.yaml"
        )
    if draws < FEWEST:
        raise ParameterError(
            f"finetune.draws: too few for an interval, got {draws}; at least {FEWEST} are "
            "allowed; raise it"
        )
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ParameterError(
            f"finetune.seeds: not a list of seeds, got {list(seeds)}; at least one natural number, "
            "none twice, is allowed; correct params.yaml"
        )
    if mode == "probe" and 1 in shares:
        raise ParameterError(
            "finetune.shares: all tiles can be drawn in one way only, got 1 for a probe, which "
            "needs several draws; shares below 1 are allowed; leave 1 out or set mode to full"
        )
    for init in inits:
        if fault := check_word("finetune.inits", init, INITS):
            raise ParameterError(fault)
    for share in shares:
        if not 0 < share <= 1:
            raise ParameterError(
                f"finetune.shares: not a share, got {share}; above 0 and up to 1 is allowed; "
                "correct params.yaml"
            )


def _write_manifest(
    out: Path, product: Mapping[str, Any], normalized: Path, about: Mapping[str, Any]
) -> None:
    weights = str(about["files"]["encoder_decoder.safetensors"])
    inputs = {"normalize": sha256(normalized / "manifest.json"), "pretrain": weights}
    files = {path.name: sha256(path) for path in sorted(out.iterdir())}
    write_manifest(out, {"product": "finetune", **product, "inputs": inputs, "files": files})


def _export_probes(rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    fresh_product(out)
    write_csv(out / "probe.csv", PROBED, [[row[key] for key in PROBED] for row in rows])


def _export_runs(rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    fresh_product(out)
    keyed = [((row["init"], row["share"], row["seed"]), row) for row in rows]
    history = [(*key, *step) for key, row in keyed for step in row["history"]]
    write_csv(out / "history.csv", ["init", "share", "seed", "step", "loss"], history)
    ious = [(*key, name, value) for key, row in keyed for name, value in row["iou"].items()]
    write_csv(out / "scores.csv", ["init", "share", "seed", "category", "iou"], ious)
