"""Checking, exporting and describing a release, and reading its tables, takes the base only."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.core import axis
from tests.package.hidden import EXTRAS, run

FORMATS = axis.names("samrs.export.formats")
DRAWN = {"dota", "png", "yolo_obb", "yolo_seg"}
"""Formats that OpenCV draws, encodes or fits rectangles for as a whole."""


def modules_of(formats: set[str]) -> list[str]:
    return sorted(f"samrs.export.formats.{name}" for name in formats)


@pytest.mark.parametrize(
    ("modules", "without"),
    [
        (["samrs.card", "samrs.data.reader"], EXTRAS + ("cv2", "PIL")),
        (["samrs.verify.verify"], EXTRAS + ("cv2", "PIL", "pandas", "jinja2")),
        (["samrs.export.export", *modules_of(set(FORMATS) - DRAWN)], EXTRAS + ("cv2", "PIL")),
        (modules_of(DRAWN), EXTRAS),
    ],
    ids=["card and tables", "verify", "most formats", "drawn formats"],
)
def test_importing_it_imports_nothing_heavy(
    modules: list[str], without: tuple[str, ...], tmp_path: Path
) -> None:
    code = f"import {', '.join(modules)}\nprint('imported')\n"
    done = run(code, without=without, folder=tmp_path)
    assert done.stdout == "imported\n", done.stderr
