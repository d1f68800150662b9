"""A release changed by somebody: with its manifest written anew, by single bits, and then exported.

``samrs verify`` finds each change that contradicts anything, and ``--against`` each of the others;
exports and readers refuse in a sentence or give what they gave before.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from samrs.core import axis
from samrs.core.shards import sha256
from samrs.data.torch import ReleaseTiles
from samrs.export.export import AXIS, export
from samrs.verify.anchor import Anchor
from samrs.verify.verify import verify
from tests.products_by_hand import Thing, write
from tests.released import write_release
from tools.attack.bits import flipped
from tools.attack.outcome import Outcome, numbered
from tools.attack.tampering import CHANGES, CONSISTENT, Tampering

TILES = ["a__0_0", "a__32_0", "b__0_0", "c__0_0"]
THINGS = [
    Thing("a__0_0", "ship", (40, 5, 50, 10), "a#0"),
    Thing("a__0_0", "harbor", (38, 0, 60, 20), "a#1"),
    Thing("a__32_0", "ship", (8, 5, 18, 10), "a#0"),
    Thing("a__32_0", "harbor", (6, 0, 28, 20), "a#1"),
    Thing("c__0_0", "plane", (0, 0, 9, 9), "c#0"),
]
Attack = tuple[str, Callable[[], str | None]]


def attacks(work: Path, seed: int, tries: int) -> Iterator[Outcome]:
    """Change a release in each way of ``tampering.py`` and by ``tries`` bits; verify, export it.

    Args:
        work: an empty folder.
        seed: of the bits.
        tries: number of bits.
    """
    normalized, labelled = write(work, TILES, THINGS)
    whole = write_release(normalized, labelled, work / "release" / "sota")
    yield from numbered(_tampered(work, whole))
    yield from numbered(_flipped(work, whole, random.Random(seed), tries))
    yield from numbered(_read(work, whole))


def _copy(work: Path, whole: Path) -> Path:
    shutil.rmtree(work / "changed", ignore_errors=True)
    return Path(shutil.copytree(whole, work / "changed" / whole.name))


def _anchor(whole: Path) -> Anchor:
    return Anchor("a digest", {"": [sha256(whole / "manifest.json")]}, {})


def _tampered(work: Path, whole: Path) -> Iterator[Attack]:
    for tampering in (*CHANGES, *CONSISTENT):

        def judge(tampering: Tampering = tampering) -> str | None:
            release = _copy(work, whole)
            tampering.apply(release)
            anchor = _anchor(whole) if tampering.kind == "against" else None
            return None if verify(release, anchor=anchor) else "nothing is found"

        yield tampering.name, judge


def _flipped(work: Path, whole: Path, rng: random.Random, tries: int) -> Iterator[Attack]:
    files = sorted(whole.iterdir())
    for _ in range(tries):
        release = _copy(work, whole)
        what = flipped(release / rng.choice(files).name, rng)

        def judge(release: Path = release) -> str | None:
            return None if verify(release, anchor=_anchor(whole)) else "nothing is found"

        yield what, judge


def _read(work: Path, whole: Path) -> Iterator[Attack]:
    """Tracebacks only: an export checks what it reads, and reads no more than its format holds."""
    formats = axis.names(AXIS)
    for number, tampering in enumerate(CHANGES):
        format = formats[number % len(formats)]

        def judge(tampering: Tampering = tampering, format: str = format) -> None:
            release = _copy(work, whole)
            tampering.apply(release)
            export(format, release, release.parent / "out")

        def read(tampering: Tampering = tampering) -> None:
            release = _copy(work, whole)
            tampering.apply(release)
            tiles: Any = ReleaseTiles(release, masks="dense")
            list(tiles)

        yield f"{format} of {tampering.name}", judge
        yield f"torch dataset of {tampering.name}", read
