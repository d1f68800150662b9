"""Checks of rows by themselves: values, boxes, scores, thresholds, sources, pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samrs.corrections.records import MADE_BY
from samrs.reading.image_header import picture
from samrs.release.quality import BAD
from samrs.release.thresholds import DROP_REASONS, drop_reasons
from samrs.verify.keys import check_tile_ids
from samrs.verify.parts import (
    Rows,
    coordinates,
    flat,
    numbers,
    places_in,
    tiles_in,
    tiles_of,
    truths,
    whole_numbers,
)

NEVER_NULL = (
    "scene_id", "split", "x0", "y0", "image", "hbb", "hbb_annotated", "mask_hbb", "difficult",
    "visible", "box_iou", "outside", "components", "recipe", "fallback", "crs",
    "transform", "reason", "detail", "made_by", "accepted", "file", "kind",
)  # fmt: skip
"""Columns that every row of a table with them has; other checks see to ids, sizes and masks."""

PLACE = ("crs", "transform")
DIFFICULT = DROP_REASONS.index("difficult")
"""What leaves out masks that people made or accepted, too."""

RANGES = {
    "predicted_iou": (-1.0, 2.0),
    "stability_score": (0.0, 1.0),
    "box_iou": (0.0, 1.0),
    "obb_iou": (0.0, 1.0),
    "outside": (0.0, 1.0),
    "disagreement": (0.0, 1.0),
    "quality": (0.0, 1.0),
    "visible": (1e-12, 1.0),
    "agreement": (0.0, 1.0),
    "gsd": (1e-6, 1e6),
    "gsd_x": (1e-6, 1e6),
    "gsd_y": (1e-6, 1e6),
}
"""Lowest and highest value of a number. SAM's estimate may say 1.003: it is not held to 0 to 1."""

NEAR = 1e-6
"""By which a share may differ from what the boxes give: rounding."""

SPLIT = r"""^[^\x00-\x1f\x7f/\\<>&"']{1,100}$"""
OUTSIDE = r"^/|^[A-Za-z]:|^\\\\|(^|[/\\])\.\.([/\\]|$)|\x00"
"""In a source's path: what leads out of the dataset's folder, and what no name holds. A name that
is not UTF-8 has backslashes: readers write it as escapes (``samrs/reading/files.py``)."""


def check_tiles(rows: Rows) -> None:
    """Sizes, places and ids of tiles, and their pictures' sizes."""
    sizes = np.stack([whole_numbers(rows[n], 0) for n in ("height", "width")], axis=1)
    rows.note("tile", sizes.min(axis=1) <= 0, lambda i: f"{sizes[i].tolist()} px, 1 or more needed")
    if rows.has("split"):
        splits = ~truths(pc.match_substring_regex(rows["split"], SPLIT), null=True)
        rows.note("split", splits,
             lambda i: f"split {rows['split'][i].as_py()!r}, a plain word is needed")  # fmt: skip
    if rows.has("scene_id", "x0", "y0"):
        _check_places(rows)
    if rows.has("image"):
        _pictures(rows, sizes)


def _check_places(rows: Rows) -> None:
    places = np.stack([whole_numbers(rows[n], 0) for n in ("x0", "y0")], axis=1)
    rows.note("tile", places.min(axis=1) < 0,
         lambda i: f"at {places[i].tolist()}, 0 or more needed")  # fmt: skip
    check_tile_ids(rows)


def _pictures(rows: Rows, sizes: NDArray[np.int64]) -> None:
    images = flat(rows["image"])
    names = pc.struct_field(images, "path")
    for i, data in enumerate(pc.struct_field(images, "bytes")):
        held = data.as_buffer()
        if held is None:
            continue  # told as a missing value
        rows.checked.pictures[int(not held.size)] += 1
        wrong = None
        if held.size:
            found = picture(held.to_pybytes())
            wanted = f"{rows['tile_id'][i].as_py()}{found.suffix if found else ''}"
            if found is None:
                wrong = f"{held.size} bytes, a whole PNG or JPEG is needed"
            elif found.size_hw != tuple(sizes[i].tolist()):
                wrong = f"{found.size_hw} px, its row says {tuple(sizes[i].tolist())}"
            elif not found.is_plain:
                wrong = "no 8-bit RGB without Exif"
            elif names[i].as_py() != wanted:
                wrong = f"called {names[i].as_py()!r}, {wanted!r} is needed"
        if wrong:
            rows.checked.findings.add("image", rows.named(i, wrong))


def _says(text: str) -> Callable[[int], str]:
    return lambda i: text


