"""Broken links: in the Markdown of the repository, and in the built pages.

    python -m tools.docs.links

names every relative link of a Markdown page whose file or heading is not there, and every path of
this repository in a code span that does not exist. Anchors must be the same on GitHub and in the
built pages, which cut headings a little differently.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.docs.text import ROOT

LINK = re.compile(r"\]\(([^()\s]+(?:\([^()\s]*\))?)(?: \"[^\"]*\")?\)")
SPAN = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"(?:samrs|stages|tests|tools|benchmarks|examples|docs|models)/[\w./-]*\w/?")
HISTORY = ("docs/pull-request-example.md",)
"""Pages that show what a command printed once."""


def pages(root: Path = ROOT) -> list[Path]:
    """The Markdown pages of a repository."""
    return [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").rglob("*.md"))]


def prose(text: str) -> str:
    """Markdown without its fenced blocks."""
    return FENCE.sub("", text)


def links(text: str) -> Iterator[str]:
    """The targets of a page's links and pictures."""
    for match in LINK.finditer(SPAN.sub("", prose(text))):
        yield match[1]


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that the headings of a page have on GitHub and in the built pages."""
    text = prose(page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#{1,6} +(.+?) *#*$", text, re.MULTILINE)
    plain = [re.sub(r"`|\*\*|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    built = {re.sub(r"[-\s]+", "-", _word(heading)) for heading in plain}
    on_github = {_word(heading).replace(" ", "-") for heading in plain}
    return frozenset(built & on_github)


def _word(heading: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[^\w\s-]", "", ascii_only).strip().lower()


def broken(root: Path = ROOT) -> list[str]:
    """What is wrong with the links and paths of a repository's Markdown, a line each."""
    found = []
    for page in pages(root):
        text, name = page.read_text(encoding="utf-8"), page.relative_to(root).as_posix()
        for link in links(text):
            if fault := _fault(page, link):
                found.append(f"{name}: {fault}, got {link}")
        if name in HISTORY:
            continue
        for span in SPAN.findall(prose(text)):
            if OURS.fullmatch(span) and not _exists(root, span):
                found.append(f"{name}: no such file in this repository, got `{span}`")
    return found


def _exists(root: Path, path: str) -> bool:
    """Whether a path is there; a release makes the cards."""
    return (root / path).exists() or path.startswith("docs/cards")


def _fault(page: Path, link: str) -> str | None:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
    if not target.exists():
        return "no such file"
    if parts.fragment and parts.fragment not in anchors(target):
        return "no such heading"
    return None


class _Page(HTMLParser):
    """The addresses and anchors of a built page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value and tag != "base":
                self.addresses.append(value)


def broken_in_site(site: Path) -> list[str]:
    """The links of built pages that lead nowhere, a line each.

    Args:
        site: folder of the built pages; links to other sites are not followed.
    """
    built = {
        page.resolve(): _Page(page.read_text(encoding="utf-8")) for page in site.rglob("*.html")
    }
    found = []
    for page, content in built.items():
        if page.name == "404.html":
            continue  # its addresses begin at the server's root
        for address in content.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
            target = target / "index.html" if target.is_dir() else target
            missing = parts.fragment and (
                target in built and unquote(parts.fragment) not in built[target].anchors
            )
            if not target.exists() or missing:
                found.append(f"{page.relative_to(site.resolve())}: {address}")
    return found


def main() -> int:
    """Print what is broken; 1 where something is."""
    faults = broken()
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
