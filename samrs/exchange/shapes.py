"""What labelling tools are given of a release, and what is read of what they write back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samrs.core.rle import Rle, crop_to_rle, rle_to_crop, rle_to_hbb, rle_union

ID = "instance_id"
"""The name under which tools carry an instance's id, where they let one."""


@dataclass(frozen=True)
class Shape:
    """One object in a tile.

    Args:
        instance_id: None where the tool gave it no id of ours.
        category: its class.
        rle: its mask, of the whole tile.
    """

    instance_id: str | None
    category: str
    rle: Rle


@dataclass(frozen=True)
class Picture:
    """A tile as tools see it.

    Args:
        file: name of its image file, which names the tile when it comes back.
        size_wh: width and height, px.
        image: the encoded image; None where images are left out.
        shapes: its objects.
    """

    file: str
    size_wh: tuple[int, int]
    image: bytes | None
    shapes: list[Shape]

    def write_image(self, folder: Path) -> None:
        """Write the image into a folder, which is made; nothing where images are left out."""
        if self.image is not None:
            folder.mkdir(exist_ok=True)
            (folder / self.file).write_bytes(self.image)


def cropped(rle: Rle) -> tuple[tuple[int, int, int, int], NDArray[np.bool_]]:
    """A mask's tight box x0 y0 x1 y1, half-open, and the (h, w) px in it.

    Args:
        rle: a mask with px.
    """
    x0, y0, x1, y1 = (int(v) for v in rle_to_hbb(rle))
    return (x0, y0, x1, y1), rle_to_crop(rle, x0, y0, x1 - x0, y1 - y0)


def placed(crop: NDArray[np.bool_], x0: int, y0: int, size_wh: tuple[int, int]) -> Rle | None:
    """The mask of a crop (h, w) at column x0 and row y0; None where it is not inside the tile.

    Args:
        crop: px of the object.
        size_wh: of the tile, px.
    """
    height, width = crop.shape
    inside = x0 >= 0 and y0 >= 0 and x0 + width <= size_wh[0] and y0 + height <= size_wh[1]
    if not inside or not crop.any():
        return None
    return crop_to_rle(crop, x0, y0, size_wh[::-1])


def joined(shapes: Sequence[Shape]) -> list[Shape]:
    """Shapes of one id and class as one object.

    Args:
        shapes: of one image; those without an id stay alone.
    """
    parts: dict[tuple[str, str], list[Shape]] = {}
    for number, shape in enumerate(shapes):
        key = (shape.instance_id or f"\x00{number}", shape.category)
        parts.setdefault(key, []).append(shape)
    return [
        Shape(some[0].instance_id, some[0].category, rle_union([s.rle for s in some]))
        for some in parts.values()
    ]
