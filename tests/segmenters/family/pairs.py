"""The same question put to us and to the library that a model is of."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from samrs.core.rle import rle_to_mask
from samrs.prompting.types import Prompt
from tests.rounding import reordered

COUNT = 6
KINDS = {"boxes": (True, False), "points": (False, True), "both": (True, True)}


def rounding(model: torch.nn.Module) -> float:
    """Most that logits may differ, of their range, where sums are made in another order: the
    longest sum is of the products with one row of the model's largest matrix."""
    return reordered(max(v[0].numel() for v in model.parameters() if v.ndim > 1))


def picture(size_hw: tuple[int, int], seed: int = 1) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 90, (*size_hw, 3), dtype=np.uint8)
    for _ in range(4):
        x, y = (int(rng.integers(0, side // 2)) for side in size_hw[::-1])
        image[y : y + size_hw[0] // 3, x : x + size_hw[1] // 3] = rng.integers(0, 255, 3)
    return image


def prompt(size_hw: tuple[int, int], kind: str, seed: int = 2) -> Prompt:
    """Of six instances."""
    rng = np.random.default_rng(seed)
    size = np.array(size_hw[::-1])
    corner = rng.uniform(0, 0.6, (COUNT, 2)) * size
    boxes = np.concatenate([corner, corner + rng.uniform(0.05, 0.4, (COUNT, 2)) * size], 1)
    points = rng.uniform(0, 1, (COUNT, 2, 2)) * size
    given, pointed = KINDS[kind]
    return Prompt(
        fallback=np.zeros(COUNT, bool),
        boxes_xyxy=boxes if given else None,
        points_xy=points if pointed else None,
        point_labels=rng.integers(0, 2, (COUNT, 2)) if pointed else None,
    )


def asked(processor: Any, image: NDArray[np.uint8], prompt: Prompt) -> dict[str, Any]:
    """What transformers' processor makes of a prompt."""
    return dict(
        processor(
            images=image,
            input_boxes=None if prompt.boxes_xyxy is None else [prompt.boxes_xyxy.tolist()],
            input_points=None if prompt.points_xy is None else [prompt.points_xy.tolist()],
            input_labels=None if prompt.point_labels is None else [prompt.point_labels.tolist()],
            return_tensors="pt",
        )
    )


@torch.inference_mode()
def theirs(model: Any, given: dict[str, Any], *, several: bool) -> tuple[Any, Any]:
    """Logits (N, M, h, w) and predicted IoUs (N, M)."""
    said = {name: value for name, value in given.items() if not name.endswith("sizes")}
    out = model(**said, multimask_output=several)
    return out.pred_masks[0], out.iou_scores[0]


def ours(engine: Any, state: Any, prompt: Prompt, *, several: bool) -> tuple[Any, Any]:
    """The same of us, chunk by chunk."""
    which = slice(1, None) if several else slice(0, 1)
    found = [
        engine._low_res(state, prompt.take(slice(start, start + engine.chunk)), which)
        for start in range(0, len(prompt), engine.chunk)
    ]
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def assert_same_masks(rles: list[Any], logits: NDArray[np.float32], share: float) -> None:
    """The library's masks of a picture, but for pixels whose logit is 0 up to rounding, which may
    fall on either side: both sum in orders of their own.

    Args:
        logits: (N, H, W) of the library, in the picture's px.
        share: of their range, as of ``rounding``.
    """
    near = np.abs(logits) < share * np.ptp(logits)
    assert near.mean() < 0.05, "or masks are not compared"
    for rle, theirs, either in zip(rles, logits, near, strict=True):
        assert ((rle_to_mask(rle) == (theirs > 0)) | either).all()


def assert_equal(engine: Any, model: Any, processor: Any, size_hw: tuple[int, int]) -> None:
    """Pixels, logits, predicted IoUs and masks of every kind of prompt."""
    image, share = picture(size_hw), rounding(model)
    state = engine.encode(image)
    for kind in KINDS:
        question = prompt(size_hw, kind)
        given = asked(processor, image, question)
        for several in (False, True):
            logits, scores = ours(engine, state, question, several=several)
            true_logits, true_scores = theirs(model, given, several=several)
            reach = float(np.ptp(true_logits.numpy()))
            assert reach > 0
            assert np.abs(logits - true_logits.numpy()).max() < share * reach, (kind, several)
            largest = max(1.0, float(true_scores.abs().max()))
            np.testing.assert_allclose(scores, true_scores.numpy(), rtol=0, atol=share * largest)
        sizes = {name: given[name] for name in given if name.endswith("sizes")}
        (masks,) = processor.post_process_masks(
            theirs(model, given, several=False)[0][None], *sizes.values(), binarize=False
        )
        assert_same_masks(engine.decode(state, question).rles, masks[:, 0].numpy(), share)


def enliven(model: torch.nn.Module, seed: int = 0) -> Any:
    """Random weights that answer otherwise to every prompt; fresh ones give flat logits."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for name, value in model.named_parameters():
            if value.ndim > 1:
                value.data = torch.randn_like(value) * 2 / value[0].numel() ** 0.5
            else:
                value.data = torch.randn_like(value) * 0.3
                if "norm" in name and name.endswith("weight"):
                    value.data += 1
    return model.eval()
