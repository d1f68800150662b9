"""What decides the tiles and rows of one scene, as a hash: its files' bytes and its annotations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from samrs.core.errors import ImageError
from samrs.core.records import Annotation, SceneRecord
from samrs.core.shards import json_text, sha256
from samrs.reading.annotations import IMAGE_SUFFIXES, relative_name


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
    shown: list[object] = []
    if (opening := record.opening) is not None:
        if opening.url is not None or record.image.suffix.lower() == ".vrt":
            return None
        shown = [opening.bands, opening.ranges, opening.nodata, opening.most_px]
    try:
        paths = [record.image, *beside.of(record.image)]
        files = [sha256(path) for path in paths]
    except OSError:
        return None
    names = [relative_name(path, source) for path in paths]
    about: list[object] = [
        record.scene_id,
        record.split,
        record.gsd,
        record.declared_wh,
        names,
        files,
        *shown,
    ]
    digest = hashlib.sha256(json_text(about, ascii=True).encode())
    digest.update(labels)
    for annotation in record.annotations:
        for told in _told(annotation):
            digest.update(told)
    return digest.hexdigest()


def _told(annotation: Annotation) -> Iterator[bytes]:
    """All of an annotation; texts with their lengths, so that no two say the same."""
    obb, truth = annotation.obb, annotation.truth
    rest = (
        annotation.category,
        annotation.source_file,
        annotation.source_line,
        annotation.ordinal,
        annotation.difficult,
        obb is None,
        truth and (truth["size"], truth["counts"]),
    )
    text = repr(rest).encode("utf-8", "surrogatepass")
    yield len(text).to_bytes(8, "big")
    yield text
    yield np.asarray(annotation.hbb, dtype=np.float64).tobytes()
    if obb is not None:
        yield np.asarray(obb, dtype=np.float64).tobytes()
