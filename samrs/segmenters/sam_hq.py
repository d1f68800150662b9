"""SAM-HQ; answers as ``SamHQModel`` and ``SamHQProcessor`` of transformers do.

Ke et al., Segment Anything in High Quality (arXiv 2306.01567). SAM's modules with its further mask
token, as ``samrs/sam/hq.py`` computes it. Weights are the authors' files or transformers'
safetensors.
"""

from __future__ import annotations

from samrs.sam.checkpoints import build_hq
from samrs.sam.computing import check_device, device
from samrs.sam.hq import HqSegmenter
from samrs.weights.checkpoint import Checkpoint

__all__ = ["device", "load"]


def load(*, checkpoint: Checkpoint, precision: str, device: str) -> HqSegmenter:
    """A SAM-HQ with its weights.

    Args:
        checkpoint: of a model of ``samrs/weights/checkpoints/sam_hq.py``.
        precision: float32, float32-fast or bfloat16.
        device: ``cpu`` or ``cuda``.

    Raises:
        ParameterError: there is no GPU, or the precision is not for it.
        ProductError, CheckpointError: the weights are not there or not the model's.
    """
    check_device(device, precision)
    sam, finer = build_hq(checkpoint.model, checkpoint.verified(), device=device)
    return HqSegmenter(sam, finer, precision)
