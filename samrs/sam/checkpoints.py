"""Builds SAM from a checkpoint file, which is read as tensors only and refused when it is not one.

sam = build_sam("vit_b", Path("sam_vit_b_01ec64.pth"), device="cuda")
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from segment_anything.build_sam import sam_model_registry
from segment_anything.modeling import Sam
from torch import Tensor

from samrs.core.errors import SamrsError
from samrs.sam.hq import Finer
from samrs.sam.mobile import NAMED, TO_TIMM, UNASKED, build_mobile
from samrs.sam.nano import build_nano
from samrs.sam.renamed import TIED, TO_SEGMENT_ANYTHING, renamed, without

BUILDERS: dict[str, Callable[[], Sam]] = {
    "nano": build_nano,
    "vit_b": sam_model_registry["vit_b"],
    "vit_l": sam_model_registry["vit_l"],
    "vit_h": sam_model_registry["vit_h"],
    "sam-vit-base": sam_model_registry["vit_b"],
    "sam-vit-large": sam_model_registry["vit_l"],
    "sam-vit-huge": sam_model_registry["vit_h"],
    "mobile_sam": build_mobile,
}
HQ = {f"sam_hq_{size}": sam_model_registry[size] for size in ("vit_b", "vit_l", "vit_h")}
BY_TRANSFORMERS = "vision_encoder.patch_embed.projection.weight"
"""A name that transformers' files of SAM 1 and HQ have."""
EPS = 1e-6
"""Of the norms in the layers of transformers' decoder; the one behind the layers, and all of
segment_anything's, have torch's 1e-5."""


class CheckpointError(SamrsError):
    """A checkpoint is missing, unreadable, or another model's."""


def build_sam(model: str, checkpoint: Path, *, device: torch.device | str) -> Sam:
    """SAM in evaluation mode with float32 weights on `device`.

    Args:
        model: a key of `BUILDERS`.
        checkpoint: safetensors, or a file of `torch.save` with a plain dict of tensors.

    Raises:
        CheckpointError: unknown model; a file that is missing, truncated, of another type, or whose
            tensors are not the model's.
    """
    builder = _builder(model)
    tensors, own = _by_segment_anything(read_tensors(checkpoint))
    sam = _shell(model, builder)
    check_fit(checkpoint, model, expected=sam.state_dict(), found=tensors)
    sam.load_state_dict(tensors, strict=False, assign=True)
    _like(sam, own)
    return sam.float().to(device).eval().requires_grad_(True)


def build_hq(model: str, checkpoint: Path, *, device: torch.device | str) -> tuple[Sam, Finer]:
    """SAM-HQ in evaluation mode: SAM's part, and the rest.

    Args:
        model: a key of ``HQ``.
        checkpoint: the authors' file, or transformers' safetensors.

    Raises:
        CheckpointError: as ``build_sam``.
    """
    found = read_tensors(checkpoint)
    return hq_of(found, HQ[model], checkpoint, model, device)


def hq_of(
    found: Mapping[str, Tensor], builder: Callable[[], Sam], checkpoint: Path, model: str,
    device: torch.device | str,
) -> tuple[Sam, Finer]:  # fmt: skip
    """SAM-HQ of tensors, as ``build_hq`` gives it.

    Args:
        found: tensors by the authors' names or transformers'.
        builder: makes SAM's part.
        checkpoint: the file, for errors.
        model: its name, for errors.
    """
    tensors, own = _by_segment_anything(found)
    with torch.device("meta"):
        sam = builder()
        finer = Finer(sam.prompt_encoder.embed_dim, sam.image_encoder.patch_embed.proj.out_channels)
    expected = sam.state_dict() | {f"mask_decoder.{n}": v for n, v in finer.state_dict().items()}
    check_fit(checkpoint, model, expected=expected, found=tensors)
    sam.load_state_dict(tensors, strict=False, assign=True)
    further = {n: tensors[f"mask_decoder.{n}"] for n in finer.state_dict()}
    finer.load_state_dict(further, assign=True)
    _like(sam, own)
    return sam.float().to(device).eval(), finer.float().to(device).eval()


