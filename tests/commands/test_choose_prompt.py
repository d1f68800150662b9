"""``samrs choose-prompt`` shows the ablation's choice and stores it when it is told to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samrs.label.auto import CHOICE, SUMMARY, choice_of
from tests.commands.calls import call, refused
from tests.label.test_auto import SUMMARY as MEASURED

CHOSEN = choice_of(MEASURED)
OTHER = {**CHOSEN, "recipe": "hbox"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ablation's summary, and another choice in store."""
    for path, content in ((SUMMARY, MEASURED), (CHOICE, OTHER)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_choice_is_compared_and_nothing_written(project: Path) -> None:
    before = CHOICE.read_bytes()
    done = call("choose-prompt")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"{SUMMARY}: {json.dumps(CHOSEN)}",
        f"{CHOICE}: {json.dumps(OTHER)}",
        "they differ; `samrs choose-prompt --write` stores the ablation's",
    ]
    assert CHOICE.read_bytes() == before


def test_write_stores_it(project: Path) -> None:
    assert call("choose-prompt", "--write").stdout.endswith(f"{CHOICE}: written\n")
    assert json.loads(CHOICE.read_text()) == CHOSEN
    assert call("choose-prompt").stdout.endswith(f"{CHOICE}: the same\n")


def test_a_broken_choice_is_written_over(project: Path) -> None:
    CHOICE.write_text("<<<<<<<")
    assert "no choice of a recipe, got a file" in refused(call("choose-prompt"))
    assert call("choose-prompt", "--write").exit_code == 0
    assert json.loads(CHOICE.read_text()) == CHOSEN


def test_without_an_ablation_there_is_no_choice(project: Path) -> None:
    SUMMARY.unlink()
    assert "run `dvc repro compare-prompts`" in refused(call("choose-prompt", "--write"))
    assert json.loads(CHOICE.read_text()) == OTHER
