"""Rates by layer, decay where it serves, warm-up and cosine."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from samrs.core.errors import ParameterError
from samrs.training.networks import MultiHeadNetwork
from samrs.training.optimizer import Rates, factor, optimizer_and_schedule, parameter_groups

PLAIN: dict[str, Any] = {
    "lr": 1.0,
    "weight_decay": 0.05,
    "encoder_rate": 1.0,
    "layer_decay": None,
    "warmup": 0,
    "floor": 0.0,
    "steps": 100,
}


def network(encoder: str, **given: Any) -> MultiHeadNetwork:
    return MultiHeadNetwork(encoder, None, "unet", {"a": 2}, seed=0, **given)


def rates(net: MultiHeadNetwork, **given: Any) -> dict[str, tuple[float, float]]:
    """Rate and decay by parameter."""
    groups = parameter_groups(net, Rates(**{**PLAIN, **given}))
    return {name: (g["lr"], g["weight_decay"]) for g in groups for name in g["names"]}


def test_norms_biases_and_tables_are_not_decayed() -> None:
    vit = rates(network("tu-vit_tiny_patch16_224+rvsa"))
    for name, decay in (
        ("encoder.body.pos_embed", 0.0),
        ("encoder.body.cls_token", 0.0),
        ("encoder.body.norm.weight", 0.0),
        ("encoder.body.blocks.0.attn.qkv.bias", 0.0),
        ("encoder.body.blocks.0.attn.rel_pos_h", 0.0),
        ("encoder.body.blocks.0.attn.relative_position_bias_table", 0.0),
        ("encoder.body.blocks.0.attn.qkv.weight", 0.05),
        ("heads.a.0.weight", 0.05),
        ("heads.a.0.bias", 0.0),
    ):
        assert vit[name][1] == decay, name
    swin = rates(network("tu-swin_tiny_patch4_window7_224"))
    tables = [name for name in swin if "bias_table" in name]
    assert tables
    assert all(swin[name][1] == 0 for name in tables)
    hiera = rates(network("tu-hiera_small_abswin_256"))
    assert hiera["encoder.body.pos_embed"][1] == hiera["encoder.body.pos_embed_win"][1] == 0


def test_every_parameter_is_in_one_group() -> None:
    net = network("tu-vit_tiny_patch16_224")
    names = [n for g in parameter_groups(net, Rates(**PLAIN)) for n in g["names"]]
    assert sorted(names) == sorted(name for name, _ in net.named_parameters())


def test_a_layer_has_its_share_of_the_rate_of_the_next() -> None:
    vit = rates(network("tu-vit_tiny_patch16_224"), layer_decay=0.9, encoder_rate=0.5)
    assert vit["heads.a.0.weight"][0] == 1.0
    assert vit["encoder.fpn1.0.weight"][0] == 0.5
    assert vit["encoder.body.norm.weight"][0] == 0.5
    assert vit["encoder.body.blocks.11.mlp.fc1.weight"][0] == pytest.approx(0.5 * 0.9)
    assert vit["encoder.body.blocks.0.mlp.fc1.weight"][0] == pytest.approx(0.5 * 0.9**12)
    assert vit["encoder.body.patch_embed.proj.weight"][0] == pytest.approx(0.5 * 0.9**13)


def test_layer_decay_is_refused_where_layers_do_not_stand_in_a_row() -> None:
    with pytest.raises(ParameterError, match=r"layer_decay: not for this encoder, got 0\.9"):
        rates(network("resnet18"), layer_decay=0.9)


def test_the_rate_rises_falls_and_stays_above_its_floor() -> None:
    chosen = Rates(**{**PLAIN, "warmup": 4, "floor": 0.1})
    assert [round(factor(step, chosen), 6) for step in range(5)] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert factor(52, chosen) == pytest.approx(0.1 + 0.9 * 0.5)
    assert factor(100, chosen) == pytest.approx(0.1)
    plain = Rates(**PLAIN)
    assert factor(25, plain) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)


def test_the_optimizer_steps_by_these_rates() -> None:
    net = network("resnet18")
    optimizer, schedule = optimizer_and_schedule(
        net, Rates(**{**PLAIN, "encoder_rate": 0.1, "warmup": 1})
    )
    assert {round(group["lr"], 6) for group in optimizer.param_groups} == {0.5, 0.05}
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    schedule.step()
    assert {round(group["lr"], 6) for group in optimizer.param_groups} == {1.0, 0.1}


def test_branches_are_left_out_where_the_network_has_such() -> None:
    vit = network("tu-vit_tiny_patch16_224", drop_path=0.2)
    assert vit.encoder.body.blocks[-1].drop_path1.drop_prob == pytest.approx(0.2)
    swin = network("tu-swin_tiny_patch4_window7_224", drop_path=0.3)
    found = [m.drop_prob for m in swin.modules() if type(m).__name__ == "DropPath"]
    assert max(found) == pytest.approx(0.3)
    with pytest.raises(ParameterError, match=r"drop_path: not for this encoder, got 0\.1 for resn"):
        network("resnet18", drop_path=0.1)
