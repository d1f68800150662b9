"""What a segmenter answers, in words that recipes are compared with (``answerable.py``)."""

from __future__ import annotations

from dataclasses import dataclass

WORDS = {
    "boxes": "boxes",
    "points": "points",
    "masks": "mask prompts",
    "soft": "soft masks",
    "several": "several masks a prompt",
}
"""By name, all that can be asked of a segmenter; the last two are what it answers with."""


@dataclass(frozen=True)
class Abilities:
    """What a segmenter answers.

    Args:
        answers: of ``WORDS``.
        frame: side in px of the square that it sees a picture in; None: the picture itself.
        only: the one part of a prompt that it looks at, and passes the others over; None: it looks
            at all that are given.
    """

    answers: frozenset[str]
    frame: int | None = None
    only: str | None = None

    def __str__(self) -> str:
        return ", ".join(word for name, word in WORDS.items() if name in self.answers)


def sam_like(frame: int = 1024) -> Abilities:
    """Those of SAM and its kind: all.

    Args:
        frame: side of its square, px.
    """
    return Abilities(frozenset(WORDS), frame)
