"""Build the site: ``make docs``.

    python -m tools.docs.site

Copies the pages of ``docs/`` to ``.work/site/``, writes the API's pages there, turns links to files
of the repository into links to the API's pages or to copies of the files, has Zensical build them
into ``site/`` (its strict mode), and checks every link and anchor of what was built. Needs the
packages of ``requirements-docs.lock`` only: the library is read, not imported.
"""

from __future__ import annotations

import ast
import posixpath
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.docs.links import LINK, broken, broken_in_site
from tools.docs.text import ROOT, first_sentence, table

STAGE = ROOT / ".work" / "site"
SITE = ROOT / "site"
CHANGELOG = "changelog.md"
API_INTRO = (
    "What each module has for others: functions, classes, their arguments and errors, from the "
    "docstrings. What a package is for: [packages](../reference/packages.md)."
)


def modules() -> dict[str, list[str]]:
    """The dotted names of the library's modules that hold code, by page of the API."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "samrs").rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if not file.name.startswith("__") and file.stat().st_size:
            found.setdefault(parts[1], []).append(".".join(parts))
    return found


def address(path: str) -> str:
    """Where a file of the repository is in the site, from the site's root.

    Args:
        path: from the root of the repository, outside of ``docs/``.
    """
    if path == "CHANGELOG.md":
        return CHANGELOG
    if path == "README.md":
        return "index.md"
    parts = Path(path).with_suffix("").parts
    if path.endswith(".py") and parts[0] == "samrs":
        return f"api/{parts[1]}.md#{'.'.join(parts)}"
    return f"files/{path}.txt" if path.endswith((".py", ".yml")) else f"files/{path}"


def rewritten(text: str, source: Path, page: str) -> Iterator[tuple[str, Path | None]]:
    """A page's text with its links as they are in the site, in pieces, and the files it links to.

    Args:
        text: of the page.
        source: its file, which its links are relative to.
        page: its path in the site.
    """
    end = 0
    for match in LINK.finditer(text):
        target, _, anchor = match[1].partition("#")
        if not target or ":" in target:
            continue
        path = (source.parent / target).resolve().relative_to(ROOT).as_posix()
        inside = path.removeprefix("docs/")
        there = inside if inside != path else address(path)
        link = posixpath.relpath(there, posixpath.dirname(page) or ".")
        yield text[end : match.start(1)] + link + (f"#{anchor}" if anchor else ""), None
        if there.startswith("files/"):
            yield "", ROOT / path
        end = match.end(1)
    yield text[end:], None


def stage() -> None:
    """Write what Zensical builds: pages, pictures, linked files, configuration."""
    shutil.rmtree(STAGE, ignore_errors=True)
    pages = STAGE / "docs"
    shutil.copytree(ROOT / "docs", pages)
    sources = {p: p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    for source, page in (*sources.items(), (ROOT / "CHANGELOG.md", CHANGELOG)):
        text = ""
        for piece, linked in rewritten(source.read_text(encoding="utf-8"), source, page):
            text += piece
            if linked is not None:
                copy = pages / address(linked.relative_to(ROOT).as_posix())
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(linked, copy)
        (pages / page).write_text(text, encoding="utf-8")
    _write_api(pages / "api")
    (STAGE / "mkdocs.yml").write_text(yaml.safe_dump(_configuration()), encoding="utf-8")


def _write_api(folder: Path) -> None:
    folder.mkdir()
    rows = []
    for name, dotted in modules().items():
        blocks = "\n\n".join(f"::: {module}" for module in dotted)
        (folder / f"{name}.md").write_text(f"# {name}\n\n{blocks}\n", encoding="utf-8")
        rows += [(f"[`{m}`]({name}.md#{m})", _first_line(m)) for m in dotted]
    listed = table(("module", "what"), rows)
    (folder / "index.md").write_text(f"# API\n\n{API_INTRO}\n\n{listed}\n", encoding="utf-8")


def _first_line(module: str) -> str:
    file = ROOT / f"{module.replace('.', '/')}.py"
    return first_sentence(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))))


def _configuration() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    handler = next(p for p in values["plugins"] if "mkdocstrings" in p)["mkdocstrings"]
    handler["handlers"]["python"]["paths"] = [str(ROOT)]
    extension = str(ROOT / "tools" / "docs" / "blocks.py")
    handler["handlers"]["python"]["options"]["extensions"] = [extension]
    decisions = sorted(p.name for p in (ROOT / "docs/decisions").glob("*.md"))
    below = {
        "api/index.md": [f"api/{name}.md" for name in modules()],
        "decisions/index.md": [f"decisions/{d}" for d in decisions if d != "index.md"],
    }
    for entry in values["nav"]:
        for title, page in entry.items():
            if isinstance(page, str) and page in below:
                entry[title] = [page, *below[page]]
    return values


def main() -> int:
    """Build the site; 1 where a link is broken or Zensical refuses a page."""
    if faults := broken():
        sys.stderr.write("".join(f"{fault}\n" for fault in faults))
        return 1
    stage()
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=STAGE, check=False)  # noqa: S603
    if done.returncode:
        return done.returncode
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(STAGE / "site", SITE)
    faults = broken_in_site(SITE)
    sys.stderr.write("".join(f"{fault}\n" for fault in faults))
    sys.stdout.write(f"{len(list(SITE.rglob('*.html')))} pages: site/index.html\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
