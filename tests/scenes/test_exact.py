"""The project's own arithmetic is right, and so are the blurs and resamplings made of it."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from samrs.scenes import exact, filters
from samrs.scenes.dice import Dice
from samrs.scenes.noise import nearest_power

ANGLES = np.linspace(-300, 300, 10_001)


def test_numbers_and_arrays_have_the_same_sines_and_they_are_right() -> None:
    np.testing.assert_allclose(exact.sin(ANGLES), np.sin(ANGLES), atol=5e-16)
    np.testing.assert_allclose(exact.cos(ANGLES), np.cos(ANGLES), atol=5e-16)
    assert [exact.sin(float(x)) for x in ANGLES] == exact.sin(ANGLES).tolist()
    assert (exact.cos(0.0), exact.sin(math.pi / 2)) == (1.0, 1.0)


def test_exponentials_and_logarithms_are_right() -> None:
    x = np.linspace(-30, 30, 10_001)
    np.testing.assert_allclose(exact.exp(x), np.exp(x), rtol=1e-15)
    np.testing.assert_allclose(exact.log(np.exp(x)), x, atol=1e-14)
    assert [exact.exp(float(v)) for v in x] == exact.exp(x).tolist()
    assert exact.power(9.0, 0.5) == pytest.approx(3, rel=1e-15)
    np.testing.assert_allclose(exact.power(np.array([0.0, 4.0]), 1.5), [0, 8], rtol=1e-15)


@pytest.mark.parametrize("degrees", range(-175, 181, 5))
def test_directions_are_right(degrees: int) -> None:
    angle = math.radians(degrees)
    along = 3 * exact.unit(angle)
    assert exact.direction(along) == pytest.approx(angle, abs=1e-15)
    assert exact.length(along) == pytest.approx(3, rel=1e-15)


def test_steps_end_below_the_stop_as_a_range_of_numpy_does() -> None:
    for start, stop, step in ((0.0, 1.0, 0.3), (-2.0, 2.0, 0.5), (1.0, 0.0, 0.1)):
        assert exact.spaced(start, stop, step) == np.arange(start, stop, step).tolist()


@pytest.mark.parametrize("sigma", [0.3, 0.8, 1.7, 5.0])
@pytest.mark.parametrize("shape", [(40, 50), (61, 33, 3)])
def test_a_blur_is_that_of_opencv(shape: tuple[int, ...], sigma: float) -> None:
    image = np.random.default_rng(0).random(shape, np.float32)
    side = 2 * max(1, math.ceil(3 * sigma)) + 1
    expected = cv2.GaussianBlur(image, (side, side), sigma)
    np.testing.assert_allclose(filters.blur(image, sigma), expected, atol=1e-6)


def test_resamplings_are_those_of_opencv() -> None:
    image = np.random.default_rng(0).random((80, 100, 3), np.float32)
    small = filters.resample(image, filters.area(80, 53), filters.area(100, 71))
    expected = cv2.resize(image, (71, 53), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(small, expected, atol=1e-5)
    taps = [filters.cubic(n, filters.positions(n, m)) for n, m in ((53, 80), (71, 100))]
    large = filters.resample(small, *taps)
    expected = cv2.resize(small, (100, 80), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(large[4:-4, 4:-4], expected[4:-4, 4:-4], atol=1e-5)


def test_squares_are_counted_and_slopes_are_sobels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (12, 20), dtype=np.uint8)
    expected = image.reshape(3, 4, 5, 4).sum((1, 3))
    np.testing.assert_array_equal(filters.shares(image, 4), expected)
    field = image.astype(np.float32)
    for order, found in zip(((1, 0), (0, 1)), filters.slopes(field), strict=True):
        sobel = cv2.Sobel(field, cv2.CV_32F, *order, ksize=3, scale=0.125)
        np.testing.assert_allclose(found, sobel, atol=1e-4)


def test_dice_are_of_the_distributions_they_name() -> None:
    dice = Dice(1)
    field = dice.standard_normal((400, 500), np.float32)
    assert field.dtype == np.float32
    assert (abs(field.mean()), field.std()) == pytest.approx((0, 1), abs=0.01)
    numbers = np.array([dice.normal(2, 3) for _ in range(4000)])
    assert (numbers.mean(), numbers.std()) == pytest.approx((2, 3), abs=0.2)
    assert np.mean([dice.exponential(5) for _ in range(4000)]) == pytest.approx(5, abs=0.4)
    assert Dice(7).uniform(2, 5) == np.random.default_rng(7).uniform(2, 5)


def test_a_scale_is_rounded_by_its_logarithm() -> None:
    scales = np.geomspace(1, 600, 2_000).tolist()
    assert [nearest_power(s) for s in scales] == [min(round(math.log2(s)), 9) for s in scales]
