"""SAM 2.1 for pictures; answers as ``Sam2Model`` and ``Sam2Processor`` of transformers do.

Ravi et al., SAM 2: Segment Anything in Images and Videos (arXiv 2408.00714). Its image encoder
(Hiera) is transformers', its decoder SAM's, as ``samrs/sam/decoder.py`` computes it. Weights are
Meta's files or transformers' safetensors.
"""

from __future__ import annotations

from typing import Any

from samrs.sam.by_transformers import IMAGENET, ByTransformers
from samrs.sam.computing import check_device, device
from samrs.sam.renamed import sam2_for_transformers
from samrs.sam.shells import built, sam2_config
from samrs.weights.checkpoint import Checkpoint

__all__ = ["NAME", "config", "device", "load"]

NAME = "sam2"
config = sam2_config


def of_model(model: Any, precision: str) -> ByTransformers:
    """The segmenter with a ``Sam2Model``.

    Args:
        model: in evaluation mode, on its device.
        precision: of the image encoder.
    """
    return ByTransformers(NAME, model, precision, IMAGENET)


def load(*, checkpoint: Checkpoint, precision: str, device: str) -> ByTransformers:
    """A SAM 2.1 with its weights.

    Args:
        checkpoint: of a model of ``samrs/weights/checkpoints/sam2.py``.
        precision: float32, float32-fast or bfloat16.
        device: ``cpu`` or ``cuda``.

    Raises:
        ParameterError: there is no GPU, or the precision is not for it.
        ProductError, CheckpointError: the weights are not there or not the model's.
    """
    check_device(device, precision)
    from transformers import Sam2Model

    path = checkpoint.verified()
    made = built(Sam2Model, sam2_config(checkpoint.model), checkpoint.model, path,
                 sam2_for_transformers)  # fmt: skip
    return of_model(made.to(device), precision)
