"""The weights of SAM 3, of which the tracker answers prompts. They are gated: get them yourself.

Carion et al., SAM 3: Segment Anything with Concepts (arXiv 2511.16719).
"""

from __future__ import annotations

from samrs.fetch.source import Source
from samrs.prompting.abilities import sam_like

PAGE = "https://huggingface.co/facebook/sam3"
TERMS = "SAM License"
GATE = f"accept the SAM License at {PAGE}, and keep its model.safetensors as sam3.safetensors"
ABILITIES = sam_like(1008)
PUBLISHED = {"sam3": Source("sam3.safetensors", (), None, "", PAGE)}
