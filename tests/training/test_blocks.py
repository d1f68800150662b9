"""A packed tile gives every window, count and place of the arrays it was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samrs.core.errors import ProductError
from samrs.core.records import IGNORE
from samrs.training.blocks import FORMAT, Image, PackedTile, Window, pack, packed


def drawn(height: int, width: int, seed: int) -> tuple[Image, Image]:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    labels = rng.choice(np.array([0, 3, IGNORE], np.uint8), (height, width))
    labels[:, : width // 2] = np.sort(labels[:, : width // 2], axis=0)
    return image, labels


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 99), st.data())
def test_a_window_is_that_part_of_the_tile(
    height: int, width: int, seed: int, data: st.DataObject
) -> None:
    image, labels = drawn(height, width, seed)
    tile = packed(image, labels)
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    wide, high = data.draw(st.integers(1, width - x0)), data.draw(st.integers(1, height - y0))
    part = np.s_[y0 : y0 + high, x0 : x0 + wide]
    window = Window(x0, y0, wide, high)
    assert np.array_equal(tile.image(window), image[part])
    assert np.array_equal(tile.labels(window), labels[part])
    assert np.array_equal(tile.image(tile.whole), image)
    assert np.array_equal(tile.labels(tile.whole), labels)


def _nth(number: int, of: int) -> Callable[[int], int]:
    def chosen(count: int) -> int:
        assert count == of
        return number

    return chosen


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_labels_are_counted_and_found_row_after_row(height: int, width: int, seed: int) -> None:
    image, labels = drawn(height, width, seed)
    tile = packed(image, labels)
    assert tile.present == tuple(i for i in np.unique(labels).tolist() if i != IGNORE)
    for label in (0, 3, 7, None):
        wanted = labels != IGNORE if label is None else labels == label
        there = [tuple(place) for place in np.argwhere(wanted).tolist()]
        assert [tile.place(label, _nth(i, len(there))) for i in range(len(there))] == there
        assert there or tile.place(label, _nth(0, 0)) is None


def test_a_window_reads_its_own_blocks_only() -> None:
    frame, data = pack(*drawn(512, 512, 1))
    read: list[int] = []

    def counting(begin: int, end: int) -> bytes:
        read.append(end - begin)
        return data[begin:end]

    PackedTile(frame, counting).image(Window(130, 130, 100, 100))
    assert len(read) == 2  # the blocks' sizes, and the one block that the window lies in
    assert sum(read) < len(data) / 10


def test_bytes_are_those_of_the_format() -> None:
    """Other bytes need another ``FORMAT``, so that no kept file is read in a wrong way."""
    rows, columns = np.indices((150, 140))
    image = np.stack([rows, columns, rows + columns], axis=2).astype(np.uint8)
    frame, data = pack(image, (rows // 7 % 5).astype(np.uint8))
    tile = PackedTile(frame, lambda begin, end: data[begin:end])
    assert (FORMAT, frame.height, frame.width, frame.runs) == (1, 150, 140, 22)
    # the packed bytes themselves may change with zstd's version
    runs = hashlib.sha256(data[frame.blocks :]).hexdigest()
    assert runs[:16] == "8d5cf6365482f4dd"
    assert (
        hashlib.sha256(tile._rows(128, 22, 0, 140).tobytes()).hexdigest()[:16] == "efd872e17c17106b"
    )


@pytest.mark.parametrize(("image", "labels"), [((4, 4, 3), (4, 5)), ((0, 4, 3), (0, 4))])
def test_images_and_maps_of_other_sizes_and_empty_ones_are_refused(
    image: tuple[int, ...], labels: tuple[int, ...]
) -> None:
    with pytest.raises(ProductError, match="differ in size, or have no pixel"):
        pack(np.zeros(image, np.uint8), np.zeros(labels, np.uint8))
