"""One scene of a dataset as rows of the product's tables, in tile px: cut, encoded, boxes moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import DeclaredSizeError, ImageDataError, ImageError, ImageSizeError
from samrs.core.geometry import hbb_to_polygon
from samrs.core.images import encode_rgb
from samrs.core.label_png import encode_labels
from samrs.core.parallel import map_ahead
from samrs.core.records import (
    GEOREFERENCE,
    IGNORE,
    INSTANCES,
    SEMANTIC,
    TILES,
    TRUTH,
    UNCERTAIN,
    Annotation,
    Georeference,
    Quarantine,
    SceneRecord,
    tile_id,
)
from samrs.core.rle import Rle, crop_rle, crop_to_rle, rle_to_mask
from samrs.core.tiling import Window, listed_boxes, windows
from samrs.normalize.spool import Spool
from samrs.normalize.uncertain import uncertain_rows
from samrs.reading.annotations import image_name, set_scene_aside, sound_annotations
from samrs.reading.scene_image import SceneImage, open_scene

SCHEMAS = {
    "tiles": TILES,
    "instances": INSTANCES,
    "truth": TRUTH,
    "semantic": SEMANTIC,
    "georeference": GEOREFERENCE,
    "uncertain": UNCERTAIN,
}
PADDING = (104, 116, 124)
"""Colour of px beyond the scene, RGB: BboxToolkit's, and so SAMRS's."""

TILES_AHEAD = 4
"""Tiles of a scene that are encoded or wait for it while the next is read."""

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How scenes are cut, and the names their boxes may have; see ``normalize``."""

    tile: int | None
    overlap: int
    min_visible: float
    clip: bool
    pad: bool
    keep_difficult: bool
    stretch: float
    categories: Sequence[str]
    max_tile_px: int = 2**26


@dataclass
class Scene:
    """All rows of one scene, made on a thread: none when its image or label map is bad.

    Args:
        rows: of each table but instances.
        tiles: the encoded tiles, in the order of the rows of that table.
        instances: the rows of that table.
        left_out: difficult annotations that the parameters leave out.
        without_data: tiles that are left out since no px there is a measurement.
    """

    record: SceneRecord
    rows: Rows
    tiles: Spool
    quarantine: Quarantine
    instances: InstanceRows | None = None
    left_out: int = 0
    without_data: int = 0


def make_scene(
    record: SceneRecord, *, source: Path, folder: Path, cut: Cut, pool: Executor
) -> Scene:
    """Read, cut and encode a scene; what is bad of it goes to its own quarantine.

    Args:
        source: the dataset's folder.
        folder: where tiles may wait in a temporary file.
        pool: threads that encode tiles while the next is read.
    """
    where = image_name(record, source)
    tables = [table for table in SCHEMAS if table != "instances"]
    scene = Scene(record, {table: [] for table in tables}, Spool(folder), Quarantine())
    rows = scene.rows
    try:
        with open_scene(record.image, where, cut.stretch, record.opening) as image:
            _turn_as_declared(record, image, where)
            size_wh = image.size_wh
            places = windows(*size_wh, tile=cut.tile, overlap=cut.overlap)
            _check_size(places[0], where, cut)
            encoded = map_ahead(_encode, _parts(image, places, cut), pool, ahead=TILES_AHEAD)
            kept = []
            for place, (data, suffix) in zip(places, encoded, strict=True):
                if data is not None:
                    kept.append(place)
                    rows["tiles"].append(_tile_row(record, image, place, cut, suffix))
                    scene.tiles.add(data)
            scene.without_data, places = len(places) - len(kept), kept
            _check_any_data(places, where)
            if image.georeference is not None:
                rows["georeference"].append(_georeference_row(record, image, image.georeference))
        rows["semantic"] = _semantic_rows(record, places, size_wh, where, cut)
    except ImageError as error:
        scene.tiles.close()
        set_scene_aside(record, where, error.reason, str(error), scene.quarantine)
        scene.rows = {}
        return scene
    sound = sound_annotations(record.annotations, size_wh, scene.quarantine)
    annotations: Sequence[Annotation] = sound
    uncertain = [*record.uncertain, *sound.uncertain]
    if scene.without_data:
        annotations = _on_data(annotations, places, scene.quarantine)
    annotations = _with_fitting_truth(annotations, size_wh, scene.quarantine)
    if not cut.keep_difficult:
        uncertain += [("difficult", hbb_to_polygon(a.hbb)) for a in annotations if a.difficult]
        scene.left_out = sum(a.difficult for a in annotations)
        annotations = [a for a in annotations if not a.difficult]
    rows["uncertain"] = uncertain_rows(rows["tiles"], uncertain, places)
    scene.instances = InstanceRows(record.scene_id, annotations, places, cut)
    rows["truth"] = scene.instances.truth()
    return scene


