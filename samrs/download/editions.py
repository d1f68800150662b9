"""Which official files stand for a dataset: its own, or another edition in the same layout.

A dataset names the files of its usual edition (``SOURCES``) and those of others that the same
reader reads (``EDITIONS``) in ``samrs/datasets/<dataset>/sources.py``.
"""

from __future__ import annotations

from samrs.core import axis
from samrs.core.errors import UnknownNameError
from samrs.fetch.source import Edition

DATASETS = "samrs.datasets"


def edition_of(dataset: str, name: str | None) -> Edition:
    """An edition of a dataset; None is its usual one.

    Raises:
        UnknownNameError: unknown dataset, or it has no such edition.
    """
    sources = axis.load(DATASETS, dataset, "sources")
    if name is None:
        return Edition(sources.TERMS, sources.SOURCES)
    editions: dict[str, Edition] = getattr(sources, "EDITIONS", {})
    if name not in editions:
        raise UnknownNameError(
            f"download.{dataset}.edition: unknown name, got {name!r}; "
            f"{', '.join(['null', *editions])} is allowed; correct it in params.yaml"
        )
    return editions[name]
