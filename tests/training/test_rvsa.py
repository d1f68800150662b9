"""RVSA against its published description."""

from __future__ import annotations

import math

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor

from samrs.training.rvsa import WINDOW, RotatedVariedSizeWindowAttention
from samrs.training.vit import INTERVAL, VitEncoder

DIM, HEADS = 24, 3


def attention(seed: int = 0) -> RotatedVariedSizeWindowAttention:
    torch.manual_seed(seed)
    found = RotatedVariedSizeWindowAttention(DIM, HEADS)
    for table in (found.rel_pos_h, found.rel_pos_w, found.relative_position_bias_table):
        torch.nn.init.normal_(table)
    return found


def set_regression(
    attention: RotatedVariedSizeWindowAttention, name: str, value: list[float]
) -> None:
    """Have every head and window regress these values."""
    bias = getattr(attention, name)[-1].bias
    with torch.no_grad():
        bias.copy_(torch.tensor(value).repeat(len(bias) // len(value)))


def window_attention(attention: RotatedVariedSizeWindowAttention, image: Tensor) -> Tensor:
    """Plain attention in windows, window by window and head by head; (H, W, C) from the same."""
    out = torch.zeros_like(image)
    size = DIM // HEADS
    for top in range(0, image.shape[0], WINDOW):
        for left in range(0, image.shape[1], WINDOW):
            part = image[top : top + WINDOW, left : left + WINDOW].reshape(-1, DIM)
            q, k, v = attention.qkv(part).chunk(3, dim=-1)
            heads = []
            for head in range(HEADS):
                of_head = slice(head * size, (head + 1) * size)
                dots = q[:, of_head] @ k[:, of_head].T / math.sqrt(size)
                for i in range(WINDOW**2):
                    for j in range(WINDOW**2):
                        rows = i // WINDOW - j // WINDOW + WINDOW - 1
                        columns = i % WINDOW - j % WINDOW + WINDOW - 1
                        place = rows * (2 * WINDOW - 1) + columns
                        dots[i, j] += attention.relative_position_bias_table[place, head]
                        dots[i, j] += q[i, of_head] @ attention.rel_pos_h[rows]
                        dots[i, j] += q[i, of_head] @ attention.rel_pos_w[columns]
                heads.append(F.softmax(dots, dim=1) @ v[:, of_head])
            done = attention.proj(torch.cat(heads, dim=1))
            out[top : top + WINDOW, left : left + WINDOW] = done.reshape(WINDOW, WINDOW, DIM)
    return out


def test_without_rotation_and_at_scale_one_it_is_window_attention() -> None:
    found, image = attention(), torch.randn(2 * WINDOW, WINDOW, DIM)
    with torch.no_grad():
        out = found(image.reshape(1, -1, DIM), (2 * WINDOW, WINDOW)).reshape(image.shape)
        torch.testing.assert_close(out, window_attention(found, image), atol=1e-4, rtol=1e-4)


def places(name: str, value: list[float]) -> Tensor:
    """Places (row, column, xy) in tokens from the middle, of one window of a grid of 3 x 3."""
    found = attention()
    set_regression(found, name, value)
    with torch.no_grad():
        xy = found.places(torch.randn(1, DIM, 3 * WINDOW, 3 * WINDOW))[0]
    return (xy * (3 * WINDOW - 1) / 2)[WINDOW : 2 * WINDOW, WINDOW : 2 * WINDOW]


def own() -> Tensor:
    steps = torch.arange(WINDOW) - (WINDOW - 1) / 2
    return torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)


def test_a_scale_of_two_takes_keys_from_a_window_twice_as_large() -> None:
    wide = places("sampling_scales", [1.0, 0.0])
    torch.testing.assert_close(wide, own() * torch.tensor([2.0, 1.0]), atol=1e-4, rtol=1e-4)


def test_a_quarter_turn_turns_the_window_about_its_middle() -> None:
    turned = places("sampling_angles", [math.pi / 2])
    x, y = own().unbind(-1)
    torch.testing.assert_close(turned, torch.stack([-y, x], dim=-1), atol=1e-4, rtol=1e-4)


def test_an_offset_moves_the_window_along_its_axis() -> None:
    moved = places("sampling_offsets", [1.0, 0.0]) - own()
    reach = (3 * WINDOW - 1) / 2 / 3
    torch.testing.assert_close(moved[..., 0], torch.full((WINDOW, WINDOW), reach))
    torch.testing.assert_close(moved[..., 1], torch.zeros(WINDOW, WINDOW), atol=1e-4, rtol=0)


def test_a_window_moved_out_of_the_image_sees_nothing() -> None:
    found = attention()
    set_regression(found, "sampling_offsets", [100.0, 0.0])
    with torch.no_grad():
        out = found(torch.randn(1, WINDOW**2, DIM), (WINDOW, WINDOW))
        torch.testing.assert_close(out, found.proj.bias.expand_as(out))


@pytest.mark.parametrize("grid", [(5, 9), (7, 7), (14, 3)])
def test_grids_that_no_window_divides_are_padded_and_all_is_learned(grid: tuple[int, int]) -> None:
    found = attention()
    set_regression(found, "sampling_offsets", [0.1, 0.2])
    tokens = torch.randn(2, grid[0] * grid[1], DIM)
    out = found(tokens, grid)
    assert out.shape == tokens.shape
    out.square().sum().backward()
    for name, parameter in found.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_every_third_block_attends_to_the_whole_image() -> None:
    encoder = VitEncoder("vit_tiny_patch16_224+rvsa")
    windows = [isinstance(b.attn, RotatedVariedSizeWindowAttention) for b in encoder.body.blocks]
    assert windows == [bool(n % INTERVAL) for n in range(1, 13)]
    levels = encoder.eval()(torch.zeros(1, 3, 64, 96))
    assert [tuple(level.shape[1:]) for level in levels[2:]] == [
        (192, 16, 24),
        (192, 8, 12),
        (192, 4, 6),
        (192, 2, 3),
    ]


def test_a_plain_transformer_gives_the_features_of_timms_without_class_token() -> None:
    torch.manual_seed(0)
    encoder, images = VitEncoder("vit_tiny_patch16_224").eval(), torch.randn(1, 3, 224, 224)
    theirs = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, class_token=False, global_pool=""
    ).eval()
    state = {n: t for n, t in encoder.body.state_dict().items() if n != "cls_token"}
    theirs.load_state_dict({**state, "pos_embed": state["pos_embed"][:, 1:]})
    with torch.inference_mode():
        found = encoder(images)[4].flatten(2).transpose(1, 2)
        torch.testing.assert_close(found, theirs.forward_features(images), atol=1e-4, rtol=1e-4)
