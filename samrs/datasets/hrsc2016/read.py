"""HRSC2016: ships in harbours with rotated boxes and, for some test images, true masks.

Source: Liu et al., ICPRAM 2017. Google Earth, 0.4 to 2 m per px, about 300 x 300 to 1500 x 900 px;
1,061 annotated images; only 124 test images carry masks. One class here ("ship", the level on which
SAMRS's ablation runs; the finer ``Class_ID`` is not used).

Layout read::

    Train/AllImages/100000006.bmp   Train/Annotations/100000006.xml
    Test/AllImages/100000001.bmp    Test/Annotations/100000001.xml
    Test/Segmentations/100000001.png                                  optional

A raw object::

    <HRSC_Image><Img_Resolution>1.07</Img_Resolution><Annotated>1</Annotated><HRSC_Objects>
      <HRSC_Object><difficult>0</difficult>
        <box_xmin>119</box_xmin><box_ymin>75</box_ymin><box_xmax>587</box_xmax><box_ymax>789</box_ymax>
        <mbox_cx>341.2143</mbox_cx><mbox_cy>443.3325</mbox_cy><mbox_w>778.4297</mbox_w>
        <mbox_h>178.2595</mbox_h><mbox_ang>-1.122944</mbox_ang><seg_color>0,255,255</seg_color>
      </HRSC_Object></HRSC_Objects></HRSC_Image>

``mbox_ang`` is in radians, positive clockwise on screen. ``seg_color`` is that ship's colour r,g,b
in the segmentation PNG; an empty one means that there is no mask. An image with ``Annotated`` 0 was
never looked at: it is quarantined, not taken for one without ships.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.errors import AnnotationError, ImageError, ImageSizeError
from samrs.core.geometry import rotated_box_to_polygon
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Outline, Quarantine, SceneRecord
from samrs.core.rle import Rle, crop_to_rle
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    Place,
    files_by_stem,
    missing_dataset,
    number,
    pair_files,
    read_items,
    relative_name,
    says_yes,
    set_image_aside,
)
from samrs.reading.colour_codes import code_masks, colour_codes
from samrs.reading.scene_image import open_scene
from samrs.reading.xml import XmlItems, child_text, declared_size

CATEGORIES: tuple[str, ...] = ("ship",)
SUBSET: str | None = None

_LAYOUT = "Train|Test/AllImages/*.bmp with Train|Test/Annotations/*.xml"
_BOX = ("box_xmin", "box_ymin", "box_xmax", "box_ymax")
_ROTATED = ("mbox_cx", "mbox_cy", "mbox_w", "mbox_h", "mbox_ang")
Colour = tuple[int, int, int]

MOST_PX = 2**24
"""Of a segmentation, which is read as a whole; the largest image has 1.4 million px."""


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and objects are quarantined.

    Raises:
        MissingInputError: there is no HRSC2016 below ``root``.
    """
    found: list[tuple[str, str, Path, Path, Path | None]] = []
    folders = [root / s for s in ("Train", "Test") if (root / s / "AllImages").is_dir()]
    if not folders:
        raise missing_dataset(root, "hrsc2016", _LAYOUT)
    for folder in folders:
        images = files_by_stem(folder / "AllImages", IMAGE_SUFFIXES)
        labels = files_by_stem(folder / "Annotations", (".xml",))
        segmented = files_by_stem(folder / "Segmentations", (".png",))
        for stem in pair_files(images, labels, root, quarantine, segmented):
            files = (images[stem], labels[stem], segmented.get(stem))
            found.append((clean_id(stem), folder.name.lower(), *files))
    for scene_id, split, image, label, masks in sorted(found, key=lambda scene: scene[:2]):
        try:
            annotations, gsd, size_wh, uncertain = _read_objects(label, masks, root, quarantine)
        except AnnotationError as error:
            set_image_aside(image, label, root, error, quarantine)
            continue
        yield SceneRecord(
            scene_id=scene_id,
            split=split,
            image=image,
            annotations=annotations,
            gsd=gsd,
            declared_wh=size_wh,
            uncertain=uncertain,
        )


