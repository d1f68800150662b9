"""The section ``runtime`` of params.yaml is checked when a stage reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from samrs.core.errors import ParameterError
from stages.stage import runtime
from tests.pipeline.closure import ROOT

FINE = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["runtime"]


def read(folder: Path, section: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (folder / "params.yaml").write_text(yaml.safe_dump({"runtime": section}), encoding="utf-8")
    monkeypatch.chdir(folder)
    return runtime()


@pytest.mark.parametrize("change", [{}, {"threads": 3}, {"device": "cuda"}, {"executor": "ray"}])
def test_what_is_allowed_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    assert read(tmp_path, {**FINE, **change}, monkeypatch) == {**FINE, **change}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"device": "gpu"}, r"unknown device, got runtime\.device = 'gpu'; auto, cpu, cuda"),
        ({"device": None}, r"wrong type, got runtime\.device = None"),
        ({"threads": 0}, r"too few, got runtime\.threads = 0; at least 1, or null"),
        ({"threads": "two"}, r"wrong type, got runtime\.threads = 'two'"),
        ({"thread": 2}, r"unknown parameter, got runtime\.thread"),
    ],
    ids=str,
)
def test_what_is_not_allowed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        read(tmp_path, {**FINE, **change}, monkeypatch)


def test_a_missing_value_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = {name: value for name, value in FINE.items() if name != "executor"}
    with pytest.raises(ParameterError, match="runtime without executor"):
        read(tmp_path, without, monkeypatch)
