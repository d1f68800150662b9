"""Segmentation networks with a shared encoder and decoder and one head for each subset.

Encoders and decoders are those of segmentation-models-pytorch and timm, as ``tu-<name>``; plain
transformers of timm have scales and, with ``+rvsa``, windows of their own (``vit.py``) or, with
``+adapter``, a branch (``adapter.py``), Hiera has positions for any size (``hiera.py``),
InternImage is our own (``internimage.py``). Heads have no background class, as in SAMRS: 18, 20 and
37 outputs for SOTA, SIOR and FAST. Networks take uint8 images and normalize them with ImageNet's
statistics, which its encoder weights expect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import segmentation_models_pytorch as smp
import timm
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from segmentation_models_pytorch.base import SegmentationHead, SegmentationModel
from torch import Tensor, nn

from samrs.core.errors import MissingInputError, ParameterError, ProductError, advice, full_disk
from samrs.core.records import IGNORE
from samrs.training.adapter import AdapterEncoder
from samrs.training.convolutions import layout, steady
from samrs.training.encoder_names import TIMM
from samrs.training.hiera import HieraEncoder, is_hiera
from samrs.training.initial_weights import is_file, load_encoder
from samrs.training.internimage import INTERNIMAGE, InternImageEncoder
from samrs.training.vit import ADAPTER, VitEncoder, is_plain, without_suffix

if TYPE_CHECKING:
    from samrs.training.mask2former import Masks

Decoded: TypeAlias = "Tensor | Masks"
"""(B, C, h, w) features, or masks."""
MASK2FORMER = "mask2former"
DECODERS = ("unet", "upernet", MASK2FORMER)
MEAN_RGB = (123.675, 116.28, 103.53)
STD_RGB = (58.395, 57.12, 57.375)
SHARED = ("encoder.", "decoder.")
ANY_SIZE = {"strict_img_size": False}
"""Timm's option of Swin and SwinV2, whose tables are of windows, to take images of any size."""


