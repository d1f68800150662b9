"""Every prompt of the axis, and their sums."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import samrs.prompts
import samrs.prompts.hbox
from samrs.core import axis
from samrs.core.errors import ParameterError, UnknownNameError
from samrs.core.geometry import rotated_box_to_polygon
from samrs.prompting.recipes import AXIS, describe, parse_recipe
from samrs.prompting.types import Boxes

PROMPTS = [name for name in axis.names(AXIS) if hasattr(axis.load(AXIS, name), "build")]
NONE = np.full((4, 2), np.nan)
DIAMOND = rotated_box_to_polygon(20, 10, 10 * 2**0.5, 10 * 2**0.5, np.pi / 4)


def boxes() -> Boxes:
    """A diamond with obb, a box without, and a diamond half outside the tile."""
    return Boxes(
        np.array([[11.0, 1, 29, 19], [0, 0, 10, 6], [0, 20, 6, 40]]),
        np.array([DIAMOND, NONE, DIAMOND + [-20, 20]]),
        (50, 60),
    )


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_answers_every_box_in_order_and_counts_fallbacks(name: str) -> None:
    part = axis.load(AXIS, name)
    prompt = part.build(boxes())
    assert len(prompt) == 3
    given = [prompt.boxes_xyxy, prompt.points_xy, prompt.mask_polygons]
    assert any(values is not None for values in given)
    for values in given:
        assert values is None or (len(values) == 3 and np.isfinite(values).all())
    assert prompt.fallback.tolist() == [False, part.NEEDS_OBB, False]


@pytest.mark.parametrize("name", PROMPTS)
def test_a_tile_without_boxes_gives_an_empty_prompt(name: str) -> None:
    assert len(axis.load(AXIS, name).build(boxes().take(slice(0, 0)))) == 0


def test_point_is_the_centre_of_the_clipped_box() -> None:
    prompt = parse_recipe("point").build(boxes())
    assert prompt.points_xy is not None
    assert prompt.points_xy[:, 0].tolist() == [[20, 10], [5, 3], [3, 30]]
    assert prompt.point_labels is not None
    assert prompt.point_labels.tolist() == [[1], [1], [1]]


def test_rhbox_is_the_hull_of_the_obb_cut_to_the_tile() -> None:
    prompt = parse_recipe("rhbox").build(boxes())
    assert prompt.boxes_xyxy is not None
    np.testing.assert_allclose(
        prompt.boxes_xyxy, [[10, 0, 30, 20], [0, 0, 10, 6], [0, 20, 10, 40]], atol=1e-9
    )


def test_rbox_fills_the_rotated_box_and_falls_back_to_the_upright_one() -> None:
    prompt = parse_recipe("rbox").build(boxes())
    assert prompt.mask_polygons is not None
    np.testing.assert_allclose(prompt.mask_polygons[0], DIAMOND)
    assert prompt.mask_polygons[1].tolist() == [[0, 0], [10, 0], [10, 6], [0, 6]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zoom@96", "a part that has no size, got 'zoom@96'"),
        ("hbox@96", "a part that has no size, got 'hbox@96'"),
        ("fit@", "wrong size, got 'fit@'; whole px from 32 to 384 are allowed"),
        ("fit@31", "wrong size, got 'fit@31'"),
        ("fit@096", "wrong size, got 'fit@096'"),
        ("fit@96.5", "wrong size, got 'fit@96.5'"),
        ("soft_rbox+fit@1e2", "wrong size, got 'fit@1e2'"),
        ("fit@96+fit", "a part is named twice"),
        ("fit@96+zoom", "one of zoom, fit"),
    ],
)
def test_a_size_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        parse_recipe(text)


def test_rhbox_uses_the_upright_box_where_the_hull_misses_the_tile() -> None:
    far = Boxes(boxes().hbb[:1], np.array([DIAMOND + 500]), (50, 60))
    prompt = parse_recipe("rhbox").build(far)
    assert prompt.boxes_xyxy is not None
    assert prompt.boxes_xyxy.tolist() == [[11, 1, 29, 19]]
    assert prompt.fallback.tolist() == [True]


def test_a_sum_gives_all_its_parts() -> None:
    recipe = parse_recipe("hbox+point+rbox")
    prompt = recipe.build(boxes())
    assert recipe.name == "hbox+point+rbox"
    assert recipe.needs_obb
    assert prompt.boxes_xyxy is not None
    assert prompt.points_xy is not None
    assert prompt.mask_polygons is not None
    assert prompt.fallback.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("hbox+rhbox", ParameterError, "more than one box.*'hbox\\+rhbox'.*leave one"),
        ("rbox+hbox_mask", ParameterError, "more than one mask"),
        ("point+point", ParameterError, "named twice.*write 'point'"),
        ("hobx", UnknownNameError, "prompts: unknown name, got 'hobx'; allowed are choose, "),
        ("hbox+", ParameterError, "a part is missing, got 'hbox\\+'"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(
    text: str, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        parse_recipe(text)


def test_hbox_wide_grows_by_a_tenth_within_the_tile() -> None:
    prompt = parse_recipe("hbox_wide").build(boxes())
    assert prompt.boxes_xyxy is not None
    np.testing.assert_allclose(
        prompt.boxes_xyxy, [[10.1, 0.1, 29.9, 19.9], [0, 0, 10.5, 6.3], [0, 19, 6.3, 41]]
    )


def test_keypoints_lie_on_the_long_axis_and_in_empty_corners() -> None:
    long = rotated_box_to_polygon(30, 30, 40, 6, np.pi / 4)
    square = rotated_box_to_polygon(30, 30, 20, 20, 0.0)
    several = Boxes(
        np.array([[13.7, 13.7, 46.3, 46.3], [20, 20, 40, 40], [5, 5, 9, 9]]),
        np.array([long, square, NONE]),
        (60, 60),
    )
    prompt = parse_recipe("keypoints").build(several)
    assert prompt.points_xy is not None
    assert prompt.point_labels is not None
    reach = 10 / 2**0.5
    np.testing.assert_allclose(
        prompt.points_xy[0, :3], [[30 - reach] * 2, [30, 30], [30 + reach] * 2]
    )
    outside = prompt.points_xy[0][prompt.point_labels[0] == 0]
    assert sorted((x > 30, y > 30) for x, y in outside) == [(False, True), (True, False)]
    assert prompt.point_labels[1].tolist() == [1, 1, 1, -1, -1, -1, -1]
    assert prompt.point_labels[2].tolist() == [1, -1, -1, -1, -1, -1, -1]
    assert prompt.points_xy[2, 0].tolist() == [7, 7]
    assert prompt.fallback.tolist() == [False, False, True]


def test_neighbours_are_pointed_at_but_not_what_an_object_stands_on() -> None:
    row = np.array([[0.0, 0, 10, 10], [11, 0, 21, 10], [60, 0, 70, 10], [0, 0, 80, 40]])
    crowd = Boxes(row, np.full((4, 4, 2), np.nan), (100, 100))
    prompt = parse_recipe("neighbours").build(crowd)
    assert prompt.points_xy is not None
    assert prompt.point_labels is not None
    found = [
        points[labels == 0].tolist()
        for points, labels in zip(prompt.points_xy, prompt.point_labels, strict=True)
    ]
    assert found == [[], [], [], []]
    close = Boxes(row[:2] - [[0, 0, 0, 0], [4, 0, 4, 0]], np.full((2, 4, 2), np.nan), (100, 100))
    prompt = parse_recipe("neighbours").build(close)
    assert prompt.points_xy is not None
    assert prompt.points_xy[:, 0].tolist() == [[12, 5], [5, 5]]


@pytest.fixture
def new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that is found as a new one of ``samrs/prompts``, called ``mine``."""
    monkeypatch.setattr(samrs.prompts, "__path__", [*samrs.prompts.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "samrs.prompts.mine", raising=False)
    monkeypatch.delattr(samrs.prompts, "mine", raising=False)
    importlib.invalidate_caches()
    yield tmp_path / "mine.py"
    sys.modules.pop("samrs.prompts.mine", None)


def test_a_new_recipe_is_one_file(new_file: Path) -> None:
    hbox = Path(samrs.prompts.hbox.__file__).read_text(encoding="utf-8")
    new_file.write_text(hbox.replace("The annotated upright box", "My box"), encoding="utf-8")
    recipe = parse_recipe("mine+point+zoom")
    assert [part.__name__ for part in recipe.parts] == ["samrs.prompts.mine", "samrs.prompts.point"]
    assert "mine         -            1 a box" in describe()
    assert "My box as SAM's box prompt" in describe()


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("x = 1", "NEEDS_OBB, RANK, ASKS, EXTRA_PASSES, WANTS, answers"),
        ("def build(boxes): ...", "NEEDS_OBB"),
        (
            "NEEDS_OBB = False\ndef answers(inner, view, boxes): ...",
            "RANK, ASKS, EXTRA_PASSES, WANTS",
        ),
    ],
)
def test_a_file_that_is_no_recipe_says_what_it_lacks(
    new_file: Path, text: str, missing: str
) -> None:
    new_file.write_text(text)
    with pytest.raises(ParameterError, match=rf"samrs/prompts/mine.py: no part.*got no {missing};"):
        parse_recipe("hbox+mine")
