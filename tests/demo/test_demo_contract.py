"""What every writer of the axis keeps to, with the dataset's own reader as the judge."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from samrs.core import axis
from samrs.core.errors import ParameterError
from samrs.core.parameters import read_parameters
from samrs.core.records import IGNORE
from samrs.pretrain import held_tiles
from samrs.scenes.rasters import instance_colour
from samrs.scenes.scene import KINDS
from samrs.scenes.series import (
    DEMO_SEEDS,
    MOST_SCENES,
    SEEDS,
    TRIES,
    View,
    render_series,
    scene_seed,
)
from tests.demo.conftest import read
from tests.pipeline.closure import ROOT

NAMES = axis.names("samrs.datasets", "demo")
WRITERS = [axis.load("samrs.datasets", name, "demo") for name in NAMES]
SCENES = 4


def shrink(writer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    if hasattr(writer, "SIZE_HW"):
        monkeypatch.setattr(writer, "SIZE_HW", (150, 180))
    else:
        monkeypatch.setattr(writer, "SIDE", 150)


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_reader_takes_all_and_another_run_gives_the_same_bytes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = axis.load("samrs.datasets", name, "demo")
    shrink(writer, monkeypatch)
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / folder).mkdir()
        writer.write(tmp_path / folder, scenes=SCENES, seed=seed)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(tmp_path / "a") != digests(tmp_path / "c")
    scenes = read(name, tmp_path / "a")
    assert len(scenes) == SCENES
    assert any(scene.annotations or scene.semantic for scene in scenes)


def test_no_two_writers_share_a_scene() -> None:
    blocks = [writer.BLOCK for writer in WRITERS]
    assert len(set(blocks)) == len(blocks)
    assert scene_seed(max(blocks), 99, MOST_SCENES - 1, TRIES - 1) < DEMO_SEEDS
    for block in blocks:
        seeds = {
            scene_seed(block, seed, number, attempt)
            for seed in range(3)
            for number in range(MOST_SCENES)
            for attempt in range(TRIES)
        }
        assert len(seeds) == 3 * MOST_SCENES * TRIES
        assert {seed // SEEDS for seed in seeds} == {block}


def test_instance_colours_are_many_and_none_is_black() -> None:
    colours = {instance_colour(number) for number in range(20_000)}
    assert len(colours) == 20_000
    assert (0, 0, 0) not in colours


@pytest.mark.parametrize("name", NAMES)
def test_every_writer_shows_several_themes_and_known_kinds(name: str) -> None:
    writer = axis.load("samrs.datasets", name, "demo")
    assert len({view.theme for view in writer.VIEWS}) >= 3
    tables = [getattr(writer, key, ()) for key in ("CLASSES", "COLOURS", "CATEGORIES", "KINDS")]
    kinds = {kind for table in tables for kind in table} & set(KINDS)
    assert kinds


@pytest.mark.parametrize(("seed", "number"), [(-1, 0), (0, MOST_SCENES)])
def test_seeds_out_of_range_are_named(seed: int, number: int) -> None:
    with pytest.raises(ParameterError, match=f"got seed {seed}, scene {number}"):
        scene_seed(0, seed, number, 0)


def test_a_scene_shows_what_it_is_there_for_or_is_drawn_again() -> None:
    options = {"kinds": ("plane",), "size_hw": (150, 150), "block": 0, "seed": 0, "scenes": 2}
    (_, tried), (_, empty) = render_series(
        "test", [View("airport", 1.0, ("plane",)), View("airport", 1.0, empty=True)], **options
    )
    assert {item.kind for item in tried.objects} == {"plane"}
    assert empty.objects == ()


PARAMETERS = read_parameters(ROOT)
DEMO = PARAMETERS["download"]


@pytest.mark.slow  # renders the whole demo; the metrics in git tell it of the run that made them
@pytest.mark.parametrize("name", sorted(DEMO.keys() - {"hrsc2016"}))  # trained on: all others
def test_every_class_that_is_tested_can_be_learned(name: str, tmp_path: Path) -> None:
    writer = axis.load("samrs.datasets", name, "demo")
    writer.write(tmp_path, scenes=DEMO[name]["scenes"], seed=DEMO[name]["seed"])
    scenes = read(name, tmp_path)
    held = held_tiles([s.split for s in scenes], PARAMETERS["pretrain"]["hold_out"])
    classes: dict[bool, set[str | int]] = {True: set(), False: set()}
    for number, scene in enumerate(scenes):
        classes[number in held] |= {each.category for each in scene.annotations}
        if scene.semantic is not None:
            classes[number in held] |= set(np.unique(scene.semantic()).tolist()) - {IGNORE}
    assert classes[True]
    assert classes[True] <= classes[False]
