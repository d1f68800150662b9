"""The encoder alone, in a file that timm, torchvision and segmentation-models-pytorch read.

smp wraps timm's models and gives their tensors other names (``model.layers_0.…`` for
``layers.0.…``). ``encoder.safetensors`` has the names of the library that the encoder is from:
timm's of the whole model for ``tu-`` encoders, else those of smp, which are torchvision's and
timm's where smp took the network from there. What the whole model has behind the encoder (a last
norm, a classifier) was not trained and is not in the file; the card lists it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor

from samrs.training.encoder_names import TIMM, library_names, shapes_of, timm_shapes
from samrs.training.internimage import INTERNIMAGE
from samrs.training.networks import MultiHeadNetwork

ENCODER_FILE = "encoder.safetensors"
CARD_FILE = "encoder.md"


@dataclass(frozen=True)
class Reader:
    """A library that reads the file.

    Attributes:
        library: as it is imported.
        make: the expression that makes the model without weights.
        missing: names of the model's tensors that the file does not have.
    """

    library: str
    make: str
    missing: Sequence[str]


def own_names(encoder: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An encoder's weights by the names of the library that it is from.

    Args:
        encoder: its name, as in ``MultiHeadNetwork``.
        state: of smp's module.
    """
    theirs = library_names(encoder, state)
    return {theirs[name]: tensor for name, tensor in state.items() if name in theirs}


def _torchvision_shapes(name: str) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return shapes_of(torchvision.models.get_model(name, weights=None))


def readers(encoder: str, weights: Mapping[str, Tensor]) -> Iterator[Reader]:
    """The libraries whose model of the encoder's name takes all tensors of the file.

    Args:
        encoder: as in ``MultiHeadNetwork``.
        weights: from ``own_names``.
    """
    name = encoder.removeprefix(TIMM)
    models = []
    if timm.is_model(name):
        make = f"timm.create_model({name!r}, num_classes=0)"
        models.append(("timm", make, timm_shapes(name)))
    if name in torchvision.models.list_models():
        make = f"torchvision.models.get_model({name!r}, weights=None)"
        models.append(("torchvision", make, _torchvision_shapes(name)))
    if name == encoder != INTERNIMAGE:  # which no library has
        smp = f"segmentation_models_pytorch.encoders.get_encoder({name!r}, weights=None)"
        models.append(
            ("segmentation_models_pytorch", smp, {n: t.shape for n, t in weights.items()})
        )
    for library, make, shapes in models:
        if all(shapes.get(name) == tensor.shape for name, tensor in weights.items()):
            yield Reader(library, make, sorted(shapes.keys() - weights.keys()))


def save_encoder(network: MultiHeadNetwork, encoder: str, folder: Path, subsets: list[str]) -> None:
    """Write ``encoder.safetensors`` and its card ``encoder.md``.

    Args:
        network: whose encoder is written.
        encoder: its name.
        folder: of the product.
        subsets: names of what it was trained on.
    """
    state = {n: t.detach().cpu().contiguous() for n, t in network.encoder.state_dict().items()}
    weights = own_names(encoder, state)
    save_file(weights, folder / ENCODER_FILE)
    text = card(encoder, list(readers(encoder, weights)), subsets, len(weights))
    (folder / CARD_FILE).write_text(text, encoding="utf-8")


def card(encoder: str, found: Sequence[Reader], subsets: Sequence[str], tensors: int) -> str:
    """What the file is and the lines that load it, as Markdown.

    Args:
        encoder: its name.
        found: from ``readers``.
        subsets: names of what it was trained on.
        tensors: their number in the file.
    """
    parts = [
        f"# Encoder {encoder.removeprefix(TIMM)}\n\n"
        f"Weights of the encoder alone, {tensors} tensors, pre-trained to segment "
        f"{', '.join(subsets)}. Images are RGB / 255, normalized with ImageNet's mean and standard "
        "deviation. How it was trained stands in `manifest.json` beside it; the terms of the "
        "releases that it was trained on hold.\n"
    ]
    if not found:
        parts.append(
            "No library has this network; `samrs.training.networks.MultiHeadNetwork` makes it.\n"
        )
    parts += [f"## {reader.library}\n\n```python\n{lines(reader)}```\n" for reader in found]
    return "\n".join(parts)


def lines(reader: Reader) -> str:
    """Python that loads the file and fails where a tensor does not fit.

    Args:
        reader: one of ``readers``.
    """
    start = (
        f"import {reader.library}\nfrom safetensors.torch import load_file\n\n"
        f"model = {reader.make}\n"
    )
    load = f'model.load_state_dict(load_file("{ENCODER_FILE}")'
    if not reader.missing:
        return f"{start}{load})\n"
    return (
        f"{start}found = {load}, strict=False)\n"
        f"assert sorted(found.missing_keys) == {reader.missing!r} and not found.unexpected_keys\n"
    )
