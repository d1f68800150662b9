"""dvc and its labelling stage, killed at random moments: the next `dvc repro` ends as if nothing
had happened. Real dvc, real stage, real nano; minutes, so it is slow."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from samrs.weights.weights import weights
from tests.label.hand_made import many_tiles, write_product
from tests.pipeline.closure import ROOT

KILLS = 20
LATEST = 12.0
"""Seconds: the stage alone takes about that long."""
PIPELINE = f"""
stages:
  sam-label:
    cmd: exec {sys.executable} -m stages.sam_label product weights choice.json out metrics.json
    params: [prompt, precision]
    deps: [product, weights]
    outs: [out]
    metrics: [metrics.json: {{cache: false}}]
"""
PARAMETERS = """
prompt: hbox
precision: float32
runtime: {executor: local, device: cpu, devices: 1, threads: 2, workers: 0,
  tensorboard: false, downloads: 1}
"""


def start(repo: Path) -> subprocess.Popen[bytes]:
    """`dvc repro`, going on in the background."""
    said = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "dvc", "repro"]
    with (repo / "said.txt").open("ab") as log:
        return subprocess.Popen(command, cwd=repo, env=said, stdout=log, stderr=log)


def stages(repo: Path) -> list[int]:
    """The labelling processes that work in `repo`."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                command = (place / "cmdline").read_bytes()
                if b"stages.sam_label" in command and (place / "cwd").resolve() == repo:
                    found.append(int(place.name))
            except OSError:
                continue
    return found


def outputs(repo: Path) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in sorted((repo / "out").iterdir())}
    return {**files, "metrics.json": (repo / "metrics.json").read_bytes()}


def finished(repo: Path) -> dict[str, bytes]:
    child = start(repo)
    child.wait(timeout=300)
    assert child.returncode == 0, (repo / "said.txt").read_text()
    return outputs(repo)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_killed_at_twenty_moments_the_next_repro_ends_the_same(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    hand = write_product(tmp_path / "hand")
    many_tiles(repo / "product", hand, 12)
    weights(repo / "weights", segmenter="sam", model="nano")
    (repo / "dvc.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text(PARAMETERS)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=repo, check=True)
    whole = finished(repo)
    moments = random.Random(7)
    midway = 0
    for number in range(KILLS):
        for name in ("out", ".work", ".dvc/cache"):
            shutil.rmtree(repo / name, ignore_errors=True)
        (repo / "dvc.lock").unlink(missing_ok=True)
        child = start(repo)
        time.sleep(moments.uniform(0.5, LATEST))
        found = stages(repo)
        midway += bool(found)
        # by turns the stage and dvc itself
        if number % 2 and found:
            os.kill(found[0], signal.SIGKILL)
            child.wait(timeout=60)
        else:
            child.kill()
            child.wait(timeout=60)
        assert finished(repo) == whole, f"kill {number}"
        assert stages(repo) == []
    assert midway >= KILLS // 4, "the kills came before or after the stage's work"
