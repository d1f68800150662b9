"""Files of an export, written so that an error names its file.

An error at opening a file has its name; one at writing, such as that of a full disk, has none.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any

from samrs.core.errors import naming

ROOM = 2**20
"""Bytes that are tried for."""


class _Named(io.FileIO):
    def write(self, data: Any) -> int:
        with naming(Path(str(self.name))):
            return super().write(data)


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file to be written anew."""
    return io.BufferedWriter(_Named(str(path), "w"), 2**17)


def open_text(path: Path) -> IO[str]:
    """Open a file of UTF-8 with plain line ends to be written anew."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8", newline="")


def write_file(path: Path, data: bytes | str) -> None:
    """Write a whole file; a text as UTF-8."""
    with open_bytes(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def check_room(path: Path, size: int = 0) -> None:
    """Write beside a file that GDAL could not write: it says in many words that something failed.

    Args:
        size: bytes that the file may have, beyond those that are tried for anyway.

    Raises:
        OSError: there is no room, with the name of the file.
    """
    probe = path.with_name(f"{path.name}.probe")
    try:
        with open_bytes(probe) as file:
            for _ in range(0, size + 1, ROOM):
                file.write(bytes(ROOM))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        probe.unlink(missing_ok=True)
