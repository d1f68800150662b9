"""The section ``guard`` of params.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from samrs.check.guard import Guard, guard_faults, guards, unknown
from samrs.core.errors import ParameterError
from samrs.core.parameters import read_parameters
from tests.pipeline.closure import ROOT


def section(**changed: Any) -> dict[str, Any]:
    entry = {"direction": "maximize", "tolerance": 0.1, **changed}
    return {"guard": {"metrics/a.json": {"b.miou": entry}}}


def test_a_guard_is_a_file_a_name_a_direction_and_a_tolerance() -> None:
    assert guards(section()) == [Guard("metrics/a.json", "b.miou", "maximize", 0.1)]
    assert guards({"guard": {}}) == []


@pytest.mark.parametrize("tolerance", [-0.1, "0.1", True, None, float("nan"), float("inf"), [1]])
def test_a_tolerance_is_a_number_from_0_on(tolerance: object) -> None:
    with pytest.raises(ParameterError, match=r"^params\.yaml: wrong guard, got b\.miou: "):
        guards(section(tolerance=tolerance))


@pytest.mark.parametrize("direction", ["up", None, 1, ["maximize"]])
def test_a_direction_is_one_of_two(direction: object) -> None:
    with pytest.raises(ParameterError, match="a direction \\(maximize or minimize\\)"):
        guards(section(direction=direction))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"guard": None},
        {"guard": ["metrics/a.json"]},
        {"guard": {"metrics/a.json": 0.1}},
        {"guard": {"metrics/a.json": {"b.miou": 0.1}}},
        section(tolerances=0.1),
    ],
)
def test_every_level_is_a_mapping_without_other_keys(params: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="wrong guard, got ") as told:
        guards(params)
    assert "\n" not in str(told.value)


def test_a_guard_of_no_metric_is_told_with_the_name_that_is_close() -> None:
    guarded = guards(section())
    there = {"metrics/a.json": {"b.miou": 1}}
    assert list(unknown(guarded, {}, there)) == []
    (close,) = unknown(guarded, {"metrics/a.json": {"b.miou_i": 1}}, {})
    assert "guard of b.miou in metrics/a.json; " in close
    assert close.endswith("did you mean b.miou_i?")
    (far,) = unknown(guarded, {"metrics/c.json": {"b.miou": 1}})
    assert far.endswith("correct or remove it")


def test_faults_of_a_checkout_are_sentences(tmp_path: Path) -> None:
    assert list(guard_faults(tmp_path, section())) == []
    (tmp_path / "metrics").mkdir()
    for content, said in (
        ('{"b": {"miou": 1}}', []),
        ('{"b": {"mio": 1}}', ["params.yaml: unknown metric, got guard of b.miou in metrics/a"]),
        ("{", ["metrics/a.json: unreadable metrics, got JSONDecodeError"]),
    ):
        (tmp_path / "metrics" / "a.json").write_text(content)
        told = list(guard_faults(tmp_path, section()))
        assert [text[: len(start)] for text, start in zip(told, said, strict=True)] == said
    assert "wrong guard" in next(guard_faults(tmp_path, section(tolerance=-1)))


def test_the_projects_own_guards_name_metrics_that_exist() -> None:
    params = read_parameters(ROOT)
    assert list(guard_faults(ROOT, params)) == []
    assert all((ROOT / guard.path).is_file() for guard in guards(params))


def test_tolerances_are_at_least_twice_what_differs_between_machines() -> None:
    page = ROOT / "docs" / "decisions" / "tolerances-above-machines.md"
    rows = re.findall(r"(?m)^\| `([\w.]+)` \| ([\d.]+) \| ([\d.]+) \|$", page.read_text("utf-8"))
    table = {name: (float(seen), float(tolerance)) for name, seen, tolerance in rows}
    used = set()
    for guard in guards(read_parameters(ROOT)):
        (name,) = (name for name in table if f".{guard.name}".endswith(f".{name}"))
        seen, tolerance = table[name]
        assert guard.tolerance == tolerance, guard
        assert guard.tolerance >= 2 * seen, guard
        used.add(name)
    assert used == set(table)
