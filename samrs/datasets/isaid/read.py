"""iSAID: DOTA-v1.0's scenes with a mask for each of 655,451 instances of 15 classes.

Source: Waqas Zamir et al., CVPRW 2019 (arXiv 1905.12886), captain-whu.github.io/iSAID. Train 1,411
and val 458 scenes carry masks.

Layout read (or flat ``images/`` and ``masks/``, split "all")::

    <split>/images/P0003.png
    <split>/Instance_masks/images/P0003_instance_id_RGB.png
    <split>/Semantic_masks/images/P0003_instance_color_RGB.png

Both are colour images on black. An instance is one colour of the first (an arbitrary code); its
class is the colour of most of its px in the second::

    0,0,63 ship              0,63,63 storage-tank         0,63,0 baseball-diamond
    0,63,127 tennis-court    0,63,191 basketball-court    0,63,255 ground-track-field
    0,127,63 bridge          0,127,127 large-vehicle      0,0,127 small-vehicle
    0,0,191 helicopter       0,0,255 swimming-pool        0,191,127 roundabout
    0,127,191 soccer-ball-field    0,127,255 plane        0,100,155 harbor

(colours and label order as in the iSAID devkit and mmsegmentation's iSAIDDataset). Label ids are
0 for background and 1 to 15, which is the benchmark's 16 labels. The box of an instance is the
hull of its mask; instances are numbered by their colour's code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ImageError
from samrs.core.geometry import hbb_to_polygon
from samrs.core.images import decode_labels
from samrs.core.label_png import encode_labels
from samrs.core.names import clean_id
from samrs.core.records import IGNORE, Annotation, Quarantine, SceneRecord
from samrs.core.rle import Rle, crop_to_rle, rle_union
from samrs.core.tiling import strips
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    SET_ASIDE,
    Items,
    files_by_stem,
    first_folder,
    missing_dataset,
    pair_files,
    relative_name,
)
from samrs.reading.colour_codes import check_codes, code_masks, colour_codes
from samrs.reading.scene_image import open_scene

CATEGORIES: tuple[str, ...] = (
    "background",
    "ship",
    "storage-tank",
    "baseball-diamond",
    "tennis-court",
    "basketball-court",
    "ground-track-field",
    "bridge",
    "large-vehicle",
    "small-vehicle",
    "helicopter",
    "swimming-pool",
    "roundabout",
    "soccer-ball-field",
    "plane",
    "harbor",
)
SUBSET: str | None = None

_COLOURS = (
    (0, 0, 0),
    (0, 0, 63),
    (0, 63, 63),
    (0, 63, 0),
    (0, 63, 127),
    (0, 63, 191),
    (0, 63, 255),
    (0, 127, 63),
    (0, 127, 127),
    (0, 0, 127),
    (0, 0, 191),
    (0, 0, 255),
    (0, 191, 127),
    (0, 127, 191),
    (0, 127, 255),
    (0, 100, 155),
)


STRIP_PX = 2**22
"""Px of either mask that are decoded at once."""

_ID, _CLASS = "_instance_id_RGB", "_instance_color_RGB"
_LAYOUT = (
    "<split>/images/*.png with <split>/Instance_masks/images/*_instance_id_RGB.png and "
    "<split>/Semantic_masks/images/*_instance_color_RGB.png"
)


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with instances, true masks and label maps, sorted by scene_id.

    Raises:
        MissingInputError: there is no iSAID below ``root``.
    """
    found: list[tuple[str, str, Path, Path, Path]] = []
    splits = [s for s in ("train", "val") if (root / s / "images").is_dir()]
    if not splits and not (root / "masks").is_dir():
        raise missing_dataset(root, "isaid", _LAYOUT)
    for split in splits or ["all"]:
        base = root / split if splits else root
        images = files_by_stem(base / "images", IMAGE_SUFFIXES)
        ids = _masks(base, "Instance_masks/images", _ID)
        classes = _masks(base, "Semantic_masks/images", _CLASS)
        both = {stem: path for stem, path in ids.items() if stem in classes}
        for stem in pair_files(images, both, root, quarantine, ids, classes):
            found.append((clean_id(stem), split, images[stem], ids[stem], classes[stem]))
    for scene_id, split, image, ids_path, classes_path in sorted(found, key=lambda s: s[:2]):
        try:
            annotations, labels = _read_masks(ids_path, classes_path, root, quarantine)
        except ImageError as error:
            where = relative_name(image, root)
            quarantine.add(where, None, "mask does not decode", str(error))
            continue
        semantic = partial(decode_labels, labels, relative_name(classes_path, root))
        yield SceneRecord(
            scene_id=scene_id,
            split=split,
            image=image,
            annotations=tuple(annotations),
            semantic=semantic,
            uncertain=annotations.uncertain,
        )


