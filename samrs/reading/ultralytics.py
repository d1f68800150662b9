"""Where a set in Ultralytics' layout has its images, labels, splits and class names.

What ``data.yaml`` says comes first: ``train``, ``val`` and ``test`` are folders, lists of folders
or ``.txt`` lists of images, and a folder below a listed one belongs to it. Others are of the split
that their name means (``reading/splits.py``). An image's labels lie under the same path with
``labels`` for the last ``images``, else beside it.

All that ``data.yaml`` says is text as it stands there. Ultralytics reads YAML 1.1, where ``names:
[yes, no]`` are two truth values and ``010`` is 8; a class's name is what its owner wrote.

An image without labels is a negative only where its folder has labels of others: a folder without
any was not annotated, or its labels were not found.
"""

from __future__ import annotations

import logging
import reprlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samrs.core.errors import AnnotationError
from samrs.core.names import clean_id
from samrs.core.parameters import BAD_YAML, load_yaml
from samrs.core.records import Quarantine
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    missing_dataset,
    read_text,
    relative_name,
    set_folder_aside,
)
from samrs.reading.files import files_below, is_leftover
from samrs.reading.splits import SPLITS, split_of_folders

log = logging.getLogger("samrs")

LAYOUT = "data.yaml or classes.txt, images/ and labels/*.txt"
NO_LABELS = ("classes.txt", "labels.txt", "train.txt", "val.txt", "test.txt")
"""Text files at the top of a set that are no labels; ``classes.txt`` is none anywhere."""


@dataclass(frozen=True)
class Description:
    """What ``data.yaml`` or ``classes.txt`` say.

    Args:
        names: of the classes, by number.
        splits: entries of train, val and test as they stand there: folders or lists.
        path: the folder that those are told from, as it stands there.
        keypoints: numbers after a box on each line, where ``kpt_shape`` declares some; else 0.
        where: the file that says so.
    """

    names: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    path: str
    keypoints: int
    where: str


@dataclass(frozen=True)
class Picture:
    """One image of the set.

    Args:
        scene_id: unique where the files' paths are.
        label: its file of labels; None for a negative.
    """

    scene_id: str
    split: str
    image: Path
    label: Path | None


def describe(root: Path) -> Description:
    """Read ``data.yaml``, else another YAML with ``names``, else ``classes.txt``.

    Raises:
        MissingInputError: there is no such file.
        AnnotationError: it does not parse, or two classes share a name.
    """
    files = sorted((*root.glob("*.yaml"), *root.glob("*.yml")), key=lambda p: (p.stem != "data", p))
    files = [path for path in files if not is_leftover(path.name)]
    listed = root / "classes.txt"
    if not (files or listed.is_file()):
        raise missing_dataset(root, "yolo", LAYOUT)
    values: dict[str, Any] = {}
    where = relative_name(listed, root)
    for path in files:
        where = relative_name(path, root)
        values = _mapping(read_text(path, where), where)
        if "names" in values:
            break
    if files and ("names" in values or not listed.is_file()):
        names = _names(values.get("names"), where)
    else:
        where = relative_name(listed, root)
        lines = [line.strip() for line in read_text(listed, where).rstrip().split("\n")]
        # a blank line has its number, as every line has
        names = [line or f"class {number}" for number, line in enumerate(lines)]
    if len(set(names)) != len(names):
        raise AnnotationError(
            f"{where}:1: two classes share a name, got {names}; distinct names are allowed; "
            "correct the file"
        )
    splits = {split: _entries(values[split]) for split in SPLITS if values.get(split)}
    path_told = values.get("path")
    return Description(
        tuple(names),
        {split: entries for split, entries in splits.items() if entries},
        path_told if isinstance(path_told, str) else "",
        _keypoints(values.get("kpt_shape"), where),
        where,
    )


def _mapping(text: str, where: str) -> dict[str, Any]:
    try:
        value = load_yaml(text, as_text=True)
    except BAD_YAML as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        said = " ".join(str(error).split())
        raise AnnotationError(
            f"{where}:{line}: not YAML, got {said:.200}; a YAML file with names, each number once, "
            "is allowed; correct the file"
        ) from error
    return value if isinstance(value, dict) else {}


