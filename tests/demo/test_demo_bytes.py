"""The demo is the same bytes on every CPU: libraries are held below this one's instructions."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.demo.hashes import ROOT

NUMPY: list[str] = np.show_config("dicts")["SIMD Extensions"].get("found", [])
OPENCV = "AVX512_SKX,AVX2,AVX,FP16,SSE4_2,SSE4_1"
SETTINGS: dict[str, dict[str, str]] = {
    "as it is": {},
    "one thread": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    "NumPy without AVX-512": {
        "NPY_DISABLE_CPU_FEATURES": " ".join(f for f in NUMPY if "512" in f or f == "X86_V4")
    },
    "NumPy without AVX2": {"NPY_DISABLE_CPU_FEATURES": " ".join(NUMPY)},
    "OpenCV without AVX, IPP": {"OPENCV_CPU_DISABLE": OPENCV, "OPENCV_IPP": "disabled"},
    "libjpeg-turbo without SIMD": {"JSIMD_FORCENONE": "1"},
    "OpenBLAS for Haswell": {"OPENBLAS_CORETYPE": "Haswell"},
}


def cpu() -> str:
    """Name of this machine's CPU."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()} ({platform.machine()})"


def written(size: str, setting: str) -> set[str]:
    """Lines of the table that a process of its own writes under a setting."""
    if platform.machine() not in ("x86_64", "AMD64") and "without AV" in setting:
        pytest.skip(f"x86 only, this is {platform.machine()}")
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
