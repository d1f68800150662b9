"""The SAM segmenter answers as segment_anything's SamPredictor does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from segment_anything.utils.amg import calculate_stability_score
from torch._dynamo.utils import counters

from samrs.core.errors import ParameterError
from samrs.core.geometry import hbb_to_polygon, polygon_to_hbb, rotated_box_to_polygon
from samrs.core.rle import polygons_to_rle, rle_iou, rle_to_mask
from samrs.prompting.mosaic import EMPTY
from samrs.prompting.recipes import parse_recipe
from samrs.prompting.soft_masks import to_mask
from samrs.prompting.types import FLOOR, Answer, Boxes, Prediction, Prompt
from samrs.sam import checkpoints
from samrs.segmenters import sam as segmenter
from samrs.weights.checkpoints.sam import NANO
from samrs.weights.weights import find_checkpoint
from tests.pipeline.closure import ROOT
from tests.rounding import reordered
from tests.segmenters.official import predicted
from tests.segmenters.tiny_sam import LONGEST_SUM, tiny_sam

RECIPES = ("point", "hbox", "rhbox", "rbox", "hbox_mask", "rhbox_mask", "hbox+point", "hbox+rbox")
SIZES = {
    "square, the frame's": (256, 256),
    "wide": (150, 301),
    "tall": (391, 200),
    "tiny": (64, 40),
}


def scene(size_hw: tuple[int, int], count: int, seed: int = 1) -> tuple[NDArray[np.uint8], Boxes]:
    """Noise with blocks of colour, and boxes anywhere in it, some at the edges."""
    rng = np.random.default_rng(seed)
    height, width = size_hw
    image = rng.integers(0, 80, (height, width, 3), dtype=np.uint8)
    obbs, hbbs = [], []
    for _ in range(count):
        centre = rng.uniform((0, 0), (width, height))
        w, h = rng.uniform(0.05, 0.4, 2) * min(size_hw)
        obb = rotated_box_to_polygon(*centre, w, h, rng.uniform(0, np.pi))
        hbb = np.clip(polygon_to_hbb(obb), 0, [width, height, width, height])
        image[rle_to_mask(polygons_to_rle([obb], size_hw))] = rng.integers(0, 255, 3)
        obbs.append(obb)
        hbbs.append(hbb)
    return image, Boxes(np.array(hbbs), np.array(obbs), size_hw)


def assert_equal_to_official(sam: Sam, image: NDArray[np.uint8], *prompts: Prompt) -> None:
    """Encode once on both sides, then compare every prompt's masks and scores."""
    ours, predictor = segmenter.SamSegmenter(sam, "float32"), SamPredictor(sam)
    state = ours.encode(image)
    predictor.set_image(image)
    for prompt in prompts:
        logits, ious = predicted(predictor, prompt, multimask=False)
        compare(ours.decode(state, prompt), logits[:, 0], ious[:, 0])


def compare(answer: Prediction, logits: torch.Tensor, ious: torch.Tensor) -> None:
    overlaps = []
    for rle, truth in zip(answer.rles, (logits > 0).numpy(), strict=True):
        mask = rle_to_mask(rle)
        union = (mask | truth).sum()
        overlaps.append((mask & truth).sum() / union if union else 1.0)
    assert np.mean(overlaps) >= 0.999
    assert min(overlaps) >= 0.99
    np.testing.assert_allclose(answer.predicted_iou, ious.numpy(), atol=reordered(LONGEST_SUM))
    stability = torch.nan_to_num(calculate_stability_score(logits, 0.0, 1.0)).numpy()
    np.testing.assert_allclose(answer.stability_score, stability, atol=2e-3)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("size_hw", SIZES.values(), ids=SIZES)
def test_masks_equal_the_official_predictor(recipe: str, size_hw: tuple[int, int]) -> None:
    image, boxes = scene(size_hw, 12)
    assert_equal_to_official(tiny_sam(), image, parse_recipe(recipe).build(boxes))


