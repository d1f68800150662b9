"""The labelling benchmark runs, and its sides make the same masks."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize("networks", ["usual", pytest.param("both", marks=pytest.mark.slow)])
def test_the_benchmark_prints_one_line_of_figures(networks: str) -> None:
    command = [
        sys.executable, "-m", "benchmarks.label", "--model", "nano", "--tiles", "1", "--boxes", "6",
        "--rounds", "1", "--peak-tflops", "1", "--networks", networks,
    ]  # fmt: skip
    done = subprocess.run(command, check=True, timeout=300, capture_output=True, text=True)
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    assert (said["tiles"], said["boxes"], said["rounds"]) == (1, 6, 1)
    assert said["mean_iou"] > 0.999
    assert said["ratio"] > 0
    assert (networks == "both") == (said.get("together_over_alone", 0) > 0)
    assert abs(sum(said["share"].values()) - 1) < 0.01
    assert said["flop_utilisation"] > 0
