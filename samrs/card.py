"""The data card of a release: Markdown with a YAML header, as Hugging Face shows it.

    samrs card data/release/sota > CARD.md

Everything in it is read from the release folder, but for the published figures of SAMRS (PUBLISHED)
and what the dataset's module says of its source. Names from datasets are escaped: Markdown passes
HTML on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from samrs.core import axis
from samrs.core.names import plain_text
from samrs.core.parameters import yaml_text
from samrs.core.records import SCORES, first_label
from samrs.core.shards import read_table, sha256, shard_paths
from samrs.corrections.counts import people_made
from samrs.drawing import markdown
from samrs.drawing.html import TEMPLATES, model_note
from samrs.drawing.judged import judged_sentence, read_judged
from samrs.drawing.tables import NONE, number
from samrs.verify.refusal import listed_release

DATASETS = "samrs.datasets"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SMALL_PX, FEW, UNSTABLE = 100, 10, 0.7
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))


@dataclass(frozen=True)
class Published:
    """A subset of SAMRS as its paper has it (Wang et al., NeurIPS 2023, arXiv 2305.02034).

    Args:
        images: labelled images; those without boxes are not among them.
        tile: side in px.
        classes: number of them.
        instances: as a text, since read off the bars of the paper's figure.
    """

    images: int
    tile: int
    classes: int
    instances: str


PUBLISHED: Mapping[str, Published] = {
    "SOTA": Published(17_480, 1024, 18, "about 0.61 M"),
    "SIOR": Published(23_463, 800, 20, "about 0.19 M"),
    "FAST": Published(64_147, 600, 37, "about 0.86 M"),
}


def card(
    release: Path,
    *,
    header: Mapping[str, Any] | None = None,
    about: str = "",
    judged: Path | None = None,
) -> str:
    """The card of a release product.

    Args:
        header: more entries of the YAML header, e.g. ``configs``.
        about: a sentence to put under the title, e.g. what of the release an export holds.
        judged: file of what people said of a sample; None, or a file that is not there: nothing.

    Raises:
        MissingInputError: there is no release.
        ProductError: it is another product, or its manifest is none that ``samrs verify`` passes.
    """
    manifest = listed_release(release)
    name = plain_text(manifest["subset"])
    tiles = read_table(release, "tiles", ["scene_id", "split", "width", "height"]).to_pandas()
    there = pq.read_schema(shard_paths(release, "instances")[0]).names
    scores = [score for score in SCORES if score in there]
    columns = ["instance_id", "tile_id", "category_id", "area", "fallback", *scores]
    rows = read_table(release, "instances", columns).to_pandas()
    digest = sha256(release / "manifest.json")
    said = None if judged is None else read_judged(judged)
    jinja = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701 - this is Markdown: markdown_text escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: value if isinstance(value, _Ready) else markdown_text(str(value)),
    )
    return jinja.get_template("card.md").render(
        header=_Ready(_header(name, len(tiles), manifest, header or {})),
        name=name,
        about=about,
        is_demo=manifest.get("origin") == "demo",
        in_paper=name in PUBLISHED,
        has_quality="quality" in scores,
        calibrated=manifest.get("quality", {}).get("calibrated", False),
        manifest=manifest,
        has_background=first_label(manifest) > 0,
        note=model_note(manifest),
        counts=_table(
            ("", "here", "in SAMRS's paper"), _counts(release, name, tiles, rows, manifest)
        ),
        splits=_table(("split", "tiles"), list(tiles.groupby("split").size().items())),
        classes=_table(*_classes(first_label(manifest), manifest["categories"], rows, scores)),
        quality=_table(*_quality(rows, scores)),
        made=_table(("", ""), _made(manifest)),
        looked_at=_looked_at(manifest),
        sources=_sources(manifest),
        shards=_table(("file", "rows", "sha256"), _shards(manifest)),
        manifest_sha256=digest,
        judged=judged_sentence(said, digest) if said else "",
        weaknesses=_weaknesses(name, tiles, rows, manifest),
    )


class _Ready(str):
    """Text that is Markdown already."""

    __slots__ = ()


def markdown_text(text: str) -> str:
    """A text in one line in which Markdown and HTML see nothing of theirs."""
    return re.sub(r"([\\`*_\[\]<>&|~$#])", _entity, plain_text(text)) if text else ""


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};" if match[0] in "<>&|$~" else f"\\{match[0]}"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> _Ready:
    names, *cells = ([markdown_text(number(c)) for c in row] for row in (head, *rows))
    return _Ready(markdown.table(names, cells))


def _header(name: str, num_tiles: int, manifest: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    size = next((word for most, word in SIZES if num_tiles < most), "1M<n<10M")
    value = {
        "pretty_name": f"{name} ({manifest['dataset']}, masks by {manifest.get('model', 'SAM')})",
        "license": "other",
        "license_name": "terms-of-the-source",
        "task_categories": ["image-segmentation", "object-detection"],
        "task_ids": ["semantic-segmentation", "instance-segmentation"],
        "annotations_creators": [
            "machine-generated",
            *(["expert-generated"] if people_made(manifest) else []),
        ],
        "size_categories": [size],
        "tags": ["remote-sensing", "aerial", "SAMRS", "segment-anything"],
        **more,
    }
    return yaml_text(value)


def _counts(
    release: Path, name: str, tiles: pd.DataFrame, rows: pd.DataFrame, manifest: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    paper = PUBLISHED.get(name)
    counts = manifest["counts"]
    sides = pd.concat([tiles["width"], tiles["height"]])
    side = f"{sides.min()} to {sides.max()}" if len(tiles) else NONE
    labelled = counts["labelled_pixels"] / counts["pixels"] if counts["pixels"] else 0.0
    background = counts["background_pixels"] / max(counts["pixels"], 1)
    size = sum(path.stat().st_size for path in release.glob("*.parquet")) / 1e6
    return [
        ("tiles", len(tiles), paper and paper.images),
        ("... without instances", counts["tiles_empty"], paper and "left out"),
        ("scenes", int(tiles["scene_id"].nunique()), None),
        ("side of a tile, px", side, paper and paper.tile),
        ("classes", len(manifest["categories"]), paper and paper.classes),
        ("... with instances", int(rows["category_id"].nunique()), None),
        ("instances", len(rows), paper and paper.instances),
        ("... of them different objects", int(rows["instance_id"].nunique()), None),
        ("labelled share of the px", f"{labelled:.1%}", None),
        *([("background share of the px", f"{background:.1%}", None)] if background else []),
        ("Parquet, MB", f"{size:,.1f}", None),
    ]


def _classes(
    first: int, names: Sequence[str], rows: pd.DataFrame, scores: Sequence[str]
) -> tuple[list[str], list[list[Any]]]:
    shown = [score for score in ("predicted_iou", "stability_score", "quality") if score in scores]
    head = [
        "label",
        "class",
        "instances",
        "tiles",
        "median area, px",
        *(f"mean {s}" for s in shown),
    ]
    groups = dict(list(rows.groupby("category_id")))
    table: list[list[Any]] = []
    for label, name in enumerate(names):
        group = groups.get(label, rows.iloc[:0])
        median = float(group["area"].median()) if len(group) else None
        cells = [
            first + label,
            name,
            len(group),
            int(group["tile_id"].nunique()),
        ]
        cells.append(None if median is None else round(median))
        table.append([*cells, *(_mean(group[score]) for score in shown)])
    return head, table


def _mean(values: pd.Series[Any]) -> float | None:
    mean = values.astype(float).mean()
    return None if pd.isna(mean) else float(mean)


def _quality(rows: pd.DataFrame, scores: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    head = ["", "mean", *(f"p{q * 100:.0f}" for q in QUANTILES), "instances without"]
    table: list[list[Any]] = []
    for score in ("area", *scores):
        values = rows[score].astype(float).dropna()
        cells: list[Any] = [None] * (1 + len(QUANTILES))
        if len(values):
            cells = [float(values.mean()), *(float(values.quantile(q)) for q in QUANTILES)]
            if score == "area":
                cells = [round(cell) for cell in cells]
        name = "area, px" if score == "area" else score
        table.append([name, *cells, len(rows) - len(values)])
    return head, table


def _made(manifest: Mapping[str, Any]) -> list[tuple[str, Any]]:
    made = ("segmenter", "model", "model_sha256", "recipe", "precision")
    values = [(key, manifest[key]) for key in made if key in manifest]
    values += [(f"release.{key}", str(value)) for key, value in manifest["parameters"].items()]
    counts = manifest["counts"]
    values += [("instances annotated", counts["instances"]), ("... released", counts["kept"])]
    values += [(f"... dropped: {key}", n) for key, n in counts["dropped"].items()]
    return values + [(f"by people: {key}", n) for key, n in _people(manifest).items() if n]


def _people(manifest: Mapping[str, Any]) -> dict[str, int]:
    """What of a release people made, and how many corrections no longer fit."""
    counts = dict(manifest["counts"]["corrections"])
    conflicts = sum(counts.pop("conflicts").values())
    return {**counts, "conflicts": conflicts}


def _looked_at(manifest: Mapping[str, Any]) -> str:
    """A sentence about how many masks people have looked at."""
    said, kept = _people(manifest), manifest["counts"]["kept"]
    made = said["clicked"] + said["drawn"]
    if not (made or said["accepted"]):
        return "No person has checked these masks"
    return (
        f"People made {made:,} of the {kept:,} masks and accepted {said['accepted']:,} as they "
        "are; nobody has checked the others"
    )


def _sources(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What the format's reader says of it; texts of this project, not of the data."""
    format = manifest.get("format", manifest["dataset"])
    if format not in axis.names(DATASETS):
        return {"about": "", "files": []}
    has = format in axis.names(DATASETS, "sources")
    official = axis.load(DATASETS, format, "sources").SOURCES if has else ()
    paragraphs = axis.docstring(DATASETS, format, "read").split("\n\n")
    about = " ".join(" ".join(paragraphs[:2]).split())
    files = [f"{source.file} ({source.checksum or 'no checksum published'})" for source in official]
    return {"about": about, "files": files}


