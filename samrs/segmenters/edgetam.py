"""EdgeTAM for pictures; answers as ``EdgeTamModel`` and ``Sam2Processor`` of transformers do.

Zhou et al., EdgeTAM: On-Device Track Anything Model (arXiv 2501.07256). Its image encoder (RepViT,
of timm) is a small convolutional network, its decoder SAM 2's.
"""

from __future__ import annotations

from typing import Any

from samrs.sam.by_transformers import IMAGENET, ByTransformers
from samrs.sam.computing import device
from samrs.sam.renamed import edgetam_for_transformers
from samrs.sam.shells import edgetam_config as config
from samrs.sam.shells import loaded
from samrs.weights.checkpoint import Checkpoint

__all__ = ["config", "device", "load", "of_model"]


def of_model(model: Any, precision: str) -> ByTransformers:
    """The segmenter with a model of transformers.

    Args:
        model: ``EdgeTamModel``, in evaluation mode, on its device.
        precision: of the image encoder.
    """
    return ByTransformers("edgetam", model, precision, IMAGENET)


def load(*, checkpoint: Checkpoint, precision: str, device: str) -> ByTransformers:
    """The segmenter with its weights.

    Args:
        checkpoint: of a model of ``samrs/weights/checkpoints/edgetam.py``.
        precision: float32, float32-fast or bfloat16.
        device: ``cpu`` or ``cuda``.

    Raises:
        ParameterError: there is no GPU, or the precision is not for it.
        ProductError, CheckpointError: the weights are not there or not the model's.
    """
    from transformers import EdgeTamModel

    about = config(checkpoint.model)
    model = loaded(EdgeTamModel, about, edgetam_for_transformers, checkpoint, precision, device)
    return of_model(model, precision)
