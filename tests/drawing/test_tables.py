from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from samrs.drawing.tables import (
    gain_sentence,
    input_table,
    number,
    probes_sentence,
    probes_table,
    summary_table,
    values_table,
)

METRICS = Path(__file__).parents[2] / "metrics"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (1234, "1,234"),
        (1234.5678, "1,234.568"),
        ("ship", "ship"),
        ({}, "–"),
        ({"box has no area": 1234, "image too large": 1}, "1,234 × box has no area, 1 × image"),
        ([], "–"),
        ([1, 2.5], "1, 2.500"),
    ],
)
def test_a_cell_is_a_text_whatever_it_is_made_of(value: Any, text: str) -> None:
    assert number(value).startswith(text)
    assert not set(number(value)) & set("{}[]")


def test_what_was_set_aside_is_counted_by_reason() -> None:
    """The metrics in git are what ``normalize`` writes."""
    normalized = json.loads((METRICS / "normalize" / "dota.json").read_text(encoding="utf-8"))
    clean = input_table({"dota": normalized})
    assert "Quarantined" not in clean.head
    assert clean.notes == ["Nothing was set aside of dota."]
    normalized["quarantined"] = {"total": 3, "by_reason": {"image too large": 2, "no name": 1}}
    shown = input_table({"dota": normalized}).rows[0]
    assert shown[-2:] == ["3", "2 × image too large, 1 × no name"]


def test_a_dataset_of_label_maps_has_no_zeros_but_a_sentence() -> None:
    values = {
        name: json.loads((METRICS / "normalize" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("dota", "potsdam")
    }
    table = input_table(values)
    potsdam = table.rows[1]
    assert potsdam[table.head.index("Instances")] == "–"
    assert "0" not in potsdam
    assert table.notes[0].startswith("No box was read from potsdam: label maps")


def test_what_is_zero_in_every_subset_or_not_measured_is_a_sentence() -> None:
    measured = json.loads((METRICS / "stats.json").read_text(encoding="utf-8"))
    for subset in measured.values():
        subset.update(contested_share=0.0, mean_predicted_iou=None, mean_stability_score=None)
    table = summary_table(measured)
    names = [row[0] for row in table.rows]
    assert not {"Contested", "Predicted IoU", "Stability"} & set(names)
    assert all(set(row[1:]) - {"0", "0.0 %", "0.000", "–"} for row in table.rows)
    assert table.notes == [
        "Zero in every subset: contested.",
        "Not measured, as no instance has such a value: predicted IoU, stability.",
    ]


def test_values_that_are_zero_are_named_in_one_sentence() -> None:
    table = values_table({"loss": 0.5, "lost": {"fast": 0, "sota": 0}})
    assert table.rows == [["loss", "0.500"]]
    assert table.notes == ["Zero: lost.fast, lost.sota."]


GAIN = {
    "encoder": {
        "rgb": {"0.1": {"mean": -0.01, "low": -0.02, "high": 0.0}},
        "pretrain": {"0.1": {"mean": 0.0471, "low": 0.0271, "high": 0.0671}},
    },
    "decoder": {"pretrain": {"0.1": {"mean": 0.01, "low": -0.01, "high": 0.03}}},
}


MIOU = {
    "decoder": {"pretrain": {"0.1": {"mean": 0.2, "low": 0.1, "high": 0.3}}},
    "encoder": {
        body: {"0.1": {"mean": 0.2, "low": 0.1, "high": 0.3}}
        for body in ("rgb", "scratch", "pretrain")
    },
}


def test_probes_are_told_with_their_intervals_the_base_without_a_gain() -> None:
    table = probes_table(MIOU, GAIN)
    assert [row[:3] for row in table.rows] == [
        ["encoder", "10%", "rgb"],
        ["encoder", "10%", "scratch"],
        ["encoder", "10%", "pretrain"],
        ["decoder", "10%", "pretrain"],
    ]
    assert table.rows[1][3:] == ["0.200 (0.100 to 0.300)", "–"]
    assert table.rows[2][4] == "+0.047 (+0.027 to +0.067)"


def test_a_gain_is_claimed_only_where_its_interval_shows_it() -> None:
    assert probes_sentence(MIOU, GAIN, 10) == (
        "Pre-training helps in encoder at 10% of the labels. No gain can be told from the spread "
        "in decoder at 10% of the labels. Intervals: 95 %, 10 draws of labelled tiles, paired."
    )
    assert probes_sentence(MIOU, {}, 10).startswith("Pre-training was not probed")
    near_0 = {"encoder": {"scratch": {"0.1": {"mean": 0.004, "low": 0.0, "high": 0.01}}}}
    assert probes_sentence(near_0, GAIN, 10).startswith("No body tells the classes apart")
    assert probes_table(near_0, GAIN).rows == []


def test_a_gain_of_full_fine_tuning_is_told_with_its_interval_or_not_at_all() -> None:
    gain = {
        "scratch": {"0.05": {"mean": 0.1, "low": 0.02, "high": 0.18}},
        "imagenet": {"1": {"mean": 0.01, "low": -0.02, "high": 0.04}},
    }
    assert gain_sentence(gain) == (
        "mIoU of pretrain, paired by seed, with 95 % intervals: +0.100 (+0.020 to +0.180) over "
        "scratch at 5% of the labels; +0.010 (-0.020 to +0.040) over imagenet at 100% of the "
        "labels, which is no gain that can be told from the spread."
    )
    assert gain_sentence({}).startswith("No gain is told")
