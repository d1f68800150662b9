"""Getting a segmenter's checkpoint: bundled, in the cache, or fetched into it once and verified.

The cache is ``$SAMRS_CACHE/weights``, or ``~/.cache/samrs/weights``: one for all checkouts and
experiments. Without a network put the file there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from samrs.core import axis
from samrs.core.errors import SourceError, UnknownNameError, advice
from samrs.core.shards import fresh_product, sha256, write_json
from samrs.fetch.mirrors import fetch_all
from samrs.fetch.source import Source
from samrs.weights.checkpoint import Checkpoint

SEGMENTERS = "samrs.segmenters"
CHECKPOINTS = "samrs.weights.checkpoints"
CACHE = "SAMRS_CACHE"


def weights(out: Path, *, segmenter: str, model: str) -> None:
    """Write the product ``data/weights``: the checkpoint, where there is one, and a manifest.

    Args:
        out: folder of the product; what stood there before is removed.
        segmenter: a file of ``samrs/segmenters``.
        model: of the segmenter, whose weights it names; segmenters without weights take any.

    Raises:
        UnknownNameError: there is no such segmenter or model.
        SourceError: the checkpoint cannot be fetched.
        ProductError: the file in the cache is not the published one.
    """
    found = find_checkpoint(segmenter, model)
    path = None if found.path is None else found.verified()
    fresh_product(out)
    manifest: dict[str, Any] = {"product": "weights", **found.about, "sha256": found.sha256}
    manifest |= {"file": None, "bytes": None}
    if path is not None:
        shutil.copyfile(path, out / path.name)
        manifest |= {"file": path.name, "bytes": path.stat().st_size}
    write_json(out / "manifest.json", manifest)


def find_checkpoint(segmenter: str, model: str) -> Checkpoint:
    """The checkpoint of a segmenter's model, fetched into the cache when it is not there.

    Raises:
        UnknownNameError: there is no such segmenter or model.
        SourceError: the checkpoint cannot be fetched, or is to be brought.
    """
    _known("segmenter", segmenter, axis.names(SEGMENTERS))
    if segmenter not in axis.names(CHECKPOINTS):
        return Checkpoint(segmenter, model)
    those = axis.load(CHECKPOINTS, segmenter)
    bundled: dict[str, Path] = getattr(those, "BUNDLED", {})
    _known("model", model, [*bundled, *those.PUBLISHED])
    if model in bundled:
        path = bundled[model]
        return Checkpoint(segmenter, model, path, sha256(path))
    source: Source = those.PUBLISHED[model]
    path = cache_folder() / source.file
    if not path.is_file():
        if not source.urls:
            raise SourceError(
                f"{path}: the weights of {segmenter} {model} are not there, got no file; "
                f"{those.TERMS}; {getattr(those, 'GATE', 'they are not fetched')}: get them at "
                f"{source.page} and put the file there"
            )
        fetch_all([source], path.parent, terms=those.TERMS, parallel=1)
    if source.checksum is None:
        return Checkpoint(segmenter, model, path, _of_first_use(path))
    return Checkpoint(segmenter, model, path, source.checksum.removeprefix("sha256:"))


def _of_first_use(path: Path) -> str:
    """The digest of a file without a published one, noted beside it when it is first used."""
    noted = path.with_name(path.name + ".sha256")
    if not noted.is_file():
        part = noted.with_name(noted.name + ".part")
        part.write_text(sha256(path) + "\n", encoding="utf-8")
        part.replace(noted)
    return noted.read_text(encoding="utf-8").strip()


def _known(parameter: str, name: str, allowed: Collection[str]) -> None:
    if name not in allowed:
        raise UnknownNameError(
            f"{parameter}: unknown name, got {name!r}; allowed are {', '.join(allowed)}; "
            + advice(name, allowed, "use one of these")
        )


def cache_folder() -> Path:
    """Where fetched checkpoints are kept."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get(CACHE) or home / "samrs") / "weights"
