"""normalize, release, statistics, plots and exports are the same bytes on every CPU.

Libraries are held below this CPU's instructions in child processes, which read the same demo and
the same labels.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bytes.products import write_inputs
from tests.demo.hashes import ROOT
from tests.demo.settings import SETTINGS, cpu


def products(place: Path, setting: str) -> set[str]:
    """Hashes and paths of what a process of its own makes of the demo under a setting."""
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.bytes.products",
            str(place / "demo"), str(place / "labels"), str(place / setting),
        ],
        cwd=ROOT, env=os.environ | SETTINGS[setting], capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.splitlines())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """A folder with a demo and its labels, and the hashes of its products."""
    place = tmp_path_factory.mktemp("products")
    write_inputs(place / "demo")
    return place, products(place, "as it is")


@pytest.mark.parametrize("setting", [name for name in SETTINGS if SETTINGS[name]])
def test_products_are_the_same_bytes(plain: tuple[Path, set[str]], setting: str) -> None:
    place, known = plain
    assert len(known) > 200
    other = sorted({line.partition("  ")[2] for line in products(place, setting) ^ known})
    assert not other, f"{cpu()}, {setting}: other bytes than without:\n" + "\n".join(other)
