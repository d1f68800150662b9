"""SAM 2.1 for pictures; answers as ``Sam2Model`` and ``Sam2Processor`` of transformers do.

Ravi et al., SAM 2: Segment Anything in Images and Videos (arXiv 2408.00714). Its image encoder
(Hiera) is transformers', its decoder SAM's, as ``samrs/sam/decoder.py`` computes it. Weights are
Meta's files or transformers' safetensors.
"""

from __future__ import annotations

from typing import Any

from samrs.sam.by_transformers import IMAGENET, ByTransformers
from samrs.sam.computing import device
from samrs.sam.renamed import sam2_for_transformers
from samrs.sam.shells import loaded
from samrs.sam.shells import sam2_config as config
from samrs.weights.checkpoint import Checkpoint

__all__ = ["config", "device", "load", "of_model"]


def of_model(model: Any, precision: str) -> ByTransformers:
    """The segmenter with a model of transformers.

    Args:
        model: ``Sam2Model``, in evaluation mode, on its device.
        precision: of the image encoder.
    """
    return ByTransformers("sam2", model, precision, IMAGENET)


def load(*, checkpoint: Checkpoint, precision: str, device: str) -> ByTransformers:
    """The segmenter with its weights.

    Args:
        checkpoint: of a model of ``samrs/weights/checkpoints/sam2.py``.
        precision: float32, float32-fast or bfloat16.
        device: ``cpu`` or ``cuda``.

    Raises:
        ParameterError: there is no GPU, or the precision is not for it.
        ProductError, CheckpointError: the weights are not there or not the model's.
    """
    from transformers import Sam2Model

    about = config(checkpoint.model)
    model = loaded(Sam2Model, about, sam2_for_transformers, checkpoint, precision, device)
    return of_model(model, precision)
