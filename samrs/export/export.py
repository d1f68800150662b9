"""A release in the formats of the tools people use.

    samrs export coco data/release/sota out/sota-coco
    samrs export yolo_seg data/release/sota out/ships --splits train --classes ship
    samrs export coco data/release/sota out/polygons --masks polygon

Formats are the files of ``samrs/export/formats``. The tables are read a few tiles at a time, so
memory does not grow with the release. An export is written beside its place and moved there when
it is whole, with ``export.json`` (what was exported, and what the format lost) and ``README.md``
(the data card). The same release and choice give the same bytes.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from samrs.core import axis
from samrs.core.errors import ParameterError, ProductError, UnknownNameError, check_known
from samrs.core.names import plain_text, safe_name
from samrs.core.shards import read_table, sha256, write_json
from samrs.drawing.palette import palette
from samrs.export.boxes import BOXES
from samrs.export.files import write_file
from samrs.export.subset import LEVELS, Subset
from samrs.release.overlap import RULES
from samrs.verify.refusal import listed_release, refuse

AXIS = "samrs.export.formats"
SUMMARY = "export.json"


def export(
    format: str,
    release: Path,
    out: Path,
    *,
    splits: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    images: bool = True,
    level: str | None = None,
    force: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Write a release in another format.

    What is read is checked as ``samrs verify`` checks it; bytes are not hashed.

    Args:
        format: a file of ``samrs/export/formats``.
        release: the release product.
        out: folder of the export; it must not hold anything.
        splits: which splits; None takes all.
        classes: which classes, numbered anew in the release's order; None takes all. Tiles without
            them stay, as negatives.
        images: whether to export the pixels too; scenes have none.
        level: whether an instance stands once for each tile that shows it, or once on its scene;
            None: as is usual for the format.
        force: replace an earlier export at ``out``.
        options: the format's own, by the names of its ``write``.

    Returns:
        What stands in ``export.json``; ``summary`` is the format's own.

    Raises:
        UnknownNameError: no such format, split or class.
        ParameterError: an empty choice, an option that the format has not, or ``out`` is inside
            the release.
        MissingInputError: there is no release.
        ProductError: ``out`` is taken; the release has no tile; ``samrs verify`` would find fault
            with what is read of it.
    """
    module = axis.load(AXIS, format)
    _check_options(format, module.write, options)
    if "boxes" in options:
        check_known("export", "boxes", options["boxes"], BOXES, "use one")
    level = _level(format, module, level)
    images = images and level == "tile"
    subset = replace(subset_of(release, splits, classes, images=images), level=level)
    _check_place(release, out, force=force)
    with _moved_when_whole(out) as folder:
        summary = module.write(subset, folder, **options)
        about = {
            "format": format,
            "subset": subset.name,
            "dataset": subset.manifest["dataset"],
            "terms": subset.manifest["terms"],
            "release_manifest_sha256": sha256(release / "manifest.json"),
            "splits": list(subset.splits),
            "categories": list(subset.categories),
            "map_labels": list(subset.map_names),
            "release_labels": list(subset.labels),
            "images": images,
            "level": subset.level,
            "options": options,
            f"most_instances_{'in_a_tile' if level == 'tile' else 'on_a_scene'}": (
                subset.most_instances
            ),
            "summary": summary,
        }
        write_json(folder / SUMMARY, about)
        from samrs.card import card  # pandas: not held while the tables are read

        header = module.card_header(subset, **options) if hasattr(module, "card_header") else {}
        text = card(release, header=header, about=_about(format, subset, splits, classes))
        write_file(folder / "README.md", text)
    return about


def _level(format: str, module: ModuleType, level: str | None) -> str:
    """The level that is exported.

    Raises:
        ParameterError: the format has not that level; where it says why, in its words.
    """
    allowed: Sequence[str] = getattr(module, "LEVELS", LEVELS[:1])
    if level is None or level in allowed:
        return level or allowed[0]
    why = f", since {module.ONE_LEVEL}" if level in LEVELS else ""
    raise ParameterError(
        f"export: {format} has no such level, got {level!r}; {' or '.join(allowed)} is allowed "
        f"there{why}; leave it out, or take another format"
    )


