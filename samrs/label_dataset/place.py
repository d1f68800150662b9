"""The place where ``samrs label`` works: whose it is, who works there, what was left there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from samrs.core import axis
from samrs.core.errors import ParameterError, ProductError
from samrs.export.export import AXIS as EXPORTS
from samrs.export.export import SUMMARY as EXPORTED

SUMMARY, SET_ASIDE, WORK = "summary.json", "set_aside.csv", ".work"
CORRECTIONS = "corrections"
"""Folder of what people said, a folder a dataset: ``samrs.corrections.places`` names it, too."""


def check_place(folder: Path, out: Path, *, force: bool) -> None:
    """Refuse a place that holds something else, is finished, or lies in the dataset.

    Args:
        folder: of the dataset.
        out: the place.
        force: whether a finished one is made again.

    Raises:
        ParameterError: it lies in the dataset.
        ProductError: it is taken or finished.
    """
    if out.resolve().is_relative_to(folder.resolve()):
        raise ParameterError(
            f"{out}: inside the dataset, got {folder}; any folder outside it is allowed, since all "
            "below it is read as data; name another with --out"
        )
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / WORK).is_dir():
        raise ProductError(
            f"{out}: place is taken, got a file or a folder of something else; a new or empty "
            "folder is allowed, or one of an earlier run; name another with --out"
        )
    if (out / SUMMARY).is_file() and not force:
        raise ProductError(
            f"{out}: finished, got its {SUMMARY}; a new folder is allowed; name another with "
            "--out, or add --force to make it again, which labels only what is new or changed"
        )


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold a place, which falls free with this process however it ends.

    Raises:
        ProductError: another process works there.
    """
    (out / WORK).mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / WORK / "lock")
    try:
        with lock.acquire(timeout=0):
            yield
    except Timeout:
        raise ProductError(
            f"{out}: in use, got another run that works there now; one at a time is allowed; wait "
            "for it, stop it or name another folder"
        ) from None


def remove_earlier(out: Path) -> None:
    """Remove what an earlier run made, but for finished tiles; what it did not make stays."""
    summary = out / SUMMARY
    earlier = json.loads(summary.read_text(encoding="utf-8")) if summary.is_file() else {}
    summary.unlink(missing_ok=True)
    (out / SET_ASIDE).unlink(missing_ok=True)
    shutil.rmtree(out / "release", ignore_errors=True)
    for format in set(earlier.get("exports", ())) & set(axis.names(EXPORTS)):
        if (out / format / EXPORTED).is_file():
            shutil.rmtree(out / format)
