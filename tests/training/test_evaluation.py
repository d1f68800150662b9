from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from samrs.training.evaluation import predict, scores


class Brightness(nn.Module):
    """Stands in for a network: class 1 where a pixel is bright; dim in each window's right half
    if ``lopsided``, so that flip averaging shows."""

    def __init__(self, lopsided: bool = False) -> None:
        super().__init__()
        self.lopsided = lopsided
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, images: Tensor, parts: dict[str, int]) -> dict[str, Tensor]:
        bright = (images[:, 0].float() - 127) / 10
        if self.lopsided:
            bright[..., bright.shape[-1] // 2 :] *= -0.1
        (name,) = parts
        return {name: torch.stack([-bright, bright], dim=1)}


def picture(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.repeat(rng.choice([20, 230], (height, width, 1)), 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("size_hw", [(50, 70), (32, 32), (20, 90)])
@pytest.mark.parametrize("flip", [False, True])
def test_windows_cover_a_tile_of_any_size(size_hw: tuple[int, int], flip: bool) -> None:
    image = picture(*size_hw)
    found = predict(
        Brightness(),
        "x",
        image,
        window=32,
        stride=21,
        flip=flip,
        precision="32-true",  # type: ignore[arg-type]
    )
    assert np.array_equal(found.numpy(), image[..., 0] > 127)


def test_flip_averages_the_mirrored_window() -> None:
    image = np.full((32, 32, 3), 230, np.uint8)
    network = Brightness(lopsided=True)
    options = {"window": 32, "stride": 32, "precision": "32-true"}
    assert predict(network, "x", image, flip=False, **options).float().mean() == 0.5  # type: ignore[arg-type]
    assert predict(network, "x", image, flip=True, **options).float().mean() == 1.0  # type: ignore[arg-type]


def test_scores_of_a_known_confusion() -> None:
    matrix = torch.tensor([[6, 2], [1, 3]])
    found = scores(matrix, ["a", "b"])
    assert found["iou"] == {"a": round(6 / 9, 4), "b": 0.5}
    assert found["miou"] == round((6 / 9 + 0.5) / 2, 4)
    assert found["oa"] == 0.75
    assert found["mf1"] == round((12 / 15 + 6 / 9) / 2, 4)


def test_a_class_in_neither_truth_nor_prediction_is_in_no_mean() -> None:
    found = scores(torch.tensor([[4, 0, 0], [0, 0, 0], [0, 0, 2]]), ["a", "b", "c"])
    assert found == {"miou": 1.0, "oa": 1.0, "mf1": 1.0, "iou": {"a": 1.0, "c": 1.0}}


def test_a_class_that_is_predicted_but_not_there_counts_as_zero() -> None:
    found = scores(torch.tensor([[4, 4], [0, 0]]), ["a", "b"])
    assert found["iou"] == {"a": 0.5, "b": 0.0}


def test_background_is_predicted_but_in_no_mean() -> None:
    found = scores(torch.tensor([[90, 2], [2, 6]]), ["background", "ship"])
    assert found["iou"] == {"ship": 0.6}
    assert found["miou"] == 0.6
    assert found["oa"] == 0.96


def test_nothing_to_score_is_zero() -> None:
    assert scores(torch.zeros(2, 2), ["a", "b"]) == {"miou": 0.0, "oa": 0.0, "mf1": 0.0, "iou": {}}
