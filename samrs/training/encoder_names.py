"""The names that an encoder's tensors have in the library it is from."""

from __future__ import annotations

from collections.abc import Iterable

import timm
import torch
from torch import nn

from samrs.training.hiera import is_hiera
from samrs.training.vit import is_plain

TIMM = "tu-"
"""Begins the names of timm's encoders."""
BODY = "body."
"""Begins the names of timm's tensors in our own encoders; the others make a plain one's scales."""


def library_names(encoder: str, names: Iterable[str]) -> dict[str, str]:
    """The library's name of each of an encoder's tensors that the library has.

    Args:
        encoder: its name, as in ``MultiHeadNetwork``.
        names: of the tensors of smp's module, ``VitEncoder`` or ``HieraEncoder``.
    """
    if not encoder.startswith(TIMM):
        return {name: name for name in names}
    theirs = encoder.removeprefix(TIMM)
    if is_plain(theirs) or is_hiera(theirs):
        return {name: name.removeprefix(BODY) for name in names if name.startswith(BODY)}
    whole = {_flat(name): name for name in timm_shapes(theirs)}
    return {name: whole[_flat(_unwrapped(name))] for name in names}


def _unwrapped(name: str) -> str:
    """Without the wrappers of smp and of timm's feature getter."""
    return name.removeprefix("model.").removeprefix("model.")


def _flat(name: str) -> str:
    """Timm's feature lists join a module's name and its child's by an underscore."""
    return name.replace(".", "_")


def timm_shapes(name: str) -> dict[str, torch.Size]:
    """Shapes of the tensors of a whole model of timm, without classifier.

    Args:
        name: timm's.
    """
    with torch.device("meta"):
        return shapes_of(timm.create_model(name, num_classes=0))


def shapes_of(model: nn.Module) -> dict[str, torch.Size]:
    """Shapes of a model's tensors by name.

    Args:
        model: any.
    """
    return {name: tensor.shape for name, tensor in model.state_dict().items()}
