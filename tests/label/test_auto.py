"""``prompt: auto`` follows the ablation's choice, by whether the dataset has rotated boxes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samrs.core.errors import ParameterError, ProductError
from samrs.core.records import INSTANCES
from samrs.core.shards import write_json, write_table
from samrs.label.auto import choice_of, resolve
from samrs.prompting.recipes import parse_recipe
from tests.pipeline.closure import ROOT

SUMMARY = {
    "segmenter": "sam",
    "model": "nano",
    "auto": {"recipe": "soft_rbox+zoom", "best": "x"},
    "auto_without_obb": {"recipe": "zoom"},
}
NANO = {"segmenter": "sam", "model": "nano"}


def product(folder: Path, *, obb: bool) -> Path:
    """Instances of which one may have a rotated box."""
    row = {
        "instance_id": "a", "tile_id": "t", "category_id": 0, "category": "ship",
        "hbb": [0.0, 0, 4, 4], "hbb_annotated": [0.0, 0, 4, 4], "obb": None, "difficult": False,
        "visible": 1.0, "source_file": "f", "source_line": 1,
    }  # fmt: skip
    second = {**row, "instance_id": "b", "obb": [0.0, 0, 4, 0, 4, 4, 0, 4] if obb else None}
    folder.mkdir()
    write_table(folder, "instances", INSTANCES, [row, second])
    return folder


@pytest.mark.parametrize(("obb", "recipe"), [(True, "soft_rbox+zoom"), (False, "zoom")])
def test_auto_is_what_the_ablation_chose(tmp_path: Path, obb: bool, recipe: str) -> None:
    choice = tmp_path / "auto.json"
    write_json(choice, choice_of(SUMMARY))
    normalized = product(tmp_path / "n", obb=obb)
    assert resolve("auto", choice, normalized, **NANO) == recipe


def test_the_size_that_was_chosen_for_the_model_is_kept_beside_the_recipe(tmp_path: Path) -> None:
    measured = {**SUMMARY, "auto": {"recipe": "soft_rbox+fit@96"}}
    choice = tmp_path / "auto.json"
    write_json(choice, choice_of(measured))
    recipe = parse_recipe(resolve("auto", choice, product(tmp_path / "n", obb=True), **NANO))
    assert recipe.size == 96


def test_a_named_recipe_stays_and_reads_nothing(tmp_path: Path) -> None:
    assert resolve("hbox", tmp_path / "absent.json", tmp_path / "absent", **NANO) == "hbox"


def test_an_ablation_without_a_fitting_recipe_says_so(tmp_path: Path) -> None:
    choice = tmp_path / "auto.json"
    write_json(choice, choice_of({**SUMMARY, "auto_without_obb": None}))
    with pytest.raises(ParameterError, match=r"none for 'without_obb'; .* add one, such as hbox"):
        resolve("auto", choice, product(tmp_path / "n", obb=False), **NANO)


def test_a_choice_made_for_another_model_is_refused(tmp_path: Path) -> None:
    choice = tmp_path / "auto.json"
    write_json(choice, choice_of(SUMMARY))
    with pytest.raises(ParameterError, match="chosen for sam nano, got sam vit_h"):
        resolve("auto", choice, tmp_path, segmenter="sam", model="vit_h")


@pytest.mark.parametrize("text", ["", "[]", "{}", "<<<<<<< HEAD\n{}"])
def test_a_broken_choice_is_named(tmp_path: Path, text: str) -> None:
    choice = tmp_path / "auto.json"
    choice.write_text(text)
    with pytest.raises(ProductError, match=r"auto.json: no choice of a recipe.*check it out"):
        resolve("auto", choice, tmp_path, **NANO)


def test_the_choice_in_git_is_that_of_the_figures_in_git() -> None:
    summary = json.loads((ROOT / "metrics/compare_prompts/summary.json").read_text("utf-8"))
    choice = json.loads((ROOT / "samrs/models/auto_prompt.json").read_text("utf-8"))
    assert choice == choice_of(summary)