def _masks(base: Path, folder: str, ending: str) -> dict[str, Path]:
    found = first_folder(base, (folder, "masks"))
    files = {} if found is None else files_by_stem(found, (".png",))
    return {s.removesuffix(ending): p for s, p in files.items() if s.endswith(ending)}


@dataclass
class _Instance:
    """What the strips so far have shown of an instance: px by label, hull xyxy, masks."""

    votes: NDArray[np.int64]
    hull: tuple[int, int, int, int]
    masks: list[Rle]


def _read_masks(
    ids_path: Path, classes_path: Path, root: Path, quarantine: Quarantine
) -> tuple[Items[Annotation], bytes]:
    """The instances of an id image, numbered by colour code, and the encoded map of label ids.

    Strip by strip: of the whole scene only a byte a px is held, the label map.
    """
    where = relative_name(ids_path, root)
    instances: dict[int, _Instance] = {}
    with (
        open_scene(ids_path, where) as ids,
        open_scene(classes_path, relative_name(classes_path, root)) as classes,
    ):
        if ids.size_wh != classes.size_wh:
            raise ImageError(
                f"{where}: id image does not fit the class image, got {ids.size_wh} px against "
                f"{classes.size_wh} px; equal sizes are allowed; replace either file"
            )
        size_hw = ids.size_wh[::-1]
        labels = np.empty(size_hw, dtype=np.uint8)
        for strip in strips(*ids.size_wh, STRIP_PX):
            part = labels[strip.y0 : strip.y0 + strip.height]
            part[:] = _label_ids(colour_codes(classes.read(strip)))
            _add(instances, colour_codes(ids.read(strip)), part, strip.y0, size_hw, where)
            check_codes(len(instances), where)
    _report_unknown(labels, relative_name(classes_path, root), quarantine)
    return _annotations(instances, where, quarantine), encode_labels(labels)


def _label_ids(codes: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Label ids of class colours; IGNORE for those that mean no class."""
    known = colour_codes(_COLOURS)
    order = np.argsort(known)
    at = np.searchsorted(known, codes, sorter=order).clip(max=len(known) - 1)
    return np.where(np.take(known, order[at]) == codes, order[at], IGNORE).astype(np.uint8)


def _add(
    instances: dict[int, _Instance],
    codes: NDArray[np.int32],
    labels: NDArray[np.uint8],
    y0: int,
    size_hw: tuple[int, int],
    where: str,
) -> None:
    """Add what a strip that begins in row ``y0`` shows of each instance."""
    for code, (rows, columns), mask in code_masks(codes, where):
        votes = np.bincount(labels[rows, columns][mask], minlength=IGNORE + 1)
        hull = (columns.start, y0 + rows.start, columns.stop, y0 + rows.stop)
        rle = crop_to_rle(mask, hull[0], hull[1], size_hw)
        if code not in instances:
            instances[code] = _Instance(votes, hull, [rle])
            continue
        known = instances[code]
        known.votes += votes
        known.hull = (
            *(min(a, b) for a, b in zip(known.hull[:2], hull[:2], strict=True)),
            *(max(a, b) for a, b in zip(known.hull[2:], hull[2:], strict=True)),
        )
        known.masks.append(rle)


def _report_unknown(labels: NDArray[np.uint8], where: str, quarantine: Quarantine) -> None:
    num_unknown = int((labels == IGNORE).sum())
    if num_unknown:
        quarantine.tell(
            where,
            "unknown label colour",
            f"px of colours that mean no class, got {num_unknown} px; iSAID's 16 colours are "
            "allowed; these px count as unlabelled",
        )


def _annotations(
    instances: dict[int, _Instance], where: str, quarantine: Quarantine
) -> Items[Annotation]:
    annotations: Items[Annotation] = Items()
    for ordinal, (code, instance) in enumerate(sorted(instances.items())):
        label = int(instance.votes[1 : len(CATEGORIES)].argmax()) + 1
        if instance.votes[label] == 0:
            colour = [code >> shift & 255 for shift in (16, 8, 0)]
            annotations.uncertain.append((SET_ASIDE, hbb_to_polygon(instance.hull)))
            quarantine.tell(
                where,
                "unknown class",
                f"instance without class, got no class colour below id colour {colour}; each "
                "instance has one; correct either mask",
            )
            continue
        hbb = np.array(instance.hull, dtype=np.float64)
        truth = rle_union(instance.masks)
        annotations.append(
            Annotation(
                category=CATEGORIES[label],
                hbb=hbb,
                obb=None,
                source_file=where,
                ordinal=ordinal,
                truth=truth,
            )
        )
    return annotations
