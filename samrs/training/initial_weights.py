"""An encoder's first weights from a file of another program.

Files of MAE, BEiT, RSP, SAMRS, timm, torchvision and of ``pretrain`` itself: safetensors, or what
``torch.save`` wrote, of which tensors only are read. Names are brought to those of the encoder,
tables of positions are resampled to its sizes, and all that was loaded, resampled, left out or
missing is counted by name: nothing is dropped in silence.

=========  =========================================================================================
file       what is done to it
=========  =========================================================================================
MAE        names are timm's; ``decoder_…`` and ``mask_token`` have no place in an encoder
BEiT       ``q_bias`` and ``v_bias`` become ``qkv.bias``; ``gamma_1`` and ``gamma_2`` are multiplied
           into the projections before them, where the encoder has no such layers, which gives the
           same sums
Swin       Microsoft's, RSP's and SAMRS's: a stage's ``downsample`` belongs to the next one in timm
SAMRS      ``encoder.…``, and RSP's ``backbone.…``: the beginnings that fit most names are cut
ours       ``encoder.safetensors`` and ``encoder_decoder.safetensors``
=========  =========================================================================================
"""

from __future__ import annotations

import argparse
import logging
import math
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.layers.patch_embed import resample_patch_embed
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.layers.pos_embed_rel import resize_rel_pos_bias_table
from torch import Tensor, nn

from samrs.core.errors import MissingInputError, ProductError
from samrs.core.shards import sha256
from samrs.training.encoder_names import library_names
from samrs.training.hiera import HieraEncoder, resized

log = logging.getLogger("samrs")

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
"""What a file of weights ends with; ``encoder_weights`` without one is a tag of a library."""
CONTAINERS = ("state_dict", "model", "module", "model_state_dict", "teacher")
"""Under which training programs put the tensors, one in another or not."""
BEGINNINGS = ("module.", "encoder.", "backbone.", "model.", "image_encoder.")
"""What programs put before the names of an encoder, several of them or none."""
TABLES = ("relative_position_index", "attn_mask", "relative_coords_table")
"""Ends of names of what a network makes itself."""
LEAST = 0.5
"""Share of an encoder's tensors that a file must have."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What became of a file's tensors, by the encoder's names where they have a place in it.

    Attributes:
        sha256: of the file.
        kind: what it looks like, of the names in this module's table.
        loaded: number of tensors taken as they are.
        resampled: those of positions or patches that were brought to another size.
        left_out: those that the encoder has no place for.
        missing: those of the encoder that the file does not have; they stay random.
    """

    sha256: str
    kind: str
    loaded: int
    resampled: list[str]
    left_out: list[str]
    missing: list[str]


def is_file(weights: str | None) -> bool:
    """Whether the word for an encoder's weights names a file.

    Args:
        weights: None, a tag or a path.
    """
    return weights is not None and weights.endswith(SUFFIXES)


def load_encoder(encoder: nn.Module, name: str, path: Path) -> dict[str, Any]:
    """Load a file into an encoder; returns the fields of ``Loaded`` and tells them in the log.

    Args:
        encoder: smp's module, ``VitEncoder`` or ``HieraEncoder``.
        name: the encoder's, as in ``MultiHeadNetwork``.
        path: of the file.

    Raises:
        MissingInputError: there is no such file, or it is damaged.
        ProductError: it holds more than tensors, or less than half of the encoder's.
    """
    tensors = read_tensors(path)
    state = encoder.state_dict()
    theirs = library_names(name, state)
    ours = {their: our for our, their in theirs.items()} | {our: our for our in state}
    kind, tensors = _renamed(_without_beginnings(tensors, set(ours)), ours)
    taken: dict[str, Tensor] = {}
    resampled, left_out = [], []
    for key, tensor in tensors.items():
        our = ours.get(key)
        fitted = None if our is None else _fitted(key, tensor, state[our], encoder)
        if our is None or fitted is None:
            left_out.append(key)
            continue
        taken[our] = fitted
        if fitted.shape != tensor.shape:
            resampled.append(our)
    missing = sorted(
        n for n in state.keys() - taken.keys() if not n.endswith("num_batches_tracked")
    )
    if len(taken) < LEAST * len(state):
        raise ProductError(
            f"{path}: weights do not fit the encoder, got {len(taken)} of {len(state)} tensors of "
            f"{name}; at least half are needed; take weights of this encoder, or the encoder of "
            "these weights"
        )
    encoder.load_state_dict(taken, strict=False)
    found = Loaded(
        sha256=sha256(path),
        kind=kind,
        loaded=len(taken) - len(resampled),
        resampled=sorted(resampled),
        left_out=sorted(left_out),
        missing=missing,
    )
    log.info("%s", sentence(path, found))
    return asdict(found)


