"""The site: where links to files of the repository lead, and that it builds."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from tools.docs.site import address, modules, rewritten
from tools.docs.text import ROOT


def test_every_page_is_in_the_navigation() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    named = {
        page
        for entry in nav
        for pages in entry.values()
        for item in ([pages] if isinstance(pages, str) else pages)
        for page in ([item] if isinstance(item, str) else item.values())
    }
    docs = ROOT / "docs"
    written = {p.relative_to(docs).as_posix() for p in docs.rglob("*.md")}
    decisions = {p for p in written if p.startswith("decisions/") and p != "decisions/index.md"}
    assert named == (written - decisions) | {"changelog.md", "api/index.md"}


def test_files_of_the_repository_have_a_place() -> None:
    assert address("CHANGELOG.md") == "changelog.md"
    assert address("samrs/core/rle.py") == "api/core.md#samrs.core.rle"
    assert address("params.yaml") == "files/params.yaml"
    assert address("examples/newcomer.py") == "files/examples/newcomer.py.txt"


def test_links_are_rewritten_from_where_the_page_is() -> None:
    source = ROOT / "docs" / "models" / "nano.md"
    text = "[a](../quality.md#recipes) [b](../../params.yaml) [c](https://x.example) [d](#scores)"
    pieces = list(rewritten(text, source, "models/nano.md"))
    assert "".join(piece for piece, _ in pieces) == (
        "[a](../quality.md#recipes) [b](../files/params.yaml) [c](https://x.example) [d](#scores)"
    )
    assert [file for _, file in pieces if file] == [ROOT / "params.yaml"]


def test_every_module_with_code_is_in_the_api() -> None:
    found = {module for names in modules().values() for module in names}
    assert "samrs.core.rle" in found
    assert "samrs.core" not in found
    assert len(found) > 150


@pytest.mark.slow
def test_the_site_builds_without_a_broken_link() -> None:
    done = subprocess.run(["make", "site"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "griffe:" not in done.stderr, "a docstring names what its function does not take"
    assert (ROOT / "site" / "index.html").is_file()
    page = (ROOT / "site" / "api" / "datasets.html").read_text(encoding="utf-8")
    assert "Layout read:" in page
    assert "Layout read::" not in page
