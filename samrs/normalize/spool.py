"""Byte strings that wait: in memory while they are few, in a temporary file when they are many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile

SPOOL_BYTES = 64 * 2**20
"""Bytes held in memory; with more of them all go to the file."""


class Spool:
    """Byte strings in order; a temporary file has no name, so a killed process leaves none.

    Args:
        folder: where the temporary file may be.
    """

    def __init__(self, folder: Path) -> None:
        self._file = SpooledTemporaryFile(SPOOL_BYTES, dir=str(folder))  # noqa: SIM115
        self._sizes: list[int] = []

    def add(self, data: bytes) -> None:
        self._file.write(data)
        self._sizes.append(len(data))

    def num_bytes(self) -> int:
        return sum(self._sizes)

    def take(self) -> Iterator[bytes]:
        """Each string in turn; the file is gone after the last."""
        self._file.seek(0)
        for size in self._sizes:
            yield self._file.read(size)
        self.close()

    def close(self) -> None:
        self._file.close()
