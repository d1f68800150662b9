"""SAM 3's tracker for pictures; answers boxes and points as ``Sam3TrackerModel`` of transformers.

Carion et al., SAM 3: Segment Anything with Concepts (arXiv 2511.16719). Its image encoder is
transformers', its decoder SAM's, as ``samrs/sam/decoder.py`` computes it. The part that finds
objects by their names is not asked.
"""

from __future__ import annotations

from typing import Any

from samrs.sam.by_transformers import HALF, ByTransformers
from samrs.sam.computing import device
from samrs.sam.renamed import sam3_for_transformers
from samrs.sam.shells import loaded
from samrs.sam.shells import sam3_config as config
from samrs.weights.checkpoint import Checkpoint

__all__ = ["config", "device", "load", "of_model"]


def of_model(model: Any, precision: str) -> ByTransformers:
    """The segmenter with a model of transformers.

    Args:
        model: ``Sam3TrackerModel``, in evaluation mode, on its device.
        precision: of the image encoder.
    """
    return ByTransformers("sam3", model, precision, HALF)


def load(*, checkpoint: Checkpoint, precision: str, device: str) -> ByTransformers:
    """The segmenter with its weights.

    Args:
        checkpoint: of a model of ``samrs/weights/checkpoints/sam3.py``.
        precision: float32, float32-fast or bfloat16.
        device: ``cpu`` or ``cuda``.

    Raises:
        ParameterError: there is no GPU, or the precision is not for it.
        ProductError, CheckpointError: the weights are not there or not the model's.
    """
    from transformers import Sam3TrackerModel

    about = config(checkpoint.model)
    model = loaded(Sam3TrackerModel, about, sam3_for_transformers, checkpoint, precision, device)
    return of_model(model, precision)
