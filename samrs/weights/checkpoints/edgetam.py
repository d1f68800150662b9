"""The weights of EdgeTAM, as its authors publish them; no digest of them is published.

Zhou et al., EdgeTAM: On-Device Track Anything Model (arXiv 2501.07256).
"""

from __future__ import annotations

from samrs.fetch.source import Source
from samrs.prompting.abilities import sam_like

PAGE = "https://github.com/facebookresearch/EdgeTAM/tree/main/checkpoints"
TERMS = "Apache-2.0"
ABILITIES = sam_like()
PUBLISHED = {"edgetam": Source("edgetam.pt", (), None, "", PAGE)}
