"""float32 labels are the same bytes whatever the CPU has; other CPUs are emulated, slowly."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from samrs.arithmetic.instructions import HELD
from samrs.arithmetic.products import waves
from samrs.sam.checkpoints import build_sam
from samrs.sam.decoder import decode
from samrs.sam.encoder import encode
from samrs.sam.mask_prompts import marks
from samrs.sam.places import portable
from samrs.weights.checkpoints.sam import NANO
from tests.conftest import ROOT
from tests.demo.settings import cpu

X86 = platform.machine() == "x86_64"
BY_MAKER = {
    "mm", "addmm", "bmm", "baddbmm", "dot", "mv", "matmul", "einsum", "linear",
    "convolution", "conv2d", "conv_transpose2d", "exp", "sqrt", "rsqrt",
    "erf", "sin", "cos", "tanh", "log", "pow", "_scaled_dot_product_flash_attention_for_cpu",
}  # fmt: skip
"""torch's operations that compute by MKL, or by whichever library suits the number of threads."""
FLAWLESS = ("hbox", "hbox_mask", "point", "soft_rbox", "rotated", "zoom", "consensus")


def labels(*recipes: str, precision: str = "float32", by: tuple[str, ...] = (), **env: str) -> str:
    """What ``tests.sam.portable`` prints in a process of its own."""
    free = {k: v for k, v in os.environ.items() if k not in HELD}
    command = [*by, sys.executable, "-m", "tests.sam.portable", precision, *recipes]
    done = subprocess.run(
        command, cwd=ROOT, env={**free, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not X86, reason="instructions are held on x86-64 only")
def test_labels_are_the_same_whatever_the_libraries_are_told_of_the_cpu() -> None:
    usual = labels("hbox", "hbox_mask", OMP_NUM_THREADS="1")
    known = (ROOT / "tests" / "sam" / "portable.txt").read_text(encoding="utf-8")
    assert usual == known, f"labels of {cpu()} differ from those of tests/sam/portable.txt"
    other = labels(
        "hbox", "hbox_mask", OMP_NUM_THREADS="2", MKL_CBWR="COMPATIBLE",
        ATEN_CPU_CAPABILITY="default", ONEDNN_MAX_CPU_ISA="SSE41", OPENBLAS_CORETYPE="Haswell",
        NPY_DISABLE_CPU_FEATURES="AVX512_ICL",
    )  # fmt: skip
    assert other == usual


@pytest.mark.slow
@pytest.mark.skipif(not X86, reason="instructions are held on x86-64 only")
def test_labels_of_every_kind_of_recipe_are_the_same_too() -> None:
    assert labels(*FLAWLESS, OMP_NUM_THREADS="1") == labels(
        *FLAWLESS, OMP_NUM_THREADS="2", MKL_CBWR="COMPATIBLE", OPENBLAS_CORETYPE="Zen"
    )


@pytest.mark.slow
@pytest.mark.skipif(not X86, reason="instructions are held on x86-64 only")
@pytest.mark.parametrize("emulated", ["Haswell-v4", "EPYC-Rome"])
def test_labels_are_the_same_on_an_emulated_cpu(emulated: str) -> None:
    """Minutes each."""
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        pytest.skip("qemu-x86_64 is not installed (apt-get install qemu-user)")
    here = labels("hbox", "hbox_mask", OMP_NUM_THREADS="1")
    assert labels("hbox", "hbox_mask", by=(emulator, "-cpu", emulated), OMP_NUM_THREADS="1") == here


class Asked(TorchDispatchMode):
    """Collects the names of torch's operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, operation: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        self.names.add(operation.name().split("::")[-1].split(".")[0].rstrip("_"))
        return operation(*given, **(named or {}))


@contextmanager
def asked() -> Iterator[set[str]]:
    with torch.inference_mode(), Asked() as mode:
        yield mode.names


def test_no_operation_of_a_label_is_one_that_depends_on_the_cpus_maker() -> None:
    nano = build_sam("nano", NANO, device="cpu")
    with asked() as names:
        image = encode(nano.image_encoder, torch.zeros(1, 3, 256, 256))
        prompts = portable(nano.prompt_encoder)
        boxes = torch.tensor([[3.0, 4, 90, 80], [20, 20, 60, 70]])
        sparse, _ = prompts(None, boxes, None)
        masks = torch.zeros(2, 1, 64, 64)
        given = marks(prompts, masks, torch.tensor([True, False]))
        places = prompts.pe_layer((16, 16))[None]
        for which in (slice(0, 1), slice(1, 4)):
            decode(nano.mask_decoder, image, places, sparse, which, given)
    assert {"_linear_pointwise", "mkldnn_convolution", "softmax"} <= names
    assert not names & BY_MAKER


def test_waves_are_sines_and_cosines_to_the_last_digits() -> None:
    turns = torch.cat([torch.linspace(-40, 40, 4001), torch.tensor([0.25, 0.5, -0.5, 1e-9])])
    angle = turns.double() * 2 * torch.pi
    sine, cosine = waves(turns)
    torch.testing.assert_close(sine, angle.sin(), rtol=0, atol=1e-13)
    torch.testing.assert_close(cosine, angle.cos(), rtol=0, atol=1e-13)


def begun(code: str) -> subprocess.CompletedProcess[str]:
    """A process that labels by hand, as a user's might."""
    told = """
from samrs.label.label import Labeller
from samrs.weights.weights import find_checkpoint
def load(precision):
    checkpoint = find_checkpoint("sam", "nano")
    Labeller(prompt="hbox", checkpoint=checkpoint, precision=precision, device="cpu")
"""
    free = {k: v for k, v in os.environ.items() if k not in HELD}
    return subprocess.run(
        [sys.executable, "-c", told + code], env=free, cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.skipif(not X86, reason="instructions are held on x86-64 only")
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import torch; torch.ones(9).exp(); load('float32')", "float32 rounds otherwise in this"),
        ("load('float32'); load('float32-fast')", "float32-fast is not for this process"),
        ("load('float32'); load('bfloat16')", "bfloat16 is not for this process"),
        ("load('bfloat16'); load('float32-fast'); load('float32')", "float32 rounds otherwise"),
    ],
)
def test_a_process_computes_as_it_was_begun_or_refuses(code: str, said: str) -> None:
    done = begun(code)
    assert done.returncode == 1
    assert f"ParameterError: precision: {said}" in done.stderr
