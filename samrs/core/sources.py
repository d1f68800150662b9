"""Official files of a dataset or model: where they come from, how to know them, how to get them."""

from __future__ import annotations

import hashlib
import logging
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pooch

from samrs.core.errors import SourceError

log = logging.getLogger("samrs")
PARTIAL = ".partial"
"""Folder beside the files where a download lies until it is whole and checked."""
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Source:
    """One official file.

    Args:
        file: its name in ``data/inbox/<dataset>/``; may hold folders (``train/images.zip``).
        urls: mirrors, tried in order; empty where the publisher demands registration.
        checksum: ``md5:<hex>`` or ``sha256:<hex>``; None where the publisher gives none.
        extract_to: folder below the dataset's root that an archive is unpacked into.
        page: where a person gets it and reads its terms.
        size: bytes; None where unknown.
    """

    file: str
    urls: tuple[str, ...]
    checksum: str | None
    extract_to: str
    page: str
    size: int | None = None

    def __str__(self) -> str:
        size = "size not published" if self.size is None else f"{self.size} bytes"
        return f"{self.file} ({size}, {self.checksum or 'no checksum published'}, {self.page})"


def verify(path: Path, source: Source) -> None:
    """Check a file's size and checksum against what its publisher says.

    Raises:
        SourceError: it is another file, or only a part of it.
    """
    size = path.stat().st_size
    if source.size is not None and size != source.size:
        raise SourceError(
            f"{path}: not the official file, got {size} bytes; {source} is allowed; "
            "remove it and fetch it again"
        )
    if source.checksum is None:
        log.warning("%s: its publisher gives no checksum, taken unverified", path)
        return
    algorithm = source.checksum.split(":")[0]
    with path.open("rb") as file:
        found = f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
    if found != source.checksum.lower():
        raise SourceError(
            f"{path}: not the official file, got {found}; {source} is allowed; "
            "remove it and fetch it again"
        )


def fetch(source: Source, folder: Path, *, terms: str) -> Path:
    """Get a file from its mirrors, in order, into a folder; whole and checked or not at all.

    Args:
        terms: licence or terms of use, for the error's text.

    Returns:
        ``folder / source.file``.

    Raises:
        SourceError: no mirror gave the official file.
    """
    target = folder / source.file
    failures = []
    for url in source.urls:
        try:
            _fetch_checked(url, source, target)
        except (OSError, ValueError, SourceError) as error:
            failures.append(f"{url}: {type(error).__name__}: {error}")
            log.warning("%s: %s", source.file, failures[-1])
        else:
            return target
    tried = "; ".join(failures) or "no address to try"
    raise SourceError(
        f"{target}: cannot be fetched, got {tried}; {source} is allowed (terms: {terms}); "
        f"put that file at {target} or try again with a network"
    )


def _fetch_checked(url: str, source: Source, target: Path) -> None:
    partial = target.parent / PARTIAL / target.name
    shutil.rmtree(partial, ignore_errors=True)
    log.info("%s: fetching from %s", source.file, url)
    pooch.get_logger().setLevel("WARNING")
    loader = pooch.HTTPDownloader(
        progressbar=sys.stderr.isatty(), chunk_size=2**20, timeout=TIMEOUT_SECONDS
    )
    try:
        name = pooch.retrieve(
            url, known_hash=source.checksum, fname=target.name, path=partial, downloader=loader
        )
        size = Path(name).stat().st_size
        if source.size is not None and size != source.size:
            raise SourceError(f"{url}: got {size} bytes; {source.size} are allowed")
        Path(name).replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def missing(sources: Sequence[Source], folder: Path) -> list[Source]:
    """The sources whose file does not lie in a folder."""
    return [source for source in sources if not (folder / source.file).is_file()]
