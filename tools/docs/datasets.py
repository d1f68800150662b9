"""The page of the datasets, from ``samrs/datasets``: cards, classes, terms, official files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from samrs.core import axis
from samrs.download.editions import DATASETS, edition_of
from samrs.fetch.source import Source
from samrs.weights.models import models
from tools.docs.text import paragraphs, table


def _files(sources: Iterable[Source]) -> str:
    """A table of official files."""
    rows = [
        (
            f"`{source.file}`",
            f"{source.size:,}" if source.size else "not published",
            f"`{source.checksum.replace(':', ' ')}`" if source.checksum else "of first use",
            "fetched" if source.urls else "put there by you",
            f"[page]({source.page})",
        )
        for source in sources
    ]
    return table(("file", "bytes", "checksum", "how it comes", "where from"), rows)


def _official(name: str) -> Iterator[str]:
    """Terms and files of each edition of a dataset."""
    other = getattr(axis.load(DATASETS, name, "sources"), "EDITIONS", {})
    for edition in (None, *other):
        about = edition_of(name, edition)
        title = "Official files" if edition is None else f"`edition: {edition}`"
        none = "" if about.sources else " No files: users bring their own."
        yield f"**{title}.** Terms: {about.terms}.{none}"
        if about.sources:
            yield _files(about.sources)


def _dataset(name: str) -> str:
    read = axis.load(DATASETS, name, "read")
    parts = [f"## {name}", paragraphs(read.__doc__ or "")]
    if read.CATEGORIES:
        classes = ", ".join(f"`{category}`" for category in read.CATEGORIES)
        parts.append(f"**{len(read.CATEGORIES)} classes**, in the order of their ids: {classes}.")
    else:
        parts.append("**Classes**: those that the files name.")
    if name in axis.names(DATASETS, "sources"):
        parts += _official(name)
    if name in axis.names(DATASETS, "demo"):
        demo = paragraphs(axis.load(DATASETS, name, "demo").__doc__ or "")
        parts.append(f"**Demo.** {demo}")
    return "\n\n".join(parts)


def page() -> str:
    """``docs/reference/datasets.md``."""
    names = axis.names(DATASETS)
    rows = []
    for name in names:
        title = paragraphs(axis.load(DATASETS, name, "read").__doc__ or "").split("\n\n")[0]
        parts = [p for p in ("sources", "demo") if name in axis.names(DATASETS, p)]
        rows.append((f"[`{name}`](#{name})", title.rstrip(":."), ", ".join(["read", *parts])))
    intro = (
        "Each is a folder of `samrs/datasets/`: `read.py` reads the official layout, `sources.py` "
        "has terms and official files, `demo.py` draws scenes in it. Where files go and how "
        "they come: [datasets](../datasets.md). How to add one: "
        "[contributing](../contributing.md#a-dataset)."
    )
    weights = (
        "What each model is, answers and costs: [models](models.md). `nano` is in the package and "
        "needs no download."
    )
    published = [one.weights for one in models() if isinstance(one.weights, Source)]
    parts = [
        "# Datasets and weights",
        intro,
        table(("dataset", "what", "files"), rows),
        *map(_dataset, names),
        "## Weights of models",
        weights,
        _files(published),
    ]
    return "\n\n".join(parts) + "\n"
