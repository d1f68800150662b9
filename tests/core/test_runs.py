"""Many encodings at once say what pycocotools says of each."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from samrs.core.rle import mask_to_rle
from samrs.core.runs import decode_runs, encode_runs, overlaps, text_buffers, within_columns


def runs_of(texts: list[str | None]):
    return decode_runs(*text_buffers(pa.array(texts, pa.string())))


@st.composite
def masks(draw) -> np.ndarray:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    share = draw(st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.random((height, width)) < share


@given(st.lists(masks(), max_size=6))
def test_totals_areas_and_foreground_are_those_of_the_masks(drawn):
    runs = runs_of([mask_to_rle(mask)["counts"] for mask in drawn])
    assert not runs.bad.any()
    assert runs.totals().tolist() == [mask.size for mask in drawn]
    assert runs.areas().tolist() == [int(mask.sum()) for mask in drawn]
    starts, lengths, rows = runs.foreground()
    for i, mask in enumerate(drawn):
        painted = np.zeros(mask.size, dtype=int)
        for start, length in zip(starts[rows == i], lengths[rows == i], strict=True):
            painted[start : start + length] += 1
        assert np.array_equal(painted.reshape(mask.shape[::-1]).T, mask)


@given(st.lists(masks(), max_size=6))
def test_runs_are_written_as_pycocotools_writes_them(drawn):
    texts = [mask_to_rle(mask)["counts"] for mask in drawn]
    runs = runs_of(texts)
    starts, lengths, rows = (values[runs.foreground()[1] > 0] for values in runs.foreground())
    heights = np.array([mask.shape[0] for mask in drawn], np.int64)
    for some in ((starts, lengths, rows), within_columns(starts, lengths, rows, heights[rows])):
        assert encode_runs(*some, runs.totals()).to_pylist() == texts


@given(st.lists(masks(), max_size=6), st.integers(0, 2**32 - 1))
def test_overlaps_are_those_of_each_pair(drawn, seed):
    others = [np.random.default_rng(seed).random(mask.shape) < 0.4 for mask in drawn]
    pair = (runs_of([mask_to_rle(m)["counts"] for m in some]) for some in (drawn, others))
    found = overlaps(*pair).tolist()
    assert found == [int((a & b).sum()) for a, b in zip(drawn, others, strict=True)]


def test_large_counts_are_written():
    counts = [0, 2**30 - 1, 5, 2**30]
    text = coco.frPyObjects({"size": [2**15, 2**16 + 1], "counts": counts}, 1, 1)["counts"]
    places = np.array([0, 2**30 + 4]), np.array([2**30 - 1, 2**30]), np.zeros(2, np.int64)
    assert encode_runs(*places, np.array([sum(counts)])).to_pylist() == [text.decode()]


def test_a_slice_of_a_column_is_read_as_itself():
    texts = [mask_to_rle(np.ones((n, n)))["counts"] for n in (3, 4, 5, 6)]
    runs = decode_runs(*text_buffers(pa.array(texts)[1:3]))
    assert runs.areas().tolist() == [16, 25]


def test_large_counts_are_read():
    counts = [0, 2**30 - 1, 5, 2**30]
    text = coco.frPyObjects({"size": [2**15, 2**16 + 1], "counts": counts}, 1, 1)["counts"]
    assert runs_of([text.decode()]).lengths.tolist() == counts


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0 1",  # a blank is below the alphabet
        "0~",  # above it
        "1`",  # ends in the midst of a count
        "o" * 30,  # one endless count
        "ooooooo0",  # a count of 40 bits
        "@",  # minus 16
        "11@@@",  # a difference that leads below zero
        "0é",
    ],
)
def test_what_is_no_encoding_is_told_and_harms_no_other(text):
    good = mask_to_rle(np.eye(5, dtype=bool))["counts"]
    runs = runs_of([good, text, good, text, text, good])
    assert runs.bad.tolist() == [False, True, False, True, True, False]
    assert runs.areas().tolist() == [5, 0, 5, 0, 0, 5]
    assert runs.totals().tolist() == [25, 0, 25, 0, 0, 25]


@given(st.lists(st.text(st.characters(max_codepoint=300), max_size=12), max_size=8))
def test_any_text_is_an_encoding_or_told(texts):
    runs = runs_of(texts)
    assert len(runs.bad) == len(texts)
    assert (runs.lengths >= 0).all()


def test_no_text_at_all():
    runs = runs_of([])
    assert (len(runs.bad), len(runs.totals()), len(runs.areas())) == (0, 0, 0)
