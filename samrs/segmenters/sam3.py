"""SAM 3's tracker for pictures; answers boxes and points as ``Sam3TrackerModel`` of transformers.

Carion et al., SAM 3: Segment Anything with Concepts (arXiv 2511.16719). Its image encoder is
transformers', its decoder SAM's, as ``samrs/sam/decoder.py`` computes it. The part that finds
objects by their names is not asked.
"""

from __future__ import annotations

from samrs.sam.by_transformers import HALF, Family
from samrs.sam.computing import device
from samrs.sam.renamed import sam3_for_transformers
from samrs.sam.shells import sam3_config as config

__all__ = ["config", "device", "load", "of_model"]

FAMILY = Family("sam3", "Sam3TrackerModel", config, sam3_for_transformers, HALF)
of_model, load = FAMILY.of_model, FAMILY.load
