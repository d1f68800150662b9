from __future__ import annotations

import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from samrs.core.errors import MissingInputError
from samrs.core.records import INSTANCES
from samrs.core.shards import iter_rows, read_manifest, read_table, write_manifest, write_table
from samrs.report.report import report
from tests.ablation.frames import measured as ablation
from tests.label.hand_made import write_product
from tests.products_by_hand import QUALITY, Thing
from tests.report.releases import write_metrics, write_release

HOSTILE = "<script>alert('x')</script><img src=http://evil.example/x>"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects what a browser would see; checks that elements are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Path], Path]:
    root = tmp_path_factory.mktemp("run")
    things = [
        Thing("a__0_0", "harbor", (0, 0, 40, 40), "worst", scores={"box_iou": 0.25}),
        Thing("a__0_0", "ship", (5, 5, 12, 12), "good"),
        Thing("b__0_0", "ship", (5, 5, 12, 12), HOSTILE),
    ]
    releases = {
        "sota": write_release(root, "sota", ["a__0_0", "b__0_0", "c__0_0"], things),
        "fast": write_release(root, "fast", ["a__0_0"], []),
    }
    hostile = releases["sota"]
    manifest = read_manifest(hostile)
    categories = [manifest["categories"][0], HOSTILE, manifest["categories"][2]]
    rows = list(iter_rows(hostile, "instances"))
    for row in rows:
        row["category"] = categories[row["category_id"]]
    write_table(hostile, "instances", read_table(hostile, "instances").schema, rows)
    write_manifest(hostile, {**manifest, "categories": categories, "terms": HOSTILE})
    return releases, write_metrics(root, releases)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A product with true masks and what the ablation measured on it; one class is hostile."""
    root = tmp_path_factory.mktemp("measured")
    product = write_product(root / "hand")
    rows = [{**row, "category": HOSTILE} for row in iter_rows(product, "instances")]
    write_table(product, "instances", INSTANCES, rows)
    ablation(product).to_parquet(root / "instances.parquet")
    return {"measured": root / "instances.parquet", "normalized": product, "quality": QUALITY}


@pytest.fixture(scope="module")
def html(
    run: tuple[dict[str, Path], Path],
    measured: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    releases, metrics = run
    out = tmp_path_factory.mktemp("out") / "report"
    told = report(releases, metrics, out, **measured)
    page = (out / "index.html").read_text(encoding="utf-8")
    assert [p.name for p in out.iterdir()] == ["index.html"]
    assert told == {"bytes": len(page.encode()), "subsets": 2, "examples": 2, "instances": 3}
    return page


def test_page_parses_and_every_element_is_closed(html):
    assert Page(html).open == []


def test_nothing_is_fetched(html):
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "action", "data"):
                assert (value or "").startswith(("data:image/", "#"))
    assert not re.search(r"url\s*\(|@import", html)
    (policy,) = [a for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["content"] == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_links_of_the_navigation_lead_somewhere(html):
    page = Page(html)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    anchors = set(ids)
    assert len(ids) == len(anchors)
    links = {unquote(str(a["href"])[1:]) for t, a in page.tags if t == "a"} - {""}
    assert links <= anchors
    assert {"subset-sota", "subset-fast", "prompts", "finetune", "quality"} <= links
    assert {f"instance/sota/{name}" for name in ("worst", "good", HOSTILE)} <= links
    assert {"tile/sota/a__0_0", "tile/sota/b__0_0"} <= links


def test_hostile_names_are_text(html):
    page = Page(html)
    assert html.count("<script") == html.count("<style") == 1
    assert "<img src=http" not in html
    assert page.text.count(HOSTILE) >= 3


def test_page_tells_what_nano_is_not(html):
    assert "not the real SAM" in html


def test_numbers_are_those_of_the_metrics(html):
    page = Page(html)
    text = re.sub(r"\s+", " ", page.text)
    assert "81.2 / 70.0" in text
    assert "60.0 / 50.0" in text
    assert "+0.100 (+0.020 to +0.180) over scratch at 5% of the labels" in text
    assert "1,234" in text
    assert "0.812" in text
    (worst,) = [a for _, a in page.tags if a.get("data-instance") == "worst"]
    assert worst["data-box_iou"] == "0.2500"


def test_cells_are_texts_and_numbers(html):
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", html)
    assert "1,234 × box has no area, 1 × image too large" in cells
    assert [cell for cell in cells if "{" in cell or "[" in cell] == []


def test_every_measure_of_a_recipe_is_in_a_table(html):
    text = re.sub(r"\s+", " ", Page(html).text)
    point = "point 50.0 45.0 to 55.0 30.0 90.0 80.0 -31.2 -40.0 to -20.0 11.1 % 88.9 % – –"
    assert point in re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))
    assert "prompt: auto takes hbox: it is best. Not to be told apart from hbox: rbox." in text
    assert "Where there are no rotated boxes: point." in text
    assert "2,000 bootstrap draws of scenes (12 of them)" in text


def test_the_same_instances_stand_side_by_side_under_every_recipe(html):
    page = Page(html)
    shown = [str(a["alt"]) for tag, a in page.tags if tag == "img" and a.get("alt")]
    for recipe in ("hbox_mask", "rbox", "box"):
        assert shown.count(f"mask by {recipe}") == 5
    assert shown.count(f"{HOSTILE} with its box and true mask") == 5
    # Two of the five boxes are upright: both recipes give the same mask.
    assert html.count('<figure class="best">') == 7
    assert "a-0" in page.text


def test_best_recipe_of_each_size_bin_is_marked(html):
    assert re.findall(r'<td class="best">([^<]*)</td>', html) == ["81.2 / 70.0", "60.0 / 50.0"]


def test_same_input_gives_the_same_page(html, run, measured, tmp_path):
    releases, metrics = run
    report(releases, metrics, tmp_path / "again", **measured)
    assert (tmp_path / "again" / "index.html").read_text(encoding="utf-8") == html


def test_what_was_not_measured_is_said(run, tmp_path):
    releases, metrics = run
    less = tmp_path / "metrics"
    shutil.copytree(metrics, less)
    for lost in ("finetune", "compare_prompts"):
        shutil.rmtree(less / lost)
    (less / "pretrain.json").unlink()
    nothing = {
        "measured": tmp_path / "none.parquet",
        "normalized": tmp_path / "none",
        "quality": QUALITY,
    }
    report(releases, less, tmp_path / "report", **nothing)
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    for said in (
        "Not measured in this run: recipes are compared",
        "Not done in this run: dvc repro pretrain",
        "Not done in this run: dvc repro finetune",
    ):
        assert said in re.sub(r"\s+", " ", page.text)
    assert "81.2 / 70.0" not in text


def test_what_there_is_none_of_is_said_and_has_no_row_of_zeros(html):
    assert "Without an instance: " in html
    rows = re.findall(r'<tr><th scope="row">(<svg class="mark"|−)(.*?)</tr>', html)
    assert rows
    for _, row in rows:
        assert set(re.findall(r"<td>(.*?)</td>", row)) - {"0", "–"}, row


@pytest.mark.parametrize(
    ("lost", "stage"),
    [
        ("stats.json", "stats"),
        ("compare_prompts/table.csv", "compare-prompts"),
        ("compare_prompts/plot.png", "compare-prompts"),
        ("compare_prompts/differences.png", "compare-prompts"),
        ("compare_prompts/summary.json", "compare-prompts"),
        ("normalize/dota.json", "normalize"),
    ],
)
def test_missing_metrics_name_the_stage_to_run(run, measured, tmp_path, lost, stage):
    releases, metrics = run
    path = metrics / lost
    data = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(MissingInputError, match=f"metrics are missing.*run dvc repro {stage}"):
            report(releases, metrics, tmp_path / "report", **measured)
    finally:
        path.write_bytes(data)
