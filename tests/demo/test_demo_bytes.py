"""The demo is the same bytes on every CPU: libraries are held below this one's instructions."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.demo.hashes import ROOT
from tests.demo.settings import SETTINGS, X86, cpu


def written(size: str, setting: str) -> set[str]:
    """Lines of the table that a process of its own writes under a setting."""
    if not X86 and "without AV" in setting:
        pytest.skip(f"x86 only, this is {cpu()}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo.hashes", size],
        cwd=ROOT, env=os.environ | SETTINGS[setting], capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.splitlines())


def differing(size: str, setting: str) -> str:
    """Paths whose hash is not that of the table in git, one a line."""
    known = (ROOT / "tests" / "demo" / f"{size}.sha256").read_text(encoding="utf-8").splitlines()
    other = sorted({line.partition("  ")[2] for line in written(size, setting) ^ set(known)})
    return "\n".join(other)


@pytest.mark.parametrize("setting", SETTINGS)
def test_small_scenes_have_the_hashes_in_git(setting: str) -> None:
    other = differing("small", setting)
    assert not other, f"{cpu()}, {setting}: other bytes than in git:\n{other}"


@pytest.mark.slow  # the whole demo, seven times
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_demo_has_the_hashes_in_git(setting: str) -> None:
    other = differing("whole", setting)
    assert not other, f"{cpu()}, {setting}: other bytes than in git:\n{other}"
