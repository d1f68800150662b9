"""The ways of asking: what they ask, and that masks come back where they belong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from samrs.core import axis
from samrs.core.errors import ParameterError
from samrs.core.geometry import polygon_to_hbb, rotated_box_to_polygon
from samrs.core.rle import Rle, polygons_to_rle, rle_area, rle_iou, rle_to_mask
from samrs.prompting import crops, mosaic
from samrs.prompting.recipes import AXIS, parse_recipe
from samrs.prompting.types import Answer, Boxes, Prompt
from samrs.prompting.view import View
from samrs.segmenters import box
from samrs.weights.checkpoint import Checkpoint
from tests.prompts.bright import BrightSegmenter

WAYS = [name for name in axis.names(AXIS) if not hasattr(axis.load(AXIS, name), "build")]
SIZE = (300, 400)


def scene(
    count: int, seed: int = 0, *, obb: bool = True, wide: bool = True
) -> tuple[Any, Boxes, list[Rle]]:
    """A dark image with bright rectangles apart from each other, their boxes and true masks."""
    rng = np.random.default_rng(seed)
    places = [(x, y) for y in range(30, 280, 50) for x in range(30, 380, 50)]
    obbs = np.array(
        [
            rotated_box_to_polygon(
                *(places[k] + rng.uniform(-4, 4, 2)), rng.uniform(8, 30 if wide else 12),
                rng.uniform(6, 12), rng.uniform(-1.5, 1.5),
            )
            for k in rng.permutation(len(places))[:count]
        ]
    ).reshape(-1, 4, 2)  # fmt: skip
    image = np.repeat(shares(obbs)[..., None], 3, axis=2) * 180 + 40
    hbb = np.array([polygon_to_hbb(corners) for corners in obbs]).reshape(-1, 4)
    truth = [polygons_to_rle([corners], SIZE) for corners in obbs]
    return (
        image.astype(np.uint8),
        Boxes(hbb, obbs if obb else np.full_like(obbs, np.nan), SIZE),
        truth,
    )


def shares(polygons: Any) -> Any:
    """How much of every px the polygons cover, to 1/64."""
    if not len(polygons):
        return np.zeros(SIZE)
    fine = rle_to_mask(polygons_to_rle(list(polygons * 8), (SIZE[0] * 8, SIZE[1] * 8)))
    return fine.reshape(SIZE[0], 8, SIZE[1], 8).mean(axis=(1, 3))


def ious(masks: list[Rle], truth: list[Rle]) -> Any:
    return np.array([rle_iou([a], [b])[0, 0] for a, b in zip(masks, truth, strict=True)])


@pytest.mark.parametrize("obb", [True, False])
@pytest.mark.parametrize("name", WAYS)
def test_every_way_gives_each_box_its_own_mask(name: str, obb: bool) -> None:
    image, boxes, truth = scene(25, obb=obb)
    recipe = parse_recipe(name)
    answer = recipe.ask(View(BrightSegmenter(), image), boxes)
    found = ious(answer.rles, truth)
    if obb or not recipe.needs_obb:
        assert found.mean() > 0.85
        assert found.min() > 0.6
    assert recipe.fallback(boxes).tolist() == [recipe.needs_obb and not obb] * 25


@pytest.mark.parametrize("name", WAYS)
def test_a_tile_without_boxes_asks_nothing(name: str) -> None:
    image, boxes, _ = scene(3)
    segmenter = BrightSegmenter()
    answer = parse_recipe(name).ask(View(segmenter, image), boxes.take(slice(0, 0)))
    assert answer.rles == []
    assert sum(len(prompt) for prompt in segmenter.asked) == 0


@pytest.mark.parametrize("name", WAYS)
def test_masks_do_not_depend_on_the_order_of_the_boxes(name: str) -> None:
    image, boxes, _ = scene(9)
    order = np.array([4, 0, 8, 2, 6, 1, 7, 3, 5])
    one = parse_recipe(name).ask(View(BrightSegmenter(), image), boxes).rles
    other = parse_recipe(name).ask(View(BrightSegmenter(), image), boxes.take(order)).rles
    again = [one[i] for i in order]
    assert ious(other, again).min() > 0.95


@pytest.mark.parametrize("name", WAYS)
def test_a_segmenter_without_soft_masks_is_named(name: str) -> None:
    image, boxes, _ = scene(2)
    floor = box.load(checkpoint=Checkpoint("box", "nano"), precision="float32", device="cpu")
    with pytest.raises(ParameterError, match="needs soft masks, got box;"):
        parse_recipe(name).ask(View(floor, image), boxes)


@pytest.mark.parametrize("name", WAYS)
def test_a_way_says_what_it_costs(name: str) -> None:
    image, boxes, _ = scene(12)
    segmenter = BrightSegmenter()
    view = View(segmenter, image)
    recipe = parse_recipe(name)
    recipe.ask(view, boxes)
    assert view.spent.decoder_prompts == recipe.asks * 12
    assert view.spent.encoder_passes == sum(segmenter.shown)
    assert recipe.extra_passes == any(i.shape != image.shape for i in segmenter.encoded)


def test_zoom_magnifies_small_boxes_and_leaves_large_ones() -> None:
    image, boxes, truth = scene(30, wide=False)
    big = np.array([[40.0, 40, 340, 260]])
    hbb = np.concatenate([boxes.hbb, big])
    obb = np.concatenate([boxes.obb, np.full((1, 4, 2), np.nan)])
    segmenter = BrightSegmenter()
    answer = parse_recipe("zoom").ask(View(segmenter, image), Boxes(hbb, obb, SIZE))
    assert ious(answer.rles[:-1], truth).mean() > 0.85
    sides = [(p.boxes_xyxy[:, 2:] - p.boxes_xyxy[:, :2]).max(1) for p in segmenter.asked]
    assert sum(map(len, sides)) == 31
    magnified = np.concatenate([s for s in sides if s.max() < 200])
    assert len(magnified) >= 5
    assert magnified.max() <= crops.TARGET + 1e-6
    assert sum(segmenter.shown) <= 3.25


@pytest.mark.parametrize(
    ("count", "shares"),
    [
        (1, [1 / 16]),
        (2, [1 / 8]),
        (3, [0.25]),
        (4, [0.25]),
        (5, [0.25, 1 / 16]),
        (18, [0.25] * 4 + [1 / 8]),
    ],
)
def test_pictures_are_filled_to_a_quarter_and_only_the_part_with_pieces_is_encoded(
    count: int, shares: list[float]
) -> None:
    corners = 200.0 * np.array([(i % 5, i // 5) for i in range(count)])
    hbb = np.hstack([corners + 20, corners + 40])
    boxes = Boxes(hbb, np.full((count, 4, 2), np.nan), (1024, 1024))
    image = np.full((1024, 1024, 3), 60, np.uint8)
    for x0, y0, x1, y1 in hbb.astype(int):
        image[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] = 220
    segmenter = BrightSegmenter()
    view = View(segmenter, image)
    answer = parse_recipe("zoom").ask(view, boxes)
    assert min(rle_area(rle) for rle in answer.rles) > 200
    assert segmenter.shown == shares
    assert view.spent.encoder_passes == sum(shares)


class Whole(BrightSegmenter):
    """Embeds every picture as a whole."""

    encodes_parts = False


@pytest.mark.parametrize(("count", "pictures"), [(1, 1), (16, 1), (17, 2)])
def test_a_model_that_embeds_no_parts_has_whole_pictures_filled(count: int, pictures: int) -> None:
    boxes = row_of(count, 12)
    view = View(Whole(), np.zeros((1024, 1024, 3), np.uint8))
    parse_recipe("zoom").ask(view, boxes)
    assert view.spent.encoder_passes == pictures


def test_groups_of_zoom_take_every_box_once_and_fit() -> None:
    rng = np.random.default_rng(5)
    low = rng.uniform(0, 300, (200, 2))
    hbb = np.concatenate([low, low + rng.uniform(2, 12, (200, 2))], axis=1)
    groups = crops.groups(hbb, np.arange(200), 60.0)
    assert sorted(np.concatenate(groups).tolist()) == list(range(200))
    for group in groups:
        extent = hbb[group, 2:].max(axis=0) - hbb[group, :2].min(axis=0)
        assert (extent <= 60).all()
    assert len(groups) < 80


def test_rotated_asks_with_level_tight_boxes() -> None:
    image, boxes, _ = scene(10)
    segmenter = BrightSegmenter()
    parse_recipe("rotated").ask(View(segmenter, image), boxes)
    for prompt in segmenter.asked:
        assert prompt.boxes_xyxy is not None
        sides = prompt.boxes_xyxy[:, 2:] - prompt.boxes_xyxy[:, :2]
        assert (sides[:, 0] >= sides[:, 1] - 1e-6).all()
    asked = np.concatenate([np.prod(p.boxes_xyxy[:, 2:] - p.boxes_xyxy[:, :2], 1)
                            for p in segmenter.asked if p.boxes_xyxy is not None])  # fmt: skip
    scale = 1024 / 400
    edges = np.linalg.norm(boxes.obb[:, [1, 2]] - boxes.obb[:, [0, 1]], axis=2)
    own = edges.prod(axis=1) * scale**2
    zooms = np.clip(64 / (edges.max(axis=1) * scale), 1, 4) ** 2
    np.testing.assert_allclose(sorted(asked), sorted(own * zooms), rtol=1e-6)


def test_refine_gives_the_first_answer_back() -> None:
    image, boxes, _ = scene(5)
    segmenter = BrightSegmenter()
    parse_recipe("refine").ask(View(segmenter, image), boxes)
    first, second = segmenter.asked
    assert first.mask_logits is None
    assert second.mask_logits is not None
    assert second.mask_logits[:, 0, 0].tolist() == pytest.approx(boxes.hbb[:, 0].tolist())
    assert second.boxes_xyxy is not None
    np.testing.assert_array_equal(second.boxes_xyxy, boxes.hbb)


def test_choose_takes_what_the_rotated_box_says() -> None:
    image, boxes, truth = scene(20)
    answer = parse_recipe("choose").ask(View(BrightSegmenter(), image), boxes)
    assert ious(answer.rles, truth).min() > 0.6
    assert np.mean(answer.predicted_iou == 0.5) > 0.8  # the others lie level and fill their box


def test_consensus_is_sure_of_a_clear_object_and_unsure_of_a_cut_one() -> None:
    image = np.full((100, 200, 3), 40, np.uint8)
    image[30:60, 20:60] = 220  # well within its box
    image[:, 100:] = 220  # fills its box and goes on: each box gives another mask
    hbb = np.array([[10.0, 20, 70, 70], [120, 20, 180, 80]])
    boxes = Boxes(hbb, np.full((2, 4, 2), np.nan), (100, 200))
    answer = parse_recipe("consensus").ask(View(BrightSegmenter(), image), boxes)
    assert rle_area(answer.rles[0]) == 30 * 40
    assert answer.disagreement is not None
    assert answer.disagreement[0] == 0
    assert answer.disagreement[1] > 0.03


def test_ways_lie_within_each_other_whatever_the_order_of_their_names() -> None:
    one, other = parse_recipe("zoom+consensus+refine"), parse_recipe("refine+zoom+consensus")
    names = [way.__name__.split(".")[-1] for way in one.ways]
    assert names == ["refine", "consensus", "zoom"]
    assert one.ways == other.ways
    assert one.asks == 10
    image, boxes, truth = scene(8)
    answer = one.ask(View(BrightSegmenter(), image), boxes)
    assert ious(answer.rles, truth).min() > 0.6


def test_two_ways_that_make_pictures_are_refused() -> None:
    with pytest.raises(ParameterError, match="one of zoom, fit, two_sizes and rotated is allowed"):
        parse_recipe("zoom+rotated")


def test_a_recipe_that_only_says_how_asks_for_the_box() -> None:
    parts = {name: parse_recipe(name).parts for name in ("zoom", "hbox+zoom", "point+zoom")}
    assert parts["zoom"] == parts["hbox+zoom"]
    assert [part.__name__ for part in parts["point+zoom"]] == ["samrs.prompts.point"]
    soft = parse_recipe("soft_rbox+zoom").parts
    assert [part.__name__.split(".")[-1] for part in soft] == ["hbox", "soft_rbox"]


def row_of(count: int, side: float) -> Boxes:
    """Boxes of one side along a tile of 1024 px."""
    low = np.stack([np.arange(count) % 8 * 120.0 + 20, np.arange(count) // 8 * 120.0 + 20], 1)
    return Boxes(np.concatenate([low, low + side], 1), np.full((count, 4, 2), np.nan), (1024, 1024))


@pytest.mark.parametrize(
    ("count", "side", "wanted"),
    [(1, 12, 1), (3, 50, 0), (4, 50, 4), (1, 80, 0), (17, 12, 17), (20, 50, 16)],
)
def test_a_picture_is_made_for_one_tiny_box_or_several_small_ones(
    count: int, side: float, wanted: int
) -> None:
    assert len(crops.magnifying(row_of(count, side))) == wanted


def test_small_boxes_fill_the_pictures_of_tiny_ones() -> None:
    tiny, small = row_of(15, 12), row_of(3, 50)
    both = Boxes(
        np.concatenate([small.hbb + [0, 500, 0, 500], tiny.hbb]),
        np.full((18, 4, 2), np.nan), (1024, 1024),
    )  # fmt: skip
    pieces = crops.magnifying(both)
    assert [piece.which.tolist() for piece in pieces] == [[i] for i in (*range(3, 18), 0)]


def boxes_at(*hbb: tuple[float, float, float, float], size_hw: tuple[int, int]) -> Boxes:
    return Boxes(np.array(hbb, dtype=float), np.full((len(hbb), 4, 2), np.nan), size_hw)


def shown_sides(pieces: list[mosaic.Piece], boxes: Boxes) -> dict[int, float]:
    """Longer side of each box in the crop it is asked in, px."""
    longer = (boxes.hbb[:, 2:] - boxes.hbb[:, :2]).max(axis=1)
    return {int(i): longer[i] * piece.matrix[0, 0] for piece in pieces for i in piece.which}


def test_fit_shows_large_ones_at_their_best_size_with_as_much_around() -> None:
    boxes = boxes_at((100, 100, 900, 500), size_hw=(1024, 1024))
    (piece,) = crops.fitting(boxes)
    assert piece.side == 256
    assert shown_sides([piece], boxes)[0] == pytest.approx(128)


def test_fit_brings_small_and_middling_ones_near_their_best_size() -> None:
    sides = [8.0, 20, 31, 40, 60, 84, 100, 190, 201, 700]
    for side in sides:
        boxes = boxes_at((50, 60, 50 + side, 60 + side / 2), size_hw=(1024, 1024))
        shown = shown_sides(crops.fitting(boxes), boxes)[0]
        assert 84 < shown <= 128 + 1e-6 or (side <= 20 and shown == side * 4)


def test_fit_shows_a_small_picture_smaller_than_the_frame_would() -> None:
    """A picture of 256 px fills the frame, so that an object of 100 px has 400 there."""
    boxes = boxes_at((80, 80, 180, 150), size_hw=(256, 256))
    assert shown_sides(crops.fitting(boxes), boxes)[0] == pytest.approx(128)


@pytest.mark.parametrize(
    ("count", "passes"), [(1, 1 / 16), (3, 0.25), (8, 0.5), (24, 1.5), (25, 1)]
)
def test_fit_encodes_crops_for_few_boxes_and_the_tile_for_many(count: int, passes: float) -> None:
    boxes = row_of(count, 150)
    view = View(BrightSegmenter(), np.zeros((1024, 1024, 3), np.uint8))
    parse_recipe("fit").ask(view, boxes)
    assert view.spent.encoder_passes == passes


@pytest.mark.parametrize(("middling", "wanted"), [(1, 0), (3, 0), (4, 4), (6, 4)])
def test_fit_makes_no_picture_for_a_few_middling_boxes_among_many(
    middling: int, wanted: int
) -> None:
    many, few = row_of(40, 110), row_of(middling, 50)
    boxes = Boxes(np.concatenate([many.hbb, few.hbb * [1, 0, 1, 0] + [0, 900, 0, 950]]),
                  np.full((40 + middling, 4, 2), np.nan), (1024, 1024))  # fmt: skip
    pieces = crops.fitting(boxes)
    assert len(pieces) == wanted
    assert all(i >= 40 for piece in pieces for i in piece.which)


def test_fit_fills_up_the_quarter_that_large_ones_need() -> None:
    many, small = row_of(40, 110), row_of(6, 50)
    large = np.array([[100.0, 100, 600, 500]])
    hbb = np.concatenate([many.hbb, small.hbb * [1, 0, 1, 0] + [0, 900, 0, 950], large])
    pieces = crops.fitting(Boxes(hbb, np.full((47, 4, 2), np.nan), (1024, 1024)))
    assert pieces[0].which.tolist() == [46]
    assert len(pieces) == 4


@pytest.mark.parametrize(
    ("size", "side"), [(64, 128), (96, 128), (128, 256), (192, 256), (256, 512)]
)
def test_fit_brings_things_to_the_size_that_a_recipe_names(size: int, side: int) -> None:
    recipe = parse_recipe(f"fit@{size}")
    assert recipe.size == size
    boxes = boxes_at((100, 100, 900, 500), size_hw=(1024, 1024))
    segmenter = BrightSegmenter()
    recipe.ask(View(segmenter, np.zeros((1024, 1024, 3), np.uint8)), boxes)
    (asked,) = segmenter.asked
    assert asked.boxes_xyxy is not None
    assert (asked.boxes_xyxy[:, 2] - asked.boxes_xyxy[:, 0]).tolist() == pytest.approx([size])
    (piece,) = crops.fitting(boxes, size)
    assert piece.side == side


class Nearsighted(BrightSegmenter):
    """Answers nothing about what is shown at more than 100 px."""

    def answers(self, state: Any, prompt: Prompt) -> Iterator[Answer]:
        assert prompt.boxes_xyxy is not None
        for xyxy, answer in zip(prompt.boxes_xyxy, super().answers(state, prompt), strict=True):
            far = (xyxy[2:] - xyxy[:2]).max() <= 100
            yield answer if far else replace(answer, logits=np.full_like(answer.logits, -9))


def test_two_sizes_take_the_answer_that_is_surer() -> None:
    image = np.full((600, 900, 3), 40, np.uint8)
    image[100:460, 150:800] = 220
    boxes = boxes_at((150, 100, 800, 460), size_hw=(600, 900))
    truth = polygons_to_rle([[150, 100, 800, 100, 800, 460, 150, 460]], (600, 900))
    masks = {
        name: parse_recipe(name).ask(View(Nearsighted(), image), boxes).rles
        for name in ("fit", "two_sizes")
    }
    assert rle_area(masks["fit"][0]) == 0
    assert ious(masks["two_sizes"], [truth])[0] > 0.95


@pytest.mark.parametrize("seed", range(5))
def test_fit_takes_no_box_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 900, (60, 2))
    hbb = np.concatenate([low, low + rng.uniform(3, 400, (60, 2))], axis=1).clip(0, 1024)
    boxes = Boxes(hbb, np.full((60, 4, 2), np.nan), (1024, 1024))
    which = np.concatenate([piece.which for piece in crops.fitting(boxes)])
    assert len(set(which.tolist())) == len(which)


def test_a_large_object_comes_back_where_it_was() -> None:
    image = np.full((600, 900, 3), 40, np.uint8)
    image[100:460, 150:800] = 220
    boxes = boxes_at((150, 100, 800, 460), size_hw=(600, 900))
    answer = parse_recipe("fit").ask(View(BrightSegmenter(), image), boxes)
    truth = polygons_to_rle([[150, 100, 800, 100, 800, 460, 150, 460]], (600, 900))
    assert ious(answer.rles, [truth])[0] > 0.97


@pytest.mark.parametrize("seed", range(6))
def test_a_piece_is_cut_of_what_it_shows_as_of_the_whole_image(seed: int) -> None:
    """Its edges look at px beyond it, and the image's own edges are no other's."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (701, 523, 3), dtype=np.uint8)
    for _ in range(25):
        scale, side = rng.uniform(0.12, 0.6), int(rng.choice([64, 128, 256]))
        middle, angle = rng.uniform(-100, 800, 2), rng.uniform(0, 2 * np.pi)
        along = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(5, 300)
        across = along[::-1] * [-0.4, 0.4]
        obb = middle + np.stack([along + across, along - across, -along - across, across - along])
        turned = mosaic.upright(obb, scale, side)
        for matrix in (mosaic.magnified(middle.tolist(), scale), turned):
            piece, times = mosaic.Piece(np.zeros(0, np.int64), matrix, side), int(1 / scale)
            whole = mosaic._means(image, times) if times > 1 else image
            centred = np.column_stack([matrix[:, :2] * times, matrix[:, 2]])
            wanted = cv2.warpAffine(
                whole, mosaic._pixel_centres(centred), (side, side), flags=cv2.INTER_CUBIC,
                borderValue=mosaic.EMPTY,
            )  # fmt: skip
            assert (mosaic._cut(image, piece) == wanted).all()


def test_reduced_crops_are_means_of_squares() -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    image[:2, :2] = [[[10] * 3, [20] * 3], [[30] * 3, [41] * 3]]
    image[:, 4] = 7
    found = mosaic._means(image, 2)
    assert found.shape == (2, 3, 3)
    assert found[0, :, 0].tolist() == [25, 0, 7]
