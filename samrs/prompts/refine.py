"""Asked twice: the second time with the first answer's logits as mask prompt.

SAM was trained to take its own logits back (Kirillov et al., arXiv:2304.02643, A), and
segment_anything's examples refine so; so does the cascaded post-refinement of PerSAM (Zhang et al.,
arXiv:2305.03048).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from samrs.prompting.types import Answer, Boxes
from samrs.prompting.view import Asking, View

NEEDS_OBB = False
RANK = 1
ASKS = 2
EXTRA_PASSES = False
WANTS = ("soft", "masks")

CHUNK = 16
"""Instances whose logits are held."""


def answers(inner: Asking, view: View, boxes: Boxes) -> Iterator[Answer]:
    """The second answers.

    Args:
        inner: how both are asked.
    """
    for start in range(0, len(boxes), CHUNK):
        part = boxes.take(slice(start, start + CHUNK))
        first = [_logits(answer) for answer in inner.answers(view, part)]
        prompt = replace(inner.build(part), mask_polygons=None, mask_slopes=None)
        yield from view.answers(replace(prompt, mask_logits=np.stack(first)))


def _logits(answer: Answer) -> NDArray[np.float32]:
    assert answer.frame_logits is not None, "refine lies innermost, where answers are unchanged"
    return answer.frame_logits
