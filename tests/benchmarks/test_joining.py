"""Joined masks beside those of single tiles, on the true masks of drawn scenes."""

from __future__ import annotations

import pytest

from benchmarks.joining import BINS, GAIN, compare, make, means


@pytest.mark.slow
def test_joined_masks_lose_in_no_size_bin_and_cut_instances_gain(tmp_path):
    found = means(compare(*make(tmp_path, scenes=26, tile=400, overlap=100)))
    assert list(found) == [*(f"bin {b}" for b in range(1, len(BINS) + 1)), "cut"]
    for name, (number, joined, single) in found.items():
        assert number >= 10, name
        assert joined >= single + (GAIN if name == "cut" else 0), (name, joined, single)