class MultiHeadNetwork(nn.Module):
    """Shared encoder and decoder, one linear head a subset.

    Args:
        encoder: a name segmentation-models-pytorch knows, e.g. ``resnet50``, or one of timm after
            ``tu-``, e.g. ``tu-swin_tiny_patch4_window7_224`` or ``tu-vit_base_patch16_224+rvsa``.
        encoder_weights: its first weights: ``imagenet`` (downloaded) or another tag of its
            library, the path of a file (``initial_weights.py``), None for random ones.
        decoder: one of ``DECODERS``.
        heads: number of outputs of each head by its subset.
        seed: of the random weights; sets torch's global generator.
        drop_path: largest share of the encoder's branches left out at random.

    Raises:
        ParameterError: encoder, its weights or decoder are unknown, or do not fit together.
        MissingInputError: the encoder's weights cannot be fetched or read.
        ProductError: a file's weights do not fit the encoder.

    Attributes:
        layout: of images in memory, see ``lay_out``.
        loaded: what became of the file's tensors, see ``initial_weights.Loaded``; None without one.
    """

    def __init__(
        self,
        encoder: str,
        encoder_weights: str | None,
        decoder: str,
        heads: Mapping[str, int],
        *,
        seed: int,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        file = encoder_weights if is_file(encoder_weights) else None
        tag = None if file else encoder_weights
        self.encoder, self.decoder, head = _build(encoder, tag, decoder, drop_path)
        self.loaded = load_encoder(self.encoder, encoder, Path(file)) if file else None
        self.mean: Tensor
        self.std: Tensor
        self.heads = nn.ModuleDict({name: head(outputs) for name, outputs in heads.items()})
        steady(self)
        self.layout = torch.contiguous_format
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD_RGB).view(3, 1, 1), persistent=False)

    def decoded(self, images: Tensor) -> Decoded:
        """What the heads see of uint8 RGB images (B, 3, H, W), sides divisible by 32."""
        pixels = (images - self.mean) / self.std
        levels = self.encoder(pixels.contiguous(memory_format=self.layout))
        found: Decoded = self.decoder(levels)
        return found

    def lay_out(self, device: torch.device, precision: str) -> None:
        """Lay weights and images out in memory as ``convolutions.layout`` says.

        Args:
            device: where the network will compute from here on.
            precision: likewise.
        """
        self.layout = layout(device, precision)
        self.to(memory_format=self.layout)

    def forward(self, images: Tensor, parts: Mapping[str, int]) -> dict[str, Tensor]:
        """Logits (B_s, outputs_s, H, W) of each subset.

        Args:
            images: (B, 3, H, W) uint8 RGB, subset after subset.
            parts: number of images B_s of each subset, in that order; they add up to B.
        """
        split = _split(self.decoded(images), parts)
        return {name: self.heads[name](part) for name, part in split.items()}

    def loss(
        self,
        images: Tensor,
        labels: Tensor,
        parts: Mapping[str, int],
        total: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """The sum of the subsets' losses.

        Args:
            images: as in ``forward``.
            labels: (B, H, W), 255 where nothing is known.
            parts: as in ``forward``; a part of several may have 0.
            total: the sum over processes that have a part of the batch each; then this is the
                part's share of the whole batch's loss. None: all is here.
        """
        truth = torch.split(labels, list(parts.values()))
        split = _split(self.decoded(images), parts)
        heads = cast(Mapping[str, Any], self.heads)
        losses = [heads[n].loss(part, y) for (n, part), y in zip(split.items(), truth, strict=True)]
        if total is None:
            return torch.stack(losses).sum()
        units = torch.stack([heads[n].units(y) for n, y in zip(parts, truth, strict=True)]).double()
        shares = (units / total(units).clamp(min=1)).float()
        return (torch.stack(losses) * shares).sum()

    def check_side(self, side: int) -> None:
        """Look once at an image of ``side`` x ``side`` px; changes nothing.

        Raises:
            ParameterError: the encoder does not take it, as some are made for one size.
        """
        was_training = self.training
        try:
            with torch.no_grad():
                self.eval().decoded(self.mean.new_zeros((1, 3, side, side), dtype=torch.uint8))
        except (AssertionError, ValueError, RuntimeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise ParameterError(
                f"crop: not a size that this encoder takes, got {side}: {error}; the encoder "
                "decides what is allowed; set crop to its size or take another encoder"
            ) from error
        finally:
            self.train(was_training)


class PixelHead(SegmentationHead):  # type: ignore[misc]
    """A convolution to the classes of one subset and the cross-entropy of its pixels."""

    def loss(self, decoded: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of labelled pixels.

        Args:
            decoded: (B, C, h, w).
            labels: (B, H, W), 255 where nothing is known.
        """
        return cross_entropy(self(decoded), labels)

    def units(self, labels: Tensor) -> Tensor:
        """What the loss is a mean over: the number of labelled pixels.

        Args:
            labels: see ``loss``.
        """
        return (labels != IGNORE).sum()


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of logits (B, C, H, W) over the labelled pixels of (B, H, W); 0 if none.

    Labelled pixels are picked first: the mean of none would be NaN, and the flat form of the loss
    is the one that is deterministic on GPUs.
    """
    known = labels != IGNORE
    picked = logits.movedim(1, -1)[known].float()
    total = F.cross_entropy(picked, labels[known].long(), reduction="sum")
    return total / max(int(known.sum()), 1)


def _split(decoded: Decoded, parts: Mapping[str, int]) -> dict[str, Decoded]:
    """What each subset's head sees."""
    sizes = list(parts.values())
    if isinstance(decoded, Tensor):
        return dict(zip(parts, torch.split(decoded, sizes), strict=True))
    fields = zip(*(torch.split(field, sizes) for field in decoded), strict=True)
    return {name: type(decoded)(*field) for name, field in zip(parts, fields, strict=True)}


def _build(
    encoder: str, encoder_weights: str | None, decoder: str, drop_path: float
) -> tuple[nn.Module, nn.Module, Callable[[int], nn.Module]]:
    """Encoder, decoder, and what makes a head of so many outputs."""
    if decoder not in DECODERS:
        raise ParameterError(
            f"decoder: unknown name, got {decoder!r}; {', '.join(DECODERS)} are allowed; "
            "use one of these"
        )
    if decoder == MASK2FORMER:
        body = _smp_model(encoder, encoder_weights, "unet", drop_path)  # whose decoder is left
        from samrs.training.mask2former import MaskDecoder, MaskHead

        return body.encoder, MaskDecoder(body.encoder.out_channels), MaskHead
    body = _smp_model(encoder, encoder_weights, decoder, drop_path)
    first, upsample = body.segmentation_head[0], body.segmentation_head[1]
    head = partial(
        PixelHead,
        first.in_channels,
        kernel_size=first.kernel_size[0],
        upsampling=int(getattr(upsample, "scale_factor", 1)),
    )
    return body.encoder, body.decoder, head


def _smp_model(
    encoder: str, encoder_weights: str | None, decoder: str, drop_path: float
) -> SegmentationModel:
    _check_names(encoder, encoder_weights)
    try:
        name, weights, options = _asked_of_smp(encoder, encoder_weights, drop_path)
        model: SegmentationModel = smp.create_model(decoder, name, weights, **options)
    except OSError as error:
        if encoder_weights is None or full_disk(error):
            raise
        raise MissingInputError(
            f"encoder: weights cannot be fetched, got {error} for {encoder} {encoder_weights}; "
            "a connection or a cached copy is needed; set encoder_weights to null to start from "
            "random weights"
        ) from error
    except SafetensorError as error:
        raise MissingInputError(
            f"encoder: weights cannot be read, got {error} for {encoder} {encoder_weights}; a "
            "whole file is needed; remove the cached copy, so that it is fetched again"
        ) from error
    except (ValueError, RuntimeError) as error:
        raise ParameterError(
            f"encoder: does not serve as one, got {encoder!r} with weights {encoder_weights!r} "
            f"and decoder {decoder!r}: {error}; encoders with features at several strides, and "
            "their own weights, are allowed; take another encoder"
        ) from error
    return model


def _asked_of_smp(
    encoder: str, weights: str | None, drop_path: float
) -> tuple[str, str | None, dict[str, Any]]:
    """Name, weights and options by which smp makes an encoder."""
    theirs = encoder.removeprefix(TIMM)
    if encoder == INTERNIMAGE:
        return _registered(encoder, partial(InternImageEncoder, drop_path=drop_path)), None, {}
    drops = {"drop_path_rate": drop_path} if drop_path else {}
    if drops and (theirs == encoder or not (is_plain(theirs) or _takes(theirs, drops))):
        raise ParameterError(
            f"drop_path: not for this encoder, got {drop_path} for {encoder}; 0 is allowed, as it "
            "has no such branches; set it to 0"
        )
    if theirs == encoder:
        return encoder, weights, {}
    if is_plain(theirs) or is_hiera(theirs):
        kind: Callable[..., nn.Module] = VitEncoder if is_plain(theirs) else HieraEncoder
        kind = AdapterEncoder if theirs.endswith(ADAPTER) else kind
        make = partial(kind, theirs, pretrained=weights is not None, drop_path=drop_path)
        return _registered(theirs, make), None, {}
    return encoder, weights, {**drops, **(ANY_SIZE if _takes(theirs, ANY_SIZE) else {})}


def _registered(name: str, make: Callable[..., nn.Module]) -> str:
    """The name by which smp makes an encoder of ours: no user's word, which it would take for one
    of its own."""
    smp.encoders.encoders[f"samrs {name}"] = {
        "encoder": make, "params": {}, "pretrained_settings": {},
    }  # fmt: skip
    return f"samrs {name}"


def _takes(name: str, options: Mapping[str, Any]) -> bool:
    try:
        with torch.device("meta"):
            timm.create_model(name, features_only=True, **options)
    except TypeError:
        return False
    except RuntimeError:  # told with the reason when the encoder itself is made
        return False
    return True


def _check_names(encoder: str, encoder_weights: str | None) -> None:
    """Refuses an encoder, or weights of it, that the libraries do not know."""
    ours, theirs = smp.encoders.encoders, encoder.removeprefix(TIMM)
    is_timm = encoder.startswith(TIMM) and (timm.is_model(theirs) or is_plain(theirs))
    plain = without_suffix(theirs)
    if is_timm and "." in plain and plain not in timm.list_pretrained():
        tags = [name for name in timm.list_pretrained() if name.startswith(plain.split(".")[0])]
        raise ParameterError(
            f"encoder: unknown weights, got the tag {plain.split('.', 1)[1]!r} in {encoder!r}; "
            f"those that timm has are allowed; {advice(plain, tags, 'leave the tag out')}"
        )
    if not (is_timm or encoder in ours or encoder == INTERNIMAGE):
        names = [INTERNIMAGE, *ours, *(TIMM + name for name in timm.list_models())]
        raise ParameterError(
            f"encoder: unknown name, got {encoder!r}; {INTERNIMAGE}, those of "
            f"segmentation-models-pytorch, and those of timm after {TIMM}, are allowed; "
            f"{advice(encoder, names, 'correct the name')}"
        )
    if encoder == INTERNIMAGE:
        known: list[str] = []
    elif is_timm:  # takes any word for the one set of weights that it has
        known = ["imagenet"] if timm.models.is_model_pretrained(plain) else []
    else:
        known = sorted(ours[encoder]["pretrained_settings"])
    if encoder_weights is not None and encoder_weights not in known:
        raise ParameterError(
            f"encoder_weights: unknown name, got {encoder_weights!r} for {encoder}; null"
            f"{''.join(', ' + name for name in known)} and files of weights are allowed; "
            f"{advice(encoder_weights, known, 'correct the name')}"
        )


def save_network(network: MultiHeadNetwork, folder: Path) -> tuple[Path, Path]:
    """Write ``encoder_decoder.safetensors`` and ``heads.safetensors``; returns their paths."""
    shared, heads = folder / "encoder_decoder.safetensors", folder / "heads.safetensors"
    state = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    save_shared(state, shared)
    save_file({n: t for n, t in state.items() if not n.startswith(SHARED)}, heads)
    return shared, heads


def save_shared(state: Mapping[str, Tensor], path: Path) -> None:
    """Write encoder and decoder of a network's state.

    Args:
        state: on the CPU.
    """
    shared = {name: t.contiguous() for name, t in state.items() if name.startswith(SHARED)}
    save_file(shared, path)


def load_encoder_decoder(network: MultiHeadNetwork, path: Path) -> None:
    """Load the shared weights that ``save_network`` wrote; heads stay as they are.

    Raises:
        MissingInputError: there is no such file.
        ProductError: the weights are of another encoder or decoder.
    """
    if not path.is_file():
        raise MissingInputError(
            f"{path}: no pre-trained weights, got no such file; encoder_decoder.safetensors of the "
            "stage pretrain is needed; run it (dvc repro pretrain)"
        )
    weights = load_file(path)
    state = network.state_dict()
    own = {name: t.shape for name, t in state.items() if name.startswith(SHARED)}
    odd = sorted(
        name
        for name in own.keys() | weights.keys()
        if name not in own or name not in weights or weights[name].shape != own[name]
    )
    if odd:
        raise ProductError(
            f"{path}: weights do not fit the network, got {len(odd)} of {len(own)} tensors that "
            f"differ, first {odd[0]}; the encoder and decoder of its manifest are allowed; run the "
            "stage pretrain again"
        )
    network.load_state_dict(weights, strict=False)
