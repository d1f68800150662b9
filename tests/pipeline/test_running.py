"""What a stage says when it cannot go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from samrs.core.errors import SamrsError
from stages.stage import running

FULL = Path("/dev/full")


def by_python() -> None:
    FULL.write_text("much", encoding="utf-8")


def by_arrow() -> None:
    with FULL.open("wb") as file:
        pq.write_table(pa.table({"a": [1]}), file)


@pytest.mark.skipif(not FULL.exists(), reason="Linux has a device that is always full")
@pytest.mark.parametrize("write", [by_python, by_arrow])
def test_a_full_disk_is_one_sentence(write: Callable[[], None]) -> None:
    said = r"^error: .*cannot be written, got.*No space left.*run again"
    with pytest.raises(SystemExit, match=said), running():
        write()


def test_an_error_for_the_user_is_one_sentence() -> None:
    with pytest.raises(SystemExit, match=r"^error: a: is wrong"), running():
        raise SamrsError("a: is wrong")


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(FileNotFoundError), running():
        Path("not there").read_bytes()
