"""A folder with boxes to a release and exports of it: without dvc, without a project.

    samrs label coco FOLDER --recipe zoom --tile 1024 --export yolo_seg --out X

The verbs are those of the pipeline, so the masks are, too. What stands in X::

    release/<name>/   the release, for samrs preview, samrs verify, samrs export
    yolo_seg/         an export each
    set_aside.csv     what of the input was set aside, each with its reason
    summary.json      what was found, set aside, labelled, left out
    corrections/<name>/   what people said of the masks, where samrs review was there
    .work/            finished tiles

A run that was killed goes on where it was; a finished place is made again on demand only, and then
only new or changed tiles are labelled, and corrections applied.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from samrs.core import axis
from samrs.core.errors import UnknownNameError, advice
from samrs.core.records import QUARANTINE
from samrs.core.shards import has_table, read_table, write_csv, write_json
from samrs.corrections.read import read_corrections
from samrs.export.export import AXIS as EXPORTS
from samrs.export.export import export
from samrs.label.auto import AUTO, BUNDLED, chosen_for, resolve
from samrs.label.label import label
from samrs.label_dataset.place import (
    CORRECTIONS,
    SET_ASIDE,
    SUMMARY,
    WORK,
    alone,
    check_place,
    remove_earlier,
)
from samrs.look.look import check_name, look
from samrs.normalize.normalize import normalize
from samrs.prompting.answerable import check_answerable
from samrs.prompting.recipes import parse_recipe
from samrs.release.release import release
from samrs.release.thresholds import Thresholds
from samrs.weights.checkpoint import Checkpoint
from samrs.weights.models import abilities_of, segmenter_for
from samrs.weights.weights import find_checkpoint

log = logging.getLogger("samrs")
QUALITY = Path(__file__).parents[1] / "models" / "quality.json"
RELEASE: dict[str, Any] = {
    "thresholds": Thresholds(
        margin=0.1,
        max_hole=0.05,
        min_part=0.05,
        core=0.5,
        min_area=4,
        min_predicted_iou=0.0,
        min_stability=0.0,
        max_outside=0.5,
        min_box_iou=0.0,
        min_obb_iou=0.0,
        max_parts=None,
        min_quality=0.0,
        keep_difficult=True,
    ),
    "overrides": None,
    "overlap": "smaller_on_top",
    "background": "none",
}
"""How masks are cleaned and which are released, for ``release``: what params.yaml has."""
COLUMNS = QUARANTINE.names
FOUND = ("scenes", "tiles", "tiles_without_data", "instances", "splits")
EXAMPLES = 3
"""Sentences that the summary holds of each reason."""


def label_dataset(
    format: str,
    folder: Path,
    out: Path,
    *,
    name: str | None,
    recipe: str,
    segmenter: str | None,
    model: str,
    precision: str,
    tile: int | None,
    overlap: int | None,
    val: float,
    options: Mapping[str, Any] | None = None,
    max_quarantined: float,
    exports: Sequence[str],
    force: bool,
    runtime: Mapping[str, Any],
) -> dict[str, Any]:
    """Make masks for the boxes of a dataset, a release of them and exports.

    Args:
        format: a folder of ``samrs/datasets``.
        folder: the dataset; read where it lies, never written to.
        out: folder of all that is made: new, empty, or of an earlier run that did not end.
        name: of the dataset in products, cards and exports; None: made from the folder's.
        recipe: what to ask for a box, ``auto`` for the stored choice.
        segmenter: a file of ``samrs/segmenters``; None: the one that has the model.
        model: of the segmenter; fetched where it is not bundled.
        precision: of the image encoder, as ``label`` takes it.
        tile: as of ``Found.cut``, as are ``overlap`` and ``val``.
        options: of the format's reader.
        max_quarantined: share [0, 1] of images and annotations that may be set aside.
        exports: files of ``samrs/export/formats``.
        force: whether a finished place is made again.
        runtime: ``executor``, ``device`` and ``threads``; speed only.

    Returns:
        What stands in ``summary.json``: the dataset's ``name`` and ``format``; what was ``found``;
        what was ``set_aside``, in total, by reason, and the first sentences of each; ``masks``;
        what was ``released`` and left out; where the ``release`` and the ``exports`` lie.

    Raises:
        ParameterError, UnknownNameError: of a wrong name, recipe or number.
        MissingInputError: there is no dataset of that format, or no box in it.
        QuarantineError: more than ``max_quarantined`` of it is bad; ``set_aside.csv`` lists it.
        SourceError: the model is not bundled and cannot be fetched.
        ProductError, AnnotationError: ``out`` is taken or in use; corrections in it are broken.
    """
    name = named(folder) if name is None else name
    check_name(name)
    segmenter = segmenter_for(model) if segmenter is None else segmenter
    _check_asked(recipe, exports, segmenter, model)
    check_place(folder, out, force=force)
    _said(out, name)
    checkpoint = find_checkpoint(segmenter, model)
    found = look(format, folder, options)
    cut = {**found.cut(tile, overlap, val), "max_quarantined": max_quarantined}
    if options:
        cut["options"] = dict(options)
    with alone(out):
        remove_earlier(out)
        normalized = out / WORK / "normalize" / name
        try:
            read = normalize(
                name, folder, normalized, format=format, workers=runtime["threads"], **cut
            )
        finally:
            aside = _write_set_aside(normalized, out / SET_ASIDE)
        about: dict[str, Any] = {"name": name, "format": format, "parameters": cut}
        about["found"] = {key: read[key] for key in FOUND}
        about["set_aside"] = aside
        about |= _released(normalized, out, recipe, checkpoint, precision, runtime)
        place = out / about["release"]
        made = {f: export(f, place, out / f, force=True)["summary"] for f in exports}
        about["exports"] = made
        shutil.rmtree(out / WORK / "normalize")
        shutil.rmtree(out / WORK / "sam_label")
        write_json(out / SUMMARY, about)
    return about


def named(folder: Path) -> str:
    """The name of a dataset out of its folder's, whatever that is."""
    cleaned = re.sub(r"[^a-z0-9]+", "_", folder.resolve().name.lower()).strip("_")
    return (cleaned if re.match("[a-z]", cleaned) else f"set_{cleaned}".rstrip("_"))[:40]


