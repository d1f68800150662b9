"""A product's manifest, which is hostile until it is read: strict JSON of the form it must have."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ParameterError
from samrs.core.names import CLASS_NAME, CLASS_NAME_SAID
from samrs.core.records import BACKGROUND, IGNORE, label_names
from samrs.corrections.counts import COUNTS as PEOPLE
from samrs.release.background import NONE, check_background
from samrs.release.overlap import check_rule
from samrs.release.thresholds import DROP_REASONS, NAMES, Thresholds, for_classes

MANIFEST = "manifest.json"
KINDS = ("normalize", "sam_label", "release")
"""Products that there are."""

MANIFEST_BYTES = 64 * 2**20
LONGEST_TEXT = 10_000

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
NAME = re.compile(
    r"""[^\x00-\x1f\x7f\ud800-\udfff/\\<>&"'`.][^\x00-\x1f\x7f\ud800-\udfff/\\<>&"'`]*"""
)
"""A name that is no path, no markup and no hidden file."""

SHARD = re.compile(r"([a-z]+)-([0-9]{5,})\.parquet")
DIGEST = re.compile(r"[0-9a-f]{64}")

COUNTS = (
    "tiles", "tiles_empty", "instances", "kept", "pixels", "labelled_pixels", "background_pixels",
    "overpainted_pixels", "contested_pixels",
)  # fmt: skip
"""Whole numbers that a release's manifest has under ``counts``."""

CLEANED = ["added_pixels", "instances", "removed_pixels"]
"""Whole numbers under ``counts.cleaned``."""


