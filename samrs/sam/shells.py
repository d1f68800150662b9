"""Models of transformers without weights, and the weights put into them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from samrs.sam.checkpoints import check_fit, read_tensors

HIERA: dict[str, dict[str, Any]] = {
    "sam2.1_hiera_t": {"hidden_size": 96, "num_attention_heads": 1,
        "blocks_per_stage": [1, 2, 7, 2], "global_attention_blocks": [5, 7, 9]},
    "sam2.1_hiera_s": {"hidden_size": 96, "num_attention_heads": 1,
        "blocks_per_stage": [1, 2, 11, 2], "global_attention_blocks": [7, 10, 13]},
    "sam2.1_hiera_b+": {"hidden_size": 112, "num_attention_heads": 2,
        "blocks_per_stage": [2, 3, 16, 3], "global_attention_blocks": [12, 16, 20],
        "window_positional_embedding_background_size": [14, 14]},
    "sam2.1_hiera_l": {"hidden_size": 144, "num_attention_heads": 2,
        "blocks_per_stage": [2, 6, 36, 4], "global_attention_blocks": [23, 33, 43],
        "window_size_per_stage": [8, 4, 16, 8]},
}  # fmt: skip
"""The image encoders of SAM 2.1, as Meta's configurations have them."""


def sam2_config(model: str) -> Any:
    """The configuration of a SAM 2.1.

    Args:
        model: a key of ``HIERA``.
    """
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2VisionConfig

    about = HIERA[model]
    widths = [about["hidden_size"] * 2**stage for stage in range(4)]
    heads = [about["num_attention_heads"] * 2**stage for stage in range(4)]
    backbone = Sam2HieraDetConfig(
        **about, embed_dim_per_stage=widths, num_attention_heads_per_stage=heads
    )
    vision = Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=widths[::-1])
    return Sam2Config(vision_config=vision)


def sam3_config(model: str) -> Any:
    """The configuration of SAM 3's tracker.

    Args:
        model: ``sam3``.
    """
    from transformers import Sam3TrackerConfig

    return Sam3TrackerConfig()


def edgetam_config(model: str) -> Any:
    """The configuration of EdgeTAM; transformers' own names its image encoder by a misspelt key,
    and so has another.

    Args:
        model: ``edgetam``.
    """
    from transformers import EdgeTamConfig, EdgeTamVisionConfig, TimmWrapperConfig

    taken = {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]}
    backbone = TimmWrapperConfig(architecture="repvit_m1", model_args=taken)
    return EdgeTamConfig(vision_config=EdgeTamVisionConfig(backbone_config=backbone))


Names = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
"""Gives the tensors of a file the names of transformers."""


def built(kind: Any, config: Any, model: str, path: Path, names: Names) -> Any:
    """A model with weights, in evaluation mode, on the CPU.

    Args:
        kind: a class of transformers.
        config: of the model.
        model: its name, for errors.
        path: the file of weights.
        names: for the file's tensors.

    Raises:
        CheckpointError: the file is damaged or another model's.
    """
    from transformers.utils import logging

    with torch.device("meta"):
        shell = kind(config)
    tensors = names(read_tensors(path))
    # tensors that are others' under a second name need not be there
    tied = {name for name in shell.state_dict() if name in (shell._tied_weights_keys or {})}
    expected = {n: t for n, t in shell.state_dict().items() if n not in tied or n in tensors}
    check_fit(path, model, expected=expected, found=tensors)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return kind.from_pretrained(None, config=config, state_dict=tensors).eval()
