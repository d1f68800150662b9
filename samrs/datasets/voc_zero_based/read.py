"""Pascal VOC's format with 0-based corners, as FiftyOne and Datumaro write it.

Format: as ``voc``, but for the corners. A raw file::

    <annotation>
        <filename>a.jpg</filename>
        <object><name>ship</name><difficult>0</difficult>
            <bndbox><xmin>4</xmin><ymin>4</ymin><xmax>14</xmax><ymax>10</ymax></bndbox></object>
    </annotation>

Corners are 0-based and half-open: (xmin, ymin, xmax, ymax) as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from samrs.core.records import Quarantine, SceneRecord
from samrs.reading.voc import class_names, read_voc

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

categories = class_names


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and objects are quarantined.

    Raises:
        MissingInputError: there is no VOC set below ``root``.
    """
    return read_voc(root, quarantine, first=0)
