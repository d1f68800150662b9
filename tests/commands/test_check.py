"""``samrs check`` tells all that is wrong with params.yaml, and of remotes without an address."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.commands.calls import call, refused
from tests.pipeline.closure import ROOT


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own parameters and remotes, in the current folder."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", tmp_path / ".dvc")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_valid_checkout_is_told_so_with_a_note_on_the_placeholder(checkout: Path) -> None:
    done = call("check")
    assert (done.exit_code, done.stderr) == (0, "")
    note, valid = done.stdout.splitlines()
    assert valid == "params.yaml: valid"
    assert note.startswith("note: no server has the data yet, got a placeholder as address of the")
    assert note.endswith("run dvc remote modify --local public url ADDRESS")


def test_every_fault_is_a_sentence_and_the_status_1(checkout: Path) -> None:
    path = checkout / "params.yaml"
    text = path.read_text(encoding="utf-8").replace("\nmodel: nano", "\nmodel: nanno")
    path.write_text(text.replace("\nprompt: auto", "\npromt: auto"), encoding="utf-8")
    (checkout / ".dvc" / "config").write_text("")
    done = call("check")
    assert (done.exit_code, done.stdout) == (1, "")
    unknown, missing, model = done.stderr.splitlines()
    assert unknown.startswith("error: params.yaml: unknown parameter, got promt; ")
    assert unknown.endswith("did you mean prompt?")
    assert missing.startswith("error: params.yaml: wrong or missing parameter, got prompt = None; ")
    assert model.endswith("did you mean nano?")


def test_another_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused(call("check")).endswith("run this in the project's folder")
