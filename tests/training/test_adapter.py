"""ViT-Adapter, against the paper's description."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F

from samrs.core.errors import ParameterError
from samrs.training.adapter import AdapterEncoder, DeformableAttention, places_of
from samrs.training.networks import MultiHeadNetwork, save_network

NAME = "vit_tiny_patch16_224+adapter"


def attention(levels: int) -> DeformableAttention:
    """One that looks at each query's own place only, in all levels alike."""
    torch.manual_seed(0)
    found = DeformableAttention(12, 3, levels)
    torch.nn.init.zeros_(found.sampling_offsets.bias)
    return found


def test_without_offsets_a_query_finds_the_value_at_its_own_place() -> None:
    layer, values = attention(1), torch.randn(2, 4 * 5, 12)
    found = layer(torch.randn(2, 20, 12), places_of((4, 5), values), values, [(4, 5)])
    torch.testing.assert_close(found, layer.output_proj(layer.value_proj(values)))


def test_levels_are_looked_at_alike_each_between_its_own_cells() -> None:
    layer, sizes = attention(2), [(4, 6), (2, 3)]
    values = torch.randn(1, 24 + 6, 12)
    found = layer(torch.randn(1, 6, 12), places_of((2, 3), values), values, sizes)
    fine = values[:, :24].transpose(1, 2).reshape(1, 12, 4, 6)
    mean = F.avg_pool2d(fine, 2).flatten(2).transpose(1, 2)  # a coarse middle is between four
    wanted = layer.output_proj(layer.value_proj((mean + values[:, 24:]) / 2))
    torch.testing.assert_close(found, wanted)


def test_an_offset_of_one_is_a_cell_of_the_level_to_the_right() -> None:
    layer, values = attention(1), torch.randn(1, 12, 12)
    layer.sampling_offsets.bias.data.view(-1, 2)[:, 0] = 1
    found = layer(torch.randn(1, 12, 12), places_of((3, 4), values), values, [(3, 4)])
    wanted = layer.output_proj(layer.value_proj(values)).view(3, 4, 12)
    torch.testing.assert_close(found.view(3, 4, 12)[:, :-1], wanted[:, 1:])


def test_the_transformer_begins_as_it_is_and_then_takes_from_the_branch() -> None:
    torch.manual_seed(0)
    encoder, images = AdapterEncoder(NAME).eval(), torch.randn(1, 3, 64, 96)
    own = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, class_token=False, global_pool="",
        dynamic_img_size=True,
    ).eval()  # fmt: skip
    own.norm = torch.nn.Identity()
    state = {n: t for n, t in encoder.body.state_dict().items() if n != "cls_token"}
    own.load_state_dict({**state, "pos_embed": state["pos_embed"][:, 1:]})
    seen: list[torch.Tensor] = []
    encoder.interactions[-1].extractor.feat_norm.register_forward_pre_hook(
        lambda _, given: seen.append(given[0])
    )
    with torch.inference_mode():
        encoder(images)
        torch.testing.assert_close(seen[0], own.forward_features(images), atol=1e-4, rtol=1e-4)
        for interaction in encoder.interactions:
            interaction.injector.gamma.fill_(0.1)
        encoder(images)
    assert (seen[1] - seen[0]).abs().max() > 1e-3


def test_it_has_four_scales_and_all_of_it_is_learned() -> None:
    torch.manual_seed(0)
    encoder = AdapterEncoder(NAME).train()
    for interaction in encoder.interactions:
        torch.nn.init.ones_(interaction.injector.gamma)
    levels = encoder(torch.randn(2, 3, 64, 96))
    assert [tuple(level.shape[1:]) for level in levels] == [
        (3, 64, 96), (0, 32, 48), (192, 16, 24), (192, 8, 12), (192, 4, 6), (192, 2, 3),
    ]  # fmt: skip
    sum(level.square().mean() * torch.randn(()) for level in levels[2:]).backward()
    left = {name for name, p in encoder.named_parameters() if p.grad is None}
    assert left <= {"body.cls_token"}


def test_it_serves_as_the_encoder_of_a_network_and_its_file_comes_back(tmp_path: Path) -> None:
    name = f"tu-{NAME}"
    one = MultiHeadNetwork(name, None, "unet", {"a": 3}, seed=0, drop_path=0.1)
    with torch.inference_mode():
        images = torch.zeros((1, 3, 96, 96), dtype=torch.uint8)
        assert one.eval()(images, {"a": 1})["a"].shape == (1, 3, 96, 96)
    shared, _ = save_network(one, tmp_path)
    other = MultiHeadNetwork(name, str(shared), "unet", {"a": 3}, seed=1)
    for key, tensor in one.encoder.state_dict().items():
        assert torch.equal(tensor, other.encoder.state_dict()[key])


def test_an_adapter_is_for_plain_transformers() -> None:
    with pytest.raises(ParameterError, match="encoder: unknown name, got 'tu-hiera_tiny_224"):
        MultiHeadNetwork("tu-hiera_tiny_224+adapter", None, "unet", {"a": 3}, seed=0)
