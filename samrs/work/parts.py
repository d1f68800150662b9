"""Finished parts of a product, which the next run takes as they are instead of making them again.

    <folder>/<job>/<key>/part                        sealed JSON: what it holds, sha256 of its files
    <folder>/<job>/<key>/tiles-00000.parquet ...     its files, under the names they were made by

The job is a hash of all that decides every part (parameters, code, libraries: ``fingerprint.py``),
the key one of what this part is made from. Files are hard links to those of the product, so that
keeping them takes no room; across file systems they are copies. A file is read once when it is
taken, to compare its sha256; a part that a crash, a bad sector or an editor changed is removed and
made again. A run that ends well removes the parts that it did not use.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from samrs.core.errors import naming
from samrs.core.shards import json_text, sha256
from samrs.work import lock
from samrs.work.kept import keep, kept

log = logging.getLogger("samrs")

ABOUT = "part"
"""File of a part that says what it holds; the others are the product's."""


class Part(NamedTuple):
    """A kept part.

    Attributes:
        key: its name among those of the job.
        folder: where its files lie.
        about: what its maker said of it.
        files: names of its files in order, and the sha256 of each.
    """

    key: str
    folder: Path
    about: dict[str, Any]
    files: dict[str, str]


class Parts:
    """The kept parts of one product; a context manager, which holds the folder's lock.

    Args:
        folder: of this product's kept work; made if missing.
        job: a name of all that decides every part, see ``work/fingerprint.py``.
        does: what a process does there, for the error of a second one.

    Attributes:
        folder: as given.
        job: the folder of this job's parts.

    Raises:
        ProductError: another process works with this folder now.
    """

    def __init__(self, folder: Path, job: str, does: str) -> None:
        self.folder, self.job = folder, folder / job
        self._lock = lock.locked(folder, does, lock.PATIENCE)
        self.job.mkdir(parents=True, exist_ok=True)
        self._used: set[str] = set()
        self._sound: set[str] = set()
        self._parts = dict(self._found())

    def _found(self) -> Iterator[tuple[str, Part]]:
        """The parts that are whole by their names; what a killed run left half is removed."""
        for place in sorted(self.job.iterdir()):
            content = kept(place / ABOUT) if place.is_dir() else None
            if content is None:
                _remove(place)
                continue
            said = json.loads(content)
            yield place.name, Part(place.name, place, said["about"], said["files"])

    def __iter__(self) -> Iterator[Part]:
        return iter(list(self._parts.values()))

    def get(self, key: str) -> Part | None:
        """A part, None where it is not kept; its files are not looked at yet.

        Args:
            key: a hash of what the part is made from.
        """
        return self._parts.get(key)

    def sound(self, part: Part) -> bool:
        """Whether a part's files are what they were; a damaged part is removed.

        Args:
            part: of these.
        """
        if part.key in self._sound:
            return True
        for name, digest in part.files.items():
            if not _is(part.folder / name, digest):
                self._drop(part, name)
                return False
        self._sound.add(part.key)
        return True

    def take(self, part: Part, targets: Mapping[str, Path]) -> bool:
        """Put a part's files into a product; False where one was damaged, and none is there then.

        Args:
            part: of these.
            targets: where each file goes, by its name in the part; no such file is there yet.
        """
        for name, target in targets.items():
            with naming(target), suppress(FileNotFoundError):
                _link(part.folder / name, target)
            # what the product has is what is read: once, and after it was copied
            known = part.key in self._sound and target.exists()
            if not known and not _is(target, part.files[name]):
                for other in targets.values():
                    other.unlink(missing_ok=True)
                self._drop(part, name)
                return False
        self._used.add(part.key)
        return True

    def keep(
        self, key: str, about: Mapping[str, Any], files: Sequence[Path], digests: Mapping[str, str]
    ) -> None:
        """Keep a part of a product, whole or not at all.

        A disk without room for it is no fault of the product: it is told, and the part made again.

        Args:
            key: a hash of what the part is made from.
            about: JSON values that its user wants back.
            files: those of the product, which stay where they are; names are unique.
            digests: sha256 of each by its name.
        """
        named = {file.name: digests[file.name] for file in files}
        place, half = self.job / key, self.job / f"{key}.half"
        content = json_text({"about": dict(about), "files": named}, ascii=True).encode()
        try:
            _remove(half)
            half.mkdir()
            for file in files:
                _link(file, half / file.name)
            keep(half / ABOUT, content)
            _remove(place)
            half.rename(place)
        except OSError as error:
            with suppress(OSError):
                _remove(half)
            log.warning("%s: not kept, got %s; the next run makes it again", place, error)
            return
        self._parts[key] = Part(key, place, json.loads(content)["about"], named)
        self._used.add(key)
        self._sound.add(key)

    def prune(self) -> None:
        """Remove what the run that ends here did not use: other jobs, and parts that are gone."""
        for place in self.job.iterdir():
            if place.name not in self._used:
                _remove(place)
        for other in self.folder.iterdir():
            if other.is_dir() and other != self.job:
                _remove(other)

    def _drop(self, part: Part, name: str) -> None:
        log.warning("%s: damaged, removed; it is made again", part.folder / name)
        self._parts.pop(part.key, None)
        _remove(part.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._lock.close()


def _is(path: Path, digest: str) -> bool:
    try:
        return sha256(path) == digest
    except OSError:
        return False


def _link(source: Path, target: Path) -> None:
    """The file under a second name; a copy where the file system has no such names.

    Raises:
        OSError: there is no such file, or no room for a copy.
    """
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
