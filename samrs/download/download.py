"""The raw files of a dataset in its official layout: rendered for the demo, or the real ones.

``demo`` asks the dataset's ``demo.py`` for procedural scenes. ``official`` takes the
publisher's files from ``data/inbox/<dataset>/``, fetches there what has an address, checks every
one, and unpacks them. A folder of the inbox that holds the layout already unpacked is taken as it
is. A user's own dataset is not downloaded: ``datasets.<name>.path`` in params.yaml says where it
lies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samrs.core import axis
from samrs.core.errors import ParameterError
from samrs.core.shards import fresh_product, write_json
from samrs.download.editions import edition_of
from samrs.download.official import MANIFEST, take_official

ORIGINS = ("demo", "official")
DEMO_TERMS = "procedural scenes rendered by this project, Apache-2.0; no data of the real dataset"


def download(
    dataset: str,
    out: Path,
    *,
    origin: str,
    scenes: int,
    seed: int,
    edition: str | None,
    terms_accepted: bool,
    inbox: Path,
    parallel: int,
) -> dict[str, Any]:
    """Put a dataset's raw files, in its official layout, into a folder made anew.

    Args:
        origin: ``demo`` or ``official``.
        scenes: number of scenes to render (demo only).
        seed: of the rendered scenes (demo only).
        edition: which official files, see its ``sources.py``; None: the usual ones.
        terms_accepted: whether the user accepts the publisher's terms (official only).
        inbox: folder for files that users bring and fetched ones.
        parallel: number of files fetched at the same time.

    Returns:
        ``files``, ``bytes`` in the folder, ``origin``, ``terms``.

    Raises:
        ParameterError: unknown origin, or a number of scenes below 1.
        UnknownNameError: unknown dataset or edition.
        TermsError: official files without the terms accepted.
        MissingInputError: a file is missing that only a person can get.
        SourceError: a file cannot be fetched, or is not the official one.
        ArchiveError: an archive is broken or hostile.
    """
    if origin == "demo":
        _write_demo(dataset, out, scenes, seed)
        terms = DEMO_TERMS
    elif origin == "official":
        chosen = edition_of(dataset, edition)
        terms = chosen.terms
        take_official(
            dataset,
            chosen,
            edition,
            out,
            accepted=terms_accepted,
            inbox=inbox,
            parallel=parallel,
        )
    else:
        raise ParameterError(
            f"download: unknown origin, got {origin!r}; {' or '.join(ORIGINS)} is allowed; "
            "set origin in params.yaml"
        )
    sizes = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
    return {"files": len(sizes), "bytes": sum(sizes), "origin": origin, "terms": terms}


def _write_demo(dataset: str, out: Path, scenes: int, seed: int) -> None:
    writer = axis.load("samrs.datasets", dataset, "demo")
    if scenes < 1:
        raise ParameterError(
            f"download: no demo scenes to render, got scenes {scenes}; 1 or more are allowed; "
            f"set download.{dataset}.scenes in params.yaml"
        )
    writer.write(fresh_product(out), scenes=scenes, seed=seed)
    said = {"dataset": dataset, "origin": "demo", "terms": edition_of(dataset, None).terms}
    write_json(out / MANIFEST, said)