def read(product: Path) -> dict[str, Any] | str:
    """The manifest of a product, or in words why it has none that can be used."""
    path = product / MANIFEST
    if not product.is_dir():
        return "there is no such folder" if not product.exists() else "it is no folder"
    if not path.is_file():
        return "there is none"
    try:
        if path.stat().st_size > MANIFEST_BYTES:
            return f"it has {path.stat().st_size} bytes"
        manifest = json.loads(
            path.read_text(encoding="utf-8"), parse_constant=_no_number, object_pairs_hook=_once
        )
        return manifest_problem(manifest) or dict(manifest)
    except (OSError, ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {str(error)[:200]}"


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object none of whose keys stands twice: readers differ in which of them they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def manifest_problem(manifest: Any) -> str:
    """Why a JSON value is no manifest of a product; empty where it is one.

    Args:
        manifest: the value of ``manifest.json``.
    """
    if not isinstance(manifest, dict):
        return f"it is a {type(manifest).__name__}, an object is needed"
    if manifest.get("product") not in KINDS:
        return (
            f"product {str(manifest.get('product'))[:100]!r}, one of {', '.join(KINDS)} is needed"
        )
    problem = _texts(manifest) or _categories(manifest.get("categories"))
    problem = problem or _shards(manifest.get("shards"))
    if manifest["product"] == "release":
        problem = problem or _released(manifest)
    return problem


def _texts(manifest: Mapping[str, Any]) -> str:
    for key in ("subset", "dataset", "format", "origin"):
        value = manifest.get(key)
        if value is not None and not (isinstance(value, str) and NAME.fullmatch(value)):
            return f"{key} {str(value)[:100]!r}, a name without path or markup is needed"
    for key in ("terms", "recipe", "segmenter", "model", "model_sha256", "precision"):
        value = manifest.get(key)
        if value is not None and (
            not isinstance(value, str) or len(value) > LONGEST_TEXT or CONTROL.search(value)
        ):
            return f"{key} {str(value)[:100]!r}, a text is needed"
    return ""


def _categories(categories: Any) -> str:
    if not isinstance(categories, list) or not all(isinstance(c, str) for c in categories):
        return "categories is no list of names"
    odd = [c for c in categories if not CLASS_NAME.fullmatch(c)]
    if odd:
        return f"category {odd[0][:100]!r}, {CLASS_NAME_SAID} is needed"
    if len(set(categories)) < len(categories):
        return "a category stands twice"
    return f"{len(categories)} categories, {IGNORE} are allowed" if len(categories) > IGNORE else ""


def _shards(shards: Any) -> str:
    if not isinstance(shards, list) or not all(isinstance(s, dict) for s in shards):
        return "shards is no list of objects"
    numbers: dict[str, list[int]] = {}
    for shard in shards:
        file, rows, digest = (shard.get(key) for key in ("file", "rows", "sha256"))
        named = SHARD.fullmatch(file) if isinstance(file, str) else None
        if not named:
            return f"shard {str(file)[:100]!r} is no name of a Parquet file in this folder"
        if not _is_count(rows) or not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            return f"shard {file!r} lacks its number of rows or its sha256"
        numbers.setdefault(named[1], []).append(int(named[2]))
    for table, found in numbers.items():
        if len(set(found)) < len(found):
            return "a shard is listed twice"
        if sorted(found) != list(range(len(found))):
            return (
                f"shards of {table} are numbered {sorted(found)[:5]}, 0 to {len(found) - 1} needed"
            )
    return ""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _released(manifest: Mapping[str, Any]) -> str:
    """What is wrong with what the manifest of a release alone has."""
    for key in ("subset", "dataset", "terms"):
        if not manifest.get(key):
            return f"{key} {manifest.get(key)!r}, a text is needed"
    given = manifest.get("parameters")
    try:
        if not isinstance(given, dict):
            return f"parameters {str(given)[:100]}, those of a release are needed"
        limits_of(given, manifest)
        check_rule(given["overlap"])
        check_background(given["background"], manifest["categories"])
    except (TypeError, KeyError, ValueError, ParameterError) as error:
        return f"parameters are not those of a release: {str(error)[:200]}"
    return _labels(manifest) or _palette(manifest) or _counts(manifest)


def limits_of(
    parameters: Mapping[str, Any], manifest: Mapping[str, Any]
) -> dict[str, NDArray[np.float64]]:
    """The values by which a release left masks out: one for each class, by parameter.

    Args:
        parameters: of the release.
        manifest: which has its dataset and categories.

    Raises:
        KeyError, TypeError, ValueError, ParameterError: they are not those of a release.
    """
    if unknown := set(parameters) - {*NAMES, "overrides", "overlap", "background"}:
        raise ValueError(f"{sorted(unknown)[:5]} are none")
    overrides = parameters["overrides"]
    if not isinstance(overrides, dict) or not all(isinstance(v, dict) for v in overrides.values()):
        raise ValueError(f"overrides {str(overrides)[:100]}, mappings are needed")
    values = Thresholds(**{name: parameters[name] for name in NAMES})
    return for_classes(values, overrides, manifest["dataset"], manifest["categories"])


def _labels(manifest: Mapping[str, Any]) -> str:
    """What is wrong with the names of labels."""
    told = manifest["parameters"]["background"] != NONE
    wanted = [BACKGROUND, *manifest["categories"]] if told else manifest["categories"]
    if manifest.get("labels") != wanted:
        return f"labels {str(manifest.get('labels'))[:100]}, {', '.join(wanted)[:200]} needed"
    return ""


def _palette(manifest: Mapping[str, Any]) -> str:
    colours = manifest.get("palette")
    right = isinstance(colours, list) and len(colours) == len(label_names(manifest))
    if right and isinstance(colours, list):
        right = all(
            isinstance(c, list) and len(c) == 3 and all(_is_count(v) and v < 256 for v in c)
            for c in colours
        )
    return "" if right else "palette is no list of a colour for each label"


def _counts(manifest: Mapping[str, Any]) -> str:
    counts, labels = manifest.get("counts"), manifest.get("label_pixels")
    if not isinstance(counts, dict) or not all(_is_count(counts.get(name)) for name in COUNTS):
        return "counts are not those of a release"
    dropped, quality = counts.get("dropped"), counts.get("quality")
    if not isinstance(dropped, dict) or sorted(dropped) != sorted(DROP_REASONS):
        return f"counts.dropped does not have the reasons {', '.join(DROP_REASONS)}"
    if not all(map(_is_count, dropped.values())):
        return "counts.dropped holds no counts"
    cleaned = counts.get("cleaned")
    if not isinstance(cleaned, dict) or sorted(cleaned) != CLEANED:
        return f"counts.cleaned does not have {', '.join(CLEANED)}"
    if not all(map(_is_count, cleaned.values())):
        return "counts.cleaned holds no counts"
    if problem := _scenes(counts.get("scenes")) or _corrections(counts.get("corrections")):
        return problem
    if not isinstance(quality, dict) or sorted(quality) != ["below_half", "mean"]:
        return "counts.quality does not have mean and below_half"
    if not all(v is None or (isinstance(v, int | float) and 0 <= v <= 1) for v in quality.values()):
        return "counts.quality holds no shares"
    if not isinstance(labels, list) or not all(map(_is_count, labels)):
        return "label_pixels is no list of counts"
    return ""


def _corrections(said: Any) -> str:
    """What is wrong with the counts of what people made."""
    if not isinstance(said, dict) or sorted(said) != sorted([*PEOPLE, "conflicts"]):
        return f"counts.corrections does not have {', '.join(PEOPLE)} and conflicts"
    kinds = said["conflicts"]
    if not isinstance(kinds, dict) or not all(re.fullmatch("[a-z]{1,20}", kind) for kind in kinds):
        return "counts.corrections.conflicts holds no counts by kind"
    if not all(map(_is_count, [*(said[name] for name in PEOPLE), *kinds.values()])):
        return "counts.corrections holds no counts"
    return ""


def _scenes(scenes: Any) -> str:
    """What is wrong with the counts of scenes."""
    names = ("scenes", "on_a_map", "instances")
    if not isinstance(scenes, dict) or not all(_is_count(scenes.get(name)) for name in names):
        return f"counts.scenes does not have {', '.join(names)}"
    for key in ("crs", "ways"):
        value = scenes.get(key)
        if not isinstance(value, dict) or not all(map(_is_count, value.values())):
            return f"counts.scenes.{key} holds no counts"
        if any(len(word) > LONGEST_TEXT or CONTROL.search(word) for word in value):
            return f"counts.scenes.{key} holds names that are no text"
    return ""
