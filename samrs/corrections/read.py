"""Corrections from their files: read strictly, since people and merges write them, too."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.errors import AnnotationError, MissingInputError, advice
from samrs.core.runs import rle_runs
from samrs.corrections.records import (
    KINDS,
    VERDICTS,
    Added,
    Anchor,
    Answer,
    Box,
    ClassChange,
    Clicks,
    Corrections,
    Drawn,
    Key,
    Points,
    Record,
    Verdict,
    finite,
    mask_of,
    rounded_box,
    rounded_points,
)

COLUMNS = {
    Verdict.FILE: ("instance_id", "tile_id", "annotated", "mask", "verdict", "reason"),
    ClassChange.FILE: ("instance_id", "tile_id", "annotated", "old", "new"),
}
"""Columns of the CSV files; boxes are four numbers with blanks between them."""

ANCHOR = ("instance_id", "tile_id", "annotated")
FIELDS = {
    Clicks.FILE: (*ANCHOR, "positive", "negative", "box", "answer"),
    Drawn.FILE: (*ANCHOR, "rle"),
    Added.FILE: (*ANCHOR, "category"),
}
"""Keys of each line of the JSON files."""
ANSWER = (
    "rle", "segmenter", "model", "model_sha256", "precision", "predicted_iou", "stability_score",
)  # fmt: skip

IGNORED = re.compile(r"^\.|^README\.md$|\.part$")
LONGEST = 1000
"""Characters of a text."""
LARGEST_SIDE = 65500
"""Px of a tile."""

Fields = Mapping[str, Any]


def read_corrections(folder: Path, categories: Sequence[str] | None = None) -> Corrections:
    """The corrections of a dataset.

    Args:
        folder: ``data/corrections/<dataset>``; files that are not there hold nothing.
        categories: the dataset's classes; None: any name is one.

    Raises:
        MissingInputError: there is no such folder.
        AnnotationError: a file or line of it is none of these, or one instance has two.
    """
    records: dict[Key, Record] = {}
    for name, data in read_files(folder).items():
        records |= parsed(name, data, folder, categories)
    return Corrections(records)


def read_files(folder: Path) -> dict[str, bytes]:
    """The files of a folder of corrections by name, those that there are.

    Raises:
        MissingInputError: there is no such folder.
        AnnotationError: it holds a file that is none of corrections.
    """
    if not folder.is_dir():
        raise MissingInputError(
            f"{folder}: no such folder, got nothing there; a folder of corrections is needed, an "
            "empty one is none; make it"
        )
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name in KINDS and path.is_file():
            found[path.name] = path.read_bytes()
        elif not IGNORED.search(path.name):
            raise AnnotationError(
                f"{path}: not a file of corrections, got this name; {', '.join(sorted(KINDS))} are "
                f"allowed; {advice(path.name, KINDS, 'remove it')}"
            )
    return found


def parsed(
    name: str, data: bytes, folder: Path, categories: Sequence[str] | None = None
) -> dict[Key, Record]:
    """The records of one file by key.

    Args:
        name: one of KINDS.
        data: the file's bytes.
        folder: where it lies, for errors.
        categories: as of ``read_corrections``.

    Raises:
        AnnotationError: as ``read_corrections``.
    """
    path = folder / name
    found = list((_csv_records if name in COLUMNS else _json_records)(path, data))
    _check_masks(path, found)
    if categories is not None:
        _check_classes(path, found, categories)
    records: dict[Key, Record] = {}
    for record in found:
        if record.key in records:
            raise AnnotationError(
                f"{path}:{record.line}: instance stands here twice, got "
                f"{record.anchor.instance_id!r} in line {records[record.key].line}, too; one "
                "line for each is allowed; remove one of them"
            )
        records[record.key] = record
    return records


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise AnnotationError(
            f"{path}:{line}: not a text, got byte {data[error.start]:#04x}; UTF-8 is allowed; "
            "write the file again"
        ) from error


def _csv_records(path: Path, data: bytes) -> Iterator[Record]:
    columns = COLUMNS[path.name]
    reader = csv.reader(StringIO(_text(path, data), newline=""), strict=True)
    rows = _csv_rows(path, reader)
    head = next(rows, None)
    if head is None:
        return
    if tuple(head[1]) != columns:
        odd = sorted(set(head[1]) ^ set(columns)) or ["another order"]
        raise AnnotationError(
            f"{path}:{head[0]}: other columns, got {', '.join(head[1])}; {', '.join(columns)} are "
            f"allowed; see to {', '.join(odd)}"
        )
    for line, cells in rows:
        where = f"{path}:{line}"
        if len(cells) != len(columns):
            raise AnnotationError(
                f"{where}: cells do not fit the columns, got {len(cells)}; {len(columns)} are "
                "allowed; correct the line"
            )
        fields: dict[str, Any] = dict(zip(columns, cells, strict=True))
        fields["annotated"] = _numbers(where, fields["annotated"])
        yield MAKERS[path.name](where, fields, line)


def _csv_rows(path: Path, reader: Any) -> Iterator[tuple[int, list[str]]]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise AnnotationError(
                f"{path}:{reader.line_num}: not CSV, got {error}; commas between cells are "
                "allowed; correct the line"
            ) from error
        if row:
            yield reader.line_num, row


def _numbers(where: str, text: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError as error:
        raise AnnotationError(
            f"{where}: annotated is no box, got {text[:100]!r}; four numbers x0 y0 x1 y1 are "
            "allowed; correct it"
        ) from error


def _json_records(path: Path, data: bytes) -> Iterator[Record]:
    for number, line in enumerate(_text(path, data).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        fields = _object(where, _json(where, line), FIELDS[path.name], "the line")
        yield MAKERS[path.name](where, fields, number)


def _json(where: str, line: str) -> Any:
    try:
        return json.loads(line, object_pairs_hook=partial(_pairs, where))
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        raise AnnotationError(
            f"{where}: not JSON, got {getattr(error, 'msg', error)}; one object a line is allowed; "
            "correct the line"
        ) from error


def _pairs(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise AnnotationError(
            f"{where}: a key stands in an object twice, got {sorted(k for k, _ in pairs)}; each "
            "once is allowed; remove one"
        )
    return found


def _object(where: str, value: Any, keys: Sequence[str], what: str) -> dict[str, Any]:
    """An object that has these keys and no others."""
    if not isinstance(value, dict):
        raise AnnotationError(
            f"{where}: {what} is no object, got {str(value)[:100]!r}; one with the keys "
            f"{', '.join(keys)} is allowed; correct the line"
        )
    for key in value:
        if key not in keys:
            raise AnnotationError(
                f"{where}: unknown key, got {key[:100]!r}; {', '.join(keys)} are allowed; "
                + advice(key, keys, "remove it")
            )
    for key in keys:
        if key not in value:
            raise AnnotationError(
                f"{where}: a key is missing, got no {key!r}; {', '.join(keys)} are needed; add it"
            )
    return value


def _word(where: str, fields: Fields, key: str, *, empty: bool = False) -> str:
    value = fields[key]
    fits = isinstance(value, str) and len(value) <= LONGEST and (empty or bool(value))
    if not fits or re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", value):
        raise AnnotationError(
            f"{where}: {key} is no such text, got {str(value)[:100]!r}; one line of "
            f"{0 if empty else 1} to {LONGEST} characters is allowed; correct it"
        )
    return str(value)


def _floats(where: str, value: Any, number: int, key: str) -> list[float]:
    plain = isinstance(value, list) and all(type(v) in (int, float) for v in value)
    if not plain or len(value) != number or not finite(value):
        raise AnnotationError(
            f"{where}: {key} is not {number} numbers, got {str(value)[:100]}; finite numbers in "
            "px are allowed; correct it"
        )
    return [float(v) for v in value]


def _box(where: str, fields: Fields, key: str) -> Box:
    box = rounded_box(_floats(where, fields[key], 4, key))
    if not (box[0] < box[2] and box[1] < box[3]):
        raise AnnotationError(
            f"{where}: {key} is no box, got {list(box)}; x0 < x1 and y0 < y1 in px are needed; "
            "correct it"
        )
    return box


def _points(where: str, fields: Fields, key: str) -> Points:
    value = fields[key]
    if not isinstance(value, list):
        raise AnnotationError(
            f"{where}: {key} is no list of points, got {str(value)[:100]!r}; [[x, y], ...] in px "
            "is allowed; correct it"
        )
    return rounded_points(_floats(where, point, 2, f"a point of {key}") for point in value)


def _rle(where: str, fields: Fields) -> Any:
    rle = _object(where, fields["rle"], ("size", "counts"), "rle")
    size = _floats(where, rle["size"], 2, "size of rle")
    whole = all(v == int(v) and 1 <= v <= LARGEST_SIDE for v in size)
    if not whole or not isinstance(rle["counts"], str) or not rle["counts"].isascii():
        raise AnnotationError(
            f"{where}: rle is no mask, got size {rle['size']}; COCO's run-length encoding "
            "with height and width in px and counts as text is allowed; write it again"
        )
    return {"size": [int(v) for v in size], "counts": rle["counts"]}


def _anchor(where: str, fields: Fields) -> Anchor:
    return Anchor(
        instance_id=_word(where, fields, "instance_id"),
        tile_id=_word(where, fields, "tile_id"),
        annotated=_box(where, fields, "annotated"),
    )


def _verdict(where: str, fields: Fields, line: int) -> Verdict:
    verdict, mask = _word(where, fields, "verdict"), _word(where, fields, "mask")
    if verdict not in VERDICTS:
        raise AnnotationError(
            f"{where}: unknown verdict, got {verdict!r}; {', '.join(VERDICTS)} are allowed; "
            + advice(verdict, VERDICTS, "use one of these")
        )
    if not re.fullmatch(r"[0-9a-f]{16}", mask):
        raise AnnotationError(
            f"{where}: mask is no digest, got {mask[:100]!r}; 16 hex digits that tell which mask "
            "was judged are allowed; judge it again"
        )
    reason = _word(where, fields, "reason", empty=True)
    return Verdict(
        anchor=_anchor(where, fields), line=line, verdict=verdict, mask=mask, reason=reason
    )


def _class_change(where: str, fields: Fields, line: int) -> ClassChange:
    old, new = (_word(where, fields, key) for key in ("old", "new"))
    return ClassChange(anchor=_anchor(where, fields), line=line, old=old, new=new)


def _clicks(where: str, fields: Fields, line: int) -> Clicks:
    positive, negative = (_points(where, fields, key) for key in ("positive", "negative"))
    box = None if fields["box"] is None else _box(where, fields, "box")
    if not positive and box is None:
        raise AnnotationError(
            f"{where}: nothing to ask with, got no box and no positive point; one of them is "
            "needed; add it"
        )
    answer = None if fields["answer"] is None else _answer(where, fields["answer"])
    return Clicks(
        anchor=_anchor(where, fields),
        line=line,
        positive=positive,
        negative=negative,
        box=box,
        answer=answer,
    )


def _answer(where: str, value: Any) -> Answer:
    fields = _object(where, value, ANSWER, "answer")
    scores: dict[str, Any] = {}
    for key in ("predicted_iou", "stability_score"):
        score = fields[key]
        scores[key] = None if score is None else _floats(where, [score], 1, key)[0]
    words: dict[str, Any] = {key: _word(where, fields, key, empty=True) for key in ANSWER[1:5]}
    return Answer(rle=_rle(where, fields), **(words | scores))


def _drawn(where: str, fields: Fields, line: int) -> Drawn:
    return Drawn(anchor=_anchor(where, fields), line=line, rle=_rle(where, fields))


def _added(where: str, fields: Fields, line: int) -> Added:
    category = _word(where, fields, "category")
    return Added(anchor=_anchor(where, fields), line=line, category=category)


MAKERS: Mapping[str, Callable[[str, Fields, int], Record]] = {
    Verdict.FILE: _verdict,
    ClassChange.FILE: _class_change,
    Clicks.FILE: _clicks,
    Drawn.FILE: _drawn,
    Added.FILE: _added,
}


def _check_masks(path: Path, records: Sequence[Record]) -> None:
    """Refuse masks that do not decode, all at once."""
    masks = [(record.line, rle) for record in records if (rle := mask_of(record)) is not None]
    if not masks:
        return
    runs = rle_runs([rle for _, rle in masks])
    totals = np.array([height * width for _, rle in masks for height, width in [rle["size"]]])
    wrong = runs.bad | (runs.totals() != totals) | (runs.areas() == 0)
    for place in np.flatnonzero(wrong)[:1]:
        line, rle = masks[place]
        raise AnnotationError(
            f"{path}:{line}: rle is no mask of its size, got {rle['size']} with "
            f"{int(runs.totals()[place])} px, {int(runs.areas()[place])} of them of the object; "
            "height x width px with 1 or more of the object are needed; reject what has none"
        )


def _check_classes(path: Path, records: Sequence[Record], categories: Sequence[str]) -> None:
    for record in records:
        new = getattr(record, "category", getattr(record, "new", None))
        if new is not None and new not in categories:
            raise AnnotationError(
                f"{path}:{record.line}: unknown class, got {new!r}; {', '.join(categories)} are "
                f"allowed; {advice(new, categories, 'correct it')}"
            )
