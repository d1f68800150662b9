"""nano before training, or as another training left it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from samrs.core.errors import ProductError
from samrs.nano.crops import normalised
from samrs.nano.items import distort_colours, draw_item
from samrs.nano.trainee import Trainee
from samrs.sam.nano import TOKEN, WIDTH, build_nano


def first_model(seed: int) -> Trainee:
    """nano before training."""
    torch.manual_seed(seed)
    model = Trainee(build_nano()).train()
    with torch.no_grad():  # first logits near zero, or the first hundred steps only shrink them
        for head in model.sam.mask_decoder.output_hypernetworks_mlps:
            head.layers[-1].weight.mul_(0.05)
            head.layers[-1].bias.zero_()
        weight, bias = whitening_filters(seed)
        model.sam.image_encoder.patch_embed.proj.weight.copy_(weight)
        model.sam.image_encoder.patch_embed.proj.bias.copy_(bias)
    return model


def model_from(path: Path, seed: int) -> Trainee:
    """nano with the weights of a file; its dense head, which no file holds, is new.

    Args:
        path: safetensors, as a training writes it.
        seed: of the dense head.

    Raises:
        ProductError: the file does not hold nano's weights.
    """
    torch.manual_seed(seed)
    model = Trainee(build_nano()).train()
    try:
        model.sam.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ProductError(
            f"{path}: it does not hold nano's weights, got {str(error).splitlines()[0]}; what "
            "`samrs nano train` wrote is needed; name such a file, or begin without --start"
        ) from error
    return model


@cache
def whitening_filters(seed: int, items: int = 24, ridge: float = 0.05) -> tuple[Tensor, Tensor]:
    """The first layer before training, (WIDTH, 3, 16, 16) and (WIDTH,): the principal components
    of tokens, each scaled to about unit variance, `ridge` being added to theirs.

    Random filters see little but a token's mean, where most of an image's variance is; what an
    outline needs is in the rest. After Jordan, arXiv:2404.00498, 3.2.

    Args:
        items: pictures that tokens are taken from.
    """
    rng = np.random.default_rng((seed, 2))
    tokens = []
    for index in range(items):
        image, _ = draw_item(index)
        pixels = torch.from_numpy(normalised(distort_colours(rng, image), image.shape[:2]))
        tokens.append(F.unfold(pixels[None], TOKEN, stride=TOKEN)[0].T)
    rows = torch.cat(tokens).double()
    mean = rows.mean(0)
    variances, axes = torch.linalg.eigh(torch.cov(rows.T))
    variances, axes = variances.flip(0)[:WIDTH], axes.flip(1)[:, :WIDTH]
    # an axis has no direction of its own: the same sign on every machine
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    filters = (axes / (variances + ridge).sqrt()).T
    weight = filters.view(WIDTH, 3, TOKEN, TOKEN).float()
    return weight, -(filters @ mean).float()
