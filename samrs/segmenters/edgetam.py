"""EdgeTAM for pictures; answers as ``EdgeTamModel`` and ``Sam2Processor`` of transformers do.

Zhou et al., EdgeTAM: On-Device Track Anything Model (arXiv 2501.07256). Its image encoder (RepViT,
of timm) is a small convolutional network, its decoder SAM 2's.
"""

from __future__ import annotations

from samrs.sam.by_transformers import IMAGENET, Family
from samrs.sam.computing import device
from samrs.sam.renamed import edgetam_for_transformers
from samrs.sam.shells import edgetam_config as config

__all__ = ["config", "device", "load", "of_model"]

FAMILY = Family("edgetam", "EdgeTamModel", config, edgetam_for_transformers, IMAGENET)
of_model, load = FAMILY.of_model, FAMILY.load
