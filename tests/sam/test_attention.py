"""Attention with relative positions is the plain one, as near as its arithmetic allows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from samrs.sam import attention

HALF_STEP = 2**-8
"""Of bfloat16 at most, relative to a number: what rounding it changes."""


def drawn(
    seed: int, images: int, heads: int, length: int, size_hw: tuple[int, int]
) -> list[Tensor]:
    """Queries, keys, values, by_row and by_column in float64, exact in bfloat16."""
    generator = torch.Generator().manual_seed(seed)
    count = size_hw[0] * size_hw[1]
    return [
        torch.randn(images, heads, count, last, generator=generator).bfloat16().double()
        for last in (length, length, length, *size_hw)
    ]


def plain(given: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Attention as the official encoder writes it, and its scores."""
    queries, keys, values, by_row, by_column = given
    scores = queries @ keys.mT
    scores += (by_row[..., :, None] + by_column[..., None, :]).flatten(-2)
    return scores.softmax(-1) @ values, scores


def bound(given: list[Tensor], scores: Tensor) -> float:
    """What rounding scores, positions, chances and sums to bfloat16 may change of an output."""
    positions = given[3].abs().max() + given[4].abs().max()
    of_scores = HALF_STEP * (scores.abs().max() + positions)
    # a chance is a share: its own score and the others' may be off the other way
    return float(given[2].abs().max() * (torch.expm1(2 * of_scores) + 3 * HALF_STEP))


SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@torch.inference_mode()
@given(
    seed=st.integers(0, 2**31), images=st.integers(1, 3), heads=st.integers(1, 4),
    length=st.sampled_from([8, 20, 64]), size_hw=SIZES, rows=st.sampled_from([3, 16, 512]),
)  # fmt: skip
def test_by_hand_in_bfloat16_it_is_off_by_bfloat16s_rounding_alone(
    seed: int, images: int, heads: int, length: int, size_hw: tuple[int, int], rows: int
) -> None:
    """Windows, many at once and of fewer tokens than a piece; and all tokens, in pieces."""
    given = drawn(seed, images, heads, length, size_hw)
    given[0] *= 2.0 ** -round(length**0.5 / 2)
    wanted, scores = plain(given)
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(attention, "BFLOAT16_BY_HAND", True)
        changed.setattr(attention, "ROWS", rows)
        found = attention.attended(*(part.bfloat16() for part in given))
    assert (found.dtype, found.shape) == (torch.bfloat16, wanted.shape)
    assert float((found.double() - wanted).abs().max()) <= bound(given, scores)


@torch.inference_mode()
@given(seed=st.integers(0, 2**31), heads=st.integers(1, 3), size_hw=SIZES)
def test_in_float32_it_is_off_by_float32s_rounding_alone(
    seed: int, heads: int, size_hw: tuple[int, int]
) -> None:
    given = drawn(seed, 2, heads, 20, size_hw)
    wanted, _ = plain(given)
    found = attention.attended(*(part.float() for part in given))
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("by_hand", [True, False])
def test_the_fused_kernel_is_asked_where_by_hand_is_slower(
    by_hand: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    fused = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(attention, "BFLOAT16_BY_HAND", by_hand)
    monkeypatch.setattr(
        torch.nn.functional, "scaled_dot_product_attention",
        lambda *given, **named: asked.append(given) or fused(*given, **named),
    )  # fmt: skip
    given = drawn(0, 1, 2, 64, (6, 7))
    wanted, scores = plain(given)
    found = attention.attended(*(part.bfloat16() for part in given))
    assert len(asked) == (not by_hand)
    assert float((found.double() - wanted).abs().max()) <= bound(given, scores)


@pytest.mark.parametrize(
    ("capabilities", "wanted"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": True, "amx_bf16": True}, False),
        ({"avx512_bf16": False, "avx512_f": True}, False),
        ({"architecture": "aarch64", "arm_bf16": True}, False),
    ],
)
def test_the_instruction_set_decides(capabilities: dict[str, Any], wanted: bool) -> None:
    assert attention.by_hand(capabilities) == wanted
