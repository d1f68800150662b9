"""The attacks are counted as they end: found, wrong in silence, or a traceback."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from samrs.core.errors import ProductError
from tests.pipeline.graph import stages
from tools.attack import bits, consumers, kills, small_kills
from tools.attack.__main__ import CLASSES
from tools.attack.outcome import SILENT, SURVIVED, TRACEBACK, Tally, judged


def _raises(error: Exception) -> None:
    raise error


def test_an_outcome_is_what_happened() -> None:
    assert judged("a", lambda: None).verdict == SURVIVED
    assert judged("a", lambda: _raises(ProductError("a sentence"))).verdict == SURVIVED
    silent = judged("a", lambda: "other rows")
    assert (silent.verdict, silent.detail) == (SILENT, "other rows")
    broken = judged("a", lambda: _raises(KeyError("k")))
    assert broken.verdict == TRACEBACK
    assert "KeyError: 'k'" in broken.detail


def test_a_row_counts_what_was_tried() -> None:
    tally = Tally()
    tally.add([judged("a", lambda: None), judged("b", lambda: "x"), judged("c", lambda: None)])
    assert tally.row("bits") == "| bits | 3 | 2 | 1 | 0 |"
    assert [outcome.attack for outcome in tally.failed] == ["b"]


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_is_a_module(name: str) -> None:
    assert callable(importlib.import_module(f"tools.attack.{name}").attacks)


def test_flipped_bits_are_survived_and_drawn_by_the_seed(tmp_path: Path) -> None:
    runs = [list(bits.attacks(tmp_path / str(i), 7, 10)) for i in range(2)]
    assert [o.verdict for o in runs[0]] == [SURVIVED] * 20
    assert [o.attack for o in runs[0]] == [o.attack for o in runs[1]]


def test_exports_are_what_the_release_holds(tmp_path: Path) -> None:
    assert {o.verdict for o in consumers.attacks(tmp_path, 0, 0)} == {SURVIVED}


def test_every_stage_is_killed() -> None:
    apart = [small_kills.CHECK, small_kills.REPORT, small_kills.PRETRAIN]
    named = [*kills.STAGES, *apart, *small_kills.FINETUNE.values()]
    killed = {s.words[1].removeprefix("stages.") for s in named if s.words[1] != "samrs"}
    assert killed == {name.split("@")[0].replace("-", "_") for name in stages()}


@pytest.mark.parametrize("says", ["same", "other"])
def test_a_killed_stage_that_ends_with_other_bytes_is_told(tmp_path: Path, says: str) -> None:
    writes = "import pathlib, time; pathlib.Path('out').write_text('%s'); time.sleep(1)"
    stage = kills.Stage("writer", ["-c", writes % says], ["out"])
    (tmp_path / "out").write_text("same")
    wanted = kills.digest(tmp_path, stage.outs)
    found = kills.killed(tmp_path, stage, 0.2, wanted)
    assert found.verdict == (SURVIVED if says == "same" else SILENT)
    assert found.attack == "writer killed after 0.20 s, left nothing"
