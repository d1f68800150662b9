"""Official files of a dataset or model: where they come from and how to know them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samrs.core.errors import SourceError


@dataclass(frozen=True)
class Source:
    """One official file.

    Args:
        file: its name in ``data/inbox/<dataset>/``; may hold folders (``train/images.zip``).
        urls: mirrors, tried in order, which need a checksum; empty where the publisher demands
            registration.
        checksum: ``md5:<hex>`` or ``sha256:<hex>``; None where the publisher gives none.
        extract_to: folder below the dataset's root that an archive is unpacked into.
        page: where a person gets it and reads its terms.
        size: bytes; None where unknown.
        leave_out: names of folders in the archive that are not unpacked.
    """

    file: str
    urls: tuple[str, ...]
    checksum: str | None
    extract_to: str
    page: str
    size: int | None = None
    leave_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.urls and self.checksum is None:
            raise ValueError(f"{self.file}: an address without a checksum, got {self.urls}")

    def __str__(self) -> str:
        size = "size not published" if self.size is None else f"{self.size} bytes"
        return f"{self.file} ({size}, {self.checksum or 'no checksum published'}, {self.page})"

    @property
    def revision(self) -> str | None:
        """The commit that its addresses name (``.../resolve/<40 hex digits>/...``), or None."""
        found = (re.search(r"/resolve/([0-9a-f]{40})/", url) for url in self.urls)
        return next((match[1] for match in found if match), None)


@dataclass(frozen=True)
class Edition:
    """Another set of official files of a dataset, in the layout that its reader reads.

    Args:
        terms: licence or terms of use, one line.
        sources: its files; empty where users bring their own.
    """

    terms: str
    sources: tuple[Source, ...]


def hugging_face(repository: str, revision: str, path: str) -> tuple[str, ...]:
    """The address of a file in a dataset on the Hugging Face Hub, at one commit.

    Args:
        repository: ``owner/name``.
        revision: the commit, 40 hex digits.
        path: of the file in the repository, quoted as in an address.
    """
    return (f"https://hf.co/datasets/{repository}/resolve/{revision}/{path}",)


def file_checksum(path: Path, algorithm: str) -> str:
    """The checksum of a file as a source states it, e.g. ``md5:91ae52...``.

    Args:
        algorithm: one that hashlib knows, e.g. ``md5``.
    """
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def mismatch(path: Path, source: Source) -> str | None:
    """In what a file differs from the one its publisher describes, or None.

    A file whose publisher gives neither size nor checksum differs in nothing.
    """
    size = path.stat().st_size
    if source.size is not None and size != source.size:
        return f"{size} bytes"
    if source.checksum is None:
        return None
    found = file_checksum(path, source.checksum.split(":")[0])
    return None if found == source.checksum.lower() else found


def verify(path: Path, source: Source) -> None:
    """Check a file's size and checksum against what its publisher says.

    Raises:
        SourceError: it is another file, or only a part of it.
    """
    if (found := mismatch(path, source)) is not None:
        raise SourceError(
            f"{path}: not the official file, got {found}; {source} is allowed; "
            "remove it and fetch it again"
        )


def missing(sources: Sequence[Source], folder: Path) -> list[Source]:
    """The sources whose file does not lie in a folder."""
    return [source for source in sources if not (folder / source.file).is_file()]
