"""The wheel that pip would install, and a release to use it on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.closure import ROOT
from tests.products_by_hand import Thing, write
from tests.released import write_release

BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the library, as setuptools leaves files beside what it builds."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "samrs", source / "samrs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-c", BUILD, str(out)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound release of three tiles, one of them without instances."""
    root = tmp_path_factory.mktemp("released")
    things = [
        Thing("a__0_0", "ship", (5, 5, 30, 20)),
        Thing("a__0_0", "plane", (40, 8, 60, 60)),
        Thing("c__0_0", "harbor", (0, 0, 64, 32)),
    ]
    products = write(root, ["a__0_0", "b__0_0", "c__0_0"], things)
    return write_release(*products, root / "sota")