def _names(names: Any, where: str) -> list[str]:
    if isinstance(names, dict) and all(map(_is_number, names)):
        numbered = {int(key): name for key, name in names.items()}
        in_order = sorted(numbered) == list(range(len(names)))
        names = [numbered[number] for number in range(len(names))] if in_order else names
    fits = isinstance(names, list) and all(isinstance(n, str) and n.strip() for n in names)
    if not fits or not names:
        raise AnnotationError(
            f"{where}:1: no class names, got names: {reprlib.repr(names)}; a list, or a map from "
            "0 on, is allowed; correct the file"
        )
    return [name.strip() for name in names]


def _is_number(text: Any) -> bool:
    return isinstance(text, str) and text.isdecimal() and text.isascii() and len(text) < 10


def _entries(value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(entry for entry in listed if isinstance(entry, str) and entry.strip())


def _keypoints(shape: Any, where: str) -> int:
    if not shape or shape in ("null", "~"):
        return 0
    if not (isinstance(shape, list) and len(shape) == 2 and all(map(_is_number, shape))):
        raise AnnotationError(
            f"{where}:1: kpt_shape does not parse, got {reprlib.repr(shape)}; [points, numbers of "
            "each] is allowed; correct the file"
        )
    return int(shape[0]) * int(shape[1])


def find_pictures(root: Path, said: Description, quarantine: Quarantine) -> list[Picture]:
    """The images with their splits and labels, sorted by scene id; what is left out is listed.

    Args:
        said: what ``data.yaml`` and the like say.

    Raises:
        MissingInputError: there is no image.
        AnnotationError: no image has labels, wherever they might lie.
    """
    images = files_below(root, IMAGE_SUFFIXES)
    if not images:
        raise missing_dataset(root, "yolo", LAYOUT)
    splits = _Splits(root, said, images, quarantine)
    texts = (p for p in files_below(root, (".txt",)) if not _is_list(p, root))
    labels = {relative_name(path, root).rpartition(".")[0]: path for path in texts}
    folders: dict[Path, list[tuple[Path, str]]] = defaultdict(list)
    there = {f"{name.rpartition('/')[0]}/".lstrip("/") for name in labels}
    used: set[str] = set()
    for image in images:
        if (split := splits.of(image)) is not None:
            folders[image.parent].append((image, split))
        elif beside := _label_folder(relative_name(image, root), there):
            used.add(f"{beside}{image.stem}")
    several = len(folders) > 1
    found = []
    for folder, members in sorted(folders.items()):
        beside = _label_folder(relative_name(members[0][0], root), there)
        if beside is None:
            set_folder_aside(relative_name(folder, root), len(members), quarantine)
            continue
        for image, split in members:
            name = f"{beside}{image.stem}"
            if name not in labels and f"{beside}{image.name}" in labels:  # a.jpg.txt
                name = f"{beside}{image.name}"
            used.add(name)
            prefix = _prefix(relative_name(image, root), split)
            scene_id = f"{prefix}_{clean_id(image.stem)}" if several else clean_id(image.stem)
            found.append(Picture(scene_id, split, image, labels.get(name)))
    if not found:
        raise AnnotationError(
            f"{root}: a yolo dataset without labels, got {len(images)} images and no .txt file "
            f"that belongs to one; {LAYOUT} is needed; put the labels there"
        )
    _report_labels_alone(labels, used, root, quarantine)
    return sorted(found, key=lambda picture: (picture.scene_id, picture.image))


def _is_list(path: Path, root: Path) -> bool:
    return path.name == "classes.txt" or (path.parent == root and path.name in NO_LABELS)


def _label_folder(image: str, there: Set[str]) -> str | None:
    """The folder with the labels of an image's folder, with a slash at its end; None without any.

    Args:
        image: relative name of one of the images.
        there: folders that hold labels.
    """
    folder = image.rpartition("/")[0]
    before, _, after = f"/{folder}/".rpartition("/images/")
    places = [f"{before}/{word}/{after}".lstrip("/") for word in ("labels", "Labels")]
    places = [*(places if "/images/" in f"/{folder}/" else []), f"{folder}/".lstrip("/")]
    return next((place for place in places if place in there), None)


def _prefix(image: str, split: str) -> str:
    """What tells images of one name apart: their folder below ``images/``, or beside it."""
    before, found, after = f"/{image.rpartition('/')[0]}/".rpartition("/images/")
    folder = f"{before}/{after}" if found else f"{before}{after}"
    folder = folder.strip("/").replace("//", "/")
    return {"": split, "valid": "val"}.get(folder) or clean_id(folder)


def _report_labels_alone(
    labels: Mapping[str, Path], used: set[str], root: Path, quarantine: Quarantine
) -> None:
    """List labels without an image, of folders that hold labels of images; name other folders."""
    folders = {name.rpartition("/")[0] for name in used}
    left_over = set()
    for name in sorted(labels.keys() - used):
        folder = name.rpartition("/")[0]
        if folder not in folders:
            left_over.add(folder or ".")
            continue
        where = relative_name(labels[name], root)
        quarantine.add(
            where,
            None,
            "annotation without image",
            f"{where}: no image of that name, got none in the folder images/ beside it; one is "
            "needed; add it or remove the file",
        )
    for folder in sorted(left_over):
        log.info("yolo: %s is not read, no folder of images goes with it", folder)


class _Splits:
    """Tells the split of an image, None for one of no split, which is listed with its folder."""

    def __init__(
        self, root: Path, said: Description, images: list[Path], quarantine: Quarantine
    ) -> None:
        self._root, self._quarantine, self._where = root, quarantine, said.where
        self._folders: dict[str, str] = {}
        self._listed: dict[str, str] = {}
        self._outside: set[str] = set()
        names = {relative_name(path, root) for path in images}
        for split, entries in said.splits.items():
            for entry in entries:
                self._add(split, entry, said.path, names)
        self._any = bool(self._folders or self._listed)

    def of(self, image: Path) -> str | None:
        name = relative_name(image, self._root)
        if name in self._listed:
            return self._listed[name]
        parents = [f"{p}/" for p in _parents(name)]
        if (folder := next((p for p in parents if p in self._folders), None)) is not None:
            return self._folders[folder]
        if (split := split_of_folders(name)) is not None:
            return split
        if not self._any:
            return _prefix(name, "all")
        folder = name.rpartition("/")[0] or "."
        if folder not in self._outside:
            self._outside.add(folder)
            self._quarantine.add(
                folder,
                None,
                "images of no split",
                f"{folder}: its images are of no split, got none in data.yaml that names "
                "it; train, val and test are allowed; name the folder there or remove it",
            )
        return None

    def _add(self, split: str, entry: str, path: str, names: set[str]) -> None:
        place = self._place(entry, path)
        if place is None:
            return
        if place.is_dir():
            folder = "" if place == self._root else f"{relative_name(place, self._root)}/"
            other = self._folders.setdefault(folder, split)
            if other != split:
                self._quarantine.add(
                    self._where,
                    None,
                    "folder in two splits",
                    f"{self._where}: folder in two splits, got {entry!r} for {split}, which is of "
                    f"{other} already; one split an image is allowed; it is read as {other}, "
                    "correct the file",
                )
            return
        where = relative_name(place, self._root)
        for number, line in enumerate(read_text(place, where).splitlines(), start=1):
            if line.strip():
                self._add_listed(split, line.strip(), where, number, names)

    def _add_listed(self, split: str, line: str, where: str, number: int, names: set[str]) -> None:
        parts = [part for part in line.replace("\\", "/").split("/") if part not in ("", ".")]
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        name = next((end for end in ends if end in names), None)
        reason, got = "listed image is missing", f"{line!r}, which is not there"
        if name is not None:
            other = self._listed.setdefault(name, split)
            if other == split:
                return
            reason, got = "image in two splits", f"{line!r}, which is of {other} already"
        self._quarantine.add(
            where,
            number,
            reason,
            f"{where}:{number}: {reason}, got {got}; each image in one list is allowed; correct "
            "the list",
        )

    def _place(self, entry: str, path: str) -> Path | None:
        """The folder or list that an entry means, below the set's folder; None where none is."""
        entry = entry.replace("\\", "/")
        root = self._root.resolve()
        for told in (entry, f"{path}/{entry}", entry.lstrip("./")):
            place = (root / told).resolve()
            if place.is_relative_to(root) and place.exists():
                return self._root / place.relative_to(root)
        return None


def _parents(name: str) -> Iterator[str]:
    """The folders above a file, innermost first, without the root."""
    folder = name.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
