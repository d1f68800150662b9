"""Pictures of instances and of their tiles, made when somebody looks.

A tile is read and decoded once while several of its instances are on the screen; what was looked at
last is kept, within bounds: memory grows neither with the release nor with the time of a review.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from samrs.core.errors import ProductError
from samrs.core.images import decode_rgb, encode_rgb
from samrs.core.rle import Rle, rle_area, rle_to_crop, rle_to_hbb
from samrs.data.reader import ReleaseReader
from samrs.drawing.crops import BOX, PREDICTED
from samrs.drawing.overlay import Box, Mask, draw, fit
from samrs.review.index import Index
from samrs.review.kept import Kept

Row = dict[str, Any]

ROW_GROUPS_BYTES = 48 * 2**20
TILES_BYTES = 64 * 2**20
"""Of stored row groups and of decoded tiles that are kept."""
ROWS_BYTES = 32 * 2**20
"""Of single rows that are kept: a sample's are looked at after every change."""
PLACE_BYTES = 200
"""Of a name and a number in a dictionary."""
MARGIN, SMALLEST, SIDE = 1.8, 32, 208
"""Of a picture on the wall: its side as a multiple of what is shown, at least so many px of the
tile, and its own px."""
AROUND, LEAST = 4.0, 96
"""Of the part that is shown large, as above."""
LARGEST = 1600
"""px of the longer side of a part that is shown as it is."""
WHOLE = 1600
"""px of the longer side of a tile shown whole."""
FILL = 0.22


@dataclass(frozen=True)
class Seen:
    """A tile as it is looked at.

    Args:
        image: (H, W, 3) RGB.
        instances: rows of the table instances that lie in it.
        places: where each instance stands in these, by its id.
    """

    image: NDArray[np.uint8]
    instances: pa.Table
    places: dict[str, int]

    @property
    def nbytes(self) -> int:
        """Bytes of memory, names but for their letters."""
        return int(self.image.nbytes + self.instances.nbytes + PLACE_BYTES * len(self.places))

    def row(self, instance_id: str) -> Row:
        """An instance of the tile with every column.

        Args:
            instance_id: of it.
        """
        place = self.places[instance_id]
        found: Row = self.instances.slice(place, 1).to_pylist()[0]
        return found


class Pictures:
    """The pictures of a release.

    Args:
        index: of the release.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self._reader = ReleaseReader(index.release, ROW_GROUPS_BYTES)
        if not self._reader.tile_ids.equals(index.tile_ids):
            raise ProductError(
                f"{index.release}: its tables changed while they were read, got other tiles; a "
                "finished release is allowed; start the review again"
            )
        self._reading = threading.Lock()
        self._tiles: Kept[Seen] = Kept(self._load, lambda seen: seen.nbytes, TILES_BYTES)
        self._rows: Kept[Row] = Kept(self._load_row, _row_bytes, ROWS_BYTES)

    def _load(self, place: Any) -> Seen:
        with self._reading:
            image, rows = self._reader.image(int(place)), self._reader.instances(int(place))
        where = f"{self.index.release}: tile {self.index.tile_ids[int(place)].as_py()}"
        # copied: a slice keeps the whole row group that it was read with
        rows = rows.take(pa.array(range(len(rows)), pa.int64()))
        places = {name: place for place, name in enumerate(rows["instance_id"].to_pylist())}
        return Seen(decode_rgb(image, where), rows, places)

    def _load_row(self, number: Any) -> Row:
        place = int(self.index.place[number])
        if self._tiles.has(place):
            return self._tiles.get(place).row(self.index.instance_id(number))
        with self._reading:
            rows = self._reader.instances(place)
        first = int(np.searchsorted(self.index.place, place))
        found: Row = rows.slice(number - first, 1).to_pylist()[0]
        return found

    def tile(self, number: int) -> Seen:
        """The tile that an instance is looked at in.

        Args:
            number: of a mask.
        """
        self.index.instance_id(number)
        return self._tiles.get(int(self.index.place[number]))

    def tile_image(self, tile: int) -> NDArray[np.uint8]:
        """The image (H, W, 3) RGB of a tile.

        Args:
            tile: its number in the release.
        """
        return self._tiles.get(tile).image

    def row(self, number: int) -> Row:
        """An instance with every column of the release.

        Args:
            number: of a mask.
        """
        self.index.instance_id(number)
        return self._rows.get(number)

    def on_wall(self, number: int, rle: Rle | None, *, shapes: bool) -> bytes:
        """A small JPEG of an instance with what is around it.

        Args:
            number: of a mask.
            rle: its mask; None: as it is released.
            shapes: whether mask and box are drawn on it.
        """
        seen, row = self.tile(number), self.row(number)
        mask = row["rle"] if rle is None else rle
        x0, y0, width, height = part(row["hbb"], mask, MARGIN, SMALLEST)
        crop = np.ascontiguousarray(seen.image[y0 : y0 + height, x0 : x0 + width])
        scale = SIDE / max(width, height)
        size_wh = max(1, round(width * scale)), max(1, round(height * scale))
        layers: list[Box | Mask] = []
        if shapes:
            drawn = rle_to_crop(mask, x0, y0, width, height)
            box = np.subtract(row["hbb"], [x0, y0, x0, y0])
            layers = [Box(box, BOX, 1), Mask(drawn, PREDICTED, PREDICTED, FILL, 2)]
        return encode_rgb(draw(crop, layers, size_wh), ".jpg", 82)

    def around(self, number: int) -> tuple[int, int, int, int]:
        """The part of the tile that an instance is shown large in: x0, y0, width, height px.

        Args:
            number: of a mask.
        """
        row = self.row(number)
        return part(row["hbb"], row["rle"], AROUND, LEAST)

    def large(self, number: int) -> bytes:
        """That part as PNG, px by px unless it is very large.

        Args:
            number: of a mask.
        """
        x0, y0, width, height = self.around(number)
        image = self.tile(number).image[y0 : y0 + height, x0 : x0 + width]
        return encode_rgb(fit(np.ascontiguousarray(image), LARGEST))

    def whole(self, number: int) -> bytes:
        """The whole tile as JPEG, shrunk where it is very large.

        Args:
            number: of a mask.
        """
        return encode_rgb(fit(self.tile(number).image, WHOLE), ".jpg", 88)


def _row_bytes(row: Row) -> int:
    """About what a row takes: the text of its mask, and some numbers."""
    return 3000 + len(row["rle"]["counts"])


def part(hbb: ArrayLike, rle: Rle, margin: float, smallest: int) -> tuple[int, int, int, int]:
    """A square around a box and a mask, inside the tile: x0, y0, width, height px.

    It is moved where it would leave the tile, and cut only where it is larger than the tile.

    Args:
        hbb: (4,) xyxy px.
        rle: the mask, of the tile's size.
        margin: its side as a multiple of the longer side of both.
        smallest: its least side, px.
    """
    box = np.asarray(hbb, dtype=np.float64)
    low, high = box[:2], box[2:]
    if rle_area(rle):
        mask = rle_to_hbb(rle)
        low, high = np.minimum(low, mask[:2]), np.maximum(high, mask[2:])
    span = max(int(np.ceil(margin * float((high - low).max()))), smallest)
    height, width = (int(v) for v in rle["size"])
    w, h = min(span, width), min(span, height)
    x0, y0 = np.round((low + high - [w, h]) / 2).astype(int)
    return int(np.clip(x0, 0, width - w)), int(np.clip(y0, 0, height - h)), w, h
