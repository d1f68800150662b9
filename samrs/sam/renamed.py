"""Names of a model's tensors: as Meta publishes them, as transformers has them, and as
segment_anything's modules do, whose decoder is ours (``decoder.py``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

Rules = tuple[tuple[str, str], ...]
"""Patterns of names and what stands for them, each tried in turn."""

MLP = r"((?:output_hypernetworks_mlps\.\d+|iou_prediction_head|pred_obj_score_head|hq_mask_mlp)\.)"
"""Networks of three layers, which transformers calls proj_in, layers.0 and proj_out."""
EMBED = r"mask_embed\."
DOWN = r"mask_downscaling\."

TO_SEGMENT_ANYTHING: Rules = (
    (rf"{MLP}layers\.0\.", r"\1layers.1."),
    (rf"{MLP}proj_in\.", r"\1layers.0."),
    (rf"{MLP}proj_out\.", r"\1layers.2."),
    (r"(transformer\.layers\.\d+\.mlp\.)proj_in\.", r"\1lin1."),
    (r"(transformer\.layers\.\d+\.mlp\.)proj_out\.", r"\1lin2."),
    (r"\.o_proj\.", ".out_proj."),
    (r"upscale_conv1\.", "output_upscaling.0."),
    (r"upscale_layer_norm\.", "output_upscaling.1."),
    (r"upscale_conv2\.", "output_upscaling.3."),
    (rf"{EMBED}conv1\.", "mask_downscaling.0."),
    (rf"{EMBED}layer_norm1\.", "mask_downscaling.1."),
    (rf"{EMBED}conv2\.", "mask_downscaling.3."),
    (rf"{EMBED}layer_norm2\.", "mask_downscaling.4."),
    (rf"{EMBED}conv3\.", "mask_downscaling.6."),
    (r"(?<!_a_)point_embed\.", "point_embeddings."),
    (r"shared_embedding\.positional_embedding", "pe_layer.positional_encoding_gaussian_matrix"),
    (r"vision_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
    (r"vision_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
    (r"vision_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
    (r"vision_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
    (r"vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"vision_encoder\.", "image_encoder."),
    (r"patch_embed\.projection\.", "patch_embed.proj."),
    (r"layer_norm", "norm"),
    (r"hq_token\.", "hf_token."),
    (r"hq_mask_mlp\.", "hf_mlp."),
    (r"compress_vit_conv1\.", "compress_vit_feat.0."),
    (r"compress_vit_norm\.", "compress_vit_feat.1."),
    (r"compress_vit_conv2\.", "compress_vit_feat.3."),
    (r"mask_decoder\.encoder_conv1\.", "mask_decoder.embedding_encoder.0."),
    (r"mask_decoder\.encoder_norm\.", "mask_decoder.embedding_encoder.1."),
    (r"mask_decoder\.encoder_conv2\.", "mask_decoder.embedding_encoder.3."),
    (r"mask_decoder\.mask_conv1\.", "mask_decoder.embedding_maskfeature.0."),
    (r"mask_decoder\.mask_norm\.", "mask_decoder.embedding_maskfeature.1."),
    (r"mask_decoder\.mask_conv2\.", "mask_decoder.embedding_maskfeature.3."),
)
"""From transformers' names of SAM 1 and HQ, and of every decoder and prompt encoder."""

SAM2_TO_TRANSFORMERS: Rules = (
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"(backbone\.blocks\.\d+\.mlp\.)layers\.0\.", r"\1proj_in."),
    (r"(backbone\.blocks\.\d+\.mlp\.)layers\.1\.", r"\1proj_out."),
    (r"^sam_prompt_encoder\.", "prompt_encoder."),
    (r"^sam_mask_decoder\.", "mask_decoder."),
    (rf"{MLP}layers\.0\.", r"\1proj_in."),
    (rf"{MLP}layers\.1\.", r"\1layers.0."),
    (rf"{MLP}layers\.2\.", r"\1proj_out."),
    (r"(transformer\.layers\.\d+\.mlp\.)(?:lin1|layers\.0)\.", r"\1proj_in."),
    (r"(transformer\.layers\.\d+\.mlp\.)(?:lin2|layers\.1)\.", r"\1proj_out."),
    (r"\.out_proj\.", ".o_proj."),
    (r"output_upscaling\.0\.", "upscale_conv1."),
    (r"output_upscaling\.1\.", "upscale_layer_norm."),
    (r"output_upscaling\.3\.", "upscale_conv2."),
    (rf"{DOWN}0\.", "mask_embed.conv1."),
    (rf"{DOWN}1\.", "mask_embed.layer_norm1."),
    (rf"{DOWN}3\.", "mask_embed.conv2."),
    (rf"{DOWN}4\.", "mask_embed.layer_norm2."),
    (rf"{DOWN}6\.", "mask_embed.conv3."),
    (r"pe_layer\.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    (r"\.norm(?=[\d_])", ".layer_norm"),
)
"""From Meta's names of SAM 2."""

