"""Clicks that a person or a script wrote into a file, answered without the page.

``release`` asks nobody: a line of ``clicks.jsonl`` without an answer is a conflict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from samrs.core.errors import SamrsError
from samrs.core.progress import progress
from samrs.corrections.records import Clicks
from samrs.corrections.store import Edit, Store
from samrs.review.clicks import Mender, loader
from samrs.review.desk import Desk
from samrs.review.index import Index
from samrs.review.pictures import Pictures


@dataclass(frozen=True)
class Answered:
    """What became of clicks.

    Args:
        answered: number of those that have an answer now and had none.
        left: of those that have none, the instance, its tile and why.
    """

    answered: int
    left: list[tuple[str, str, str]]


def answer_clicks(release: Path, corrections: Path, device: str) -> Answered:
    """Ask the segmenter that a release was made with; each answer is on the disk at once.

    Args:
        release: whose tiles the clicks lie in.
        corrections: folder of its dataset's.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        MissingInputError: there is no release, or no such folder.
        ProductError: it is none, or its checkpoint is another than the one here.
        ParameterError: it was made by no network that takes points.
        AnnotationError: the corrections are broken.
    """
    index = Index(release)
    store, pictures = Store(corrections, index.categories), Pictures(index)
    mender = Mender(loader(index.manifest, device, release), pictures.tile_image)
    desk = Desk(index, pictures, store, mender)
    asked = [record for record in store.read().of(Clicks) if record.answer is None]
    names = pa.array([record.anchor.tile_id for record in asked], index.tile_ids.type)
    places = pc.fill_null(pc.index_in(names, value_set=index.tile_ids), -1).to_pylist()
    number, left = 0, []
    in_order = sorted(zip(places, asked, strict=True), key=lambda pair: pair[0])
    if in_order and in_order[-1][0] >= 0:
        mender.segmenter()  # what keeps it away is an error of all of them
    for tile, record in progress(in_order, desc="clicks", unit="click", total=len(asked)):
        try:
            if tile < 0:
                raise NoTileError("there is no such tile")
            found = desk.answer_in(tile, record.positive, record.negative, record.box)
        except SamrsError as error:
            left.append((record.anchor.instance_id, record.anchor.tile_id, str(error)))
            continue
        store.apply([Edit(record, replace(record, answer=found))])
        number += 1
    return Answered(number, left)


class NoTileError(SamrsError):
    """Clicks lie in a tile that the release does not have."""
