"""Metrics and parameters as flat values, directions and the gate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from samrs.core.errors import ParameterError, ProductError
from samrs.core.parameters import parse_parameters
from samrs.review.directions import Direction, direction
from samrs.review.guard import check_guard, judge, tolerances
from samrs.review.values import (
    MAX_VALUES,
    Value,
    compare,
    metrics_values,
    parameter_values,
)
from tests.pull_requests.changes import ROOT


def numbers(**values: object) -> dict[str, Value]:
    return {name: Value(value) for name, value in values.items()}


def test_names_say_where_a_value_is() -> None:
    contents = {
        "metrics/sam_label/dota.json": b'{"tiles": 12, "dropped": {"min_area": 1}}',
        "metrics/prompt_ablation/summary.json": b'{"best": "hbox", "shares": [0.05, 1.0]}',
        "metrics/stats.json": json.dumps(
            {"classes": [{"n": 3, "category": "ship"}, {"n": 4, "category": "van"}], "hist": [[1]]}
        ).encode(),
    }
    found = metrics_values(contents)
    assert {name: (v.value, v.detail) for name, v in found.items()} == {
        "sam_label.dota.tiles": (12, False),
        "sam_label.dota.dropped.min_area": (1, False),
        "prompt_ablation.best": ("hbox", False),
        "prompt_ablation.shares": ([0.05, 1.0], False),
        "stats.classes.ship.n": (3, True),
        "stats.classes.ship.category": ("ship", True),
        "stats.classes.van.n": (4, True),
        "stats.classes.van.category": ("van", True),
        "stats.hist.0": ([1], True),
    }


def test_two_values_of_one_name_are_refused() -> None:
    contents = {"metrics/a/b.json": b'{"c": 1}', "metrics/a/summary.json": b'{"b": {"c": 2}}'}
    with pytest.raises(ProductError, match=r"two values of one name, got 'a\.b\.c'"):
        metrics_values(contents)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000], ids=["cut", "bytes", "deep"])
def test_unreadable_metrics_are_named(content: bytes) -> None:
    with pytest.raises(ProductError, match=r"metrics/x\.json: unreadable metrics"):
        metrics_values({"metrics/x.json": content})


def test_yaml_that_stands_for_billions_of_values_is_refused() -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{n}: &a{n} {{l: *a{n - 1}, r: *a{n - 1}}}" for n in range(1, 40)]
    values = parse_parameters("\n".join(lines).encode())
    with pytest.raises(ProductError, match=f"more than {MAX_VALUES:,}"):
        parameter_values(values)


@pytest.mark.parametrize("content", [b"a: [", b"- 1", b"", b"!!python/object/apply:os.getcwd []"])
def test_parameters_that_are_no_plain_mapping_are_refused(content: bytes) -> None:
    with pytest.raises(ParameterError, match=r"params\.yaml: "):
        parse_parameters(content)


def test_changes_tell_new_gone_and_different() -> None:
    old, new = numbers(a=1, b=0.5, c=True, e=1), numbers(a=1, b=0.75, d="x", e=1.0)
    found = {c.name: (c.changed, c.difference) for c in compare(old, new)}
    assert found == {
        "a": (False, 0),
        "b": (True, 0.25),
        "d": (True, None),
        "e": (True, 0.0),
        "c": (True, None),
    }


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("prompt_ablation.recipes.hbox.all.miou_i", Direction.HIGHER),
        ("prompt_ablation.recipes.hbox.<16².miou_p", Direction.HIGHER),
        ("prompt_ablation.recipes.hbox.all.count", Direction.NEITHER),
        ("finetune.potsdam.miou.pretrain.0.05", Direction.HIGHER),
        ("stats.sota.mean_predicted_iou", Direction.HIGHER),
        ("stats.sota.mean_stability_score", Direction.HIGHER),
        ("stats.sota.mean_outside", Direction.LOWER),
        ("stats.sota.labelled_share", Direction.NEITHER),
        ("stats.sota.classes.ship.instances", Direction.NEITHER),
        ("release.sota.contested_pixels", Direction.LOWER),
        ("release.sota.dropped.min_area", Direction.LOWER),
        ("release.sota.kept", Direction.HIGHER),
        ("normalize.dota.quarantined.by_reason.image too large", Direction.LOWER),
        ("pretrain.final_loss", Direction.LOWER),
        ("sam_label.dota.empty_masks", Direction.LOWER),
        ("normalize.dota.tiles_empty", Direction.NEITHER),
        ("sam_label.dota.model", Direction.NEITHER),
        ("prompt_ablation.lead.rbox.all.lead_low", Direction.HIGHER),
        ("prompt_ablation.cost.rbox.decoder_prompts", Direction.LOWER),
        ("prompt_ablation.recipes.hbox.all.boundary_f", Direction.HIGHER),
    ],
)
def test_direction_is_told_from_the_name(name: str, way: Direction) -> None:
    assert direction(name) is way


@pytest.mark.parametrize(
    ("name", "old", "new", "outcome"),
    [
        ("a.miou", 0.80, 0.79, "kept"),  # 0.80 - 0.79 is 0.010000000000000009
        ("a.miou", 0.80, 0.789, "worse"),
        ("a.miou", 0.80, 0.99, "kept"),
        ("a.loss", 0.80, 0.81, "kept"),
        ("a.loss", 0.80, 0.811, "worse"),
        ("a.loss", 0.80, 0.1, "kept"),
        ("a.tiles", 0.80, 0.82, "worse"),
        ("a.tiles", 0.80, 0.78, "worse"),
        ("a.miou", 0.80, None, "missing"),
        ("a.miou", 0.80, float("nan"), "missing"),
        ("a.miou", 0.80, "0.80", "missing"),
        ("a.miou", None, 0.1, "first"),
    ],
)
def test_gate(name: str, old: object, new: object, outcome: str) -> None:
    (verdict,) = judge({name: 0.01}, {name: Value(old)}, {name: Value(new)})
    assert verdict.outcome == outcome
    assert verdict.passed == (outcome in ("kept", "first"))


def test_a_guarded_metric_that_vanishes_fails_and_one_that_never_was_is_refused() -> None:
    (verdict,) = judge({"a.miou": 0.1}, {"a.miou": Value(0.5)}, {})
    assert verdict.outcome == "missing"
    assert "guarded metric is missing or no finite number, was 0.5;" in verdict.sentence
    metrics = {"a.miou_i": Value(0.5)}
    with pytest.raises(ParameterError, match=r"unknown metric, got guard: a\.mio_i; .*a\.miou_i"):
        judge({"a.mio_i": 0.1}, metrics, metrics)


def test_a_failing_verdict_says_how_much_and_what_to_do() -> None:
    (verdict,) = judge({"a.miou": 0.01}, {"a.miou": Value(0.8)}, {"a.miou": Value(0.7)})
    assert verdict.sentence == (
        "a.miou: guarded metric is worse by 0.1, 0.8 to 0.7; 0.01 is tolerated; mend it, or raise "
        "or remove its line under guard in params.yaml"
    )


@pytest.mark.parametrize("tolerance", [-0.1, "0.1", True, None, float("nan"), float("inf"), [1]])
def test_a_tolerance_is_a_number_from_0_on(tolerance: object) -> None:
    with pytest.raises(ParameterError, match=r"wrong tolerance, got guard: a\.miou"):
        tolerances({"guard": {"a.miou": tolerance}})


@pytest.mark.parametrize("params", [{}, {"guard": None}, {"guard": ["a.miou"]}])
def test_guard_is_a_mapping(params: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match="no guarded metrics"):
        tolerances(params)


def test_the_projects_own_guard_names_metrics_that_exist() -> None:
    assert check_guard(ROOT) >= 10


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("miou_x: 0.01", "unknown metric, got guard: .*miou_x"),
        ("miou_i: a", "wrong tolerance"),
    ],
)
def test_a_wrong_guard_is_named(tmp_path: Path, new: str, said: str) -> None:
    shutil.copytree(ROOT / "metrics", tmp_path / "metrics")
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("miou_i: 0.01", new, 1), encoding="utf-8")
    with pytest.raises(ParameterError, match=said):
        check_guard(tmp_path)
