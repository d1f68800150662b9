"""Byte strings that wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.normalize import spool
from samrs.normalize.spool import Spool


@pytest.mark.parametrize("in_memory", [3, 10**6])
def test_strings_come_back_in_order_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(spool, "SPOOL_BYTES", in_memory)
    waiting = Spool(tmp_path)
    for data in (b"one", b"", b"three"):
        waiting.add(data)
    assert waiting.num_bytes() == 8
    assert list(tmp_path.iterdir()) == [], "the file has no name"
    assert list(waiting.take()) == [b"one", b"", b"three"]