def _check_size(place: Window, where: str, cut: Cut) -> None:
    """Refuse tiles, all of one size, that are too large to be decoded at once.

    Raises:
        ImageSizeError: they are.
    """
    width, height = _padded_wh(place, cut)
    if width * height > cut.max_tile_px:
        kind = "a scene kept whole" if cut.tile is None else "its tiles"
        raise ImageSizeError(
            f"{where}: too large to be decoded at once, got {width} x {height} px for {kind}; "
            f"{cut.max_tile_px} px are allowed; set a smaller tile, or raise max_tile_px"
        )


def _check_any_data(places: Sequence[Window], where: str) -> None:
    """Refuse an image all of whose tiles are left out.

    Raises:
        ImageDataError: it is one.
    """
    if not places:
        raise ImageDataError(
            f"{where}: no px is a measurement, got nodata everywhere; an image that shows "
            "something is needed; remove it, or correct its nodata value"
        )


def _on_data(
    annotations: Sequence[Annotation], places: Sequence[Window], quarantine: Quarantine
) -> list[Annotation]:
    """The annotations of which a tile shows something; the others are quarantined.

    Args:
        places: windows of the tiles that were not left out.
    """
    x0, y0, width, height = np.array(places).T
    shown = []
    for annotation in annotations:
        left, top, right, bottom = annotation.hbb
        wide = np.minimum(right, x0 + width) - np.maximum(left, x0)
        high = np.minimum(bottom, y0 + height) - np.maximum(top, y0)
        if ((wide > 0) & (high > 0)).any():
            shown.append(annotation)
            continue
        quarantine.tell(
            annotation.source_file,
            "box where its image has no data",
            f"nothing is seen there, got {annotation.category} at {annotation.hbb.tolist()} where "
            "all px are nodata; boxes on measurements are allowed; remove it, or bring the image "
            "that shows it",
            annotation.source_line,
        )
    return shown


def _turn_as_declared(record: SceneRecord, image: SceneImage, where: str) -> None:
    """Leave the image as it is stored where its annotations are of that size.

    Raises:
        DeclaredSizeError: their size is neither that of the image as seen nor as stored.
    """
    if record.declared_wh in (None, image.size_wh):
        return
    if record.declared_wh != image.stored_wh:
        raise DeclaredSizeError(
            f"{where}: image is not of the size that its annotations declare, got "
            f"{image.size_wh[0]} x {image.size_wh[1]} px for {record.declared_wh[0]} x "
            f"{record.declared_wh[1]}; equal sizes are allowed; scale the boxes, or bring the "
            "image that they were drawn on"
        )
    image.as_stored()


class InstanceRows:
    """Rows of the tables instances and truth: each annotation in the tiles that list it.

    A row is made when it is asked for: a scene may have a million of them.

    Args:
        annotations: of the scene.
        places: its windows, in the order of its tiles.
        cut: how boxes are clipped and listed.
    """

    def __init__(
        self,
        scene_id: str,
        annotations: Sequence[Annotation],
        places: Sequence[Window],
        cut: Cut,
    ) -> None:
        self._scene_id, self._annotations = scene_id, annotations
        self._places, self._cut = places, cut
        self._listed = listed_boxes([a.hbb for a in annotations], places, cut.min_visible)
        self._numbers = {category: number for number, category in enumerate(cut.categories)}

    def __len__(self) -> int:
        return len(self._listed.boxes)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._row(k) for k in range(len(self)))

    def truth(self) -> list[dict[str, Any]]:
        """Rows of the table truth: of annotations with a true mask."""
        rows = []
        for k, (t, i) in enumerate(zip(self._listed.windows, self._listed.boxes, strict=True)):
            mask = self._annotations[i].truth
            if mask is not None:
                row = {**self._row(k), "rle": _crop_truth(mask, self._places[t], self._cut)}
                rows.append({name: row[name] for name in TRUTH.names})
        return rows

    def counts(self) -> dict[str, int]:
        """Tiles that list something, and instances, which are counted once in however many."""
        unique = [self._annotations[i] for i in np.unique(self._listed.boxes)]
        return {
            "tiles": len(np.unique(self._listed.windows)),
            "instances": len(unique),
            "with_obb": sum(a.obb is not None for a in unique),
            "with_truth": sum(a.truth is not None for a in unique),
        }

    def _row(self, k: int) -> dict[str, Any]:
        annotation = self._annotations[self._listed.boxes[k]]
        place, share = self._places[self._listed.windows[k]], float(self._listed.shares[k])
        number = self._numbers[annotation.category]
        return _instance_row(self._scene_id, annotation, number, place, share, self._cut)


def _with_fitting_truth(
    annotations: Sequence[Annotation], size_wh: tuple[int, int], quarantine: Quarantine
) -> list[Annotation]:
    """The annotations, without those true masks that are not of their image's size."""
    fitting = []
    for annotation in annotations:
        if annotation.truth is not None and annotation.truth["size"] != [*size_wh[::-1]]:
            height, width = annotation.truth["size"]
            quarantine.tell(
                annotation.source_file,
                "true mask of another size",
                f"true mask does not fit its image, got {width} x {height} px for an image of "
                f"{size_wh[0]} x {size_wh[1]} px; equal sizes are allowed; the box stays, correct "
                "the mask or the size",
                annotation.source_line,
            )
            annotation = replace(annotation, truth=None)
        fitting.append(annotation)
    return fitting


