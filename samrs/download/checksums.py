"""Files whose publisher gives no checksum: known by what they were when first used.

The first run that unpacks such a file records its size and sha256 in ``.checksums.json`` beside
it; every later run demands the same bytes. So a file that was exchanged or damaged between two runs
does not pass, even where nobody published what it should be.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samrs.core.errors import SourceError
from samrs.core.shards import write_json
from samrs.fetch.source import Source, file_checksum, verify

log = logging.getLogger("samrs")
RECORD = ".checksums.json"


@dataclass(frozen=True)
class Known:
    """A file that is what it should be.

    Args:
        checksum: ``md5:<hex>`` or ``sha256:<hex>``.
        size: bytes.
        published: whether the publisher gave the checksum; False: of its first use.
    """

    checksum: str
    size: int
    published: bool


def know(sources: Sequence[Source], folder: Path, *, parallel: int) -> dict[str, Known]:
    """Check files against their publisher's checksums, or those of their first use.

    Args:
        folder: holds every source's file.
        parallel: number of files read at the same time.

    Returns:
        What each file is, by its name. Those used for the first time are yet to be remembered.

    Raises:
        SourceError: a file is another one, or the record of first uses cannot be read.
    """
    record = _read(folder / RECORD)
    with ThreadPoolExecutor(max(1, parallel)) as pool:
        found = pool.map(lambda source: _known(source, folder, record.get(source.file)), sources)
        return dict(zip((source.file for source in sources), found, strict=True))


def remember(known: Mapping[str, Known], folder: Path) -> None:
    """Record the files whose publisher gives no checksum, for the next run.

    To be called when their archives proved to be whole, so that a damaged file is not remembered.

    Args:
        known: size and sha256 of each file by its name.
    """
    place = folder / RECORD
    record = _read(place)
    new = {
        file: {"checksum": k.checksum, "size": k.size}
        for file, k in known.items()
        if not k.published and file not in record
    }
    if new:
        for file, entry in new.items():
            log.warning(
                "%s: its publisher gives no checksum; recorded %s", folder / file, entry["checksum"]
            )
        draft = place.with_name(f"{RECORD}.draft")
        write_json(draft, record | new)
        draft.replace(place)


def _known(source: Source, folder: Path, recorded: Mapping[str, Any] | None) -> Known:
    path = folder / source.file
    verify(path, source)
    size = path.stat().st_size
    if source.checksum is not None:
        return Known(source.checksum, size, published=True)
    found = Known(file_checksum(path, "sha256"), size, published=False)
    if recorded is not None and recorded != {"checksum": found.checksum, "size": size}:
        raise SourceError(
            f"{path}: not the file used before, got {found.checksum} of {size} bytes; "
            f"{recorded.get('checksum')} of {recorded.get('size')} bytes is allowed; put that file "
            f"there, or remove its entry in {folder / RECORD} if its publisher has a new one"
        )
    return found


def _read(place: Path) -> dict[str, dict[str, Any]]:
    if not os.path.lexists(place):
        return {}
    try:
        record = json.loads(place.read_text(encoding="utf-8"))
        if isinstance(record, dict) and all(isinstance(v, dict) for v in record.values()):
            return record
        problem = "no table of files"
    except ValueError as error:
        problem = str(error)
    raise SourceError(
        f"{place}: cannot be read, got {problem}; the checksums of files used before are needed; "
        "correct it, or remove it to record them anew"
    )
