"""A CPU that emulates bfloat16 is told of; no other is."""

from __future__ import annotations

import logging

import pytest
import torch

from samrs.training.bfloat16 import warn_of_emulation


@pytest.mark.parametrize(
    ("capabilities", "precision", "device", "warned"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, "bf16-mixed", "cpu", True),
        ({"avx2": True, "avx512_bf16": True, "amx_bf16": False}, "bf16-mixed", "cpu", False),
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, "32-true", "cpu", False),
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, "bf16-mixed", "cuda", False),
    ],
)
def test_emulated_bfloat16_is_warned_of(
    capabilities: dict[str, bool],
    precision: str,
    device: str,
    warned: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    with caplog.at_level(logging.WARNING, "samrs"):
        warn_of_emulation(precision, device, "pretrain")
    assert ("emulates bfloat16" in caplog.text) == warned
