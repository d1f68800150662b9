"""The benchmark of scale: products of its size are sound, its figures are of all steps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.samrs_sized import SUBSETS, write_trio
from benchmarks.scale import measured
from samrs.core.rle import rle_area, rle_to_hbb
from samrs.core.shards import iter_rows
from samrs.verify.verify import verify
from tests.pipeline.closure import ROOT
from tests.released import write_release


def test_the_subsets_are_samrs() -> None:
    assert sum(subset.tiles for subset in SUBSETS.values()) == 105_090
    assert sum(subset.instances for subset in SUBSETS.values()) == 1_668_241


def test_products_are_sound_and_their_masks_what_they_say(tmp_path: Path) -> None:
    counts = write_trio(tmp_path, 0.001)
    assert counts == {"tiles": 104, "instances": 1668}  # each subset rounded
    for subset in SUBSETS.values():
        normalized, labelled = (tmp_path / p / subset.dataset for p in ("normalize", "sam_label"))
        assert verify(normalized).counts == {}
        assert verify(labelled, normalized).counts == {}
        for row in iter_rows(labelled, "masks"):
            assert rle_area(row["rle"]) == row["area"] > 0
            assert rle_to_hbb(row["rle"]).tolist() == row["mask_hbb"]
    released = write_release(normalized, labelled, tmp_path / "released")
    assert verify(released).counts == {}


def test_a_command_is_measured_with_its_children(tmp_path: Path) -> None:
    hold = "x = bytearray(80 << 20); import time; time.sleep(1)"
    begin = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {hold!r}])"
    both = f"{begin}; {hold}; p.wait()"
    found = measured([sys.executable, "-c", both], tmp_path)
    assert found["mib"] > 160
    assert found["s"] > 1
    assert found["cpu_s"] > 0


@pytest.mark.slow
def test_the_command_prints_figures_of_every_step(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.scale", str(tmp_path / "here"), "--share", "0.02"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    assert figures["tiles"] == 2102
    steps = {"refilter", "refilter_as_stored", "stats", "verify", "coco", "dvc_status", "dvc_repro"}
    assert all(set(figures[step]) == {"s", "cpu_s", "mib"} for step in steps)
