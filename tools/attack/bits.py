"""Single bits flipped in what a killed run leaves to the next: the labelling journal, kept work.

What is read back is what was written, or nothing.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from samrs.label.journal import Journal
from samrs.work.kept import keep, kept
from tools.attack.outcome import Outcome, numbered

JOB = "job"


def attacks(work: Path, seed: int, tries: int) -> Iterator[Outcome]:
    """Flip ``tries`` bits in a journal, and as many in kept content.

    Args:
        work: an empty folder.
        seed: of the bits.
        tries: number of bits in each.
    """
    rng = random.Random(seed)
    tiles = {f"{i:064x}": [_row(i, k) for k in range(i % 5 + 1)] for i in range(40)}
    with Journal(work / "whole", JOB) as journal:
        for key, rows in tiles.items():
            journal.put(key, rows)
    yield from numbered(_in_journal(work, tiles, rng, tries))
    yield from numbered(_in_kept(work, rng, tries))


def _row(tile: int, number: int) -> dict[str, Any]:
    return {"instance_id": f"t{tile}#{number}", "area": tile * number, "score": 1 / (tile + 1)}


def flipped(path: Path, rng: random.Random) -> str:
    """Flip a bit of a file; returns where.

    Args:
        path: it is changed.
        rng: chooses the bit.
    """
    data = bytearray(path.read_bytes())
    at, bit = rng.randrange(len(data)), rng.randrange(8)
    data[at] ^= 1 << bit
    path.write_bytes(data)
    return f"bit {bit} of byte {at} of {path.name}"


def _in_journal(
    work: Path, tiles: dict[str, list[dict[str, Any]]], rng: random.Random, tries: int
) -> Iterator[tuple[str, Callable[[], str | None]]]:
    for number in range(tries):
        folder = work / f"journal{number}"
        shutil.copytree(work / "whole", folder)
        files = sorted((folder / JOB).glob("*.tiles"))
        what = flipped(rng.choice(files), rng)

        def judge(folder: Path = folder) -> str | None:
            with Journal(folder, JOB) as journal:
                read = {key: journal.get(key) for key in tiles}
            shutil.rmtree(folder)
            other = [key for key, rows in read.items() if rows not in (None, tiles[key])]
            return f"other rows of {other}" if other else None

        yield what, judge


def _in_kept(
    work: Path, rng: random.Random, tries: int
) -> Iterator[tuple[str, Callable[[], str | None]]]:
    content = rng.randbytes(5000)
    path = work / "kept"
    for _ in range(tries):
        keep(path, content)
        what = flipped(path, rng)

        def judge() -> str | None:
            return None if kept(path) in (None, content) else "other content"

        yield what, judge