Part = NDArray[np.uint8] | tuple[bytes, str] | None


def _parts(image: SceneImage, places: Sequence[Window], cut: Cut) -> Iterator[Part]:
    """What each tile holds: its px, the file's own bytes where they will do, or None: nothing."""
    for place in places:
        # of a file that is handed on, too: reading is what tests it
        pixels = image.read_measured(place)
        size_wh = _padded_wh(place, cut)
        if pixels is None:
            yield None
        elif image.plain is not None and size_wh == image.size_wh:
            yield image.plain
        else:
            yield _filled(pixels, size_wh, PADDING)


def _encode(part: Part) -> tuple[bytes | None, str]:
    if part is None or isinstance(part, tuple):
        return part or (None, "")
    return encode_rgb(part), ".png"


def _padded_wh(place: Window, cut: Cut) -> tuple[int, int]:
    """Width and height of the tile that shows a window."""
    least = cut.tile if cut.pad and cut.tile is not None else 0
    return max(place.width, least), max(place.height, least)


def _filled(
    pixels: NDArray[np.uint8], size_wh: tuple[int, int], value: int | Sequence[int]
) -> NDArray[np.uint8]:
    """Pixels (h, w, ...) in the top-left corner of a tile that is else of one value."""
    height, width = pixels.shape[:2]
    if (width, height) == size_wh:
        return pixels
    tile = np.empty((*size_wh[::-1], *pixels.shape[2:]), dtype=np.uint8)
    tile[:] = value
    tile[:height, :width] = pixels
    return tile


def _crop_truth(truth: Rle, place: Window, cut: Cut) -> Rle:
    part = crop_rle(truth, *place)
    width, height = _padded_wh(place, cut)
    if (width, height) == (place.width, place.height):
        return part
    return crop_to_rle(rle_to_mask(part), 0, 0, (height, width))


def _tile_row(
    record: SceneRecord, image: SceneImage, place: Window, cut: Cut, suffix: str
) -> dict[str, Any]:
    """A tile's row without the bytes of its image."""
    name = tile_id(record.scene_id, place.x0, place.y0)
    width, height = _padded_wh(place, cut)
    return {
        "tile_id": name,
        "scene_id": record.scene_id,
        "split": record.split,
        "x0": place.x0,
        "y0": place.y0,
        "width": width,
        "height": height,
        "gsd": image.ground.gsd if record.gsd is None and image.ground else record.gsd,
        "image": {"path": name + suffix},
    }


def _georeference_row(
    record: SceneRecord, image: SceneImage, place: Georeference
) -> dict[str, Any]:
    sides = {} if image.ground is None else image.ground._asdict()
    row = {"scene_id": record.scene_id, **place._asdict(), **sides}
    return {name: row.get(name) for name in GEOREFERENCE.names}


def _semantic_rows(
    record: SceneRecord,
    places: Sequence[Window],
    size_wh: tuple[int, int],
    where: str,
    cut: Cut,
) -> list[dict[str, Any]]:
    if record.semantic is None:
        return []
    labels = record.semantic()
    if labels.shape != size_wh[::-1]:
        raise ImageError(
            f"{where}: label map does not fit, got {labels.shape[::-1]} px for an image of "
            f"{size_wh} px; equal sizes are allowed; replace either file"
        )
    rows = []
    for place in places:
        x0, y0, width, height = place
        name = tile_id(record.scene_id, x0, y0)
        part = labels[y0 : y0 + height, x0 : x0 + width]
        data = encode_labels(_filled(part, _padded_wh(place, cut), IGNORE))
        label_map = {"bytes": data, "path": f"{name}.png"}
        rows.append({"tile_id": name, "split": record.split, "label_map": label_map})
    return rows


def _instance_row(
    scene_id: str,
    annotation: Annotation,
    category_id: int,
    place: Window,
    share: float,
    cut: Cut,
) -> dict[str, Any]:
    x0, y0, width, height = place  # plain numbers: numpy costs more than it saves on four
    left, top, right, bottom = annotation.hbb.tolist()
    moved = [left - x0, top - y0, right - x0, bottom - y0]
    obb = None
    if annotation.obb is not None:
        obb = [v for x, y in annotation.obb.tolist() for v in (x - x0, y - y0)]
    limits = (width, height, width, height)
    clipped = [min(max(v, 0.0), float(most)) for v, most in zip(moved, limits, strict=True)]
    return {
        "instance_id": f"{scene_id}#{annotation.ordinal}",
        "tile_id": tile_id(scene_id, x0, y0),
        "category_id": category_id,
        "category": annotation.category,
        "hbb": clipped if cut.clip else moved,
        "hbb_annotated": moved,
        "obb": obb,
        "difficult": annotation.difficult,
        "visible": share,
        "source_file": annotation.source_file,
        "source_line": annotation.source_line,
    }
