"""Official files of a dataset or model: where they come from and how to know them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One official file.

    Args:
        file: its name in ``data/inbox/<dataset>/``.
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
