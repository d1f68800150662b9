"""A page to look at any release: whole, offline, bounded, and safe from what a dataset holds."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from samrs.core.errors import MissingInputError, ParameterError, ProductError
from samrs.core.records import QUARANTINE
from samrs.core.shards import read_manifest, write_manifest, write_table
from samrs.export.outlines import path_of
from samrs.label_dataset.label_dataset import label_dataset
from samrs.preview.preview import preview
from tests.commands.calls import call, refused
from tests.datasets import by_hand
from tests.export.releases import instance, masks, tile, write_release
from tests.label_dataset.test_label_dataset import ASKED

HOSTILE = '<script>alert("x")</script>&\'</style>'


class Page(HTMLParser):
    """Tags of a page, and the text outside scripts and styles."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._within = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within not in ("script", "style"):
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Four instances of two classes with known qualities."""
    found = masks()
    rows = [
        instance(name, "a__0_0", label, found[name], quality=quality, visible=1.0)
        for name, label, quality in (
            ("box", 0, 0.9), ("hole", 0, 0.3), ("parts", 1, 0.6), ("edge", 1, 0.2),
        )
    ]  # fmt: skip
    tiles = [tile("a__0_0", "train"), tile("b__0_0", "val")]
    return write_release(tmp_path / "release" / "hand", tiles=tiles, rows=rows)


def test_the_page_holds_numbers_classes_and_every_instance_worst_first(
    release: Path, tmp_path: Path
) -> None:
    about = preview(release, tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert (about["instances"], about["shown"]) == (4, 4)
    assert about["bytes"] == (tmp_path / "page.html").stat().st_size
    shown = [figure for figure in page.all("figure") if figure["class"] == "card"]
    assert [card["data-quality"] for card in shown] == ["0.2000", "0.3000", "0.6000", "0.9000"]
    assert [card["data-name"] for card in shown] == ["ship", "plane", "ship", "plane"]
    for said in ("instances 4", "mean quality 0.50", "below one half 50.0 %", "All 4 instances"):
        assert said in page.words
    assert "Without an instance: harbor" in page.words
    assert "Not known here: a release does not carry" in page.words


def test_nothing_is_fetched_and_only_the_pages_own_script_may_run(
    release: Path, tmp_path: Path
) -> None:
    preview(release, tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    for _, attrs in page.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            value = attrs.get(name)
            assert value is None or value.startswith(("data:image/jpeg;base64,", "#")), value
        assert not [name for name in attrs if name.startswith("on")]
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "@import" not in text
    assert "url(" not in text
    (policy,) = [m["content"] for m in page.all("meta") if m.get("http-equiv")]
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}';" in policy


def test_what_a_dataset_says_is_text(release: Path, tmp_path: Path) -> None:
    manifest = read_manifest(release)
    hostile = {"categories": [HOSTILE, "ship", "harbor"], "terms": HOSTILE, "subset": HOSTILE}
    write_manifest(release, {k: v for k, v in {**manifest, **hostile}.items() if k != "files"})
    preview(release, tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert page.words.count(HOSTILE) >= 4


def test_a_page_is_bounded_and_says_how_its_sample_was_chosen(
    release: Path, tmp_path: Path
) -> None:
    about = preview(release, tmp_path / "page.html", instances=2)
    page = Page(tmp_path / "page.html")
    assert about["shown"] == 2
    assert "2 of 4 instances: of each class equally many" in page.words
    shown = [figure["data-quality"] for figure in page.all("figure")]
    assert shown == ["0.2000", "0.3000"]
    again = tmp_path / "again.html"
    preview(release, again, instances=2)
    assert again.read_bytes() == (tmp_path / "page.html").read_bytes()


def test_a_path_is_short_and_closed() -> None:
    assert path_of([np.array([[0.0, 1.26], [10, 2]]), np.array([[1.5, 2.0]])]) == (
        "M0 1.3 10 2ZM1.5 2Z"
    )


def test_what_was_set_aside_is_found_beside_a_release_of_samrs_label(tmp_path: Path) -> None:
    by_hand.coco(tmp_path / "in")
    (tmp_path / "in" / "images" / "b.jpg").write_bytes(b"no image")
    asked = {**ASKED, "max_quarantined": 0.5}
    label_dataset("coco", tmp_path / "in", tmp_path / "out", **asked)
    preview(tmp_path / "out" / "release" / "mine", tmp_path / "page.html")
    words = Page(tmp_path / "page.html").words
    assert "1 × image does not decode" in words
    assert "All are in set_aside.csv" in words
    shutil.move(tmp_path / "out" / "release" / "mine", tmp_path / "alone")
    preview(tmp_path / "alone", tmp_path / "page.html")
    assert "Not known here" in Page(tmp_path / "page.html").words


def test_what_was_set_aside_is_found_in_the_pipelines_data(release: Path, tmp_path: Path) -> None:
    dataset = read_manifest(release)["dataset"]
    normalized = tmp_path / "normalize" / dataset
    row = {"source_file": "a.txt", "source_line": 3, "reason": "no area", "detail": "a.txt:3: <b>"}
    write_table(normalized, "quarantine", QUARANTINE, [row] * 5)
    write_manifest(normalized, {"product": "normalize", "dataset": dataset})
    preview(release, tmp_path / "page.html")
    words = Page(tmp_path / "page.html").words
    assert "5 × no area a.txt:3: <b> a.txt:3: <b> a.txt:3: <b> … and 2 more" in words
    assert f"All are in the table quarantine of normalize/{dataset}" in words


def test_a_release_without_an_instance_says_so(tmp_path: Path) -> None:
    release = write_release(tmp_path / "r", tiles=[tile("a__0_0", "train")], rows=[])
    preview(release, tmp_path / "page.html")
    words = Page(tmp_path / "page.html").words
    assert "No instance was released." in words
    assert "mean quality –" in words


def test_what_is_no_release_is_refused(tmp_path: Path, release: Path) -> None:
    with pytest.raises(MissingInputError):
        preview(tmp_path / "nothing", tmp_path / "page.html")
    (tmp_path / "other").mkdir()
    write_manifest(tmp_path / "other", {"product": "normalize"})
    with pytest.raises(ProductError, match="not a release, got product 'normalize'"):
        preview(tmp_path / "other", tmp_path / "page.html")
    with pytest.raises(ParameterError, match="no picture to show, got 0"):
        preview(release, tmp_path / "page.html", instances=0)
    assert not (tmp_path / "page.html").exists()


def test_the_command_says_what_it_wrote(release: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = call("preview", release, "--out", page, "-n", "3")
    assert done.output == f"{page}: 3 of 4 instances, 0.0 MB\n"
    assert "no manifest" in refused(call("preview", tmp_path, "--out", page))


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium to open the page with")
def test_a_browser_runs_the_page_under_its_own_policy(release: Path, tmp_path: Path) -> None:
    preview(release, tmp_path / "page.html")
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom")
    address = (tmp_path / "page.html").as_uri()
    done = subprocess.run(
        ["chromium", *options, f"--user-data-dir={tmp_path / 'profile'}", address],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert '<body class="live">' in done.stdout
    assert "4 shown" in done.stdout
