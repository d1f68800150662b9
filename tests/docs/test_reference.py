"""Pages made from the code are those committed; a decision has its parts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from samrs.commands.group import VERBS
from tools.docs import decisions
from tools.docs.docstrings import arguments
from tools.docs.links import pages
from tools.docs.reference import PAGES
from tools.docs.text import ROOT, first_sentence, paragraphs

DECISIONS = sorted(p for p in decisions.FOLDER.glob("*.md") if p.name != "index.md")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_what_the_code_says(path: str) -> None:
    committed = (ROOT / path).read_text(encoding="utf-8")
    assert committed == PAGES[path](), f"{path} is old: run `make reference` and commit it"


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: str(page.stem))
def test_a_decision_has_date_context_and_decision(page: Path) -> None:
    decisions.head(page)
    headings = [line for line in page.read_text(encoding="utf-8").splitlines() if line[:2] == "##"]
    assert headings[:2] == ["## Context", "## Decision"]
    assert set(headings[2:]) <= {"## Tried", "## Figures"}


def test_a_decision_without_date_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "x.md"
    page.write_text("# X\n\nyesterday, pipeline\n", encoding="utf-8")
    with pytest.raises(ValueError, match="YYYY-MM-DD, AREA"):
        decisions.head(page)


def test_an_announced_block_is_fenced() -> None:
    text = paragraphs("Layout::\n\n    a/\n      b\n\nMore.")
    assert text == "Layout:\n\n```text\na/\n  b\n```\n\nMore."


def test_the_first_sentence_ends_at_a_full_stop() -> None:
    assert first_sentence("COCO's format: one JSON\na split. Ids begin at 1.") == (
        "COCO's format: one JSON a split."
    )


def test_arguments_are_read_with_their_further_lines() -> None:
    docstring = """Do.

    Args:
        a, b: two
            of them.
        c: third.

    Raises:
        d: no argument.
    """
    assert arguments(docstring) == {"a": "two of them.", "b": "two of them.", "c": "third."}
    assert arguments(None) == {}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_exist(page: Path) -> None:
    named = re.findall(r"(?:^|`|\$ )samrs ([a-z][a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
    assert set(named) <= {*VERBS, "verb"}
