"""Public functions explain their arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.docs.text import ROOT
from tools.docs.unexplained import files, unexplained

WHAT = '''
def good(path, boxes_xyxy, size_hw): """Do."""

def named(scale): """Multiply by ``scale``."""

def listed(scale):
    """Do.

    Args:
        scale: px in a px.
    """

def bad(scale, path): """Do."""

def _own(scale): """Do."""

class Thing:
    """A thing.

    Args:
        scale: px in a px.
    """

    def __init__(self, scale, shift): ...
'''


def test_what_neither_name_nor_docstring_explains_is_listed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(WHAT, encoding="utf-8")
    found = [(name, missing) for _, name, missing in unexplained(tmp_path / "a.py")]
    assert found == [("bad", ["scale"]), ("Thing.__init__", ["shift"])]


@pytest.mark.parametrize("file", files(), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_argument_of_a_public_function_is_explained(file: Path) -> None:
    assert list(unexplained(file)) == []
