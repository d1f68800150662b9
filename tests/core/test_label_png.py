"""Label maps are packed as OpenCV packs them, and counted without their pixels as with them."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samrs.core.errors import ImageError
from samrs.core.images import decode_labels
from samrs.core.label_png import encode_labels, label_counts


def some_map(seed: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    few = rng.choice([0, 1, 17, 254, 255], (height, width), p=[0.1, 0.1, 0.1, 0.1, 0.6])
    return (few if seed % 2 else rng.integers(0, 256, (height, width))).astype(np.uint8)


@given(st.integers(0, 2**31), st.integers(1, 300), st.integers(1, 300))
def test_maps_come_back(seed, height, width):
    labels = some_map(seed, height, width)
    assert np.array_equal(decode_labels(encode_labels(labels), "here"), labels)


@given(st.integers(0, 2**31), st.integers(129, 300), st.integers(129, 300))
def test_the_bytes_are_those_of_opencv(seed, height, width):
    labels = some_map(seed, height, width)
    labels[: height // 2] = 255
    assert encode_labels(labels) == cv2.imencode(".png", labels)[1].tobytes()


def test_a_part_of_a_larger_map_is_packed_alike():
    labels = some_map(3, 90, 70)
    part = labels[10:50:2, 20:60]
    assert encode_labels(part) == encode_labels(part.copy())


@pytest.mark.parametrize(
    "labels",
    [np.zeros((0, 4), np.uint8), np.zeros((4, 4), np.int64), np.zeros((4, 4, 3), np.uint8)],
)
def test_what_is_no_map_is_not_packed(labels):
    with pytest.raises(ImageError, match="label map: cannot encode, got shape"):
        encode_labels(labels)


@given(st.integers(0, 2**31), st.integers(1, 50), st.integers(1, 50))
def test_counts_are_those_of_the_pixels(seed, height, width):
    labels = some_map(seed, height, width)
    size_hw, counts = label_counts(encode_labels(labels), "here")
    assert size_hw == (height, width)
    assert counts.tolist() == np.bincount(labels.ravel(), minlength=256).tolist()


def test_a_large_map_of_one_label():
    size_hw, counts = label_counts(encode_labels(np.full((700, 900), 255, np.uint8)), "here")
    assert (size_hw, counts[255], counts.sum()) == ((700, 900), 630_000, 630_000)


def test_a_map_that_another_tool_wrote_is_counted():
    labels = some_map(1, 40, 60)
    data = cv2.imencode(
        ".png", labels, [cv2.IMWRITE_PNG_STRATEGY, 0, cv2.IMWRITE_PNG_COMPRESSION, 9]
    )
    plain = np.insert(labels, 0, 0, axis=1)  # no filter
    other = png(struct.pack(">IIBBBBB", 60, 40, 8, 0, 0, 0, 0), zlib.compress(plain.tobytes()))
    for found in (label_counts(data[1].tobytes(), "here"), label_counts(other, "here")):
        assert found.counts.tolist() == np.bincount(labels.ravel(), minlength=256).tolist()


def chunk(kind: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def png(header: bytes, packed: bytes) -> bytes:
    body = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


WHOLE = encode_labels(np.zeros((30, 30), np.uint8))
GREY = struct.pack(">IIBBBBB", 30, 30, 8, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no PNG at all",
        WHOLE[:-1],
        WHOLE[:60],
        WHOLE.replace(b"IDAT", b"IDAU"),
        png(b"short", b""),
        png(GREY, b"no zlib"),
        png(GREY, zlib.compress(b"\1" * 5)),
        png(GREY, zlib.compress(bytes([1]) * (30 * 31 + 1))),  # more than the header says
        png(GREY, zlib.compress(bytes(2**26))),  # much more
        png(struct.pack(">IIBBBBB", 2**31, 2**31, 8, 0, 0, 0, 0), b""),
        png(struct.pack(">IIBBBBB", 0, 30, 8, 0, 0, 0, 0), b""),
        cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes(),
    ],
)
def test_what_is_no_label_map_is_refused(data):
    with pytest.raises(ImageError, match="here: label map does not decode"):
        label_counts(data, "here")
