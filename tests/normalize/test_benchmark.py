"""The ingestion benchmark runs, and its figures are those of what it read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_each_figure_is_a_json_line(real: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.ingest", "--limit", "40", "--side", "1500"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    read, cut, back = lines
    assert [line["figure"] for line in lines] == ["annotations", "scene", "round_trip"]
    assert read["files"] == 80
    assert read["rows"] == read["hbb"] == read["obb"] == back["dior"]["hbb"]
    assert cut["tiles"] == 4
    assert back["dior"]["different"] == back["dota"]["different"] == 0
