"""AdamW as the paper uses it: rates by layer, decay where it serves, warm-up and cosine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from samrs.core.errors import ParameterError
from samrs.training.vit import VitEncoder

TABLES = (
    "pos_embed",
    "pos_embed_win",
    "pos_embed_window",
    "cls_token",
    "reg_token",
    "bias_table",
    "rel_pos_h",
    "rel_pos_w",
)
EMBEDDINGS = (
    "level_embed",
    "level_embed.weight",
    "queries_embedder.weight",
    "queries_features.weight",
)
UNDECAYED = TABLES + EMBEDDINGS
"""Ends of names of tables, which are not decayed; nor are norms and biases, of one dimension."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How fast which weights learn.

    Args:
        lr: AdamW's learning rate after the warm-up.
        weight_decay: AdamW's, of weights of more than one dimension that are no tables.
        encoder_rate: learning rate of the encoder, as a share of the others'.
        layer_decay: share of a layer's learning rate that the layer before it has, for plain vision
            transformers; null: 1.
        warmup: steps in which the rate rises from 0, each by the same.
        floor: share of the rate that is left at the end of the cosine.
        steps: of the whole training.
    """

    lr: float
    weight_decay: float
    encoder_rate: float
    layer_decay: float | None
    warmup: int
    floor: float
    steps: int


def optimizer_and_schedule(
    network: nn.Module, rates: Rates
) -> tuple[torch.optim.Optimizer, LambdaLR]:
    """AdamW over groups of a rate and a decay, and the factor of the rates by step.

    Args:
        network: its encoder's names begin with ``encoder.``.
        rates: see there.

    Raises:
        ParameterError: layer decay is asked for an encoder that has no layers in a row.
    """
    groups = list(parameter_groups(network, rates))
    optimizer = torch.optim.AdamW(groups, lr=rates.lr, fused=True)
    return optimizer, LambdaLR(optimizer, lambda step: factor(step, rates))


def factor(step: int, rates: Rates) -> float:
    """Share of the rate at a step, from 0: a line up, then half a cosine down to the floor.

    Args:
        step: number of the step.
        rates: see there.
    """
    if step < rates.warmup:
        return (step + 1) / (rates.warmup + 1)
    done = (step - rates.warmup) / max(1, rates.steps - rates.warmup)
    return rates.floor + (1 - rates.floor) * (1 + math.cos(math.pi * done)) / 2


def parameter_groups(network: nn.Module, rates: Rates) -> Iterator[dict[str, Any]]:
    """Groups of AdamW, fast ones first: ``params``, ``lr``, ``weight_decay`` and their ``names``.

    Args:
        network: see ``optimizer_and_schedule``.
        rates: see there.

    Raises:
        ParameterError: see there.
    """
    layers = _layers(network, rates)
    groups: dict[tuple[float, float], list[tuple[str, Tensor]]] = {}
    for name, parameter in network.named_parameters():
        rate = rates.lr
        if name.startswith("encoder."):
            rate *= rates.encoder_rate
            if rates.layer_decay is not None:
                rate *= rates.layer_decay ** (layers - _layer(name, layers))
        plain = parameter.ndim > 1 and not name.endswith(UNDECAYED)
        decay = rates.weight_decay if plain else 0.0
        groups.setdefault((rate, decay), []).append((name, parameter))
    for (rate, decay), found in sorted(groups.items(), key=lambda item: (-item[0][0], item[0][1])):
        yield {
            "params": [parameter for _, parameter in found],
            "lr": rate,
            "weight_decay": decay,
            "names": [name for name, _ in found],
        }


def _layers(network: nn.Module, rates: Rates) -> int:
    """The number of the layer that is last in the encoder; the patches are layer 0."""
    encoder = network.encoder
    if isinstance(encoder, VitEncoder):
        return len(encoder.body.blocks) + 1
    if rates.layer_decay is not None:
        raise ParameterError(
            f"layer_decay: not for this encoder, got {rates.layer_decay} for "
            f"{type(encoder).__name__}; null is allowed, as layers stand in a row in plain vision "
            "transformers alone; use encoder_rate"
        )
    return 0


def _layer(name: str, last: int) -> int:
    """The layer of a parameter of a plain transformer; what comes behind the blocks is the last."""
    parts = name.removeprefix("encoder.body.").split(".")
    if parts[0] == "blocks":
        return int(parts[1]) + 1
    return (
        0
        if parts[0] in ("patch_embed", "pos_embed", "cls_token", "reg_token", "norm_pre")
        else last
    )
