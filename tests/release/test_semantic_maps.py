"""Tiles painted many at once are those painted one mask after the other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samrs.core.errors import ProductError
from samrs.core.images import decode_labels
from samrs.core.rle import mask_to_rle
from samrs.core.runs import text_buffers
from samrs.release import overlap, semantic_maps
from samrs.release.overlap import RULES
from samrs.release.semantic_maps import Chunk, chunk_bounds, paint_chunk
from tests.release.one_by_one import paint


def chunk_of(sizes_hw, masks, tiles, labels, rule) -> Chunk:
    texts = pa.array([mask["counts"] for mask in masks], pa.string())
    sizes = np.array(sizes_hw, dtype=np.int64).reshape(-1, 2)
    characters, begins = text_buffers(texts)
    return Chunk(
        where="here",
        sizes_hw=sizes,
        tiles=np.array(tiles, np.int64),
        labels=np.array(labels, np.uint8),
        characters=characters,
        begins=begins,
        rule=rule,
    )


@st.composite
def chunks(draw) -> tuple:
    sizes = draw(
        st.lists(st.tuples(st.integers(1, 24), st.integers(1, 24)), min_size=1, max_size=4)
    )
    tiles = sorted(draw(st.lists(st.integers(0, len(sizes) - 1), max_size=9)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shares = rng.choice([0.0, 0.1, 0.6, 1.0], len(tiles))
    masks = [mask_to_rle(rng.random(sizes[t]) < s) for t, s in zip(tiles, shares, strict=True)]
    labels = rng.choice([0, 1, 7, 254], len(tiles)).tolist()
    return sizes, masks, tiles, labels, draw(st.sampled_from(sorted(RULES)))


@pytest.mark.parametrize("most", [1, 30, overlap.BATCH_PIXELS])
@given(drawn=chunks())
def test_a_chunk_is_its_tiles(most, drawn):
    sizes, masks, tiles, labels, rule = drawn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "BATCH_PIXELS", most)
        painted = paint_chunk(chunk_of(*drawn))
    counts, over, contested = np.zeros(256, dtype=int), 0, 0
    assert len(painted.images) == len(sizes)
    for tile, size in enumerate(sizes):
        own = [i for i, place in enumerate(tiles) if place == tile]
        alone = paint([masks[i] for i in own], [labels[i] for i in own], size, rule)
        assert np.array_equal(decode_labels(painted.images[tile], "it"), alone[0])
        counts += np.bincount(alone[0].ravel(), minlength=256)
        over, contested = over + alone[1], contested + alone[2]
    assert painted.label_pixels.tolist() == counts.tolist()
    assert (painted.overpainted, painted.contested) == (over, contested)


def test_a_mask_of_another_size_is_refused():
    chunk = chunk_of([(4, 4)], [mask_to_rle(np.ones((3, 3)))], [0], [1], "annotation_order")
    with pytest.raises(ProductError, match="here: 1 masks do not decode to their tile's size"):
        paint_chunk(chunk)


def test_chunks_cover_every_tile_once_and_are_bounded():
    sides = np.array([[9000, 9000], *[[1024, 1024]] * 100, *[[10, 10]] * 200])
    bounds = chunk_bounds(sides)
    assert bounds[0] == 0
    assert bounds[-1] == len(sides)
    assert bounds[1] == 1
    assert bounds == sorted(set(bounds))
    assert max(np.diff(bounds)) <= semantic_maps.CHUNK_TILES
    pixels = [sides[a:b].prod(axis=1).sum() for a, b in pairwise(bounds[1:])]
    assert max(pixels) <= semantic_maps.CHUNK_PIXELS
    assert chunk_bounds(sides[:0]) == [0]
