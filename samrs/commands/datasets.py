"""The command ``samrs datasets``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from samrs.core import axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samrs.fetch.source import Edition, Source

AXIS = "samrs.datasets"
YOURS = "yours"
HEAD = ("format", "classes", "subset", "demo", "origin", "official files", "terms")


@click.command("datasets")
@click.argument("names", nargs=-1, type=click.Choice(axis.names(AXIS)))
def command(names: tuple[str, ...]) -> None:
    """List the datasets that are read, their terms and their official files.

    With NAMES every official file of these is listed, with its size and checksum where the
    publisher gives them. The names are what datasets.<name>.format may be in params.yaml.
    """
    from samrs.drawing.tables import aligned

    if names:
        click.echo("\n\n".join(_details(name) for name in names))
        return
    rows = [row for name in axis.names(AXIS) for row in _rows(name)]
    click.echo(aligned([HEAD, *rows], texts=True))


def _rows(name: str) -> list[Sequence[str]]:
    """The lines of a dataset in the table: the usual edition, then the others."""
    read = axis.load(AXIS, name, "read")
    usual, *others = _editions(name)
    demo = "yes" if name in axis.names(AXIS, "demo") else "no"
    classes = str(len(read.CATEGORIES) or YOURS)
    first = (name, classes, read.SUBSET or "-", demo, *_origin(usual[1]))
    return [first, *((f"  {key}", "", "", "", *_origin(edition)) for key, edition in others)]


def _editions(name: str) -> list[tuple[str, Edition]]:
    """The editions of a dataset by name, the usual one first, as ``usual``."""
    from samrs.download.editions import edition_of
    from samrs.fetch.source import Edition

    if name not in axis.names(AXIS, "sources"):
        return [("usual", Edition("as the owner of the data says", ()))]
    others = getattr(axis.load(AXIS, name, "sources"), "EDITIONS", {})
    return [("usual", edition_of(name, None)), *others.items()]


def _origin(edition: Edition) -> tuple[str, str, str]:
    from urllib.parse import urlsplit

    sources = edition.sources
    if not sources:
        return YOURS, "none", edition.terms
    hosts = dict.fromkeys(urlsplit(source.page).netloc for source in sources)
    return ", ".join(hosts), f"{len(sources)}, {_size(sources)}", edition.terms


def _size(sources: Sequence[Source]) -> str:
    """Bytes of all files together, as far as they are published."""
    known = [source.size for source in sources if source.size is not None]
    if not known:
        return "sizes not published"
    size = f"{sum(known):,} bytes"
    return size if len(known) == len(sources) else f"{len(known)} of them {size}"


def _details(name: str) -> str:
    read = axis.load(AXIS, name, "read")
    lines = [f"{name}: {(read.__doc__ or '').splitlines()[0]}"]
    for key, edition in _editions(name):
        lines.append(f"  {key}: {edition.terms}")
        lines += [f"    {source}" for source in edition.sources]
        lines += [] if edition.sources else ["    no official files: any folder of yours"]
    return "\n".join(lines)
