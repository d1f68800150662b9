"""A dataset of one's own in params.yaml: checked first, added and removed in all its sections."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken

from samrs.core import axis
from samrs.core.errors import MissingInputError, ParameterError
from samrs.core.records import Quarantine
from samrs.core.tiling import windows
from samrs.normalize.normalize import DATASETS, normalize
from samrs.reading.scene_image import size_of

FRAME = 1024
"""Side of SAM's frame, px: larger scenes are made smaller to fit it unless they are tiled."""
TILE, OVERLAP = 1024, 200
CUT: dict[str, Any] = {
    "min_visible": 0.7,
    "clip": True,
    "pad": False,
    "keep_difficult": True,
    "stretch": 2.0,
    "max_quarantined": 0.01,
}
"""How scenes are cut unless the caller says otherwise, as ``normalize`` describes it."""
SECTIONS = ("datasets", "subsets", "normalize")


@dataclass(frozen=True)
class Found:
    """What a reader finds in a folder.

    Args:
        scenes: images that are read.
        boxes: their annotations.
        classes: number of classes.
        splits: scenes by split.
        quarantined: what is set aside, by reason.
        largest_side: of the images, px.
    """

    scenes: int
    boxes: int
    classes: int
    splits: Mapping[str, int]
    quarantined: Mapping[str, int]
    largest_side: int


def look(format: str, folder: Path) -> Found:
    """Read a dataset's annotations and the sizes of its images; no pixel is decoded.

    Args:
        format: a folder of ``samrs/datasets``.

    Raises:
        UnknownNameError: there is no such format.
        MissingInputError: there is no dataset of that format, or not one image with a box.
        AnnotationError: it does not parse.
    """
    module = axis.load(DATASETS, format, "read")
    quarantine = Quarantine()
    own = getattr(module, "categories", None)
    classes = module.CATEGORIES if own is None else own(folder)
    splits: dict[str, int] = {}
    boxes = largest = 0
    for scene in module.read_scenes(folder, quarantine):
        splits[scene.split] = splits.get(scene.split, 0) + 1
        boxes += len(scene.annotations)
        largest = max(largest, *(size_of(scene.image) or (0, 0)))
    counts = quarantine.counts()
    if not boxes:
        raise MissingInputError(
            f"{folder}: no boxes to make masks of, got {sum(splits.values())} images and set aside "
            f"{counts or 'nothing'}; a {format} dataset with boxes is needed; see docs/datasets.md"
        )
    return Found(sum(splits.values()), boxes, len(classes), splits, counts, largest)


def add(
    params: Path,
    format: str,
    folder: Path,
    name: str,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    val: float = 0.0,
) -> Found:
    """Add a dataset to params.yaml, whose comments stay.

    Args:
        params: the file; its folder is the project's.
        format: a folder of ``samrs/datasets``.
        folder: where the dataset lies; read where it is, never copied.
        name: what it is called from now on: in stages, products, cards and exports.
        tile: side of a tile in px; None tiles scenes that SAM's frame would make smaller, and no
            others.
        overlap: px shared by neighbouring tiles; None: a fifth of a tile.
        val: share of scenes that make the split val where the dataset has no splits.

    Returns:
        What was found in the folder.

    Raises:
        ParameterError: the name is taken, or is none that a stage or folder can have.
        MissingInputError, AnnotationError, UnknownNameError: as ``look``.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise ParameterError(
            f"add: name cannot be a stage's, got {name!r}; small letters, digits and _ are "
            "allowed, a letter first, 40 at most; choose another"
        )
    yaml, values = _read(params)
    taken = {*values["datasets"], *values["subsets"], *values["subsets"].values()}
    if name in taken:
        raise ParameterError(
            f"{params}: name is taken, got {name!r}; a name other than "
            f"{', '.join(sorted(taken))} is allowed; choose one with --name"
        )
    found = look(format, folder)
    if tile is None and found.largest_side > FRAME:
        tile = TILE
    if overlap is None:
        overlap = OVERLAP * (tile or 0) // TILE
    windows(1, 1, tile=tile, overlap=overlap)  # refuses an overlap that does not fit
    cut = {"tile": tile, "overlap": overlap, "val": val, **CUT}
    given = inspect.signature(normalize).parameters
    section = CommentedMap({key: cut[key] for key in given if key in cut})
    _append(values["datasets"], name, CommentedMap(format=format, path=_path(folder, params)))
    _append(values["subsets"], name, name)
    _append(values["normalize"], name, section)
    _write(params, yaml, values)
    return found


def remove(params: Path, name: str) -> None:
    """Take a dataset out of params.yaml again; its files stay where they are.

    Raises:
        ParameterError: it is not one that ``add`` added.
    """
    yaml, values = _read(params)
    own = [key for key in values["datasets"] if key not in values["download"]]
    if name not in own:
        raise ParameterError(
            f"{params}: no dataset of one's own, got {name!r}; {', '.join(own) or 'none'} can be "
            "removed; correct the name"
        )
    for section in SECTIONS:
        _drop(values[section], name)
    _write(params, yaml, values)


def _append(section: CommentedMap, name: str, value: Any) -> None:
    """Add an entry at the end of a section; what stands behind the section stays behind it."""
    behind = _take_behind(section, next(reversed(section)))
    section[name] = value
    _put_behind(section, name, behind)


def _drop(section: CommentedMap, name: str) -> None:
    """Remove an entry of a section; what stands behind the section stays behind it."""
    if name not in section:
        return
    behind = _take_behind(section, name) if next(reversed(section)) == name else None
    del section[name]
    if section:
        _put_behind(section, next(reversed(section)), behind)


def _leaf(section: CommentedMap, key: str) -> tuple[CommentedMap, str]:
    """The last line of an entry: where ruamel keeps the blank lines and comments that follow it."""
    while isinstance(section[key], CommentedMap):
        section, key = section[key], next(reversed(section[key]))
    return section, key


def _take_behind(section: CommentedMap, key: str) -> str | None:
    """Lines that follow an entry, taken from it; a comment on its own last line stays."""
    owner, leaf = _leaf(section, key)
    token = owner.ca.items[leaf][2] if leaf in owner.ca.items else None
    if token is None:
        return None
    own, _, behind = token.value.partition("\n")
    if own.strip():
        token.value = own + "\n"
    else:
        del owner.ca.items[leaf]
    return behind or None


def _put_behind(section: CommentedMap, key: str, behind: str | None) -> None:
    if behind is None:
        return
    owner, leaf = _leaf(section, key)
    if leaf in owner.ca.items:
        owner.ca.items[leaf][2].value += behind
    else:
        mark = CommentMark(0)
        owner.ca.items[leaf] = [None, None, CommentToken("\n" + behind, mark, None), None]


def _path(folder: Path, params: Path) -> str:
    """The folder as params.yaml holds it: relative where it lies in the project."""
    project, whole = params.resolve().parent, folder.resolve()
    return (whole.relative_to(project) if whole.is_relative_to(project) else whole).as_posix()


def _read(params: Path) -> tuple[YAML, CommentedMap]:
    if not params.is_file():
        raise MissingInputError(
            f"{params}: no such file, got a folder without a project; a checkout of the project is "
            "needed; run this in it"
        )
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.representer.add_representer(type(None), _null)
    values: CommentedMap = yaml.load(params.read_text(encoding="utf-8"))
    return yaml, values


def _null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _write(params: Path, yaml: YAML, values: CommentedMap) -> None:
    new = params.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        yaml.dump(values, file)
    new.replace(params)
