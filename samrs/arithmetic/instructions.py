"""float32 that rounds alike on every x86-64 CPU: instructions held at AVX2, before torch is there.

torch and oneDNN choose code paths by what the CPU has, once, when they are first used, and these
sum in different orders. Held at AVX2, which nearly every x86-64 CPU since 2013 has, each takes one
path everywhere. It holds for the whole process, so another precision, which is to be as fast as the
CPU allows, is refused in it, and torch's int8 products would be wrong there without a word
(docs/decisions/float32-on-every-cpu.md).
"""

from __future__ import annotations

import os
import platform
import sys

from samrs.core.errors import ParameterError

PORTABLE, TRAINED = "float32", "32-true"
"""The precision of labels whose sums are those of every CPU, and that of trainings which are held
likewise (``samrs/training/convolutions.py``)."""
HELD = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
"""Environment variables of oneDNN and torch, read once in a process."""


def begin(precision: str) -> None:
    """Hold this process and those it starts at AVX2 where the precision asks for it; after torch is
    imported nothing is changed, and ``check`` tells.

    Args:
        precision: of labels or of a training, as in params.yaml.
    """
    if precision in (PORTABLE, TRAINED) and _x86() and "torch" not in sys.modules:
        os.environ.update(HELD)


def check(precision: str, capability: str) -> None:
    """Refuse a precision that this process does not compute in.

    Args:
        precision: of labels on a CPU, as in params.yaml.
        capability: ``torch.backends.cpu.get_cpu_capability()``.

    Raises:
        ParameterError: float32 in a process that is not held at AVX2, or another in one that is.
    """
    if not _x86():
        return
    held = capability == "AVX2" and all(os.environ.get(k) == v for k, v in HELD.items())
    if precision == PORTABLE and not held:
        raise ParameterError(
            f"precision: float32 rounds otherwise in this process, got torch with {capability}, "
            "imported before; a process held at AVX2 is needed; label in one that has not imported "
            f"torch, set {' and '.join(f'{k}={v}' for k, v in HELD.items())} before it starts, or "
            "use float32-fast"
        )
    if precision != PORTABLE and any(os.environ.get(k) == v for k, v in HELD.items()):
        raise ParameterError(
            f"precision: {precision} is not for this process, got one held at AVX2 for float32; "
            f"one free of it is needed; use another process without {' and '.join(HELD)}"
        )


def _x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")
