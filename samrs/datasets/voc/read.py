"""Any detection set in Pascal VOC's format: how users bring their own.

Format: host.robots.ox.ac.uk/pascal/VOC, Everingham et al., IJCV 2010. Layout read::

    Annotations/a.xml                    or annotations/; folders below are read, too
    JPEGImages/a.jpg                     or images/
    ImageSets/Main/{train,val,test}.txt  optional: names of the images by split

A raw file::

    <annotation>
        <filename>a.jpg</filename>
        <object><name>ship</name><difficult>0</difficult>
            <bndbox><xmin>5</xmin><ymin>5</ymin><xmax>14</xmax><ymax>10</ymax></bndbox></object>
    </annotation>

Corners are 1-based and inclusive: (xmin - 1, ymin - 1, xmax, ymax) here. Image and file belong
together by their names, as ``filename`` is often left over from another tool. Categories are all
names that occur, sorted. An image without objects has a file without objects. ``difficult`` counts
where it is a number but 0, or a word for yes. An image of another size than ``<size>`` is set
aside.
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
    return read_voc(root, quarantine, first=1)
