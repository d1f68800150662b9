"""A report and previews of releases written by hand, to be opened in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samrs.preview.preview import preview
from samrs.report.report import report
from tests.export.releases import HEIGHT, WIDTH, blank, instance, masks, tile, write_release
from tests.products_by_hand import QUALITY
from tests.report.releases import write_metrics

HOSTILE = "<img src=x onerror=\"document.title='fell'\"><b>ship</b>"
CATEGORIES = ["plane", HOSTILE, "harbor"]
MANY = 120

FEW: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("box", 0, {"quality": 0.9, "predicted_iou": 0.5, "made_by": "drawn", "accepted": True}),
    ("hole", 0, {"quality": 0.3, "predicted_iou": 0.9, "stability_score": 0.4}),
    ("parts", 1, {"quality": 0.6, "predicted_iou": None, "made_by": "clicked", "recipe": "point"}),
    ("edge", 2, {"quality": 0.2, "predicted_iou": 0.7, "box_iou": 0.1, "outside": 0.25}),
)
"""Name, class and what else is told of the instances of the small release."""


def _few(root: Path) -> Path:
    found = masks()
    rows = [
        instance(name, "a__0_0" if place < 3 else "b__0_0", label, found[name], **told)
        for place, (name, label, told) in enumerate(FEW)
    ]
    tiles = [tile("a__0_0", "train"), tile("b__0_0", "val")]
    about = {"categories": CATEGORIES, "subset": "SOTA", "origin": "own", "terms": HOSTILE}
    return write_release(root / "few", tiles=tiles, rows=rows, **about)


def _many(root: Path) -> Path:
    rows = []
    for number in range(MANY):
        mask = blank()
        x, y = number % (WIDTH - 6), number // (WIDTH - 6) * 9
        mask[y : y + 4 + number % 5, x : x + 4] = True
        rows.append(
            instance(f"{number:03d}", "m__0_0", 0, mask, quality=round(number / MANY, 4))
        )  # fmt: skip
    assert y + 9 < HEIGHT
    about = {"categories": CATEGORIES, "subset": "FAST", "origin": "own"}
    return write_release(root / "many", tiles=[tile("m__0_0", "test")], rows=rows, **about)


def write_pages(root: Path) -> dict[str, Path]:
    """``report`` of two releases, ``preview`` of the small one and ``many`` of the other."""
    releases = {"sota": _few(root), "fast": _many(root)}
    metrics = write_metrics(root, releases)
    nothing = root / "nothing"
    report(
        releases, metrics, root / "report", measured=nothing, normalized=nothing, quality=QUALITY
    )
    pages = {"report": root / "report" / "index.html"}
    for name, release in (("preview", "sota"), ("many", "fast")):
        pages[name] = root / f"{name}.html"
        preview(releases[release], pages[name])
    return pages
