"""The raw files of a dataset in its official layout: rendered for the demo, or the real ones.

``demo`` asks the dataset's writer in ``samrs/demo`` for procedural scenes. ``official`` takes the
publisher's files from ``data/inbox/<dataset>/``, fetches there what has an address, checks every
one, and unpacks them. A folder of the inbox that holds the layout already unpacked is taken as it
is, which is also how users bring their own images (dataset ``coco``).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from samrs.archives import extract, is_archive
from samrs.core import axis
from samrs.core.errors import MissingInputError, ParameterError, TermsError
from samrs.core.progress import progress
from samrs.core.shards import fresh_product
from samrs.core.sources import Source, fetch, missing, verify

log = logging.getLogger("samrs")
ORIGINS = ("demo", "official")
DEMO_TERMS = "procedural scenes rendered by this project, Apache-2.0; no data of the real dataset"


def download(
    dataset: str,
    out: Path,
    *,
    origin: str,
    scenes: int,
    seed: int,
    terms_accepted: bool,
    inbox: Path,
) -> dict[str, Any]:
    """Put a dataset's raw files, in its official layout, into a folder made anew.

    Args:
        origin: ``demo`` or ``official``.
        scenes: number of scenes to render (demo only).
        seed: of the rendered scenes (demo only).
        terms_accepted: whether the user accepts the publisher's terms (official only).
        inbox: folder with a folder per dataset for files that users bring and fetched ones.

    Returns:
        ``files``, ``bytes`` in the folder, ``origin``, ``terms``.

    Raises:
        ParameterError: unknown origin, or a number of scenes below 1.
        UnknownNameError: unknown dataset.
        TermsError: official files without the terms accepted.
        SourceError: a file is missing and cannot be fetched, or is not the official one.
        ArchiveError: an archive is broken or hostile.
    """
    if origin == "demo":
        terms = _write_demo(dataset, out, scenes, seed)
    elif origin == "official":
        terms = _take_official(dataset, out, terms_accepted, inbox)
    else:
        raise ParameterError(
            f"download: unknown origin, got {origin!r}; {' or '.join(ORIGINS)} is allowed; "
            "set origin in params.yaml"
        )
    sizes = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
    return {"files": len(sizes), "bytes": sum(sizes), "origin": origin, "terms": terms}


def _write_demo(dataset: str, out: Path, scenes: int, seed: int) -> str:
    writer = axis.load("samrs.demo", dataset)
    if scenes < 1:
        raise ParameterError(
            f"download: no demo scenes to render, got scenes {scenes}; 1 or more are allowed; "
            f"set download.{dataset}.scenes in params.yaml"
        )
    writer.write(fresh_product(out), scenes=scenes, seed=seed)
    return DEMO_TERMS


def _take_official(dataset: str, out: Path, terms_accepted: bool, inbox: Path) -> str:
    module = axis.load("samrs.datasets", dataset)
    sources: tuple[Source, ...] = module.SOURCES
    terms: str = module.TERMS
    if sources and not terms_accepted:
        raise TermsError(
            f"download: the terms of {dataset} are not accepted, got terms_accepted false; its "
            f"terms are: {terms} ({', '.join(sorted({s.page for s in sources}))}); set "
            f"download.{dataset}.terms_accepted to true in params.yaml if you accept them"
        )
    folder = inbox / dataset
    absent = missing(sources, folder)
    if len(absent) == len(sources) and _holds_layout(folder):
        log.info("%s: taking the unpacked files in %s", dataset, folder)
        _copy_layout(folder, fresh_product(out))
        return terms
    if not sources:
        raise MissingInputError(
            f"{folder}: no dataset there, got no folder in it; the layout that {dataset} has in "
            "docs/datasets.md is needed; put your files there"
        )
    _require_fetchable(absent, folder, terms)
    for source in sources:
        if source not in absent:
            verify(folder / source.file, source)
    for source in absent:
        fetch(source, folder, terms=terms)
    fresh_product(out)
    for source in sources:
        _unpack(folder / source.file, out / source.extract_to)
    return terms


def _require_fetchable(absent: Iterable[Source], folder: Path, terms: str) -> None:
    """Raise one error that lists every file only a person can get."""
    by_hand = [str(source) for source in absent if not source.urls]
    if by_hand:
        raise MissingInputError(
            f"{folder}: files are missing that cannot be fetched without registration, got none "
            f"of: {'; '.join(by_hand)}; the publisher's files are needed (terms: {terms}); "
            f"get them from the page named and put them into {folder}"
        )


def _holds_layout(folder: Path) -> bool:
    """Whether a folder of the inbox holds folders of its own: a dataset already unpacked."""
    return folder.is_dir() and any(
        path.is_dir() and not path.name.startswith(".") for path in folder.iterdir()
    )


def _copy_layout(folder: Path, out: Path) -> None:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )
    for path in progress(files, desc=f"copy {folder.name}", unit="file"):
        target = out / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _unpack(path: Path, out: Path) -> None:
    if is_archive(path):
        extract(path, out)
    else:
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, out / path.name)