def _check_options(
    format: str, write: Callable[..., dict[str, Any]], options: Mapping[str, Any]
) -> None:
    known = [p.name for p in signature(write).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise ParameterError(
                f"export: option of another format, got {name} for {format}; "
                f"{', '.join(known) or 'none'} is allowed there; leave it out"
            )


def _about(
    format: str, subset: Subset, splits: Sequence[str] | None, classes: Sequence[str] | None
) -> str:
    parts = [
        f"This is an export in the format {format}, described in docs/exports.md",
        *([f"of the splits {', '.join(subset.splits)} only"] if splits else []),
        *([f"of the classes {', '.join(subset.categories)} only"] if classes else []),
        *([] if subset.images else ["without images"]),
    ]
    return f"{', '.join(parts)}; all figures below are those of the whole release."


def subset_of(
    release: Path,
    splits: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    *,
    images: bool = True,
) -> Subset:
    """What of a release is exported.

    Args:
        splits: which splits; None takes all.
        classes: which classes, numbered anew in the release's order; None takes all.
        images: whether to export the pixels too.

    Raises:
        UnknownNameError, ParameterError, MissingInputError, ProductError: see ``export``.
    """
    manifest = listed_release(release)
    parameters = manifest.get("parameters")
    rule = parameters.get("overlap") if isinstance(parameters, dict) else None
    if rule not in list(RULES):
        refuse(release / "manifest.json", f"overlap rule {rule!r}")
    names = manifest["categories"]
    there = sorted(set(read_table(release, "tiles", ["split"])["split"].to_pylist()) - {None})
    if not there:
        raise ProductError(
            f"{release}: nothing to export, got no tile; at least one is needed; see the counts of "
            "normalize in its metrics"
        )
    wanted = _choice("class", classes, names, release)
    chosen = [i for i, name in enumerate(names) if name in wanted]
    categories = tuple(plain_text(names[i]) for i in chosen)
    folders = [safe_name(split) for split in there]
    for what, values in (("classes", categories), ("splits", folders)):
        if len(set(values)) != len(values):
            raise ProductError(
                f"{release}: two {what} would have one name, got {sorted(values)}; names that "
                "differ in more than special characters are allowed; rename them in the dataset"
            )
    colours = palette(len(names))
    return Subset(
        release=release,
        name=plain_text(manifest["subset"]),
        manifest=manifest,
        categories=categories,
        labels={old: new for new, old in enumerate(chosen)},
        palette=[colours[i] for i in chosen],
        splits=tuple(split for split in there if split in _choice("split", splits, there, release)),
        images=images,
        order=RULES[rule],
    )


def _choice(
    word: str, wanted: Sequence[str] | None, there: Sequence[str], release: Path
) -> Sequence[str]:
    if wanted is not None and (isinstance(wanted, str) or not wanted):
        raise ParameterError(
            f"export: no list of {word} names, got {wanted!r}; one or more of "
            f"{', '.join(there)} are allowed; name some, or leave the choice out for all"
        )
    unknown = sorted(set(wanted or ()) - set(there))
    if unknown:
        raise UnknownNameError(
            f"{release}: unknown {word}, got {', '.join(map(repr, unknown))}; allowed are "
            f"{', '.join(there)}; use some of these"
        )
    return there if wanted is None else wanted


def _check_place(release: Path, out: Path, *, force: bool) -> None:
    if out.resolve().is_relative_to(release.resolve()):
        raise ParameterError(
            f"{out}: export inside its release, got {release}; any folder outside it is allowed; "
            "name another"
        )
    if not out.exists() and not out.is_symlink():
        return
    if out.is_dir() and not any(out.iterdir()):
        return
    if not force:
        raise ProductError(
            f"{out}: place is taken, got a file or a folder that is not empty; a new or empty "
            "folder is allowed; name another, or add --force to replace an earlier export"
        )
    if out.is_symlink() or not (out / SUMMARY).is_file():
        raise ProductError(
            f"{out}: not an earlier export, got no {SUMMARY} in it; only exports are replaced; "
            "name another folder or remove this one by hand"
        )


@contextmanager
def _moved_when_whole(out: Path) -> Iterator[Path]:
    """A new folder beside ``out`` that takes its place at the end, or goes with what failed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(out, "partial")
    folder = out.with_name(f".{out.name}.{os.getpid()}.partial")
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    folder.mkdir()
    with _locked(folder):
        try:
            yield folder
            if out.exists():
                out.rename(old)
            try:
                folder.rename(out)
            except OSError:
                if old.exists():
                    old.rename(out)
                raise
            shutil.rmtree(old, ignore_errors=True)
            _remove_leftovers(out, "old")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(out: Path, kind: str) -> None:
    """Remove what killed exports to this place left; those that still run hold a lock."""
    for left in out.parent.glob(f".{glob.escape(out.name)}.[0-9]*.{kind}"):
        if left.is_dir() and not left.is_symlink():
            with suppress(BlockingIOError), _locked(left):
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder until the body ends, or this process.

    Raises:
        BlockingIOError: another process holds it.
    """
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(number)
