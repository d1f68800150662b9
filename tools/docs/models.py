"""The page of the models that make masks, from ``samrs/weights/checkpoints``."""

from __future__ import annotations

from samrs.core import axis
from samrs.weights.listing import ABOUT_COST, COLUMNS, gates, rows
from samrs.weights.models import CHECKPOINTS
from tools.docs.text import paragraphs, table

INTRO = (
    "What can make masks. `model:` and `segmenter:` in params.yaml name one, or "
    "`samrs label --model`, whose segmenter is the model's. A recipe that a segmenter cannot "
    "answer is refused before anything starts. The list is what `samrs models` prints; files and "
    "digests are among [datasets and weights](datasets.md#weights-of-models). What must be "
    "installed: `samrs[label]` for `sam` (but `mobile_sam`) and `sam_hq`, `samrs[family]` for all."
)
PAPER = (
    "A file without a published digest is known by its [first use]"
    "(../decisions/checksum-of-first-use.md): its sha256 is noted beside it in the cache, and "
    "other bytes are refused from then on. No file is unpickled: `.pt` and `.pth` are read as "
    "tensors only.\n\n"
    "`precision: float32` gives the same bytes on every CPU for `sam` and `sam_hq`. The image "
    "encoders of `sam2`, `sam3`, `edgetam` and `mobile_sam` are others' modules: labels differ by "
    "rounding from one maker's CPUs to another's. What differs from the libraries themselves, and "
    "by how much: [decision](../decisions/family-of-sam.md)."
)


def page() -> str:
    """``docs/reference/models.md``."""
    lines = [tuple(f"`{cell}`" if i < 2 else cell for i, cell in enumerate(row)) for row in rows()]
    parts = ["# Models", INTRO, table(COLUMNS, lines), ABOUT_COST[0].upper() + ABOUT_COST[1:] + "."]
    if found := gates():
        parts.append("\n".join(f"- {gate}" for gate in found))
    parts.append(PAPER)
    for segmenter in axis.names(CHECKPOINTS):
        doc = paragraphs(axis.load(CHECKPOINTS, segmenter).__doc__ or "")
        parts.append(f"## {segmenter}\n\n{doc}")
    return "\n\n".join(parts) + "\n"
