"""SAM 2.1 for pictures; answers as ``Sam2Model`` and ``Sam2Processor`` of transformers do.

Ravi et al., SAM 2: Segment Anything in Images and Videos (arXiv 2408.00714). Its image encoder
(Hiera) is transformers', its decoder SAM's, as ``samrs/sam/decoder.py`` computes it. Weights are
Meta's files or transformers' safetensors.
"""

from __future__ import annotations

from samrs.sam.by_transformers import IMAGENET, Family
from samrs.sam.computing import device
from samrs.sam.renamed import sam2_for_transformers
from samrs.sam.shells import sam2_config as config

__all__ = ["config", "device", "load", "of_model"]

FAMILY = Family("sam2", "Sam2Model", config, sam2_for_transformers, IMAGENET)
of_model, load = FAMILY.of_model, FAMILY.load