OF_VIDEO = (
    r"^(?:memory_|mask_downsample\.|obj_ptr_|maskmem_tpos_enc$|no_mem_pos_enc$|no_obj_|"
    r"no_memory_positional|no_object_|object_pointer_|occlusion_|temporal_positional_)"
)
"""Parts that follow an object through a video, which a picture does not ask."""


TIED = r"^shared_image_embedding\.positional_embedding$"
"""In SAM 1 and HQ a second name of the prompt encoder's."""


def renamed(tensors: Mapping[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    """Tensors by their new names.

    Args:
        tensors: by name.
        rules: tried one after another on every name.
    """
    return {new_name(name, rules): value for name, value in tensors.items()}


def new_name(name: str, rules: Rules) -> str:
    """A tensor's new name.

    Args:
        name: the old one.
        rules: tried one after another.
    """
    for pattern, instead in rules:
        name = re.sub(pattern, instead, name)
    return name


def without(tensors: Mapping[str, Tensor], pattern: str) -> dict[str, Tensor]:
    """Tensors whose names a pattern does not find.

    Args:
        tensors: by name.
        pattern: a regular expression.
    """
    return {name: value for name, value in tensors.items() if not re.search(pattern, name)}


def below(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Tensors of a part of a model, by their names in it.

    Args:
        tensors: by name.
        part: its name, as in ``mask_decoder``.
    """
    cut = part + "."
    return {name.removeprefix(cut): v for name, v in tensors.items() if name.startswith(cut)}


def sam2_for_transformers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Meta's tensors of SAM 2, or transformers' own, by transformers' names; the parts that are for
    videos are left out.

    Args:
        tensors: by name.
    """
    if "no_mem_embed" in tensors:
        tensors = _with_one_point_table(renamed(without(tensors, OF_VIDEO), SAM2_TO_TRANSFORMERS))
    found = without(tensors, OF_VIDEO)
    places = "prompt_encoder.shared_embedding.positional_embedding"
    if places in found:
        found.setdefault("shared_image_embedding.positional_embedding", found[places])
    return found


SAM3_TO_TRANSFORMERS: Rules = (
    (r"^detector_model\.vision_encoder\.backbone\.", "vision_encoder.backbone."),
    (r"^tracker_neck\.", "vision_encoder.neck."),
    (r"^tracker_model\.", ""),
)
"""From the names in the file of all of SAM 3."""


def sam3_for_transformers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tracker's part of SAM 3's tensors by the tracker's names; the detector's and those for
    videos are left out.

    Args:
        tensors: by name.
    """
    kept = renamed(tensors, SAM3_TO_TRANSFORMERS)
    return sam2_for_transformers(without(kept, r"^detector_model\."))


def edgetam_for_transformers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Meta's tensors of EdgeTAM, or transformers' own, by transformers' names; the parts that are
    for videos are left out.

    Args:
        tensors: by name.
    """
    body = ((r"^image_encoder\.trunk\.body\.", "vision_encoder.backbone.timm_model."),)
    kept = without(renamed(tensors, body), r"^spatial_perceiver\.")
    return sam2_for_transformers(kept)


def _with_one_point_table(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Meta's embedding of each kind of point as transformers' table of all."""
    pattern = r"^prompt_encoder\.point_embeddings\.\d+\.weight$"
    rows: Iterable[str] = sorted(name for name in tensors if re.search(pattern, name))
    found = without(tensors, pattern)
    if kinds := [tensors[name] for name in rows]:
        found["prompt_encoder.point_embed.weight"] = torch.cat(kinds)
    return found
