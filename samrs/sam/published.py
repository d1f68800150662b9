"""The published weights of Segment Anything: where they are, fetched once, checked every time.

Kirillov et al., Segment Anything (arXiv 2304.02643).
"""

from __future__ import annotations

from pathlib import Path

from samrs.core.errors import UnknownNameError
from samrs.fetch.mirrors import fetch
from samrs.fetch.source import Source, verify

PAGE = "https://github.com/facebookresearch/segment-anything"
TERMS = "Apache-2.0"
URL = "https://dl.fbaipublicfiles.com/segment_anything/"


def _checkpoint(file: str, sha256: str, size: int | None) -> Source:
    return Source(file, (URL + file,), f"sha256:{sha256}", "", PAGE, size)


CHECKPOINTS = {
    "vit_b": _checkpoint(
        "sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        375_042_383,
    ),
    "vit_l": _checkpoint(
        "sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        None,
    ),
    "vit_h": _checkpoint(
        "sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        2_564_550_879,
    ),
}
"""SAM's published weights by model name."""


def checkpoint_path(model: str, folder: Path) -> Path:
    """The weights of a published SAM, fetched into a folder (``data/models``) when missing.

    Args:
        model: ``vit_b``, ``vit_l`` or ``vit_h``.

    Raises:
        UnknownNameError: another model.
        SourceError: the file is not there and cannot be fetched, or is not the official one.
    """
    if model not in CHECKPOINTS:
        raise UnknownNameError(
            f"model: no published SAM weights of that name, got {model!r}; "
            f"{', '.join(CHECKPOINTS)} are allowed; use one of these"
        )
    source = CHECKPOINTS[model]
    path = folder / source.file
    if not path.is_file():
        return fetch(source, folder, terms=TERMS)
    verify(path, source)
    return path