def _read_objects(
    label: Path, masks: Path | None, root: Path, quarantine: Quarantine
) -> tuple[
    tuple[Annotation, ...],
    float | None,
    tuple[int, int] | None,
    Sequence[tuple[str, Outline]],
]:
    """The objects of a file, the metres per px and the size that it declares, uncertain places."""
    where = relative_name(label, root)
    objects, bad = XmlItems(label, where, "HRSC_Image", "HRSC_Objects/HRSC_Object"), Quarantine()
    parsed = read_items(objects, _parse_object, where, bad, "object")
    xml = objects.root
    if not objects.count and (xml.findtext("Annotated") or "1").strip() == "0":
        raise AnnotationError(
            f"{where}:1: image was never annotated, got Annotated 0; annotated images are allowed; "
            "remove the image or annotate it"
        )
    try:
        gsd = number((xml.findtext("Img_Resolution") or "").strip(), where)
    except AnnotationError:  # empty or "null": the objects are as good without
        gsd = 0.0
    quarantine.rows += bad.rows
    annotations = _with_truth(parsed, masks, root, quarantine)
    size_wh = declared_size(xml, "Img_SizeWidth", "Img_SizeHeight")
    return annotations, gsd if gsd > 0 else None, size_wh, parsed.uncertain


def _parse_object(at: Place, element: Any) -> tuple[Annotation, Colour | None]:
    told = [number(child_text(element, k, at.where), at.where) for k in (*_BOX, *_ROTATED)]
    hbb, obb = np.array(told[:4]), rotated_box_to_polygon(*told[4:])
    difficult = says_yes(element.findtext("difficult"))
    annotation = at.annotation("ship", hbb, obb, difficult=difficult)
    return annotation, _parse_colour(element.findtext("seg_color") or "", at.where)


def _parse_colour(text: str, where: str) -> Colour | None:
    if not text.strip():
        return None
    values = [number(v, where) for v in text.split(",")]
    if len(values) != 3 or any(v not in range(256) for v in values):
        raise AnnotationError(
            f"{where}: seg_color does not parse, got {text!r}; r,g,b of 0 to 255 is allowed; "
            "correct the object"
        )
    return int(values[0]), int(values[1]), int(values[2])


def _with_truth(
    parsed: list[tuple[Annotation, Colour | None]],
    path: Path | None,
    root: Path,
    quarantine: Quarantine,
) -> tuple[Annotation, ...]:
    """The annotations with their true masks, where the image has a segmentation."""
    if path is None or all(colour is None for _, colour in parsed):
        return tuple(annotation for annotation, _ in parsed)
    where = relative_name(path, root)
    try:
        masks = _masks(path, where)
    except ImageError as error:
        quarantine.add(where, None, error.reason, str(error))
        return tuple(annotation for annotation, _ in parsed)
    for annotation, colour in parsed:
        if colour is not None and int(colour_codes(colour)) not in masks:
            quarantine.add(
                annotation.source_file,
                annotation.source_line,
                "true mask is empty",
                f"{annotation.source_file}:object {annotation.source_line}: no px of its seg_color "
                f"in {where}, got {colour}; a colour of that image is allowed; correct either file",
            )
    return tuple(
        annotation
        if colour is None
        else replace(annotation, truth=masks.get(int(colour_codes(colour))))
        for annotation, colour in parsed
    )


def _masks(path: Path, where: str) -> dict[int, Rle]:
    """The masks of a segmentation by the codes of their colours.

    Raises:
        ImageError: it does not decode, or is no segmentation of an HRSC2016 image.
    """
    with open_scene(path, where) as scene:
        if scene.size_wh[0] * scene.size_wh[1] > MOST_PX:
            raise ImageSizeError(
                f"{where}: segmentation is too large, got {scene.size_wh[0]} x {scene.size_wh[1]} "
                f"px; {MOST_PX} px are allowed; replace the file"
            )
        codes = colour_codes(scene.read())
    return {
        code: crop_to_rle(mask, columns.start, rows.start, codes.shape)
        for code, (rows, columns), mask in code_masks(codes, where)
    }