def sentence(path: Path, found: Loaded) -> str:
    """What became of a file, for the log.

    Args:
        path: of the file.
        found: from ``load_encoder``.
    """
    parts = [f"{found.loaded} tensors loaded"]
    for told, names in (
        ("resampled", found.resampled),
        ("left out", found.left_out),
        ("not in the file, so random", found.missing),
    ):
        shown = f" ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})" if names else ""
        parts.append(f"{len(names)} {told}{shown}")
    return f"{path} ({found.kind}): {'; '.join(parts)}"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, whatever they are wrapped in.

    Args:
        path: safetensors, or what ``torch.save`` wrote.

    Raises:
        MissingInputError: there is no such file, or it is damaged.
        ProductError: it holds more than tensors and plain values, or no tensor.
    """
    if not path.is_file():
        raise MissingInputError(
            f"{path}: no weights, got no such file; a file of weights is needed; correct the path, "
            "which starts at the project's folder"
        )
    try:
        content: Any
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            with torch.serialization.safe_globals([argparse.Namespace]):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ProductError(
            f"{path}: not read, got {' '.join(str(error).split())[:120]}; tensors alone are "
            "allowed, as anything else may run code; save its state_dict as safetensors where you "
            "trust it"
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError, IndexError) as error:
        raise MissingInputError(
            f"{path}: unreadable, got {type(error).__name__}; a whole file of weights is needed; "
            "fetch it again"
        ) from error
    while isinstance(content, Mapping) and (inner := _inner(content)) is not None:
        content = inner
    found = {
        str(name): tensor
        for name, tensor in (content.items() if isinstance(content, Mapping) else ())
        if isinstance(tensor, Tensor)
    }
    if not found:
        raise ProductError(
            f"{path}: no weights in it, got no tensor by name; a state_dict, alone or under one of "
            f"{', '.join(CONTAINERS)}, is allowed; save that"
        )
    return found


def _inner(content: Mapping[Any, Any]) -> Mapping[Any, Any] | None:
    return next((content[k] for k in CONTAINERS if isinstance(content.get(k), Mapping)), None)


def _without_beginnings(tensors: Mapping[str, Tensor], known: set[str]) -> dict[str, Tensor]:
    """Tensors without the beginning that leaves most names known; those without it keep theirs."""
    beginnings, fresh = {""}, {""}
    while fresh:
        fresh = {
            before + beginning
            for before in fresh
            for beginning in BEGINNINGS
            if any(name.startswith(before + beginning) for name in tensors)
        } - beginnings
        beginnings |= fresh

    def fits(beginning: str) -> int:
        return sum(n.startswith(beginning) and n[len(beginning) :] in known for n in tensors)

    best = max(sorted(beginnings, key=len), key=fits)
    return {name.removeprefix(best): tensor for name, tensor in tensors.items()}


def _renamed(tensors: dict[str, Tensor], known: Mapping[str, str]) -> tuple[str, dict[str, Tensor]]:
    """What kind of file it is, and its tensors by timm's or torchvision's names."""
    kind, found = "as named", {n: t for n, t in tensors.items() if not n.endswith(TABLES)}
    if "mask_token" in found and any(name.startswith("decoder_") for name in found):
        kind = "MAE"
    if any(name.endswith(".q_bias") for name in found):
        kind, found = "BEiT", _from_beit(found, known)
    if "layers.0.downsample.reduction.weight" in found:
        kind, found = "Swin", {_next_stage(name): tensor for name, tensor in found.items()}
    return kind, {re.sub(r"^(fpn1\.1)\.ln\.", r"\1.", name): t for name, t in found.items()}


def _next_stage(name: str) -> str:
    return re.sub(
        r"^layers\.(\d+)\.downsample\.", lambda m: f"layers.{int(m[1]) + 1}.downsample.", name
    )


def _from_beit(tensors: Mapping[str, Tensor], known: Mapping[str, str]) -> dict[str, Tensor]:
    """BEiT's blocks as those of a plain transformer."""
    found = dict(tensors)
    for name in tensors:
        block = name.removesuffix("attn.q_bias")
        if block == name or f"{block}attn.q_bias" in known:
            continue
        query, value = found.pop(f"{block}attn.q_bias"), found.pop(f"{block}attn.v_bias")
        found[f"{block}attn.qkv.bias"] = torch.cat([query, torch.zeros_like(query), value])
        for gamma, layer in (("gamma_1", "attn.proj"), ("gamma_2", "mlp.fc2")):
            scale = found.pop(f"{block}{gamma}", None)
            if scale is not None:
                weight, bias = f"{block}{layer}.weight", f"{block}{layer}.bias"
                found[weight], found[bias] = found[weight] * scale[:, None], found[bias] * scale
    return found


