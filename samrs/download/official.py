"""Official files of a dataset: terms, inbox, fetching, checking, unpacking, and the manifest.

Files gather in ``data/inbox/<dataset>/``: fetched where they have an address, put there by a person
where their publisher demands registration. Nothing is fetched before the terms are accepted, nor
while a file is missing that only a person can get.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from samrs.core.errors import MissingInputError, TermsError
from samrs.core.shards import fresh_product, write_json
from samrs.download.checksums import Known, know, remember
from samrs.download.inbox import add_extra, copy_layout, describe_extra, holds_layout, listing
from samrs.download.unpack import extract, is_archive
from samrs.fetch.mirrors import fetch_all
from samrs.fetch.source import Edition, Source, missing

log = logging.getLogger("samrs")
MANIFEST = "manifest.json"


def take_official(
    dataset: str,
    edition: Edition,
    name: str | None,
    out: Path,
    *,
    accepted: bool,
    inbox: Path,
    parallel: int,
) -> None:
    """Put a dataset's official files, unpacked, into a folder made anew, with a manifest.

    Args:
        dataset: its name, a folder of ``samrs/datasets``.
        name: of the edition, for the manifest.
        accepted: whether the user accepts the terms.
        inbox: the dataset's folder for files that users bring and fetched ones.
        parallel: number of files fetched, or read to be checked, at the same time.

    Raises:
        TermsError: the terms are not accepted.
        MissingInputError: a file is missing that cannot be fetched, or there are no official ones.
        SourceError: a file cannot be fetched or is not the official one.
        ArchiveError: an archive is broken or hostile.
    """
    sources = edition.sources
    if sources and not accepted:
        raise TermsError(
            f"download: the terms of {dataset} are not accepted, got terms_accepted false; its "
            f"terms are: {edition.terms} ({', '.join(sorted({s.page for s in sources}))}); set "
            f"download.{dataset}.terms_accepted to true in params.yaml if you accept them"
        )
    absent = missing(sources, inbox)
    if not sources:
        raise MissingInputError(
            f"download: {dataset} is a format without official files, got origin official; say "
            f"where yours lie: datasets.<name>.path in params.yaml; `samrs add {dataset} FOLDER` "
            "writes it"
        )
    if len(absent) == len(sources) and holds_layout(inbox):
        log.info("%s: taking the unpacked files in %s", dataset, inbox)
        fresh_product(out)
        write_json(out / MANIFEST, _manifest(dataset, edition, name, {}, inbox))
        copy_layout(inbox, out)
        add_extra(inbox, out)
        return
    _require_fetchable(absent, inbox, edition.terms)
    known = know([s for s in sources if s not in absent], inbox, parallel=parallel)
    fetch_all(absent, inbox, terms=edition.terms, parallel=parallel)
    known |= {s.file: _as_fetched(s, inbox) for s in absent}
    fresh_product(out)
    write_json(out / MANIFEST, _manifest(dataset, edition, name, known, inbox))
    for source in sources:
        _unpack(source, inbox / source.file, out / source.extract_to)
    add_extra(inbox, out)
    remember(known, inbox)


def _as_fetched(source: Source, inbox: Path) -> Known:
    """A file that was checked when it was fetched."""
    return Known(str(source.checksum), (inbox / source.file).stat().st_size, published=True)


def _manifest(
    dataset: str,
    edition: Edition,
    name: str | None,
    known: Mapping[str, Known],
    inbox: Path,
) -> dict[str, Any]:
    """What the folder was made of; ``sources`` is empty where a user brought it unpacked."""
    return {
        "dataset": dataset,
        "edition": name,
        "origin": "official",
        "terms": edition.terms,
        "terms_accepted": True,
        "extra": describe_extra(inbox),
        "sources": [
            {
                "file": source.file,
                "page": source.page,
                "urls": list(source.urls),
                "revision": source.revision,
                "checksum": known[source.file].checksum,
                "checksum_of": "publisher" if known[source.file].published else "first use",
                "bytes": known[source.file].size,
                "extract_to": source.extract_to,
                "leave_out": list(source.leave_out),
            }
            for source in edition.sources
            if source.file in known
        ],
    }


def _require_fetchable(absent: Iterable[Source], inbox: Path, terms: str) -> None:
    """Raise one error that lists every file only a person can get."""
    by_hand = [str(source) for source in absent if not source.urls]
    if by_hand:
        raise MissingInputError(
            f"{inbox}: files are missing that cannot be fetched without registration, got none "
            f"of: {'; '.join(by_hand)} (the inbox holds {listing(inbox)}); "
            f"the publisher's files are needed, under these names (terms: {terms}); get them from "
            f"the page named and put them into {inbox}"
        )


def _unpack(source: Source, path: Path, out: Path) -> None:
    if is_archive(path):
        extract(path, out, leave_out=source.leave_out)
    else:
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, out / path.name)
