from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import SourceError, UnknownNameError
from samrs.fetch.source import Source
from samrs.sam.published import CHECKPOINTS, checkpoint_path

WEIGHTS = b"weights"


def test_checkpoints_are_fetched_once_and_checked_every_time(
    tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["b.pth"] = WEIGHTS
    source = Source(
        "b.pth",
        (server.url("b.pth"),),
        "sha256:" + hashlib.sha256(WEIGHTS).hexdigest(),
        "",
        "page",
        len(WEIGHTS),
    )
    monkeypatch.setitem(CHECKPOINTS, "vit_b", source)
    path = checkpoint_path("vit_b", tmp_path)
    assert path.read_bytes() == WEIGHTS
    assert checkpoint_path("vit_b", tmp_path) == path
    assert server.asked == ["b.pth"]
    path.write_bytes(b"weight?")
    with pytest.raises(SourceError, match="not the official file"):
        checkpoint_path("vit_b", tmp_path)


def test_a_truncated_real_checkpoint_is_refused(real: Path, tmp_path: Path) -> None:
    part = (real / "mobile_sam" / "mobile_sam_TRUNCATED.pt").read_bytes()
    (tmp_path / CHECKPOINTS["vit_l"].file).write_bytes(part)
    with pytest.raises(SourceError, match="not the official file, got sha256:"):
        checkpoint_path("vit_l", tmp_path)


def test_an_unknown_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="got 'vit_x'; vit_b, vit_l, vit_h"):
        checkpoint_path("vit_x", tmp_path)
