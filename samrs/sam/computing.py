"""How a network is computed: in which precision, on which device, by how many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import torch

from samrs.arithmetic import instructions
from samrs.core.errors import ParameterError

PRECISIONS = ("float32", "float32-fast", "bfloat16", "bfloat16-compiled")
"""On CPUs float32 is the same on all, the others are as fast as each allows. The last is compiled
by ``torch.compile``, for GPUs: it rounds otherwise, so it has a name."""

CHUNK = {"cpu": 4, "cuda": 32}
"""Prompts decoded at once: bounds memory, and fits the caches of a CPU. Not a setting: sums round
with a batch's shape."""


def check_precision(precision: str) -> None:
    """Refuse what is none of ``PRECISIONS``.

    Raises:
        ParameterError: it is none.
    """
    if precision not in PRECISIONS:
        raise ParameterError(
            f"precision: unknown, got {precision!r}; allowed are {', '.join(PRECISIONS)}; "
            "use one of these"
        )


def check_encoder_precision(name: str, precision: str) -> None:
    """Refuse a precision that these encoders are not computed in.

    Args:
        name: of the segmenter.
        precision: as in params.yaml.

    Raises:
        ParameterError: it is unknown, or compiled.
    """
    check_precision(precision)
    if precision == "bfloat16-compiled":
        raise ParameterError(
            f"precision: segmenter {name} is not compiled, got {precision}; float32, float32-fast "
            "and bfloat16 are allowed; use bfloat16"
        )


class Compiled:
    """An encoder pass by ``torch.compile``, for each size of pixels by itself: the sums of one that
    serves all round otherwise, and whether there is one depends on what came first. A size's first
    call is made alone: threads that come at once would each compile it, for minutes.

    Args:
        function: the pass, of an encoder and (1, 3, H, W) pixels.
    """

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        self._function = torch.compile(function, dynamic=False)
        self._first = threading.Lock()
        self._ready: set[torch.Size] = set()

    def __call__(self, encoder: Any, pixels: torch.Tensor) -> torch.Tensor:
        if pixels.shape in self._ready:
            return self._function(encoder, pixels)
        from torch._dynamo.exc import BackendCompilerFailed  # a second that nobody else needs

        with self._first:
            try:
                out = self._function(encoder, pixels)
            except BackendCompilerFailed as error:
                said = str(error).splitlines()[0]
                if "InvalidCxxCompiler" in said:
                    raise ParameterError(
                        f"precision: bfloat16-compiled does not compile here, got {said}; a C++ "
                        "compiler is needed; install g++, or use bfloat16"
                    ) from error
                raise ParameterError(
                    f"precision: torch.compile fails in bfloat16-compiled, got {said}; an encoder "
                    "that it takes is needed; use bfloat16"
                ) from error
            self._ready.add(pixels.shape)
        return out


def one_thread() -> None:
    """The calling thread computes alone: sums round with the number of threads that share them, and
    several tiles at once use several cores better."""
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)


def device(runtime: Mapping[str, Any]) -> str:
    """``cpu`` or ``cuda``, as ``runtime.device`` means it here; their sums round differently.

    Raises:
        ParameterError: it names no such device. Whether there is one is seen where it is used,
            which may be another machine.
    """
    said = str(runtime["device"])
    if said not in ("auto", "cpu") and said.partition(":")[0] != "cuda":
        raise ParameterError(
            f"runtime.device: unknown, got {said!r}; auto, cpu and cuda are allowed; use one of "
            "these"
        )
    if said == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return said


def check_device(device: str, precision: str) -> None:
    """Refuse a GPU that is not there, and a CPU's precision that this process has not.

    Raises:
        ParameterError: there is none, or the process was begun for another precision.
    """
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise ParameterError(
            "runtime.device: torch finds no GPU here, got cuda; one and its driver are needed; "
            "check `nvidia-smi`, or use cpu or auto"
        )
    if torch.device(device).type == "cpu":
        instructions.check(precision, torch.backends.cpu.get_cpu_capability())
