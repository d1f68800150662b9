"""A folder of corrections that several windows write to, and that a crash does not hurt.

A change says what its window last saw of each record that it replaces. Where that is not what
stands on the disk, somebody else was there first: nothing is written, and the window is told.
Whoever reads in between, and whatever is killed, finds whole files.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from samrs.core.errors import SamrsError
from samrs.corrections.read import parsed, read_files
from samrs.corrections.records import KINDS, Corrections, Key, Record
from samrs.corrections.write import file_text, joined, line_text
from samrs.work.kept import sync_folder, write_whole

ORDER = tuple(KINDS)


class StaleError(SamrsError):
    """A record is another than its window last saw.

    Args:
        message: for the user.
        current: what stands on the disk; None: nothing.
    """

    def __init__(self, message: str, current: Record | None) -> None:
        super().__init__(message)
        self.current = current


@dataclass(frozen=True)
class Edit:
    """One record replaced, added or removed.

    Args:
        before: what its window last saw there; None: nothing.
        after: what is there from now on; None: nothing.
    """

    before: Record | None
    after: Record | None

    @property
    def key(self) -> Key:
        """Which record it is."""
        record = self.after or self.before
        assert record is not None
        return record.key

    def undone(self) -> Edit:
        """The edit that takes this one back."""
        return Edit(self.after, self.before)


@dataclass(frozen=True)
class _Known:
    """A file's bytes, and its records and lines by key."""

    data: bytes
    records: dict[Key, Record]
    lines: dict[Key, str]


class Store:
    """Corrections of one dataset on the disk.

    Args:
        folder: ``data/corrections/<dataset>``; made where it is not there.
        categories: the dataset's classes; None: any name is one.
    """

    def __init__(self, folder: Path, categories: Sequence[str] | None = None) -> None:
        self.folder, self.categories = folder, categories
        self._known: dict[str, _Known] = {}
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            for name in KINDS:  # what was left by a writer that was killed
                (folder / f"{name}.part").unlink(missing_ok=True)

    def read(self) -> Corrections:
        """What stands on the disk now.

        Raises:
            AnnotationError: a file of it is none of corrections.
        """
        found = read_files(self.folder)
        for name in self._known.keys() - found.keys():  # removed by whomever, as git does
            del self._known[name]
        records: dict[Key, Record] = {}
        for name, data in found.items():
            records |= self._parsed(name, data)
        return Corrections(records)

    def _parsed(self, name: str, data: bytes) -> dict[Key, Record]:
        """The records of a file, which is read once while it is the same."""
        known = self._known.get(name)
        if known is None or known.data != data:
            records = parsed(name, data, self.folder, self.categories)
            known = _Known(data, records, {k: line_text(r) for k, r in records.items()})
            self._known[name] = known
        return known.records

    def _again(self, record: Record) -> tuple[Record, str]:
        """A record as it is read again, and its line."""
        text = file_text(record.FILE, [record])
        found = parsed(record.FILE, text.encode(), self.folder, self.categories)
        again = next(iter(found.values()))
        return again, line_text(again)

    def apply(self, edits: Sequence[Edit]) -> Corrections:
        """Make a change; when this returns it is on the disk.

        Args:
            edits: of different records.

        Returns:
            What stands on the disk now.

        Raises:
            StaleError: a record is another than the edit's ``before``; nothing was changed.
            AnnotationError: a record is none that is read again; nothing was changed.
        """
        with _locked(self.folder):
            self.read()
            changed: dict[str, _Known] = {}
            for edit in edits:
                name, key = edit.key[0], edit.key
                if name not in changed:
                    old = self._known.get(name, _Known(b"", {}, {}))
                    changed[name] = _Known(b"", dict(old.records), dict(old.lines))
                there = changed[name]
                _check(self.folder, edit, there.records.pop(key, None))
                there.lines.pop(key, None)
                if edit.after is not None:
                    there.records[key], there.lines[key] = self._again(edit.after)
            adds = {edit.key[0] for edit in edits if edit.after is not None}
            # killed between two files nothing is lost: what is added stands before what is removed
            for name in sorted(changed, key=lambda name: (name not in adds, ORDER.index(name))):
                there = changed[name]
                text = joined(name, (there.lines[key] for key in sorted(there.lines)))
                if text:
                    write_whole(self.folder / name, text.encode())
                else:  # as if nobody had said a word
                    (self.folder / name).unlink(missing_ok=True)
                    sync_folder(self.folder)
                self._known[name] = replace(there, data=text.encode())
            return self.read()


def _check(folder: Path, edit: Edit, current: Record | None) -> None:
    texts = [None if record is None else line_text(record) for record in (current, edit.before)]
    if texts[0] == texts[1]:
        return
    file, instance, tile = edit.key
    there = "a record" if edit.before is None else "none" if current is None else "another record"
    raise StaleError(
        f"{folder / file}: was changed by somebody else, got {there} of {instance!r} in "
        f"{tile or 'all tiles'}; the record that was last seen is needed; look at it again",
        current,
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against other processes and threads; a killed one lets go."""
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)