def check_values(rows: Rows) -> None:
    """What every row has, finite numbers, and numbers in their range."""
    for column in [n for n in NEVER_NULL if n in rows.column_names]:
        if rows.part.table == "scenes" and column in PLACE:
            continue  # not every scene lies on a map
        values = flat(rows[column])
        wrong = pc.is_null(values).to_numpy(zero_copy_only=False)
        if column == "image":
            data = pc.struct_field(values, "bytes")  # empty in a release without pixels
            wrong |= pc.is_null(data).to_numpy(zero_copy_only=False)
        elif pa.types.is_fixed_size_list(values.type):
            wrong |= ~np.isfinite(coordinates(rows[column])).all(axis=1)
        rows.note("value", wrong, _says(f"no {column}"))
    if "obb" in rows.column_names and rows["obb"].null_count < len(rows):
        odd = truths(pc.is_valid(rows["obb"]), null=False)
        odd &= ~np.isfinite(coordinates(rows["obb"])).all(axis=1)
        rows.note("value", odd, _says("no finite obb"))
    for column in [n for n in RANGES if n in rows.column_names]:
        lowest, highest = RANGES[column]
        found = rows[column].to_numpy()
        outside = ~((found >= lowest) & (found <= highest))
        if outside.any():
            outside &= truths(pc.is_valid(rows[column]), null=False)
            rows.note("score", outside, _ranged(rows, column))


def _ranged(rows: Rows, column: str) -> Callable[[int], str]:
    lowest, highest = RANGES[column]
    return lambda i: f"{column} {rows[column][i].as_py()}, {lowest:g} to {highest:g} is needed"


def check_boxes(rows: Rows) -> None:
    """Boxes are not inverted, lie in what was annotated, and show the share that the row says."""
    shown, whole = coordinates(rows["hbb"]), coordinates(rows["hbb_annotated"])
    upright = _upright(shown) & _upright(whole)
    some = np.isfinite(shown).all(axis=1) & np.isfinite(whole).all(axis=1)
    rows.note("box", some & ~upright,
         lambda i: f"hbb {shown[i].tolist()} of {whole[i].tolist()}, x0 < x1 and y0 < y1 are "
         "needed")  # fmt: skip
    tiles = tiles_of(rows.part)
    if tiles is None:
        return
    places = places_in(tiles, rows)
    known = upright & (places >= 0) & (len(tiles.ids) > 0)
    sides = tiles.sizes_hw[np.maximum(places, 0)][:, ::-1] if len(tiles.ids) else shown[:, :2]
    inside = np.clip(whole, 0, np.tile(sides, 2))
    as_annotated = (shown == whole).all(axis=1)
    clipped = (np.abs(shown - inside)[:, :2] <= NEAR).all(axis=1)
    clipped &= (shown[:, 2:] <= inside[:, 2:] + NEAR).all(axis=1)  # less in a padded tile
    rows.note("box", known & ~as_annotated & ~clipped,
         lambda i: f"hbb {shown[i].tolist()} is no part of {whole[i].tolist()} in a tile of "
         f"{sides[i].tolist()} (width, height) px")  # fmt: skip
    share = _areas(np.where(as_annotated[:, None], inside, shown)) / np.where(
        known, _areas(whole), 1
    )
    visible = numbers(rows["visible"])
    near = np.where(as_annotated, visible <= share + NEAR, np.abs(visible - share) <= NEAR)
    told = known & (clipped | as_annotated) & np.isfinite(visible)
    rows.note("score", told & ~near,
         lambda i: f"visible {visible[i]}, its boxes give {share[i]:.6f}")  # fmt: skip


def _upright(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3]))


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def check_categories(rows: Rows) -> None:
    """A category's number and name are the manifest's."""
    known_names = rows.part.said.categories
    ids = whole_numbers(rows["category_id"], -1)
    known: NDArray[np.bool_] = (ids >= 0) & (ids < len(known_names))
    names = pa.array(known_names, pa.string())
    wanted = names.take(pa.array(np.where(known, ids, 0))) if known_names else None
    right = truths(pc.equal(rows["category"], wanted), null=False) if wanted else known
    given = [rows["category_id"], rows["category"]]
    rows.note("category", ~(known & right),
         lambda i: f"{tuple(column[i].as_py() for column in given)} is no category")  # fmt: skip


def check_sources(rows: Rows) -> None:
    """A row names a file in the dataset's folder and a line of it, or none."""
    files, lines = rows["source_file"], rows["source_line"]
    wrong = truths(pc.equal(files, ""), null=True) | (whole_numbers(lines, 1) < 1)
    wrong |= truths(pc.match_substring_regex(files, OUTSIDE), null=False)
    rows.note("source", wrong,
         lambda i: f"file {files[i].as_py()!r}, line {lines[i].as_py()}; a path inside the "
         "dataset and a line from 1 (or none) are needed")  # fmt: skip


def check_scores(rows: Rows) -> None:
    """Scores agree with each other, with the row's boxes and with the manifest."""
    if rows.has("area", "components"):
        _check_components(rows)
    if rows.part.said.recipe is not None and rows.has("recipe"):
        other = ~truths(pc.equal(rows["recipe"], rows.part.said.recipe), null=True)
        other &= ~by_people(rows)
        rows.note("score", other,
             lambda i: f"recipe {rows['recipe'][i].as_py()!r}, the manifest has "
             f"{rows.part.said.recipe!r}")  # fmt: skip
    if rows.has("obb", "obb_iou", "fallback"):
        _check_rotated(rows)


def _check_components(rows: Rows) -> None:
    area, parts = whole_numbers(rows["area"], 0), whole_numbers(rows["components"], 0)
    wrong = ((area == 0) != (parts == 0)) | (parts < 0) | (parts > np.maximum(area, 0))
    rows.note("score", wrong, lambda i: f"{parts[i]} components of a mask of {area[i]} px")


