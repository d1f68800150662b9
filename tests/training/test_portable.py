"""A small training in float32 is the same bytes whatever the CPU has, and with any number of
threads; other CPUs are emulated, slowly. Sizes of caches: test_convolutions.py."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys

import pytest

from samrs.arithmetic.instructions import HELD
from tests.conftest import ROOT
from tests.demo.settings import cpu

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="instructions are held on x86-64 only"
)


def learned(*by: str, threads: int = 2, **env: str) -> str:
    """What ``tests.training.portable`` prints in a process of its own."""
    free = {k: v for k, v in os.environ.items() if k not in HELD}
    done = subprocess.run(
        [*by, sys.executable, "-m", "tests.training.portable", str(threads)],
        cwd=ROOT, env={**free, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def known() -> str:
    return (ROOT / "tests" / "training" / "portable.txt").read_text(encoding="utf-8")


def test_training_is_the_same_whatever_libraries_are_told_of_the_cpu_by_three_threads() -> None:
    found = learned(
        threads=3,
        MKL_CBWR="COMPATIBLE", ATEN_CPU_CAPABILITY="default", ONEDNN_MAX_CPU_ISA="SSE41",
        OPENBLAS_CORETYPE="Haswell", OMP_NUM_THREADS="1",
    )  # fmt: skip
    assert found == known(), f"trainings of {cpu()} differ from tests/training/portable.txt"


@pytest.mark.slow
@pytest.mark.parametrize("emulated", ["Haswell-v4", "EPYC-Rome"])
def test_training_is_the_same_on_an_emulated_cpu(emulated: str) -> None:
    """Minutes each."""
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        pytest.skip("qemu-x86_64 is not installed (apt-get install qemu-user)")
    assert learned(emulator, "-cpu", emulated) == known()
