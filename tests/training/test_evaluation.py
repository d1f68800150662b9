from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from samrs.core.errors import ParameterError
from samrs.core.records import IGNORE
from samrs.training.evaluation import Protocol, away_from_borders, counted, predict, scores


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


def asked(
    network: Any,
    image: np.ndarray,
    *,
    window: int,
    stride: float,
    flip: bool = False,
    scales: tuple[float, ...] = (1.0,),
) -> Tensor:
    protocol = Protocol(window=window, stride=stride, flip=flip, scales=scales, boundary=0)
    return predict(network, "x", image, protocol, crop=999, precision="32-true")


def picture(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.repeat(rng.choice([20, 230], (height, width, 1)), 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("size_hw", [(50, 70), (32, 32), (20, 90)])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scales", [(1.0,), (1.0, 2.0)])
def test_windows_cover_a_tile_of_any_size(
    size_hw: tuple[int, int], flip: bool, scales: tuple[float, ...]
) -> None:
    image = picture(*size_hw)
    found = asked(Brightness(), image, window=32, stride=2 / 3, flip=flip, scales=scales)
    assert np.array_equal(found.numpy(), image[..., 0] > 127)


def test_flip_averages_the_mirrored_window() -> None:
    image = np.full((32, 32, 3), 230, np.uint8)
    network = Brightness(lopsided=True)
    assert asked(network, image, window=32, stride=1.0).float().mean() == 0.5
    assert asked(network, image, window=32, stride=1.0, flip=True).float().mean() == 1.0


def test_scales_are_averaged_with_equal_weight_wherever_windows_overlap() -> None:
    class Size(Brightness):
        """Sure of class 1 in tiles of the first scale, and half as sure of class 0 in others."""

        def forward(self, images: Tensor, parts: dict[str, int]) -> dict[str, Tensor]:
            (name,) = parts
            sure = torch.where(images[:, 0].float() > 127, 3.0, -1.0)
            return {name: torch.stack([-sure, sure], dim=1)}

    image = np.zeros((64, 64, 3), np.uint8)
    image[::2] = 200  # gone at half the size: the mean of both is 100
    found = asked(Size(), image, window=32, stride=0.5, scales=(1.0, 0.5))
    assert found[::2].float().mean() > 0.9
    assert found[1::2].float().mean() < 0.1


def test_a_tiles_borders_are_a_disc_wide() -> None:
    labels = np.zeros((9, 9), np.uint8)
    labels[:, 5:] = 1
    kept = away_from_borders(labels, 3)
    assert kept.all(axis=0).tolist() == [True, True, False, False, False, False, False, False, True]
    labels = np.zeros((9, 9), np.uint8)
    labels[0, 0] = 1
    assert not away_from_borders(labels, 3)[0, 3]
    assert away_from_borders(labels, 3)[3, 3]  # 4.2 px away


def test_scores_of_a_known_confusion() -> None:
    matrix = torch.tensor([[6, 2], [1, 3]])
    found = scores(matrix, ["a", "b"])
    assert found["iou"] == {"a": round(6 / 9, 4), "b": 0.5}
    assert found["miou"] == round((6 / 9 + 0.5) / 2, 4)
    assert found["oa"] == 0.75
    assert found["mf1"] == round((12 / 15 + 6 / 9) / 2, 4)


def test_a_class_in_neither_truth_nor_prediction_is_in_no_mean() -> None:
    found = scores(torch.tensor([[4, 0, 0], [0, 0, 0], [0, 0, 2]]), ["a", "b", "c"])
    assert found["iou"] == {"a": 1.0, "c": 1.0}
    assert (found["miou"], found["oa"], found["mf1"]) == (1.0, 1.0, 1.0)


def test_a_class_that_is_predicted_but_not_there_lowers_the_others_and_is_in_no_mean() -> None:
    found = scores(torch.tensor([[4, 4], [0, 0]]), ["a", "b"])
    assert found["iou"] == {"a": 0.5}
    assert found["miou"] == 0.5


def test_background_is_predicted_but_in_no_mean() -> None:
    found = scores(torch.tensor([[90, 2], [2, 6]]), ["background", "ship"])
    assert found["iou"] == {"ship": 0.6}
    assert found["miou"] == 0.6
    assert found["oa"] == 0.96
    assert found["oa_foreground"] == 0.75


def test_nothing_to_score_is_zero() -> None:
    nothing = {"miou": 0.0, "oa": 0.0, "oa_foreground": 0.0, "mf1": 0.0, "iou": {}}
    assert scores(torch.zeros(2, 2), ["a", "b"]) == nothing


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"window": 100}, "window: .*got 100; null and multiples of 32"),
        ({"stride": 0}, "stride: not a share of the window, got 0"),
        ({"scales": []}, "scales: not sizes"),
        ({"boundary": -1}, "boundary: not a width, got -1"),
    ],
)
def test_a_protocol_out_of_range_is_refused(wrong: dict[str, Any], message: str) -> None:
    right = {"window": None, "stride": 1.0, "flip": False, "scales": [1.0], "boundary": 0}
    with pytest.raises(ParameterError, match=message):
        Protocol(**{**right, **wrong})


@pytest.mark.parametrize("stride", [1.0, 2 / 3])
def test_windows_without_a_pixel_that_is_asked_for_are_left_out(stride: float) -> None:
    class Counting(Brightness):
        seen = 0

        def forward(self, images: Tensor, parts: dict[str, int]) -> dict[str, Tensor]:
            self.seen += len(images)
            return super().forward(images, parts)

    image, network = picture(100, 140), Counting(lopsided=True)
    protocol = Protocol(window=32, stride=stride, flip=True, scales=(1.0,), boundary=0)
    options: dict[str, Any] = {"crop": 999, "precision": "32-true"}
    every = predict(network, "x", image, protocol, **options)
    of_all, network.seen = network.seen, 0
    asked = np.zeros((100, 140), bool)
    asked[50:60, 60:72] = asked[99, 139] = True
    found = predict(network, "x", image, protocol, **options, asked=asked)
    assert np.array_equal(found[asked], every[asked])
    assert network.seen < of_all / 2


def test_pixels_are_counted_by_true_and_predicted_class() -> None:
    labels = np.array([[0, 0, 1], [2, IGNORE, 2]], np.uint8)
    found = torch.tensor([[0, 1, 1], [2, 0, 0]])
    assert counted(found, labels, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
