"""What decides the tiles and rows of one scene, as a hash: its files' bytes and its annotations."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from samrs.core.errors import ImageError
from samrs.core.records import SceneRecord
from samrs.core.shards import json_text, sha256
from samrs.reading.annotations import IMAGE_SUFFIXES, relative_name
from samrs.work.told import told

APART = ("image", "annotations", "semantic")
"""Fields of a record whose content is told, each in its way; the others are told as they are."""


class Beside:
    """Finds the files beside an image that are named like it: GDAL reads world files and others.

    A folder is listed once.
    """

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, list[Path]]] = {}

    def of(self, image: Path) -> list[Path]:
        """The files that are no images and have an image's name with other endings, sorted.

        Args:
            image: path of its file.
        """
        if image.parent not in self._folders:
            self._folders[image.parent] = _by_beginning(image.parent)
        alike = self._folders[image.parent].get(image.name.rpartition(".")[0], [])
        return [path for path in alike if path != image]


def _by_beginning(folder: Path) -> dict[str, list[Path]]:
    """The files of a folder that are no images, by each beginning that ends before a dot."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES and path.is_file():
            words = path.name.split(".")
            for number in range(1, len(words)):
                found.setdefault(".".join(words[:number]), []).append(path)
    return found


def with_labels(record: SceneRecord) -> tuple[SceneRecord, bytes] | None:
    """A record whose label map is decoded, and the map's hash; None where it does not decode.

    Decoding is what lists the faults of a label map, so it is done at every run.
    """
    if record.semantic is None:
        return record, b""
    try:
        labels = record.semantic()
    except ImageError:
        return None
    digest = hashlib.sha256(str((labels.shape, labels.dtype)).encode())
    digest.update(np.ascontiguousarray(labels).data)
    return replace(record, semantic=lambda: labels), digest.digest()


def scene_key(record: SceneRecord, source: Path, beside: Beside, labels: bytes) -> str | None:
    """Hash of what decides a scene; None where its image cannot be read, or shows other files.

    Args:
        source: the dataset's folder.
        beside: finds the image's side files.
        labels: of ``with_labels``.
    """
    opening = record.opening
    if opening is not None and (opening.url or record.image.suffix.lower() == ".vrt"):
        return None
    try:
        paths = [record.image, *beside.of(record.image)]
        files = [sha256(path) for path in paths]
    except OSError:
        return None
    names = [relative_name(path, source) for path in paths]
    rest = {f.name: getattr(record, f.name) for f in fields(record) if f.name not in APART}
    rest["opening"] = opening and replace(opening, within=())  # of virtual rasters alone
    digest = hashlib.sha256(json_text([names, files], ascii=True).encode())
    digest.update(labels)
    for part in told([rest, *record.annotations]):
        digest.update(part)
    return digest.hexdigest()
