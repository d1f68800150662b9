"""Tables of an ablation: known answers by bin and class, comparison with hbox, the choice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from samrs.comparison.tables import Measured, class_rows, summarise, to_rows, write_tables
from samrs.measures.groups import ALL, BINS, in_bin
from tests.ablation.frames import paired, scores

SCENES = [f"s{i:02d}" for i in range(10) for _ in range(3)]


def summary_of(frame: pd.DataFrame) -> dict[str, Any]:
    measured = Measured(frame)
    return summarise(measured, to_rows(measured))


def test_miou_i_averages_instances_and_miou_p_pools_pixels() -> None:
    frame = scores(("hbox", "recipe", 100, 200), ("hbox", "recipe", 10_000, 10_000))
    found = summary_of(frame)["recipes"]["hbox"]["all"]
    pooled = round(10_100 / 10_200, 4)
    assert found == {"count": 2, "miou_i": 0.75, "miou_p": pooled, "interval": None}


@pytest.mark.parametrize(
    ("area", "names"),
    [
        (255, ["<16²", "<32²"]),
        (256, ["16²–32²", "<32²"]),
        (1023, ["16²–32²", "<32²"]),
        (1024, ["32²–96²"]),
        (9215, ["32²–96²"]),
        (9216, [">96²"]),
    ],
)
def test_size_bins_are_squares_of_16_32_and_96(area: int, names: list[str]) -> None:
    assert [name for name in BINS if in_bin(np.array([area]), name)[0]] == names
    assert in_bin(np.array([area]), ALL)[0]


def test_rows_cover_all_and_each_bin_that_has_instances() -> None:
    frame = scores(("hbox", "recipe", 100, 200), ("box", "floor", 100, 400))
    rows = to_rows(Measured(frame))
    found = [(r["recipe"], r["kind"], r["bin"], r["miou_i"], r["miou_p"]) for r in rows]
    assert found == [
        (name, kind, size, iou, iou)
        for name, kind, iou in (("hbox", "recipe", 0.5), ("box", "floor", 0.25))
        for size in ("all", "<16²", "<32²")
    ]


def test_class_rows_split_by_class_and_size() -> None:
    frame = scores(("hbox", "recipe", 1, 2), ("hbox", "recipe", 1, 4), ("hbox", "recipe", 900, 900))
    rows = class_rows(Measured(frame))
    found = {(row["category"], row["bin"]): row["miou_i"] for row in rows}
    assert found[ALL, ALL] == round(1.75 / 3, 4)
    assert found["plane", ALL] == found["plane", "<32²"] == 0.75
    assert found["plane", "<16²"] == 0.5
    assert found["plane", "16²–32²"] == 1
    assert found["ship", ALL] == 0.25
    assert ("ship", "16²–32²") not in found


def test_means_stand_beside_the_iou() -> None:
    row = to_rows(Measured(paired({"hbox": [0.4, 0.8]}, ["a", "b"])))[0]
    assert (row["precision"], row["recall"], row["boundary_f"]) == (1.0, 0.6, 0.3)


def test_a_recipe_is_compared_with_hbox_on_the_same_instances() -> None:
    hbox = np.linspace(0.2, 0.8, len(SCENES))
    shifted = hbox + 0.1
    shifted[0] -= 0.2
    rows = to_rows(Measured(paired({"hbox": list(hbox), "rbox": list(shifted)}, SCENES)))
    found = {row["recipe"]: row for row in rows if row["bin"] == ALL}
    rbox = found["rbox"]
    assert rbox["lead"] == round(0.1 - 0.2 / 30, 4)
    assert rbox["better"] == round(29 / 30, 4)
    assert rbox["worse"] == round(1 / 30, 4)
    assert 0.05 < rbox["lead_low"] < rbox["lead"] < rbox["lead_high"] <= 0.1
    assert rbox["high"] - rbox["low"] > 2 * (rbox["lead_high"] - rbox["lead_low"])
    assert found["hbox"]["lead"] == found["hbox"]["better"] == found["hbox"]["lead_high"] == 0


def test_without_hbox_nothing_is_compared() -> None:
    assert "lead" not in to_rows(Measured(paired({"rbox": [0.5, 0.6]}, ["a", "b"])))[0]


def test_instances_hbox_was_not_asked_for_are_not_compared() -> None:
    frame = scores(("hbox", "recipe", 1, 2), ("rbox", "recipe", 1, 1))
    rbox = next(row for row in to_rows(Measured(frame)) if row["recipe"] == "rbox")
    assert rbox["lead"] is rbox["lead_low"] is rbox["better"] is None


def test_the_summary_says_how_intervals_were_drawn() -> None:
    many = summary_of(paired({"hbox": [0.5] * 30}, SCENES))["bootstrap"]
    assert (many["unit"], many["units"]) == ("scenes", 10)
    few = summary_of(paired({"hbox": [0.5] * 9}, ["a"] * 9))["bootstrap"]
    assert (few["unit"], few["units"]) == ("instances", 9)


def test_an_interval_has_a_low_and_a_high_end_and_no_score_is_a_list() -> None:
    """``dvc metrics show`` and ``diff`` leave lists out without a word."""
    rng = np.random.default_rng(0)
    summary = summary_of(paired({"hbox": list(rng.uniform(0.5, 0.9, len(SCENES)))}, SCENES))
    found = summary["recipes"]["hbox"][ALL]
    assert 0.5 < found["interval"]["low"] < found["miou_i"] < found["interval"]["high"] < 0.9
    assert "[" not in json.dumps(summary)


def test_auto_takes_the_cheaper_of_recipes_that_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(0)
    hbox = rng.uniform(0.5, 0.9, len(SCENES))
    other = hbox + rng.normal(0, 0.05, len(SCENES))
    other += hbox.mean() - other.mean() + 0.001
    frame = paired({"hbox": list(hbox), "rbox": list(other), "point": list(hbox - 0.3)}, SCENES)
    frame["encoder_passes"] = frame["recipe"].map({"hbox": 0.1, "rbox": 1.0, "point": 0.1})
    frame["decoder_prompts"] = 1.0
    summary = summary_of(frame)
    assert summary["best"] == "rbox"
    assert summary["auto"]["recipe"] == "hbox"
    assert summary["auto"]["tied"] == "hbox"
    assert summary["cost"]["rbox"] == {"encoder_passes": 1.0, "decoder_prompts": 1.0}
    assert summary["auto_without_obb"]["best"] == "hbox"


def test_costs_that_the_frame_does_not_tell_are_unknown() -> None:
    assert summary_of(paired({"hbox": [0.5, 0.6]}, ["a", "b"]))["cost"] == {"hbox": None}


def test_floors_alone_have_no_best_and_no_choice() -> None:
    summary = summary_of(scores(("box", "floor", 1, 2)))
    assert summary["best"] is summary["auto"] is summary["auto_without_obb"] is None
    assert summary["floors"]["box"][ALL]["miou_i"] == 0.5


def test_tables_are_written_whole_and_alike_twice(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    ious = {name: list(rng.uniform(0, 1, 30)) for name in ("hbox", "rbox", "point")}
    frame = paired(ious, SCENES)
    shuffled = pd.concat([frame[frame["recipe"] == name].sample(frac=1) for name in ious])
    summary, rows = write_tables(frame, tmp_path / "one", {"dataset": "hand"})
    write_tables(shuffled, tmp_path / "two", {"dataset": "hand"})
    names = ("table.csv", "by_class.csv", "summary.json")
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert json.loads((tmp_path / "one" / "summary.json").read_text()) == summary
    assert summary["dataset"] == "hand"
    assert pd.read_csv(tmp_path / "one" / "table.csv")["miou_i"].tolist() == [
        row["miou_i"] for row in rows
    ]