def _shards(manifest: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [(shard["file"], shard["rows"], shard["sha256"]) for shard in manifest["shards"]]


def _weaknesses(
    name: str, tiles: pd.DataFrame, rows: pd.DataFrame, manifest: Mapping[str, Any]
) -> list[str]:
    """What this release's own numbers say against it."""
    found = []
    paper = PUBLISHED.get(name)
    if paper and len(tiles) < paper.images / 2:
        found.append(
            f"{len(tiles):,} tiles where SAMRS has {paper.images:,} images: "
            + ("a demo." if manifest.get("origin") == "demo" else "a part of the dataset.")
        )
    counts = rows.groupby("category_id").size()
    names = manifest["categories"]
    rare = [n for label, n in enumerate(names) if counts.get(label, 0) < FEW]
    if rare:
        found.append(f"{len(rare)} classes have fewer than {FEW} instances: {', '.join(rare)}.")
    if len(rows):
        small = float((rows["area"] < SMALL_PX).mean())
        unstable = float((rows["stability_score"].astype(float) < UNSTABLE).mean())
        fallback = float(rows["fallback"].mean())
        found.append(f"{small:.0%} of the masks are smaller than {SMALL_PX} px.")
        if unstable:
            found.append(f"{unstable:.0%} have a stability score under {UNSTABLE}.")
        if fallback:
            found.append(
                f"{fallback:.0%} were prompted by the upright box for want of a rotated one."
            )
    contested = manifest["counts"]["contested_pixels"]
    if contested:
        rule = manifest["parameters"]["overlap"]
        found.append(
            f"{contested:,} px lie under masks of different classes; the label maps have one of "
            f"them there (rule: {rule})."
        )
    return found
