"""Whether a CPU multiplies bfloat16 itself; elsewhere torch emulates it, which is slow."""

from __future__ import annotations

import logging

import torch

logger = logging.getLogger("samrs")


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions that multiply bfloat16: AMX, AVX-512 BF16, Arm's BF16."""
    return any(has for name, has in torch.cpu.get_capabilities().items() if name.endswith("bf16"))


def warn_of_emulation(precision: str, device: str, desc: str) -> None:
    """Say it where ``bf16-mixed`` will be slow.

    Args:
        precision: of the training; only ``bf16-mixed`` is warned of.
        device: where it runs, ``cpu`` or another.
        desc: what runs.
    """
    if precision == "bf16-mixed" and device == "cpu" and not multiplies_bfloat16():
        logger.warning(
            "%s: this CPU emulates bfloat16, got precision bf16-mixed; 32-true takes a tenth of "
            "the time here or less; set it in params.yaml",
            desc,
        )
