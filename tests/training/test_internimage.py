"""InternImage's deformable convolution, against the paper's description."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from samrs.training.encoder_file import own_names, readers
from samrs.training.internimage import (
    DeformableConvolution,
    InternImageEncoder,
    deformed,
)
from samrs.training.networks import MultiHeadNetwork, save_network


def picture(height: int = 5, width: int = 7, dim: int = 6) -> torch.Tensor:
    return torch.randn(2, height, width, dim, generator=torch.Generator().manual_seed(0))


def even(height: int = 5, width: int = 7, groups: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """No offsets, and equal weights that add up to one."""
    places = (2, height, width, groups, 9)
    return torch.zeros(*places, 2), torch.full(places, 1 / 9)


def test_where_nothing_moves_and_all_weigh_alike_it_is_a_mean_over_3_x_3_px() -> None:
    values = picture()
    mean = F.avg_pool2d(values.permute(0, 3, 1, 2), 3, stride=1, padding=1).permute(0, 2, 3, 1)
    torch.testing.assert_close(deformed(values, *even()), mean)


def test_a_layer_begins_as_that_mean_between_its_two_maps() -> None:
    layer, values = DeformableConvolution(32, 2), picture(dim=32)
    known = layer.input_proj(values).permute(0, 3, 1, 2)
    mean = F.avg_pool2d(known, 3, stride=1, padding=1).permute(0, 2, 3, 1)
    torch.testing.assert_close(layer(values), layer.output_proj(mean))


def test_places_stand_column_after_column_and_each_group_has_its_weights() -> None:
    values, (still, _) = picture(), even()
    weights = torch.zeros(2, 5, 7, 3, 9)
    weights[..., 0, 1] = weights[..., 1, 6] = weights[..., 2, 4] = 1  # left, above right, itself
    found = deformed(values, still, weights)
    torch.testing.assert_close(found[:, :, 1:, :2], values[:, :, :-1, :2])
    torch.testing.assert_close(found[:, 1:, :-1, 2:4], values[:, :-1, 1:, 2:4])
    torch.testing.assert_close(found[..., 4:], values[..., 4:])
    assert found[:, :, 0, :2].abs().max() < 1e-6  # outside the image


def test_offsets_go_right_and_down_and_between_pixels() -> None:
    values = picture()
    moved, weights = torch.zeros(2, 5, 7, 3, 9, 2), torch.zeros(2, 5, 7, 3, 9)
    weights[..., 4] = 1
    moved[..., 4, 0], moved[..., 4, 1] = 1.0, 0.5
    found = deformed(values, moved, weights)
    wanted = (values[:, :-1, 1:] + values[:, 1:, 1:]) / 2
    torch.testing.assert_close(found[:, :-1, :-1], wanted)


def test_it_has_the_papers_size_and_takes_any_multiple_of_32_px() -> None:
    encoder = InternImageEncoder().eval()
    count = sum(p.numel() for p in encoder.parameters())
    assert 28e6 < count < 30e6  # 30 M with the classifier's layers
    with torch.inference_mode():
        for height, width in ((64, 96), (32, 64)):
            levels = encoder(torch.zeros(1, 3, height, width))
            shapes = [tuple(level.shape[1:]) for level in levels[2:]]
            assert shapes == [(64 << n, height // (4 << n), width // (4 << n)) for n in range(4)]


def test_places_and_weights_are_learned_and_branches_left_out() -> None:
    torch.manual_seed(0)
    encoder = InternImageEncoder(drop_path=0.5).train()
    encoder(torch.randn(2, 3, 32, 32))[-1].square().sum().backward()
    layer = encoder.levels[0].blocks[0].dcn
    assert layer.offset.weight.grad.abs().max() > 0
    assert layer.mask.weight.grad.abs().max() > 0
    rates = [block.drop_path.drop_prob for level in encoder.levels for block in level.blocks]
    assert rates[0] == 0
    assert rates[-1] == 0.5


def test_it_serves_as_the_encoder_of_a_network_and_its_file_comes_back(tmp_path: Path) -> None:
    one = MultiHeadNetwork("internimage_t", None, "unet", {"a": 3}, seed=0, drop_path=0.1)
    images = torch.zeros((1, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        assert one.eval()(images, {"a": 1})["a"].shape == (1, 3, 64, 64)
    shared, _ = save_network(one, tmp_path)
    other = MultiHeadNetwork("internimage_t", str(shared), "unet", {"a": 3}, seed=1)
    for name, tensor in one.encoder.state_dict().items():
        assert torch.equal(tensor, other.encoder.state_dict()[name])
    weights = own_names("internimage_t", one.encoder.state_dict())
    assert "levels.0.blocks.3.dcn.dw_conv.1.1.weight" in weights
    assert list(readers("internimage_t", weights)) == []
