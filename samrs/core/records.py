"""The project's data on disk: Arrow schemas of its tables and the geometry they share.

Geometry, said once: continuous pixels, origin at the top-left corner of the top-left pixel, x
right, y down, boxes half-open xyxy. A tile's boxes and masks are in tile pixels. One rasteriser:
pycocotools (``core/rle.py``).

Products and their tables (``<table>-00000.parquet`` ...; see ``core/shards.py``):

==========================  =======================================================
``normalize/<dataset>``     tiles, instances, and where the dataset has them: truth
                            (true masks), semantic (label maps), georeference (of
                            scenes), uncertain (places that are not known to be
                            without objects); quarantine
``sam_label/<dataset>``     masks
``release/<dataset>``       tiles, instances (RELEASED), semantic; scenes, and joined:
                            each instance once on its scene, in scene pixels; conflicts:
                            corrections that could not be applied, where there are any
==========================  =======================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from samrs.core.rle import Rle
from samrs.core.shards import json_text

IGNORE = 255
"""Label of unlabelled pixels in every semantic map (SAMRS's convention)."""

BACKGROUND = "background"
"""The label where there is certainly no object, in label maps that tell it: their 0."""

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""Hugging Face's image feature: the encoded file and its name."""

RLE = pa.struct([("size", pa.list_(pa.int32(), 2)), ("counts", pa.string())])
"""COCO run-length encoding; size is [height, width]."""

HBB = pa.list_(pa.float64(), 4)
"""Box xyxy in tile px."""

OBB = pa.list_(pa.float64(), 8)
"""Rotated box: four corners x1 y1 ... x4 y4 in tile px, clockwise on screen."""


def _with_pictures(columns: list[tuple[str, pa.DataType]]) -> pa.Schema:
    """A schema whose images ``datasets.load_dataset`` shows as pictures.

    The metadata says which columns are; ``datasets`` takes the first shard's for all.
    """
    images = {name: {"_type": "Image"} for name, kind in columns if kind is IMAGE}
    about = json_text({"info": {"features": images}})
    return pa.schema(columns, metadata={"huggingface": about})


TILES = _with_pictures(
    [
        ("tile_id", pa.string()),  # <scene_id>__<x0>_<y0>
        ("scene_id", pa.string()),
        ("split", pa.string()),  # train | val | test | trainval | all, as the dataset names it
        ("x0", pa.int32()),  # place in the scene, px
        ("y0", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("gsd", pa.float64()),  # metres per px; null when unknown
        ("image", IMAGE),
    ]
)

INSTANCES = pa.schema(
    [
        (
            "instance_id",
            pa.string(),
        ),  # stable, from the source; the same in every tile that sees it
        ("tile_id", pa.string()),
        ("category_id", pa.int32()),  # index in the dataset's CATEGORIES
        ("category", pa.string()),
        ("hbb", HBB),  # the box to prompt with: clipped to the tile but for `clip: false`
        ("hbb_annotated", HBB),  # as annotated, moved to tile px, not clipped
        ("obb", OBB),  # not clipped; null where the dataset has none
        ("difficult", pa.bool_()),
        ("visible", pa.float64()),  # share of the box's area inside the tile
        ("source_file", pa.string()),  # relative to the dataset's folder
        ("source_line", pa.int32()),  # 1-based; null where unknown
    ]
)

UNCERTAIN = pa.schema(
    [
        ("tile_id", pa.string()),
        ("reason", pa.string()),  # ignored region | set aside | difficult | padding
        ("outline", pa.list_(pa.float64())),  # corners x1 y1 x2 y2 ... in tile px, not clipped
    ]
)
"""Places of tiles where an object may be that has no row in instances."""

TRUTH = pa.schema([("instance_id", pa.string()), ("tile_id", pa.string()), ("rle", RLE)])

SEMANTIC = _with_pictures(
    [
        ("tile_id", pa.string()),
        ("split", pa.string()),
        # 8-bit grey PNG of label ids, 255 = unlabelled; see ``label_names``
        ("label_map", IMAGE),
    ]
)

GEOREFERENCE = pa.schema(
    [
        ("scene_id", pa.string()),
        ("crs", pa.string()),  # WKT2
        # a b c d e f: X = a x + b y + c, Y = d x + e y + f for scene px (x, y)
        ("transform", pa.list_(pa.float64(), 6)),
        # metres from a pixel to the next, along a row and along a column; or null
        ("gsd_x", pa.float64()),
        ("gsd_y", pa.float64()),
    ]
)

SCENES = pa.schema(
    [
        ("scene_id", pa.string()),
        ("split", pa.string()),
        ("width", pa.int32()),  # px, as far as its tiles reach
        ("height", pa.int32()),
        ("gsd", pa.float64()),
        *[pa.field(f.name, f.type) for f in GEOREFERENCE if f.name != "scene_id"],  # or null
    ]
)

QUARANTINE = pa.schema(
    [
        ("source_file", pa.string()),
        ("source_line", pa.int32()),
        ("reason", pa.string()),  # a short, countable phrase
        ("detail", pa.string()),  # the whole sentence
    ]
)

MASKS = pa.schema(
    [
        ("instance_id", pa.string()),
        ("tile_id", pa.string()),
        ("category_id", pa.int32()),
        ("category", pa.string()),
        ("rle", RLE),
        ("area", pa.int64()),  # px of the mask
        ("mask_hbb", HBB),  # tight box of the mask; zeros when empty
        ("predicted_iou", pa.float64()),  # the segmenter's own estimate; null where it has none
        ("stability_score", pa.float64()),  # SAM's: IoU of the mask cut at logits +1 and -1
        ("box_iou", pa.float64()),  # IoU of mask_hbb with the prompt's hbb
        ("obb_iou", pa.float64()),  # IoU of the mask with the filled obb; null without obb
        ("outside", pa.float64()),  # share of the mask's px outside hbb
        ("components", pa.int32()),  # 8-connected parts
        ("disagreement", pa.float64()),  # of several answers, see prompts/consensus.py; or null
        ("recipe", pa.string()),
        ("fallback", pa.bool_()),  # the recipe wanted an obb, there was none, the hbb served
    ]
)

RELEASED = pa.schema(
    [
        *INSTANCES,
        *[f for f in MASKS if f.name not in INSTANCES.names],
        ("quality", pa.float64()),  # estimated IoU with the true mask (quality.py), 0-1
        ("changed_px", pa.int64()),  # px that release took from the stored mask or added to it
        ("made_by", pa.string()),  # machine | clicked | drawn: who made the mask
        ("accepted", pa.bool_()),  # a person looked at this very mask and accepted it
    ]
)
"""A released instance: its annotation and its mask with every score."""

MADE = ("made_by", "accepted")
"""Columns that say who made a mask, and whether a person accepted it."""

WAYS = ("whole", "joined", "part")
"""How an instance's mask on its scene came about: see ``release/joining.py``."""

JOINED = pa.schema(
    [
        *[pa.field("scene_id", pa.string()) if f.name == "tile_id" else f for f in RELEASED],
        ("tiles", pa.int32()),  # whose masks were looked at
        ("way", pa.string()),  # whole | joined | part, see release/joining.py
        ("agreement", pa.float64()),  # IoU of the masks where two tiles see both; or null
    ]
)
"""A released instance once on its scene: boxes and mask in scene px."""


CONFLICTS = pa.schema(
    [
        ("file", pa.string()),  # of data/corrections/<dataset>
        ("instance_id", pa.string()),
        ("tile_id", pa.string()),
        ("kind", pa.string()),  # instance | tile | box | mask | class | absent | unanswered
        ("detail", pa.string()),
    ]
)
"""Corrections that a release could not apply."""


class Georeference(NamedTuple):
    """Where a scene, or a tile of it, lies.

    Attributes:
        crs: coordinate reference system as WKT2.
        transform: a b c d e f with X = a x + b y + c, Y = d x + e y + f for px (x, y).
    """

    crs: str
    transform: tuple[float, ...]

    def of_part(self, x0: float, y0: float) -> Georeference:
        """That of a part whose top-left corner lies at (x0, y0) px."""
        a, b, c, d, e, f = self.transform
        return Georeference(self.crs, (a, b, a * x0 + b * y0 + c, d, e, d * x0 + e * y0 + f))

    @property
    def name(self) -> str:
        """The system in short: "EPSG:32650", or the name that its WKT2 gives it."""
        return crs_name(self.crs)


def label_names(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """What each label id of a product's label maps means, from 0 on.

    Those are its categories, one after the other; in a release whose maps tell the background,
    this is label 0 and each category's label is its number plus 1.

    Args:
        manifest: of a release, or of another product with label maps.
    """
    return tuple(manifest.get("labels", manifest["categories"]))


def first_label(manifest: Mapping[str, Any]) -> int:
    """The label id of the first category in a product's label maps: 1 where they tell the
    background, else 0.

    Args:
        manifest: as of ``label_names``.
    """
    return len(label_names(manifest)) - len(manifest["categories"])


def crs_name(wkt: str) -> str:
    """A coordinate reference system in short: "EPSG:32650", or the name that its WKT2 gives it.

    Args:
        wkt: WKT2.
    """
    code = re.search(r'ID\["(\w+)",("?)(\w+)\2\]\]\s*$', wkt)
    named = re.search(r'\["([^"]*)"', wkt)
    return f"{code[1]}:{code[3]}" if code else named[1] if named else wkt[:40]


Outline = NDArray[np.float64] | None
"""Corners (K, 2) xy of a place in a scene; None: somewhere in it."""


@dataclass(kw_only=True, slots=True)  # frozen, each of millions would cost twice as much to make
class Annotation:
    """One annotated object of a scene, in scene px; not to be changed.

    Args:
        category: one of the dataset's CATEGORIES.
        hbb: (4,) xyxy as annotated; the hull of ``obb`` where only that is annotated.
        obb: (4, 2) xy corners, or None.
        source_file: annotation file, relative to the dataset's folder, with forward slashes.
        source_line: 1-based line (or object number for XML and JSON) in that file.
        truth: true mask in scene px as an RLE of the whole scene, or None.
        ordinal: number of the annotation in its scene, from 0: makes ``instance_id`` stable.
    """

    category: str
    hbb: NDArray[np.float64]
    obb: NDArray[np.float64] | None
    source_file: str
    ordinal: int
    source_line: int | None = None
    difficult: bool = False
    truth: Rle | None = None


class Boxes(Sequence[Annotation]):
    """Boxes alone, one on each line of a file: columns, made annotations when they are asked for.

    A set of a hundred thousand files is found out about before any of them is.

    Args:
        categories: the dataset's, by number.
        numbers: (n,) of each box's category.
        hbbs: (n, 4) xyxy in scene px.
        source_file: annotation file, relative to the dataset's folder.
    """

    __slots__ = ("_categories", "_hbbs", "_numbers", "_source_file")

    def __init__(
        self,
        categories: Sequence[str],
        numbers: NDArray[np.float64],
        hbbs: NDArray[np.float64],
        source_file: str,
    ) -> None:
        self._categories, self._numbers = categories, numbers
        self._hbbs, self._source_file = hbbs, source_file

    def __len__(self) -> int:
        return len(self._hbbs)

    @overload
    def __getitem__(self, index: int) -> Annotation: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Annotation]: ...

    def __getitem__(self, index: int | slice) -> Annotation | Sequence[Annotation]:
        return tuple(self)[index]

    def __iter__(self) -> Iterator[Annotation]:
        for ordinal, (number, hbb) in enumerate(
            zip(self._numbers.tolist(), self._hbbs, strict=True)
        ):
            yield Annotation(
                category=self._categories[int(number)],
                hbb=hbb,
                obb=None,
                source_file=self._source_file,
                ordinal=ordinal,
                source_line=ordinal + 1,
            )


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How a scene's raster is opened and shown, where its reader was told.

    Args:
        url: where it lies on the web, to be read by range; None: in its file.
        bands: numbers from 1 of one band, or of those shown as red, green and blue; None: those
            that the file says are.
        ranges: low and high value of each band, which become 0 and 255, or one pair for all; None:
            percentiles where px have more than 8 bits.
        nodata: a value that means "no measurement" beside the file's own, or None.
        within: folders whose files a virtual raster may show.
        most_px: px that it may have; None for the usual limit.
    """

    url: str | None = None
    bands: tuple[int, ...] | None = None
    ranges: tuple[tuple[float, float], ...] | None = None
    nodata: float | None = None
    within: tuple[Path, ...] = ()
    most_px: int | None = None


@dataclass(frozen=True, kw_only=True)
class SceneRecord:
    """One image of a dataset with its annotations, before tiling.

    Args:
        scene_id: unique in the dataset; ``[A-Za-z0-9_.-]`` only.
        image: path of the image file.
        gsd: metres per px, or None.
        declared_wh: width and height that the annotations say of the image, or None.
        semantic: returns the (H, W) uint8 map of label ids (255 = unlabelled); None without one.
        opening: how the image is opened; None as any is.
        uncertain: places where objects may be that are none of the annotations, each with its
            reason: ignored regions, annotations that were set aside.
    """

    scene_id: str
    split: str
    image: Path
    annotations: Sequence[Annotation] = ()
    gsd: float | None = None
    declared_wh: tuple[int, int] | None = None
    semantic: Callable[[], NDArray[np.uint8]] | None = None
    opening: Opening | None = None
    uncertain: Sequence[tuple[str, Outline]] = ()


SCORES = ("predicted_iou", "stability_score", "quality", "box_iou", "obb_iou", "outside")
"""Scores of an instance that leave a release with it, where it has them."""
LABEL_SCORES = tuple(name for name in SCORES if name != "quality")
"""Those that labelling gives; the quality is estimated of them."""


@dataclass
class Quarantine:
    """Bad input that was set aside: listed with a reason, counted, never silent."""

    rows: list[dict[str, object]] = field(default_factory=list)

    def add(self, source_file: str, source_line: int | None, reason: str, detail: str) -> None:
        """Set something aside.

        Args:
            source_file: relative to the dataset's folder.
            source_line: from 1; None where the whole file is meant.
            reason: the word it is counted under.
            detail: the whole sentence.
        """
        self.rows.append(
            {
                "source_file": source_file,
                "source_line": source_line,
                "reason": reason,
                "detail": _shortened(detail),
            }
        )

    def tell(self, source_file: str, reason: str, what: str, line: int | None = None) -> None:
        """Set something aside, in a sentence that begins with its file and line.

        Args:
            source_file: relative to the dataset's folder.
            reason: the word it is counted under.
            what: the rest of the sentence.
            line: from 1; None where the whole file is meant.
        """
        where = source_file if line is None else f"{source_file}:{line}"
        self.add(source_file, line, reason, f"{where}: {what}")

    def counts(self) -> dict[str, int]:
        """Number of rows by reason, sorted by reason."""
        reasons = [str(row["reason"]) for row in self.rows]
        return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


def _shortened(text: str, most: int = 600) -> str:
    """A text whose middle is left out where it is long: what was got may be a whole file."""
    return text if len(text) <= most else f"{text[: most * 2 // 3]} ... {text[-most // 3 :]}"


def tile_id(scene_id: str, x0: int, y0: int) -> str:
    """The id of a scene's tile at (x0, y0)."""
    return f"{scene_id}__{x0}_{y0}"


def obb_rows(obbs: Iterable[NDArray[np.float64] | None]) -> list[list[float] | None]:
    """Rotated boxes, each (4, 2) or None, as values of the OBB column.

    Args:
        obbs: corners xy px, or None where an instance has no rotated box.
    """
    return [None if obb is None else [float(v) for v in np.ravel(obb)] for obb in obbs]
