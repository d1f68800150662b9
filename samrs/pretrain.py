"""Pre-train a segmentation network on the released subsets (SAMRS's SEP).

A shared encoder and decoder with one head a subset; the loss is the sum of the heads' cross-entropy
over labelled pixels. Batches are split over the subsets in proportion to their size.

Output: ``encoder_decoder.safetensors`` (what ``samrs/finetune/`` starts from),
``heads.safetensors``; ``encoder.safetensors`` and its card ``encoder.md`` for other programs
(``samrs/training/encoder_file.py``); ``history.csv`` (step, loss), ``manifest.json``. With
validation ``validation.csv`` (step, miou) and ``encoder_decoder_best.safetensors``, or ``…_last…``,
whichever was not selected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback

from samrs.core.errors import ParameterError
from samrs.core.shards import fresh_product, sha256, write_csv, write_manifest
from samrs.reading.splits import use_of
from samrs.training.coverage import warn_of_untrained
from samrs.training.encoder_file import save_encoder
from samrs.training.evaluation import PLAIN, confusion, scores
from samrs.training.initial_weights import is_file
from samrs.training.networks import MultiHeadNetwork, save_network, save_shared
from samrs.training.ranks import is_first
from samrs.training.sampling import epoch_steps, split_batch
from samrs.training.segmentation import Trained, history_rows, train_network
from samrs.training.settings import LIBRARIES, Settings, device_of
from samrs.training.tiles import SemanticTiles, prune_tiles
from samrs.work.fingerprint import fingerprint, prune_units
from samrs.work.lock import locked

USES = ("test", "val")
HOLD_OUT_EVERY = 10
"""Of a subset without tiles of the uses that are held out every so-manieth is."""


def pretrain(
    releases: Mapping[str, Path],
    out: Path,
    work: Path,
    callbacks: Sequence[Callback] = (),
    store: Path | None = None,
    *,
    encoder: str,
    encoder_weights: str | None,
    decoder: str,
    hold_out: Sequence[str],
    seed: int,
    settings: Settings,
    runtime: Mapping[str, Any],
) -> dict[str, Any]:
    """Pre-train, write the product ``pretrain`` and return its metrics.

    Args:
        releases: product ``release/<subset>`` by subset.
        out: folder of the product; what stood there before is removed.
        work: folder for unfinished training; a killed run goes on from there.
        encoder: see ``samrs/training/networks.py``, as are ``encoder_weights`` and ``decoder``.
        callbacks: of Lightning, beside the trainer's own.
        store: folder of packed tiles, which all trainings share; None: one in ``work``.
        hold_out: uses of splits, of ``USES``, that are never trained on. iSAID's val pictures are
            those of DOTA's val, whose boxes a network that is tested on iSAID must not have seen.
        seed: of crops, their order and random weights.
        settings: of the training.
        runtime: speed only.

    Returns:
        ``steps``, ``epochs`` (of the subset with the largest need), ``final_loss`` (mean of the
        last tenth), ``samples`` seen and held-out ``miou`` by subset. The latter is over labelled
        pixels only: the heads know no background, so it says how well objects are told apart.
        ``classes_without_training_pixel``: number of held-out classes by subset that score 0.
        Nothing in processes that torchrun began beside the first.

    Raises:
        ParameterError: a parameter is out of range, or there is no subset.
        MissingInputError: a product or the encoder's weights are missing.
    """
    if not releases:
        raise ParameterError(
            "pretrain: no subset to train on, got none; at least one release is needed; add one to "
            "subsets in params.yaml"
        )
    names = {"encoder": encoder, "encoder_weights": encoder_weights, "decoder": decoder}
    chosen = {**vars(settings), "seed": seed, "hold_out": list(hold_out)}
    files = [Path(str(encoder_weights))] if is_file(encoder_weights) else []
    folder = work / fingerprint(
        {**names, **chosen, "subsets": list(releases)},
        code=["samrs.pretrain"],
        libraries=LIBRARIES,
        inputs=[*releases.values(), *files],
    )
    packed = store or work / "tiles"
    tiles = {name: SemanticTiles(path, packed) for name, path in releases.items()}
    held = {name: held_tiles(t.splits, hold_out) for name, t in tiles.items()}
    kept = {name: _to_train_on(t, held[name]) for name, t in tiles.items()}
    unlearned = {n: warn_of_untrained(n, t, kept[n], held[n]) for n, t in tiles.items()}
    heads = {name: len(t.categories) for name, t in tiles.items()}
    network = MultiHeadNetwork(
        encoder, encoder_weights, decoder, heads, seed=seed, drop_path=settings.drop_path
    )
    options: dict[str, Any] = {"settings": settings, "seed": seed, "runtime": runtime}
    options |= {"desc": "pretrain", "callbacks": callbacks}
    with locked(folder, "pre-trains this", None) if is_first() else nullcontext():
        trained = train_network(network, tiles, kept, folder, **options)
    if not is_first():
        return {}
    miou = _held_out_miou(network, tiles, held, settings, runtime)
    _export(network, encoder, list(releases), trained, settings.select, out)
    categories = {name: list(t.categories) for name, t in tiles.items()}
    inputs = {name: sha256(path / "manifest.json") for name, path in releases.items()}
    about = {**names, "categories": categories, "inputs": inputs}
    _write_manifest(out, {**about, "initial_weights": network.loaded}, chosen)
    prune_units(work, ())
    prune_tiles(packed)
    told = _told(trained.losses, {name: len(found) for name, found in kept.items()}, settings)
    return {**told, "miou": miou, "classes_without_training_pixel": unlearned}


def _told(losses: Sequence[float], sizes: Mapping[str, int], settings: Settings) -> dict[str, Any]:
    parts, last = split_batch(sizes, settings.batch_size), losses[-max(1, len(losses) // 10) :]
    return {
        "steps": settings.steps,
        "epochs": round(settings.steps / epoch_steps(sizes, parts), 2),
        "final_loss": round(sum(last) / len(last), 4),
        "samples": {name: settings.steps * part for name, part in parts.items()},
    }


def _to_train_on(tiles: SemanticTiles, held: set[int]) -> list[int]:
    """Tiles that are not held out and have a labelled pixel; the others teach nothing."""
    return [i for i in range(len(tiles)) if i not in held and tiles.labels_of(i)]


def held_tiles(splits: Sequence[str], uses: Sequence[str]) -> set[int]:
    """Tiles that are never trained on: those of some uses, where there are none every tenth.

    What a split is for its name says (``reading/splits.py``). SAMRS, too, trains on DIOR's trainval
    and leaves its test images out.

    Args:
        splits: of each tile.
        uses: of ``USES``.

    Raises:
        ParameterError: a use is unknown.
    """
    check_hold_out(hold_out=uses)
    held = {i for i, split in enumerate(splits) if use_of(split) in uses}
    return held or set(range(HOLD_OUT_EVERY - 1, len(splits), HOLD_OUT_EVERY))


def check_hold_out(*, hold_out: Sequence[str]) -> None:
    """Refuse a use of splits that cannot be held out.

    Args:
        hold_out: of ``USES``.

    Raises:
        ParameterError: one is unknown.
    """
    for use in hold_out:
        if use not in USES:
            raise ParameterError(
                f"pretrain.hold_out: unknown use, got {use!r}; {', '.join(USES)} are allowed; "
                "correct params.yaml"
            )


def _held_out_miou(
    network: MultiHeadNetwork,
    tiles: Mapping[str, SemanticTiles],
    held: Mapping[str, set[int]],
    settings: Settings,
    runtime: Mapping[str, Any],
) -> dict[str, float]:
    network.to(device_of(runtime))
    return {
        name: scores(
            confusion(
                network,
                name,
                subset,
                sorted(held[name]),
                PLAIN,
                desc=f"pretrain: held-out {name}",
                crop=settings.crop,
                precision=settings.precision,
            )[0],
            subset.categories,
        )["miou"]
        for name, subset in tiles.items()
        if held[name]
    }


def _export(
    network: MultiHeadNetwork,
    encoder: str,
    subsets: list[str],
    trained: Trained,
    select: str,
    out: Path,
) -> None:
    fresh_product(out)
    save_network(network, out)
    save_encoder(network, encoder, out, subsets)
    write_csv(out / "history.csv", ["step", "loss"], history_rows(trained.losses))
    if trained.other is not None:
        write_csv(out / "validation.csv", ["step", "miou"], sorted(trained.scores.items()))
        name = "last" if select == "best" else "best"
        save_shared(trained.other, out / f"encoder_decoder_{name}.safetensors")


def _write_manifest(out: Path, about: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    files = {path.name: sha256(path) for path in sorted(out.iterdir())}
    write_manifest(out, {"product": "pretrain", **about, "parameters": parameters, "files": files})
