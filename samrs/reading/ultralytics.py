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
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

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
from samrs.reading.files import is_leftover, paths_below, printable
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


class File(NamedTuple):
    """A file of the set: its path as text, and its relative name for errors."""

    path: str
    name: str


class Picture(NamedTuple):
    """One image of the set.

    Attributes:
        scene_id: unique where the files' paths are.
        label: its file of labels; None for a negative.
    """

    scene_id: str
    split: str
    image: File
    label: File | None


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
    images, texts = _files(root)
    if not images:
        raise missing_dataset(root, "yolo", LAYOUT)
    splits = _Splits(root, said, {image.name for image in images}, quarantine)
    labels = {text.name.rpartition(".")[0]: text for text in texts if not _is_list(text.name)}
    there = {f"{name.rpartition('/')[0]}/".lstrip("/") for name in labels}
    beside: dict[str, str | None] = {}
    members: list[tuple[File, str, str]] = []
    used: set[str] = set()
    for image in images:
        folder, _, name = image.name.rpartition("/")
        if folder not in beside:
            beside[folder] = _label_folder(folder, there)
        if (split := splits.of(image.name)) is not None:
            members.append((image, folder, split))
        elif (place := beside[folder]) is not None:
            used.add(place + name.rpartition(".")[0])
    counts = Counter(folder for _, folder, _ in members)
    for folder in sorted(counts, key=lambda name: name.split("/")):
        if beside[folder] is None:
            set_folder_aside(folder or ".", counts[folder], quarantine)
    found = []
    for image, folder, split in members:
        if (place := beside[folder]) is None:
            continue
        file_name = image.name.rpartition("/")[2]
        stem = file_name.rpartition(".")[0]
        name = place + stem
        if name not in labels and place + file_name in labels:  # a.jpg.txt
            name = place + file_name
        used.add(name)
        scene_id = clean_id(stem)
        if len(counts) > 1:
            scene_id = f"{_prefix(folder, split)}_{scene_id}"
        found.append(Picture(scene_id, split, image, labels.get(name)))
    if not found:
        raise AnnotationError(
            f"{root}: a yolo dataset without labels, got {len(images)} images and no .txt file "
            f"that belongs to one; {LAYOUT} is needed; put the labels there"
        )
    _report_labels_alone(labels, used, quarantine)
    return sorted(found, key=lambda picture: picture.scene_id)  # those of one id: by path


def _files(root: Path) -> tuple[list[File], list[File]]:
    """The images and the text files of the set, sorted by path."""
    before = f"{root.as_posix().rstrip('/')}/"
    images: list[File] = []
    texts: list[File] = []
    for path in paths_below(root, (*IMAGE_SUFFIXES, ".txt")):
        file = File(path, printable(path.removeprefix(before)))
        (texts if path[-4:].lower() == ".txt" else images).append(file)
    return images, texts


def _is_list(name: str) -> bool:
    return name in NO_LABELS or name.endswith("/classes.txt")


def _label_folder(folder: str, there: Set[str]) -> str | None:
    """The folder with the labels of a folder of images, with a slash at its end; None without any.

    Args:
        folder: relative name.
        there: folders that hold labels.
    """
    before, _, after = f"/{folder}/".rpartition("/images/")
    places = [f"{before}/{word}/{after}".lstrip("/") for word in ("labels", "Labels")]
    places = [*(places if "/images/" in f"/{folder}/" else []), f"{folder}/".lstrip("/")]
    return next((place for place in places if place in there), None)


@lru_cache(maxsize=256)
def _prefix(folder: str, split: str) -> str:
    """What tells images of one name apart: their folder below ``images/``, or beside it."""
    before, found, after = f"/{folder}/".rpartition("/images/")
    folder = f"{before}/{after}" if found else f"{before}{after}"
    folder = folder.strip("/").replace("//", "/")
    return {"": split, "valid": "val"}.get(folder) or clean_id(folder)


def _report_labels_alone(
    labels: Mapping[str, File], used: set[str], quarantine: Quarantine
) -> None:
    """List labels without an image, of folders that hold labels of images; name other folders."""
    folders = {name.rpartition("/")[0] for name in used}
    left_over = set()
    for name in sorted(labels.keys() - used):
        folder = name.rpartition("/")[0]
        if folder not in folders:
            left_over.add(folder or ".")
            continue
        quarantine.tell(
            labels[name].name,
            "annotation without image",
            "no image of that name, got none in the folder images/ beside it; one is needed; add "
            "it or remove the file",
        )
    for folder in sorted(left_over):
        log.info("yolo: %s is not read, no folder of images goes with it", folder)


class _Splits:
    """Tells the split of an image, None for one of no split, which is listed with its folder."""

    def __init__(
        self, root: Path, said: Description, names: Set[str], quarantine: Quarantine
    ) -> None:
        self._root, self._quarantine, self._where = root, quarantine, said.where
        self._folders: dict[str, str] = {}
        self._listed: dict[str, str] = {}
        self._known: dict[str, str | None] = {}
        for split, entries in said.splits.items():
            for entry in entries:
                self._add(split, entry, said.path, names)
        self._any = bool(self._folders or self._listed)

    def of(self, name: str) -> str | None:
        if name in self._listed:
            return self._listed[name]
        folder = name.rpartition("/")[0]
        if folder not in self._known:
            self._known[folder] = self._of_folder(folder)
        return self._known[folder]

    def _of_folder(self, folder: str) -> str | None:
        parents = [*(f"{parent}/" for parent in _parents(folder)), ""]
        if (named := next((p for p in parents if p in self._folders), None)) is not None:
            return self._folders[named]
        if (split := split_of_folders(f"{folder}/")) is not None:
            return split
        if not self._any:
            return _prefix(folder, "all")
        where = folder or "."
        self._quarantine.tell(
            where,
            "images of no split",
            "its images are of no split, got none in data.yaml that names it; train, val and test "
            "are allowed; name the folder there or remove it",
        )
        return None

    def _add(self, split: str, entry: str, path: str, names: Set[str]) -> None:
        place = self._place(entry, path)
        if place is None:
            return
        if place.is_dir():
            folder = "" if place == self._root else f"{relative_name(place, self._root)}/"
            other = self._folders.setdefault(folder, split)
            if other != split:
                self._quarantine.tell(
                    self._where,
                    "folder in two splits",
                    f"folder in two splits, got {entry!r} for {split}, which is of {other} "
                    f"already; one split an image is allowed; it is read as {other}, correct the "
                    "file",
                )
            return
        where = relative_name(place, self._root)
        for number, line in enumerate(read_text(place, where).splitlines(), start=1):
            if line.strip():
                self._add_listed(split, line.strip(), where, number, names)

    def _add_listed(self, split: str, line: str, where: str, number: int, names: Set[str]) -> None:
        parts = [part for part in line.replace("\\", "/").split("/") if part not in ("", ".")]
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        name = next((end for end in ends if end in names), None)
        reason, got = "listed image is missing", f"{line!r}, which is not there"
        if name is not None:
            other = self._listed.setdefault(name, split)
            if other == split:
                return
            reason, got = "image in two splits", f"{line!r}, which is of {other} already"
        self._quarantine.tell(
            where,
            reason,
            f"{reason}, got {got}; each image in one list is allowed; correct the list",
            number,
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


def _parents(folder: str) -> Iterator[str]:
    """A folder and those above it, innermost first, without the root."""
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
