"""The weights of Segment Anything by model: nano's lie in the package, Meta's are fetched; those of
Hugging Face (``sam-vit-...``, also a model of your own under such a name) are safetensors.

Kirillov et al., Segment Anything (arXiv 2304.02643).
"""

from __future__ import annotations

from pathlib import Path

from samrs.fetch.source import Source
from samrs.prompting.abilities import sam_like

PAGE = "https://github.com/facebookresearch/segment-anything"
HUB = "https://huggingface.co/facebook/"
BASE = "d0d9250bd6a38ebbb901aa29e8d37787e366f7be"
"""Revision of the base model on the hub."""
MOBILE = "f706ad9c4eb7f219c00d9050e46328518ffb65d2"
"""Revision of MobileSAM's repository."""
TERMS = "Apache-2.0"
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
    "sam-vit-base": Source(
        "sam-vit-base.safetensors",
        (f"https://hf.co/facebook/sam-vit-base/resolve/{BASE}/model.safetensors",),
        "sha256:892c410e496344e527255ccdcb2cb7244a609acb5389c7c4fdba1288f861c579",
        "",
        HUB + "sam-vit-base",
    ),
    "mobile_sam": Source(
        "mobile_sam.pt",
        (
            f"https://raw.githubusercontent.com/ChaoningZhang/MobileSAM/{MOBILE}/weights/mobile_sam.pt",
        ),
        "sha256:6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
        "",
        "https://github.com/ChaoningZhang/MobileSAM",
        40_728_226,
    ),
    "sam-vit-large": Source("sam-vit-large.safetensors", (), None, "", HUB + "sam-vit-large"),
    "sam-vit-huge": Source("sam-vit-huge.safetensors", (), None, "", HUB + "sam-vit-huge"),
}