def _by_segment_anything(found: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
    """Tensors by segment_anything's names, and whether they came by transformers'."""
    if NAMED in found:
        return renamed(without(found, UNASKED), TO_TIMM), False
    if BY_TRANSFORMERS not in found:
        return dict(found), False
    return renamed(without(found, TIED), TO_SEGMENT_ANYTHING), True


def _like(sam: Sam, by_transformers: bool) -> None:
    """Layer norms of the decoder's layers as in the library whose file it was."""
    if by_transformers:
        for module in sam.mask_decoder.transformer.layers.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.eps = EPS


def _builder(model: str) -> Callable[[], Sam]:
    if model not in BUILDERS:
        raise CheckpointError(
            f"model: there is no such model, got {model!r}; allowed are {', '.join(BUILDERS)};"
            " correct the name"
        )
    return BUILDERS[model]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The float32 tensors of a checkpoint by name; the file's type is told by its content.

    Raises:
        CheckpointError: the file is missing, damaged, or not a dict of tensors.
    """
    if not path.is_file():
        raise CheckpointError(
            f"{path}: there is no such checkpoint, got no file; allowed are safetensors and"
            " torch.save files; correct the path or fetch the file"
        )
    size = f"{path.stat().st_size:,} bytes"
    with path.open("rb") as file:
        head = file.read(9)
    try:
        if head[8:] == b"{":
            tensors: Any = load_file(path)
        elif head[:2] in (b"PK", b"\x80\x02"):
            tensors = torch.load(path, map_location="cpu", weights_only=True)
        else:
            raise CheckpointError(
                f"{path}: not a checkpoint, got {size} beginning {head[:8]!r}; allowed are"
                " safetensors and torch.save files; give the model's own file"
            )
    except (
        SafetensorError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        EOFError,
        RuntimeError,
    ) as e:
        reason = str(e).splitlines()[0]
        raise CheckpointError(
            f"{path}: the checkpoint cannot be read, got {size} and {reason!r}; allowed is a whole"
            " safetensors or torch.save file of tensors only; it is probably truncated: fetch it"
            " again"
        ) from e
    if isinstance(tensors, Mapping) and tensors.keys() == {"model"}:
        tensors = tensors["model"]  # as SAM 2's files hold it
    if not isinstance(tensors, Mapping) or not all(isinstance(v, Tensor) for v in tensors.values()):
        raise CheckpointError(
            f"{path}: not a model's weights, got {type(tensors).__name__} of other things;"
            " allowed is a dict of tensors by name; save model.state_dict()"
        )
    return {name: value.float() for name, value in tensors.items()}


def _shell(model: str, builder: Callable[[], Sam]) -> Sam:
    """The model without weights: drawing random ones for ViT-H takes longer than reading them."""
    if model in ("nano", "mobile_sam"):  # timm computes places as it builds
        return builder()
    with torch.device("meta"):
        return builder()


def check_fit(
    path: Path, model: str, *, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> None:
    """Refuse tensors that are not the model's, naming the first that differs.

    Args:
        path: of the file, for the error.
        model: its name, for the error.
        expected: the model's tensors by name.
        found: the file's.

    Raises:
        CheckpointError: they are others.
    """
    missing = [name for name in expected if name not in found]
    foreign = [name for name in found if name not in expected]
    reshaped = [
        f"{name} of {tuple(found[name].shape)} for {tuple(expected[name].shape)}"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    faults = [
        f"{len(names)} {what} (first: {names[0]})"
        for what, names in (("missing", missing), ("unknown", foreign), ("misshapen", reshaped))
        if names
    ]
    if faults:
        raise CheckpointError(
            f"{path}: the checkpoint is not {model}'s, got {len(found)} tensors with"
            f" {', '.join(faults)}; allowed are exactly {model}'s {len(expected)}; give {model}'s"
            " checkpoint, or name the model it is of (samrs models)"
        )