def _released(
    normalized: Path,
    out: Path,
    recipe: str,
    checkpoint: Checkpoint,
    precision: str,
    runtime: Mapping[str, Any],
) -> dict[str, Any]:
    """Label and release; numbers of both, and where the release lies in ``out``."""
    labelled, place = out / WORK / "sam_label" / normalized.name, Path("release", normalized.name)
    masks = label(
        normalized,
        labelled,
        prompt=resolve(recipe, BUNDLED, normalized, **checkpoint.about),
        checkpoint=checkpoint,
        precision=precision,
        runtime=runtime,
        work=out / WORK / "tiles",
    )
    said = _said(out, normalized.name)
    counts = release(normalized, labelled, out / place, QUALITY, said, **RELEASE)
    return {"masks": masks, "released": counts, "release": place.as_posix()}


def _said(out: Path, name: str) -> Path | None:
    """Where corrections of the dataset lie, which were read; None: nobody said anything."""
    folder = out / CORRECTIONS / name
    if not folder.is_dir():
        return None
    read_corrections(folder)
    return folder


def _check_asked(recipe: str, exports: Sequence[str], segmenter: str, model: str) -> None:
    """Refuse what would fail after hours of labelling.

    Raises:
        ParameterError, UnknownNameError: of a wrong name or recipe.
        MissingExtraError: an export needs a package that is not installed.
    """
    if recipe == AUTO:
        chosen_for(BUNDLED, segmenter=segmenter, model=model)
    else:
        check_answerable(parse_recipe(recipe), segmenter, abilities_of(segmenter))
    known = axis.names(EXPORTS)
    for format in exports:
        if format not in known:
            raise UnknownNameError(
                f"export: unknown format, got {format!r}; {', '.join(known)} are allowed; "
                + advice(format, known, "use one of these")
            )
        axis.load(EXPORTS, format)  # or says which extra it needs


def _write_set_aside(normalized: Path, path: Path) -> dict[str, Any]:
    """List what was set aside; numbers of it by reason, and the first sentences of each."""
    there = has_table(normalized, "quarantine")
    rows = read_table(normalized, "quarantine").to_pylist() if there else []
    write_csv(path, COLUMNS, ([row[name] for name in COLUMNS] for row in rows))
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row["reason"], []).append(row["detail"])
    reasons = sorted(by_reason, key=lambda reason: (-len(by_reason[reason]), reason))
    return {
        "total": len(rows),
        "by_reason": {reason: len(by_reason[reason]) for reason in reasons},
        "examples": {reason: by_reason[reason][:EXAMPLES] for reason in reasons},
    }
