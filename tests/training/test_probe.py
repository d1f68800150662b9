"""Probing a benchmark: floors, paired draws, intervals."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from samrs.core.shards import sha256, write_manifest
from samrs.finetune.finetune import finetune
from samrs.finetune.intervals import interval
from samrs.finetune.probe import BASE, COLOUR, CONTROL, drawn, summarise
from samrs.training.networks import MultiHeadNetwork, save_network
from samrs.training.settings import Settings
from tests.training import discs
from tests.training.conftest import ENCODER, PROTOCOL, RUNTIME, SEED, SETTINGS

OPTIONS: dict[str, Any] = {
    "mode": "probe",
    "inits": ["scratch", "pretrain"],
    "shares": [0.4, 0.8],
    "draws": 3,
    "seeds": [SEED],
    "settings": Settings(**SETTINGS),
    "protocol": PROTOCOL,
    "runtime": RUNTIME,
}


def pretrained(folder: Path, seed: int) -> Path:
    """The product ``pretrain`` of a network that was not trained."""
    folder.mkdir()
    shared, _ = save_network(MultiHeadNetwork(**ENCODER, heads={"sota": 2}, seed=seed), folder)
    write_manifest(folder, {**ENCODER, "files": {shared.name: sha256(shared)}})
    return folder


def test_every_body_is_probed_at_every_share_with_the_same_draws(
    benchmark: Path, tmp_path: Path
) -> None:
    out, work = tmp_path / "finetune", tmp_path / "work"
    told = finetune(benchmark, pretrained(tmp_path / "p", 9), out, work, **OPTIONS)
    with (out / "probe.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == (1 + 3 * 2) * 2 * 3
    assert {row["body"] for row in rows} == {COLOUR, BASE, CONTROL, "pretrain"}
    assert set(told["gain"]["encoder"]) == {COLOUR, CONTROL, "pretrain"}
    assert told["mode"] == "probe"
    assert len(list(work.glob("*/probe.json"))) == 4 * len(OPTIONS["shares"])


def test_a_body_of_the_same_weights_gains_exactly_nothing(benchmark: Path, tmp_path: Path) -> None:
    same = pretrained(tmp_path / "p", SEED)
    told = finetune(benchmark, same, tmp_path / "out", tmp_path / "work", **OPTIONS)
    for features in ("encoder", "decoder"):
        for gain in told["gain"][features]["pretrain"].values():
            assert gain == {"mean": 0.0, "low": 0.0, "high": 0.0}


def test_a_killed_probe_goes_on_with_what_is_finished(
    benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pretrained(tmp_path / "p", 9)
    whole = finetune(benchmark, source, tmp_path / "whole", tmp_path / "a", **OPTIONS)
    asked: list[str] = []
    probe_body = __import__("samrs.finetune.probe", fromlist=["_probe_body"])._probe_body

    def failing(body: str, *rest: Any) -> Any:
        asked.append(body)
        if len(asked) == 3:
            raise RuntimeError("out of memory")
        return probe_body(body, *rest)

    monkeypatch.setattr("samrs.finetune.probe._probe_body", failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        finetune(benchmark, source, tmp_path / "out", tmp_path / "work", **OPTIONS)
    again = finetune(benchmark, source, tmp_path / "out", tmp_path / "work", **OPTIONS)
    assert asked == [COLOUR, BASE, CONTROL, CONTROL, "pretrain"]
    assert again == whole


def test_a_share_that_is_added_changes_no_other(
    benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pretrained(tmp_path / "p", 9)
    whole = finetune(benchmark, source, tmp_path / "whole", tmp_path / "a", **OPTIONS)
    few = {**OPTIONS, "shares": OPTIONS["shares"][:1]}
    finetune(benchmark, source, tmp_path / "out", tmp_path / "work", **few)
    asked: list[list[float]] = []
    probe_body = __import__("samrs.finetune.probe", fromlist=["_probe_body"])._probe_body

    def told(body: str, benchmark: Any, chosen: Any, *rest: Any) -> Any:
        asked.append(list(chosen))
        return probe_body(body, benchmark, chosen, *rest)

    monkeypatch.setattr("samrs.finetune.probe._probe_body", told)
    again = finetune(benchmark, source, tmp_path / "out", tmp_path / "work", **OPTIONS)
    assert asked == [list(OPTIONS["shares"][1:])] * 4
    assert again == whole
    assert (tmp_path / "out/probe.csv").read_bytes() == (tmp_path / "whole/probe.csv").read_bytes()


def test_colours_of_discs_are_learned_from_colour_alone(tmp_path: Path) -> None:
    names = ["background", "red", "green"]
    tiles = discs.write(tmp_path / "d", names, ["train"] * 5 + ["val"] * 2, ground=0, side=128)
    told = finetune(
        tiles, pretrained(tmp_path / "p", 9), tmp_path / "out", tmp_path / "work", **OPTIONS
    )
    assert told["miou"]["encoder"][COLOUR]["0.8"]["mean"] > 0.8


def test_draws_differ_and_smaller_shares_are_part_of_larger_ones() -> None:
    train = list(range(0, 40, 2))
    few, many = drawn(train, 0.1, 5, 0), drawn(train, 0.5, 5, 0)
    assert (len(few), len(many)) == (2, 10)
    assert set(few) < set(many) <= set(train)
    assert len({tuple(drawn(train, 0.1, 5, draw)) for draw in range(10)}) > 5
    assert len(drawn(train, 0.001, 5, 0)) == 1


def test_an_interval_is_that_of_student() -> None:
    # Four values: t is 3.182 for 3 degrees of freedom; the standard error of 1, 2, 3, 4 is 0.6455.
    assert interval([1, 2, 3, 4]) == {"mean": 2.5, "low": 0.4457, "high": 4.5543}


def test_gains_are_means_of_paired_differences() -> None:
    rows = [
        {"body": body, "features": features, "share": 0.1, "draw": draw, "miou": value + draw}
        for body, features, value in (
            (COLOUR, "rgb", 0.1), (BASE, "encoder", 0.2), ("pretrain", "encoder", 0.5),
        )
        for draw in range(3)
    ]  # fmt: skip
    found = summarise(rows)
    assert found["gain"]["encoder"]["pretrain"]["0.1"] == {"mean": 0.3, "low": 0.3, "high": 0.3}
    assert found["gain"]["encoder"][COLOUR]["0.1"] == {"mean": -0.1, "low": -0.1, "high": -0.1}
    assert found["miou"]["encoder"][BASE]["0.1"]["mean"] == 1.2
    assert found["miou"]["encoder"][BASE]["0.1"]["low"] < 0
