"""The weights of SAM-HQ by model, as its authors publish them; only ViT-B's digest is known.

Ke et al., Segment Anything in High Quality (arXiv 2306.01567).
"""

from __future__ import annotations

from samrs.fetch.source import Source
from samrs.prompting.abilities import sam_like

PAGE = "https://huggingface.co/lkeab/hq-sam"
TERMS = "Apache-2.0"
ABILITIES = sam_like()
URL = "https://hf.co/lkeab/hq-sam/resolve/main/sam_hq_vit_b.pth"
SHA256 = "14a9d662cd6f5a9c2dba6d40ab0058d88d287e4a18fd6fdc6ad5fb1a3fdeaa57"
PUBLISHED = {
    "sam_hq_vit_b": Source("sam_hq_vit_b.pth", (URL,), f"sha256:{SHA256}", "", PAGE),
    "sam_hq_vit_l": Source("sam_hq_vit_l.pth", (), None, "", PAGE),
    "sam_hq_vit_h": Source("sam_hq_vit_h.pth", (), None, "", PAGE),
}
