"""segment_anything's prompt encoder and mask decoder with the tensors of transformers' modules:
SAM 2, SAM 3 and EdgeTAM have SAM's, save for what ``decoder.py`` adds."""

from __future__ import annotations

from typing import Any

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import Tensor, nn

from samrs.sam.places import portable
from samrs.sam.renamed import TO_SEGMENT_ANYTHING, renamed

BESIDE = ("conv_s0.", "conv_s1.", "obj_score_token.", "pred_obj_score_head.")
"""Tensors of SAM 2's decoder that SAM's has no place for."""


def mask_decoder(theirs: nn.Module) -> MaskDecoder:
    """SAM's mask decoder with the tensors of another, which both then hold.

    Args:
        theirs: ``Sam2MaskDecoder``, or another of its build.
    """
    about: Any = theirs
    own = {name: v for name, v in theirs.state_dict().items() if not name.startswith(BESIDE)}
    tensors = renamed(own, TO_SEGMENT_ANYTHING)
    first = about.transformer.layers[0]
    with torch.device("meta"):
        ours = MaskDecoder(
            transformer_dim=about.hidden_size,
            transformer=TwoWayTransformer(
                depth=len(about.transformer.layers),
                embedding_dim=about.hidden_size,
                num_heads=first.self_attn.num_attention_heads,
                mlp_dim=len(first.mlp.proj_in.weight),
                attention_downsample_rate=about.hidden_size
                // first.cross_attn_token_to_image.internal_dim,
            ),
            num_multimask_outputs=about.num_multimask_outputs,
            iou_head_depth=about.iou_prediction_head.num_layers,
            iou_head_hidden_dim=len(about.iou_prediction_head.proj_in.weight),
        )
    ours.iou_prediction_head.sigmoid_output = about.iou_prediction_head.sigmoid_output
    ours.load_state_dict(tensors, assign=True)
    return ours.eval()


def prompt_encoder(theirs: nn.Module) -> PromptEncoder:
    """SAM's prompt encoder with the tensors of another, which both then hold; on a CPU it encodes
    places alike on every one.

    Args:
        theirs: ``Sam2PromptEncoder``, or another of its build.
    """
    about: Any = theirs
    tensors = renamed(theirs.state_dict(), TO_SEGMENT_ANYTHING)
    kinds = tensors.pop("point_embeddings.weight")
    tensors |= {f"point_embeddings.{i}.weight": row[None] for i, row in enumerate(kinds)}
    ours = PromptEncoder(
        embed_dim=about.hidden_size,
        image_embedding_size=about.image_embedding_size,
        input_image_size=(about.input_image_size, about.input_image_size),
        mask_in_chans=len(about.mask_embed.conv2.weight),
    )
    ours.load_state_dict(tensors, assign=True)
    return portable(ours.eval())


def image_places(theirs: nn.Module, size_hw: tuple[int, int]) -> Tensor:
    """(1, C, h, w) where the image's tokens lie, by an embedding of its own.

    Args:
        theirs: ``Sam2Model.shared_image_embedding``, or another of its build.
        size_hw: rows and columns of tokens.
    """
    about: Any = theirs
    frequencies = about.positional_embedding
    beside = PromptEncoder(2 * frequencies.shape[1], size_hw, size_hw, mask_in_chans=4)
    beside.pe_layer.positional_encoding_gaussian_matrix = frequencies
    return torch.as_tensor(portable(beside.to(frequencies.device)).get_dense_pe())
