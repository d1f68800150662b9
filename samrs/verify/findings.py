"""What is wrong with a product: findings by kind, all of them counted and the first ones named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

NAMED = 10
"""Findings of a kind that are named."""

KINDS = {
    "manifest": "the manifest is missing or not what a manifest is",
    "against": "the manifest is not the one that --against tells of",
    "missing_shard": "the manifest lists a file that is not there",
    "extra_shard": "a file is there that the manifest does not list",
    "checksum": "a file's sha256 is not the manifest's",
    "rows": "a file's number of rows is not the manifest's",
    "unreadable": "a file is no Parquet, or its content is broken",
    "schema": "a table's columns are not those of samrs/core/records.py",
    "duplicate": "an id stands twice",
    "id": "an id is not made of its scene and place, or of other characters",
    "split": "a split is no plain word, or two of a scene or a tile differ",
    "tile": "a tile has no size, no place or no id",
    "image": "a picture is not of its tile's size, or not a plain RGB one",
    "unknown_tile": "a row names a tile that the product does not hold",
    "order": "rows do not follow the order of the tiles",
    "instance": "an instance is not the same in all tiles, or a mask has none",
    "category": "a category's number or name is not one of the manifest's",
    "source": "an instance cannot be traced to its annotation",
    "mask": "a mask is no run-length encoding of its tile's size",
    "area": "a mask's area is not that of its encoding",
    "box": "a box is inverted or outside its tile, or not that of its mask",
    "score": "a number is out of its range, or not what the row's boxes give",
    "threshold": "the release's own parameters leave the instance out",
    "value": "a row lacks what every row has, or has no finite number",
    "label_map": "a label map does not decode, or is not one of its tile and its masks",
    "counts": "the manifest's counts are not those of the tables",
}


@dataclass
class Findings:
    """Findings of a product or a part of it."""

    counts: dict[str, int] = field(default_factory=dict)
    named: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, what: str) -> None:
        """Add one finding; ``what`` begins with the file, tile or instance.

        Args:
            kind: the word it is counted under.
        """
        self.add_many(kind, 1, [what])

    def add_many(self, kind: str, number: int, first: Iterable[str]) -> None:
        """Add a number of findings of which only the ``first`` are in words.

        Args:
            kind: the word they are counted under.
        """
        assert kind in KINDS, kind
        if number:
            self.counts[kind] = self.counts.get(kind, 0) + number
            known = self.named.setdefault(kind, [])
            known += [_printable(what) for what, _ in zip(first, range(NAMED - len(known)))]  # noqa: B905

    def join(self, other: Findings) -> None:
        """Add another part's.

        Args:
            other: findings of other rows.
        """
        for kind, number in other.counts.items():
            self.add_many(kind, number, other.named[kind])

    def __bool__(self) -> bool:
        return bool(self.counts)

    def lines(self) -> list[str]:
        """One line per kind with its count, then what is named."""
        text = []
        for kind in [kind for kind in KINDS if kind in self.counts]:
            more = self.counts[kind] - len(self.named[kind])
            text.append(f"{kind}: {self.counts[kind]} ({KINDS[kind]})")
            text += [f"  {what}" for what in self.named[kind]]
            text += [f"  ... and {more} more"] if more else []
        return text


def _printable(text: str) -> str:
    """A text from a dataset, safe for a terminal."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:400])
    return shown + ("..." if len(text) > 400 else "")
