"""Links and paths of the Markdown lead somewhere."""

from __future__ import annotations

from pathlib import Path

from tools.docs.links import broken, broken_in_site


def test_no_link_of_the_repository_is_broken() -> None:
    assert broken() == []


def test_broken_links_are_named(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n", encoding="utf-8")
    (tmp_path / "docs" / "a.md").write_text("# A page\n\n## Two words\n", encoding="utf-8")
    (tmp_path / "README.md").write_text(
        "[good](docs/a.md#two-words) [page](docs/b.md) [heading](docs/a.md#three) `samrs/no.py`\n"
        "```\n[in a block](nowhere.md)\n```\n[`[`](https://example.org/x)\n",
        encoding="utf-8",
    )
    assert broken(tmp_path) == [
        "README.md: no such file, got docs/b.md",
        "README.md: no such heading, got docs/a.md#three",
        "README.md: no such file in this repository, got `samrs/no.py`",
    ]


def test_broken_links_of_built_pages_are_named(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "index.html").write_text(
        '<h1 id="top"></h1><a href="#top"></a><a href="b/#here"></a><a href="b/#there"></a>'
        '<img src="no.png"><a href="https://example.org/no"></a>',
        encoding="utf-8",
    )
    (tmp_path / "b" / "index.html").write_text('<a id="here" href="../"></a>', encoding="utf-8")
    assert broken_in_site(tmp_path) == ["index.html: b/#there", "index.html: no.png"]