def _check_rotated(rows: Rows) -> None:
    has_obb = truths(pc.is_valid(rows["obb"]), null=False)
    scored = truths(pc.is_valid(rows["obb_iou"]), null=False)
    fell_back = truths(rows["fallback"], null=False)
    rows.note("score", (has_obb != scored) | (has_obb & fell_back),
         lambda i: f"obb_iou {rows['obb_iou'][i].as_py()}, fallback {fell_back[i]} "
         f"{'with' if has_obb[i] else 'without'} an obb")  # fmt: skip


def check_thresholds(rows: Rows) -> None:
    """A release holds no row that its own parameters leave out; its estimates are summed."""
    classes = whole_numbers(rows["category_id"], -1)
    known = (classes >= 0) & (classes < len(rows.part.said.categories))
    limits = {n: v[np.where(known, classes, 0)] for n, v in rows.part.said.limits.items()}
    changed = whole_numbers(rows["changed_px"], 0)
    limits["max_outside"] = np.where(changed > 0, 1, limits["max_outside"])  # it was of the stored
    reasons = np.where(known, drop_reasons(rows.table, rows.table, limits), len(DROP_REASONS))
    rows.note("value", changed < 0, _says("less than no changed_px"))
    people = by_people(rows)
    judged = people | truths(rows["accepted"], null=False)
    reasons = np.where(judged & (reasons != DIFFICULT), len(DROP_REASONS), reasons)
    rows.note("threshold", reasons < len(DROP_REASONS),
         lambda i: f"{DROP_REASONS[reasons[i]]} leaves it out")  # fmt: skip
    estimates = rows["quality"].to_numpy()
    none = truths(pc.is_null(rows["quality"]), null=True)
    rows.note("value", none & ~people, _says("no quality"))
    rows.checked.quality += [(~none).sum(), np.nansum(estimates), (estimates < BAD).sum()]
    _check_people(rows)


def by_people(rows: Rows) -> NDArray[np.bool_]:
    """(N,) which masks a person made; none in tables that do not say so."""
    if "made_by" not in rows.column_names:
        return np.zeros(len(rows), dtype=bool)
    return truths(pc.is_in(rows["made_by"], value_set=pa.array(MADE_BY[1:])), null=False)


def _check_people(rows: Rows) -> None:
    """Note makers that there are not, and masks of people that are none; count what they made."""
    known = truths(pc.is_in(rows["made_by"], value_set=pa.array(MADE_BY)), null=True)
    rows.note("value", ~known,
         lambda i: f"made_by {rows['made_by'][i].as_py()!r}, one of {', '.join(MADE_BY)} is "
         "needed")  # fmt: skip
    empty = (whole_numbers(rows["area"], 0) == 0) & (
        by_people(rows) | truths(rows["accepted"], null=False)
    )
    rows.note("value", empty, _says("a mask of nothing that a person made"))
    added = truths(pc.match_substring(rows["instance_id"], "#new-"), null=False)
    rows.note("value", added & known & ~by_people(rows),
         _says("added by a person, its mask is not"))  # fmt: skip
    made = [truths(pc.equal(rows["made_by"], name), null=False).sum() for name in MADE_BY[1:]]
    accepted = truths(rows["accepted"], null=False).sum()
    rows.checked.people += np.array([*made, accepted, added.sum()], np.int64)


def check_places(rows: Rows) -> None:
    """A scene's place on the ground is one."""
    values = coordinates(rows["transform"])
    flat_ground = values[:, 0] * values[:, 4] == values[:, 1] * values[:, 3]
    crs = truths(
        pc.match_substring_regex(rows["crs"], r"^$|[\x00-\x08\x0b\x0c\x0e-\x1f]"), null=False
    )
    rows.note("value", flat_ground | crs,
         lambda i: f"crs {rows['crs'][i].as_py()!r}, transform {values[i].tolist()}")  # fmt: skip
    if rows.part.tiles_of is not None:
        known = pc.is_in(rows["scene_id"], value_set=tiles_in(rows.part.tiles_of).scenes)
        rows.note("unknown_tile", ~truths(known, null=False), lambda i: "there is no tile of it")


def check_outlines(rows: Rows) -> None:
    """An uncertain place is an outline of three corners or more, in a tile that is there."""
    outlines = flat(rows["outline"])
    lengths = whole_numbers(pc.list_value_length(outlines), 0)
    finite = [bool(np.isfinite(o.values.to_numpy(zero_copy_only=False)).all()) if o.is_valid
              else False for o in outlines]  # fmt: skip
    odd = (lengths < 6) | (lengths % 2 != 0) | ~np.array(finite, dtype=bool)
    rows.note("value", odd,
         lambda i: f"outline of {lengths[i]} numbers; three finite pairs are needed")  # fmt: skip
    if rows.part.tiles_of is not None:
        unknown = places_in(tiles_in(rows.part.tiles_of), rows) < 0
        rows.note("unknown_tile", unknown, lambda i: "there is no such tile")