def _fitted(name: str, tensor: Tensor, place: Tensor, encoder: nn.Module) -> Tensor | None:
    """A tensor brought to the shape of its place; None where that cannot be."""
    if tensor.shape == place.shape:
        return tensor
    if name == "pos_embed" and tensor.ndim == place.ndim == 3:
        if isinstance(encoder, HieraEncoder):
            return _in_units(tensor, place, encoder.body.mask_unit_size)
        return _resampled_positions(tensor, place)
    if name.endswith("relative_position_bias_table") and tensor.ndim == 2:
        if tensor.shape[1] != place.shape[1]:
            return None
        side = (math.isqrt(len(place)) + 1) // 2
        table: Tensor = resize_rel_pos_bias_table(
            tensor, new_window_size=(side, side), new_bias_shape=tuple(place.shape)
        )
        return table
    if name == "patch_embed.proj.weight" and tensor.shape[:2] == place.shape[:2]:
        patch: Tensor = resample_patch_embed(tensor, list(place.shape[2:]))
        return patch
    return None


def _resampled_positions(table: Tensor, place: Tensor) -> Tensor | None:
    """A table (1, N, C) for a grid of another size, with or without a class token before it."""
    if table.shape[2] != place.shape[2]:
        return None
    before, wanted = (int(math.isqrt(n) ** 2 != n) for n in (table.shape[1], place.shape[1]))
    side = math.isqrt(place.shape[1] - wanted)
    if math.isqrt(table.shape[1] - before) ** 2 != table.shape[1] - before:
        return None
    grid = resample_abs_pos_embed(table[:, before:], [side, side], num_prefix_tokens=0)
    first = table[:, :before] if before else torch.zeros_like(place[:, :1])
    return torch.cat([first, grid], dim=1) if wanted else grid


def _in_units(table: Tensor, place: Tensor, unit: tuple[int, int]) -> Tensor | None:
    """Hiera's table (1, N, C), of square images, for a grid of another size."""
    side, wanted = (math.isqrt(positions.shape[1]) for positions in (table, place))
    if table.shape[2] != place.shape[2] or side**2 != table.shape[1] or side % unit[0]:
        return None
    return resized(table, (side, side), (wanted, wanted), unit)


def check_word(where: str, weights: str, tags: Sequence[str]) -> str | None:
    """What is wrong with a word for an encoder's weights; None if nothing is.

    Args:
        where: the parameter, for the sentence.
        weights: the word.
        tags: what is allowed beside files.
    """
    if weights in tags or is_file(weights):
        return None
    return (
        f"{where}: unknown name, got {weights!r}; {', '.join(tags)}, or a file that ends with one "
        f"of {', '.join(SUFFIXES)}, are allowed; correct params.yaml"
    )
