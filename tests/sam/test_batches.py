"""Tiles computed together have the masks they have alone, whoever is in the batch with them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from samrs.core.rle import rle_area, rle_iou
from samrs.prompting.recipes import parse_recipe
from samrs.prompting.types import Boxes, Prediction
from samrs.prompting.view import View
from samrs.sam import decoder as decoding
from samrs.sam import encoder as encoding
from samrs.sam.batches import Several
from samrs.sam.checkpoints import build_sam
from samrs.segmenters.sam import NETWORKS, SamSegmenter
from samrs.weights.checkpoints.sam import NANO
from tests.rounding import reordered
from tests.segmenters.test_segmenter_sam import scene
from tests.segmenters.tiny_sam import LONGEST_SUM, tiny_sam

RECIPES = ("hbox", "hbox+point", "rbox", "soft_rbox", "choose", "refine", "consensus", "zoom")
SEVERAL = partial(Several, tiles=3, slots=4, prompts=2)
SIZES = ((256, 256), (150, 301), (391, 200), (64, 40))
ROUNDING = reordered(LONGEST_SUM)
Tile = tuple[NDArray[np.uint8], Boxes, str]


def tiles() -> list[Tile]:
    """Tiles of several sizes with 1 to 11 boxes, some without rotated boxes; each with a recipe."""
    found = []
    for number in range(12):
        image, boxes = scene(SIZES[number % 4], 1 + number % 12, number)
        boxes.obb[:: 2 + number % 3] = np.nan
        found.append((image, boxes, RECIPES[number % len(RECIPES)]))
    return found


def masks(engine: SamSegmenter, tile: Tile) -> Prediction:
    image, boxes, recipe = tile
    return parse_recipe(recipe).ask(View(engine, image), boxes)


def by_threads(engine: SamSegmenter, some: list[Tile], threads: int) -> list[Prediction]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda tile: masks(engine, tile), some))


def same(one: Prediction, other: Prediction) -> bool:
    return one.rles == other.rles and all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
        for name in ("predicted_iou", "stability_score", "disagreement")
    )


@pytest.fixture(scope="module")
def alone() -> list[Prediction]:
    engine = SamSegmenter(tiny_sam(), "float32")
    return [masks(engine, tile) for tile in tiles()]


@pytest.mark.parametrize("threads", [1, 5])
def test_together_masks_are_those_of_tiles_alone(alone: list[Prediction], threads: int) -> None:
    engine = SamSegmenter(tiny_sam(), "float32", SEVERAL)
    for mine, theirs in zip(by_threads(engine, tiles(), threads), alone, strict=True):
        assert rle_iou(mine.rles, theirs.rles).diagonal().min() >= 0.9999
        np.testing.assert_allclose(mine.predicted_iou, theirs.predicted_iou, atol=ROUNDING)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_neighbours_order_and_threads_change_no_bit(precision: str) -> None:
    engine = SamSegmenter(tiny_sam(), precision, SEVERAL)
    first = [masks(engine, tile) for tile in tiles()]
    for seed in range(3):
        order = list(range(len(first)))
        random.Random(seed).shuffle(order)
        found = by_threads(engine, [tiles()[i] for i in order], 2 + 3 * seed)
        assert all(same(found[place], first[i]) for place, i in enumerate(order))


def test_tiles_that_come_while_the_encoder_works_share_its_next_pass() -> None:
    engine = SamSegmenter(tiny_sam(), "float32", SEVERAL)
    begun, may, sizes = threading.Event(), threading.Event(), []
    together = engine.networks._encoder_pass  # type: ignore[attr-defined]
    original = together._work

    def work(pixels: list[torch.Tensor]) -> Any:
        sizes.append(len(pixels))
        begun.set()
        assert may.wait(20)
        return original(pixels)

    together._work = work
    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(masks, engine, tiles()[0])]
        assert begun.wait(20)
        waits += [pool.submit(masks, engine, tile) for tile in tiles()[1:4]]
        while len(together._waiting) < 3:
            threading.Event().wait(0.001)
        may.set()
        assert all(wait.result(20).rles for wait in waits)
    assert sizes == [1, 3]


def count(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, place: int) -> list[int]:
    """The first sizes of an argument of every call."""
    sizes: list[int] = []
    original = getattr(module, name)

    def counted(*given: Any) -> Any:
        sizes.append(len(given[place]))
        return original(*given)

    monkeypatch.setattr(module, name, counted)
    return sizes


def test_every_pass_has_one_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = count(monkeypatch, encoding, "encode", 1)
    asked = count(monkeypatch, decoding, "decode", 3)
    images = count(monkeypatch, decoding, "two_way", 1)
    engine = SamSegmenter(tiny_sam(), "float32", SEVERAL)
    by_threads(engine, [(*tile[:2], "hbox") for tile in tiles()], 5)
    assert set(encoded) == {3}
    assert set(asked) == {8}
    assert set(images) == {4}, "an embedding for each slot, not for each prompt"
    slots = sum(-(-len(boxes) // 2) for _, boxes, _ in tiles())
    assert len(encoded) >= len(tiles()) / 3
    assert len(asked) >= slots / 4


def short_of_memory(work: Callable[..., Any], place: int, most: int) -> Callable[..., Any]:
    def short(*given: Any) -> Any:
        if len(given[place]) > most:
            raise torch.OutOfMemoryError("no")
        return work(*given)

    return short


def test_out_of_memory_halves_a_batch_and_loses_nothing(
    alone: list[Prediction], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(encoding, "encode", short_of_memory(encoding.encode, 1, 1))
    monkeypatch.setattr(decoding, "decode", short_of_memory(decoding.decode, 3, 4))
    engine = SamSegmenter(tiny_sam(), "float32", SEVERAL)
    for mine, theirs in zip(by_threads(engine, tiles(), 4), alone, strict=True):
        assert rle_iou(mine.rles, theirs.rles).diagonal().min() >= 0.9999
    assert "out of memory with 3 tiles, now 1" in caplog.text
    assert "out of memory with 4 parts of tiles, now 2" in caplog.text


def test_no_memory_for_one_tile_is_raised_in_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "encode", short_of_memory(encoding.encode, 1, 0))
    engine = SamSegmenter(tiny_sam(), "float32", SEVERAL)
    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(masks, engine, tile) for tile in tiles()[:4]]
        for wait in waits:
            with pytest.raises(torch.OutOfMemoryError):
                wait.result(20)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_neighbours_change_no_bit_of_nano(precision: str) -> None:
    nano = build_sam("nano", NANO, device="cpu")
    some = [(*tile[:2], "hbox") for tile in tiles()[4:8]]
    engine = SamSegmenter(nano, precision, SEVERAL)
    first = [masks(engine, tile) for tile in some]
    assert all(rle_area(rle) for prediction in first for rle in prediction.rles)
    for order in ([3, 1, 0, 2], [1, 2, 3, 0]):
        found = by_threads(engine, [some[i] for i in order], 4)
        assert all(same(found[place], first[i]) for place, i in enumerate(order))


def test_gpus_have_tiles_together_and_cpus_alone() -> None:
    sam = tiny_sam()
    made = {name: make(lambda pixels: pixels, sam.mask_decoder) for name, make in NETWORKS.items()}
    assert isinstance(made["cuda"], Several)
    assert made["cuda"].chunk == 64
    assert not isinstance(made["cpu"], Several)