def test_nano_masks_equal_the_official_predictor() -> None:
    nano = checkpoints.build_sam("nano", NANO, device="cpu")
    image, boxes = scene((300, 420), 6)
    recipes = ("hbox", "point", "rbox", "hbox+point+rbox")
    assert_equal_to_official(nano, image, *[parse_recipe(r).build(boxes) for r in recipes])


def test_random_weights_give_masks_of_different_shapes() -> None:
    image, boxes = scene((150, 301), 12)
    ours = segmenter.SamSegmenter(tiny_sam(), "float32")
    rles = ours.decode(ours.encode(image), parse_recipe("hbox").build(boxes)).rles
    areas = [rle_to_mask(rle).mean() for rle in rles]
    assert 0.02 < np.mean(areas) < 0.98
    assert rle_iou(rles, rles).min() < 0.9


def test_one_prompt_gets_the_same_mask_alone_and_among_many() -> None:
    ours = segmenter.SamSegmenter(tiny_sam(), "float32")
    count = ours.networks.chunk + 8
    image, boxes = scene((256, 256), count)
    state = ours.encode(image)
    prompt = parse_recipe("hbox").build(boxes)
    together = ours.decode(state, prompt)
    last = ours.decode(state, prompt.take(slice(len(prompt) - 1, None)))
    assert len(together.rles) == count
    assert rle_iou(last.rles, together.rles[-1:])[0, 0] > 0.999


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_threads_that_come_at_once_compile_once() -> None:
    torch._dynamo.reset()
    counters.clear()
    image, _ = scene((256, 256), 1)
    ours = segmenter.SamSegmenter(tiny_sam(), "bfloat16-compiled")
    together = threading.Barrier(3)

    def encoded(_: int) -> torch.Tensor:
        return ours.encode(image).embedding

    def at_once(number: int) -> torch.Tensor:
        together.wait(timeout=20)
        return encoded(number)

    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(at_once, range(3))
    assert counters["stats"]["unique_graphs"] == 1
    assert all(torch.equal(first, other) for other in others)
    ours.encode_corner(np.zeros((256, 256, 3), np.uint8), (128, 256))
    assert counters["stats"]["unique_graphs"] == 2
    assert torch.equal(encoded(0), first)


UNCOMPILED = """
import numpy
from samrs.segmenters.sam import SamSegmenter
from tests.segmenters.tiny_sam import tiny_sam
SamSegmenter(tiny_sam(), "bfloat16-compiled").encode(numpy.zeros((256, 256, 3), "u1"))
"""


