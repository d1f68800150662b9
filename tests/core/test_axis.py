"""Values of an axis are files."""

from __future__ import annotations

import pytest

from samrs.core import axis
from samrs.core.errors import UnknownNameError


def test_file_of_the_folder_is_found_by_name() -> None:
    assert axis.load("samrs.datasets", "dota").__name__ == "samrs.datasets.dota"


def test_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"datasets: unknown name, got 'dotaa'; allowed are"):
        axis.load("samrs.datasets", "dotaa")
    with pytest.raises(UnknownNameError, match=r"or add samrs/datasets/dotaa.py"):
        axis.load("samrs.datasets", "dotaa")
