"""The weights of Segment Anything by model: nano's lie in the package, Meta's are fetched.

Kirillov et al., Segment Anything (arXiv 2304.02643).
"""

from __future__ import annotations

from pathlib import Path

from samrs.fetch.source import Source
from samrs.prompting.abilities import sam_like

PAGE = "https://github.com/facebookresearch/segment-anything"
TERMS = "Apache-2.0"
GATE = ""
URL = "https://dl.fbaipublicfiles.com/segment_anything/"
ABILITIES = sam_like()
NANO = Path(__file__).parents[2] / "models" / "nano.safetensors"


def _published(file: str, sha256: str, size: int) -> Source:
    return Source(file, (URL + file,), f"sha256:{sha256}", "", PAGE, size)


BUNDLED = {"nano": NANO}
PUBLISHED = {
    "vit_b": _published(
        "sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        375_042_383,
    ),
    "vit_l": _published(
        "sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        1_249_524_607,
    ),
    "vit_h": _published(
        "sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        2_564_550_879,
    ),
}
