"""Image bytes to arrays and back."""

from __future__ import annotations

import numpy as np
import pytest

from samrs.core.errors import ImageError
from samrs.core.images import decode_labels, decode_rgb, encode_rgb
from samrs.core.label_png import encode_labels
from tests.datasets.by_hand import image


def test_png_is_lossless_and_keeps_the_order_of_channels() -> None:
    pixels = image()
    assert np.array_equal(decode_rgb(encode_rgb(pixels), "x"), pixels)
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    assert decode_rgb(encode_rgb(red), "x")[0, 0].tolist() == [255, 0, 0]


def test_jpeg_is_near() -> None:
    smooth = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    back = decode_rgb(encode_rgb(smooth, ".jpg"), "x")
    assert np.abs(back.astype(int) - smooth).max() <= 3


def test_labels_are_lossless() -> None:
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(decode_labels(encode_labels(labels), "x"), labels)


@pytest.mark.parametrize("data", [b"", b"not an image"])
def test_bytes_that_are_no_image_are_an_error_that_names_the_file(data: bytes) -> None:
    with pytest.raises(ImageError, match=f"a.png: image does not decode, got {len(data)} bytes"):
        decode_rgb(data, "a.png")
    with pytest.raises(ImageError, match=r"a\.png: label map does not decode"):
        decode_labels(data, "a.png")


def test_colour_image_is_no_label_map() -> None:
    with pytest.raises(ImageError, match="8-bit grey PNG is allowed"):
        decode_labels(encode_rgb(image()), "a.png")
