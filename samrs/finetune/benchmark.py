"""A benchmark that is trained on and tested, and what training starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samrs.core.errors import ProductError
from samrs.core.shards import read_manifest
from samrs.reading.splits import use_of
from samrs.training.initial_weights import is_file
from samrs.training.networks import MultiHeadNetwork, load_encoder_decoder
from samrs.training.settings import LIBRARIES
from samrs.training.tiles import SemanticTiles, prune_tiles
from samrs.work.fingerprint import fingerprint, prune_units

INITS = ("scratch", "imagenet", "pretrain")
"""Words for what training starts from, beside files of weights."""


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A benchmark's tiles and the pre-training that is judged by them.

    Attributes:
        name: of the benchmark.
        train: tiles to train on.
        test: tiles to test on.
        pretrained: product ``pretrain``.
        about: its manifest, which names encoder and decoder.
        folder: for units of work, each in one of its own.
        store: of packed tiles.
        base: a hash of what decides all of them: tiles, networks, code.
        asked: names of the units that were asked for.
    """

    name: str
    tiles: SemanticTiles
    train: Sequence[int]
    test: Sequence[int]
    pretrained: Path
    about: Mapping[str, Any]
    folder: Path
    store: Path
    base: str
    asked: set[str] = field(default_factory=set)

    def unit(self, init: str, chosen: Mapping[str, Any]) -> Path:
        """The folder of a unit of work, named by all that decides its result.

        What is added to inits, shares or seeds leaves the other units as they are; pre-trained
        weights count for those that start from them.

        Args:
            init: of ``INITS``, a file of weights, or another name of what is judged.
            chosen: parameters of the unit.
        """
        inputs = [self.pretrained] if init == "pretrain" else []
        inputs += [Path(init)] if is_file(init) else []
        name = fingerprint(
            {**chosen, "init": init, "base": self.base}, code=[], libraries=[], inputs=inputs
        )
        self.asked.add(name)
        return self.folder / name

    def prune(self) -> None:
        """Remove the units that nobody asked for, unless another process works at them, and packed
        tiles of earlier products."""
        prune_units(self.folder, self.asked)
        prune_tiles(self.store)

    def start(self, init: str, seed: int, drop_path: float = 0.0) -> MultiHeadNetwork:
        """A network with one head and the weights of an init; the head is the same for each.

        Args:
            init: of ``INITS``, or a file of weights.
            seed: of the random weights.
            drop_path: as in ``MultiHeadNetwork``.
        """
        network = MultiHeadNetwork(
            self.about["encoder"],
            init if init == "imagenet" or is_file(init) else None,
            self.about["decoder"],
            {"benchmark": len(self.tiles.categories)},
            seed=seed,
            drop_path=drop_path,
        )
        if init == "pretrain":
            load_encoder_decoder(network, self.pretrained / "encoder_decoder.safetensors")
        return network


def read_benchmark(normalized: Path, pretrained: Path, folder: Path, store: Path) -> Benchmark:
    """The benchmark of a product ``normalize`` and of a product ``pretrain``.

    Args:
        normalized: product ``normalize/<benchmark>`` with true label maps.
        pretrained: product ``pretrain``.
        folder: for units of work.
        store: of packed tiles.

    Raises:
        MissingInputError: a product is missing.
        ProductError: the benchmark lacks tiles to train or to test on.
    """
    about = read_manifest(pretrained)
    base = fingerprint(
        {name: about[name] for name in ("encoder", "decoder")},
        code=["samrs.finetune.finetune"],
        libraries=LIBRARIES,
        inputs=[normalized],
    )
    tiles = SemanticTiles(normalized, store)
    train, test = split_tiles(tiles.splits, normalized)
    return Benchmark(
        name=str(read_manifest(normalized)["dataset"]),
        tiles=tiles,
        train=train,
        test=test,
        pretrained=pretrained,
        about=about,
        folder=folder,
        store=store,
        base=base,
    )


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
