"""Values of an axis are files."""

from __future__ import annotations

import pytest

from samrs.core import axis
from samrs.core.errors import UnknownNameError


def test_file_of_the_folder_is_found_by_name() -> None:
    assert axis.load("samrs.prompts", "hbox").__name__ == "samrs.prompts.hbox"


def test_a_part_of_a_folder_is_found_by_name() -> None:
    found = axis.load("samrs.datasets", "dota", "read")
    assert found.__name__ == "samrs.datasets.dota.read"
    assert "voc" in axis.names("samrs.datasets")
    assert "voc" not in axis.names("samrs.datasets", "demo")


def test_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"datasets: unknown name, got 'moon'; allowed are"):
        axis.load("samrs.datasets", "moon", "read")
    with pytest.raises(UnknownNameError, match=r"or add samrs/datasets/moon/read.py"):
        axis.load("samrs.datasets", "moon", "read")
    with pytest.raises(UnknownNameError, match=r"allowed are coco, .*; did you mean dota\?$"):
        axis.load("samrs.datasets", "dotaa", "read")