@pytest.mark.slow
def test_a_compiler_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = {**os.environ, "PATH": str(tmp_path), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", UNCOMPILED]
    done = subprocess.run(
        command, env=said, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200
    )
    assert "ParameterError: precision: bfloat16-compiled does not compile here" in done.stderr
    assert "a C++ compiler is needed; install g++, or use bfloat16" in done.stderr


def test_views_of_an_image_give_what_their_copies_give() -> None:
    ours = segmenter.SamSegmenter(tiny_sam(), "float32")
    image, _ = scene((256, 256), 1)  # the frame's size, which is not resized
    view = image[:, ::-1]
    frozen = view.copy()
    frozen.flags.writeable = False
    wanted = ours.encode(view.copy()).embedding
    assert torch.equal(ours.encode(view).embedding, wanted)
    assert torch.equal(ours.encode(frozen).embedding, wanted)


def test_masks_in_a_corner_are_those_of_the_whole_picture() -> None:
    ours = segmenter.load(
        checkpoint=find_checkpoint("sam", "nano"), precision="float32-fast", device="cpu"
    )
    picture = np.full((1024, 1024, 3), EMPTY, np.uint8)
    image, some = scene((512, 512), 8)
    picture[:512, :512] = image
    prompt = parse_recipe("hbox").build(Boxes(some.hbb, some.obb, (1024, 1024)))
    whole, corner = (
        ours.decode(state, prompt).rles
        for state in (ours.encode(picture), ours.encode_corner(picture, (512, 512)))
    )
    assert rle_iou(whole, corner).diagonal().mean() > 0.95


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@torch.inference_mode()
def test_a_corner_is_embedded_by_itself_and_the_rest_as_nothing(precision: str) -> None:
    ours = segmenter.SamSegmenter(tiny_sam(), precision)
    picture = np.full((1024, 1024, 3), EMPTY, np.uint8)
    nothing = ours.encode(picture).embedding
    picture[:512, :512] = scene((512, 512), 3)[0]
    whole = ours.encode(picture)
    corner = ours.encode_corner(picture, (512, 512))
    assert corner.size_hw == whole.size_hw
    side = whole.embedding.shape[-1] // 2
    rest = torch.ones_like(nothing, dtype=torch.bool)
    rest[..., :side, :side] = False
    spread = float(nothing.std())
    assert float((corner.embedding - nothing)[rest].abs().mean()) < 0.1 * spread
    alone = ours.networks.encode(ours._pixels(picture)[..., : 16 * side, : 16 * side]).float()
    assert torch.allclose(
        corner.embedding[..., :side, :side], alone, atol=reordered(LONGEST_SUM, spread)
    )
    assert torch.equal(ours.encode_corner(picture, (512, 512)).embedding, corner.embedding)


def test_bfloat16_is_close_to_float32_and_answers_in_float32() -> None:
    image, boxes = scene((256, 256), 8)
    prompt = parse_recipe("hbox").build(boxes)
    answers = []
    for precision in ("float32", "bfloat16"):
        ours = segmenter.SamSegmenter(tiny_sam(), precision)
        state = ours.encode(image)
        assert state.embedding.dtype == torch.float32
        answers.append(ours.decode(state, prompt))
    pairs = np.diag(rle_iou(answers[0].rles, answers[1].rles))
    assert pairs.mean() > 0.95


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_encoder_gives_the_same_but_for_rounding() -> None:
    image, _ = scene((256, 256), 1)
    plain, compiled = (
        segmenter.SamSegmenter(tiny_sam(), precision).encode(image).embedding
        for precision in ("bfloat16", "bfloat16-compiled")
    )
    assert compiled.dtype == torch.float32
    assert (plain - compiled).abs().max() < 0.03 * plain.abs().max()


def test_a_prompt_of_nothing_is_refused() -> None:
    ours = segmenter.SamSegmenter(tiny_sam(), "float32")
    state = ours.encode(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(ParameterError, match=r"segmenter sam: empty prompt.*at least one"):
        ours.decode(state, Prompt(fallback=np.zeros(1, dtype=bool)))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(ParameterError, match=r"runtime\.device: torch finds no GPU here, got cuda"):
        segmenter.load(
            checkpoint=find_checkpoint("sam", "nano"), precision="float32", device="cuda"
        )


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ParameterError, match="precision: unknown, got 'half'; allowed are float32"):
        segmenter.SamSegmenter(tiny_sam(), "half")


def test_logits_below_the_floor_give_an_empty_mask() -> None:
    low_res = np.full((64, 64), -5, np.float32)
    crop, x0, y0 = segmenter.frame.logits_to_crop(low_res, 256, (30, 40), FLOOR)
    rle, stability = to_mask(Answer(logits=crop, x0=x0, y0=y0, predicted_iou=0.5), (30, 40))
    assert rle_to_mask(rle).shape == (30, 40)
    assert rle_to_mask(rle).sum() == 0
    assert stability == 0


def test_a_mask_prompt_of_a_whole_wide_tile_fills_the_top_of_the_frame() -> None:
    prompt = segmenter.frame.mask_to_prompt(np.ones((100, 200), bool), 256, (64, 64))[0]
    assert (prompt[:31] == 1000).all()
    assert (prompt[33:] == -1000).all()


def test_boxes_at_every_edge_stay_inside_the_tile() -> None:
    size_hw = (120, 200)
    image, _ = scene(size_hw, 4)
    edges = np.array([[0, 0, 20, 20], [180, 0, 200, 30], [0, 100, 50, 120], [150, 90, 200, 120.0]])
    obbs = np.array([hbb_to_polygon(edge) for edge in edges])
    prompt = parse_recipe("hbox+rbox").build(Boxes(edges, obbs, size_hw))
    assert_equal_to_official(tiny_sam(), image, prompt)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("no"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
    ],
    ids=["GPU", "Python", "CPU", "cuBLAS", "CUDA"],
)
def test_out_of_memory_halves_the_chunk_and_loses_nothing(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    image, boxes = scene((150, 301), 7)
    ours = segmenter.SamSegmenter(tiny_sam(), "float32")
    state, prompt = ours.encode(image), parse_recipe("hbox").build(boxes)
    whole = ours.decode(state, prompt)
    original = ours._low_res

    def small(state: segmenter.Encoded, prompt: Prompt, which: slice) -> Any:
        if len(prompt) > 1:
            raise error
        return original(state, prompt, which)

    monkeypatch.setattr(ours, "_low_res", small)
    halved = ours.decode(state, prompt)
    assert rle_iou(whole.rles, halved.rles).diagonal().min() >= 0.9999
    rounding = reordered(LONGEST_SUM)
    np.testing.assert_allclose(whole.predicted_iou, halved.predicted_iou, atol=rounding)
    assert "out of memory with 4 prompts, now 2" in caplog.text


def test_no_memory_for_one_prompt_and_other_errors_are_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, boxes = scene((150, 301), 1)
    ours = segmenter.SamSegmenter(tiny_sam(), "float32")
    state, prompt = ours.encode(image), parse_recipe("hbox").build(boxes)
    for error in (torch.OutOfMemoryError("no"), RuntimeError("shapes differ")):

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(ours, "_low_res", fail)
        with pytest.raises(type(error), match=str(error)):
            ours.decode(state, prompt)


def test_a_soft_rectangle_rises_from_its_border_to_its_middle_line() -> None:
    corners = np.array([[32.0, 64], [224, 64], [224, 128], [32, 128]])
    logits = segmenter.frame.soft_rectangle(corners, 8.0, (4, 4), (64, 64))[0].numpy()
    assert logits.shape == (64, 64)
    np.testing.assert_allclose(logits[16:32, 32], 8 - np.abs(np.arange(16) * 4 + 2 - 32) / 4)
    assert logits[32:34, 32].tolist() == [-0.5, -1.5]
    assert logits[0, 0] == -8


def test_candidates_are_three_and_keep_their_logits() -> None:
    image, boxes = scene((150, 301), 3)
    ours = segmenter.SamSegmenter(tiny_sam(), "float32")
    state, prompt = ours.encode(image), parse_recipe("hbox").build(boxes)
    candidates = list(ours.candidates(state, prompt))
    assert [len(few) for few in candidates] == [3] * len(boxes)
    assert all(a.frame_logits is not None and a.frame_logits.shape == (64, 64)
               for few in candidates for a in few)  # fmt: skip


def test_a_soft_box_without_rotated_box_is_the_plain_box() -> None:
    image, boxes = scene((150, 301), 3)
    obb = boxes.obb.copy()
    obb[1:3] = np.nan
    mixed = Boxes(boxes.hbb, obb, boxes.size_hw)
    ours = segmenter.SamSegmenter(tiny_sam(), "float32")
    state = ours.encode(image)
    plain = ours.decode(state, parse_recipe("hbox").build(mixed))
    soft = ours.decode(state, parse_recipe("soft_rbox").build(mixed))
    most = reordered(LONGEST_SUM)
    np.testing.assert_allclose(soft.predicted_iou[1:3], plain.predicted_iou[1:3], atol=most)
    assert abs(soft.predicted_iou[0] - plain.predicted_iou[0]) > most
    assert parse_recipe("soft_rbox").fallback(mixed).tolist() == [False, True, True]
