"""Which image a name in an annotation file means: looked up among those there, never opened."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from samrs.core.names import clean_id
from samrs.reading.annotations import relative_name
from samrs.reading.splits import split_of_folders


class Images:
    """Finds an image by the name that an annotation file has for it.

    Args:
        paths: of all images.
        root: the dataset's folder.
    """

    def __init__(self, paths: Sequence[Path], root: Path) -> None:
        self._root = root
        self._by_name = {self._below(path): path for path in paths}
        self._by_last: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            self._by_last[_composed(path.name)].append(path)
            self._by_stem[_composed(path.stem)].append(path)

    def named(self, name: str, told_in: str, split: str | None = None) -> list[Path]:
        """The images that a name may mean: one where all is well.

        By its path below the dataset's folder, ``images/`` or the annotation file's own folder;
        else by the longest end of its path that some image has; of several those in a folder of the
        split.

        Args:
            told_in: relative name of the annotation file.
            split: that of the annotation file; None where it has none.
        """
        parts = PurePosixPath(_tidy(name)).parts
        tidy = "/".join(parts)
        own = told_in.rpartition("/")[0]
        for folder in dict.fromkeys((f"{own}/", f"{own}/images/", "", "images/")):
            if (exact := self._by_name.get(f"{folder.lstrip('/')}{tidy}")) is not None:
                return [exact]
        found = self._by_last.get(parts[-1], []) if parts else []
        for count in range(len(parts), 0, -1):
            end = "/" + "/".join(parts[-count:])
            if fitting := [p for p in found if f"/{self._below(p)}".endswith(end)]:
                found = fitting
                break
        in_split = [p for p in found if split_of_folders(self._below(p)) == split]
        return in_split if len(found) > 1 and split is not None else list(found)

    def beside(self, told_in: str) -> list[Path]:
        """The images that have an annotation file's name but for the suffix.

        Of several those in the file's own folder.

        Args:
            told_in: relative name of the annotation file.
        """
        found = self._by_stem.get(_composed(Path(told_in).stem), [])
        own = told_in.rpartition("/")[0]
        near = [p for p in found if self._below(p).rpartition("/")[0] == own]
        return near if len(found) > 1 and near else list(found)

    def stem(self, name: str, path: Path) -> str:
        """The scene's id: the name without suffix; that of the file found where it is absolute."""
        tidy = _tidy(name)
        if _is_absolute(name):
            tidy = self._below(path).removeprefix("images/")
        return clean_id(tidy.rsplit(".", 1)[0])

    def _below(self, path: Path) -> str:
        return _composed(relative_name(path, self._root))


def _is_absolute(name: str) -> bool:
    return PurePosixPath(name).is_absolute() or bool(PureWindowsPath(name).drive)


def _tidy(name: str) -> str:
    """A file_name with forward slashes, without drive, root and ``./``; composed."""
    name = name.replace("\\", "/")
    if len(name) > 1 and name[1] == ":":
        name = name[2:]
    return "/".join(part for part in _composed(name).split("/") if part not in ("", "."))


def _composed(name: str) -> str:
    """A name in Unicode's composed form: some systems write é as one letter, some as two."""
    return unicodedata.normalize("NFC", name)
