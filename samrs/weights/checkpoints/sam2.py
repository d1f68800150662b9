"""The weights of SAM 2.1 by model, as Meta publishes them.

Ravi et al., SAM 2: Segment Anything in Images and Videos (arXiv 2408.00714).
"""

from __future__ import annotations

from samrs.fetch.source import Source
from samrs.prompting.abilities import sam_like

PAGE = "https://github.com/facebookresearch/sam2"
TERMS = "Apache-2.0"
URL = "https://dl.fbaipublicfiles.com/segment_anything_2/092824/"
ABILITIES = sam_like()


def _published(file: str, sha256: str, size: int | None = None) -> Source:
    return Source(file, (URL + file,), f"sha256:{sha256}", "", PAGE, size)


PUBLISHED = {
    "sam2.1_hiera_t": _published(
        "sam2.1_hiera_tiny.pt",
        "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69",
    ),
    "sam2.1_hiera_s": _published(
        "sam2.1_hiera_small.pt",
        "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38",
    ),
    "sam2.1_hiera_b+": _published(
        "sam2.1_hiera_base_plus.pt",
        "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5",
    ),
    "sam2.1_hiera_l": _published(
        "sam2.1_hiera_large.pt",
        "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318",
        898_083_611,
    ),
}
