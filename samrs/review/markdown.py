"""A review as Markdown: gate, parameters, metrics by stage, plots; what is the same is folded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from samrs.review.cells import NONE, cell, code, folded, number, table
from samrs.review.directions import direction
from samrs.review.guard import Verdict
from samrs.review.review import Picture, Review
from samrs.review.values import Change

COMMENT_LENGTH = 65_000
"""GitHub takes comments of 65,536 characters."""

ROWS = 30
"""Changed metrics of a stage shown at once; the others are folded."""

PICTURES = 24
"""Plots shown."""

ADVICE = (
    "Mend the change and run `dvc repro`. Where a loss is meant, raise the metric's tolerance "
    "under `guard` in `params.yaml` in this pull request and say why, so that the reviewer agrees "
    "to it; where a metric is gone on purpose, remove its line."
)


@dataclass(frozen=True)
class _Block:
    """A piece of the text; those of the highest rank are left out first when it is too long."""

    text: str
    rank: int = 0


def _sign(change: Change) -> str:
    """The change's way and whether that is better, e.g. ``▲ better``."""
    if change.old is None or change.new is None:
        return "gone" if change.new is None else "new"
    if not change.difference:
        return ""
    worth = direction(change.name) * change.difference
    arrow = "▲" if change.difference > 0 else "▼"
    return f"{arrow} {'better' if worth > 0 else 'worse'}" if worth else arrow


def _changes(changes: Iterable[Change], prefix: str) -> str:
    rows = [
        (
            code(change.name.removeprefix(prefix)),
            cell(change.old),
            cell(change.new),
            number(change.difference, "+"),
            _sign(change),
        )
        for change in changes
    ]
    return table(("metric", "old", "new", "change", ""), rows, 3)


OUTCOMES = {
    "kept": "kept",
    "first": "first seen",
    "missing": "**missing**",
    "worse": "**worse**",
}


def _verdicts(verdicts: Iterable[Verdict]) -> str:
    rows = [
        (
            code(verdict.name),
            number(verdict.old),
            number(verdict.new),
            number(verdict.worse_by),
            number(verdict.tolerance),
            OUTCOMES[verdict.outcome],
        )
        for verdict in verdicts
    ]
    return table(("guarded metric", "old", "new", "worse by", "tolerance", ""), rows, 4)


def _gate(review: Review) -> str:
    """The guarded metrics that fail, with what to do about them; the others folded."""
    kept = [verdict for verdict in review.verdicts if verdict.passed]
    failed = [verdict for verdict in review.verdicts if not verdict.passed]
    count = len(review.verdicts)
    if failed:
        title = f"**Gate failed**: {len(failed)} of {count} guarded metrics."
        parts = [title, _verdicts(failed), ADVICE]
    else:
        parts = [f"**Gate passed**: {count} guarded metrics are within their tolerances."]
    if review.unguarded:
        names = ", ".join(code(name) for name in review.unguarded)
        parts.append(f"No longer guarded, which the reviewer must agree to: {names}.")
    if kept:
        parts.append(folded(f"{len(kept)} guarded metrics are kept", _verdicts(kept)))
    return "\n\n".join(parts)


def _stage(stage: str, changes: Sequence[Change], guarded: set[str]) -> list[_Block]:
    changed = [c for c in changes if c.changed]
    plain = sorted((c for c in changed if not c.detail), key=lambda c: c.name not in guarded)
    details = [c for c in changed if c.detail]
    parts = (
        (1, "", plain[:ROWS]),
        (4, f"{len(plain) - ROWS} more", plain[ROWS:]),
        (5, f"{len(details)} in lists and histograms", details),
    )
    blocks = [_Block(f"#### {code(stage)}: {len(changed)} of {len(changes)} values changed")]
    for rank, title, some in parts:
        if some:
            text = _changes(some, f"{stage}.")
            blocks.append(_Block(folded(title, text) if title else text, rank))
    return blocks


def _plot(picture: Picture, review: Review, repository: str) -> tuple[str, str, str]:
    """The two pictures of a plot, from the two commits themselves: nothing is uploaded."""
    images = [
        f'<img width="400" src="https://github.com/{repository}/blob/{commit}/'
        f'{quote(picture.path)}?raw=true">'
        if there
        else NONE
        for commit, there in ((review.base, picture.before), (review.head, picture.after))
    ]
    return code(picture.path), images[0], images[1]


def _blocks(review: Review, repository: str | None) -> list[_Block]:
    parameters = [c for c in review.parameters if c.changed]
    rows = [(code(c.name), cell(c.old), cell(c.new)) for c in parameters]
    text = table(("parameter", "old", "new"), rows) if rows else "No parameter changed."
    blocks = [
        _Block(f"## What this changes\n\n`{review.base[:10]}` → `{review.head[:10]}`"),
        _Block(_gate(review)),
        _Block("### Parameters"),
        _Block(text, 2),
        _Block("### Metrics"),
    ]
    groups: dict[str, list[Change]] = {stage: [] for stage in review.stages}
    for change in review.metrics:
        groups.setdefault(change.name.split(".")[0], []).append(change)
    guarded = {verdict.name for verdict in review.verdicts}
    for stage, changes in groups.items():
        if any(change.changed for change in changes):
            blocks += _stage(stage, changes, guarded)
    if not any(change.changed for change in review.metrics):
        blocks.append(_Block("No metric changed."))
    if review.pictures and repository is not None:
        plots = [_plot(picture, review, repository) for picture in review.pictures[:PICTURES]]
        more = len(review.pictures) - len(plots)
        note = f"\n\nand {more} more" if more else ""
        text = table(("plot", "before", "after"), plots) + note
        blocks.append(_Block(f"### Plots\n\n{text}", 3))
    elif review.pictures:
        names = ", ".join(code(picture.path) for picture in review.pictures)
        blocks.append(_Block(f"### Plots\n\nChanged: {names}", 3))
    same = [c for c in review.metrics if not c.changed and not c.detail]
    if same:
        values = table(("metric", "value"), [(code(c.name), cell(c.new)) for c in same], 1)
        blocks.append(_Block(folded(f"{len(same)} metrics are unchanged", values), 6))
    return blocks


def render(review: Review, repository: str | None = None, longest: int | None = None) -> str:
    """The review as Markdown.

    Args:
        repository: ``owner/name`` that the pictures are linked from, None for their names only.
        longest: characters; folded parts are left out until it fits, and it says so.
    """
    blocks = _blocks(review, repository)
    short = "_Shortened: the summary of the job that compared them has all of it._"
    cut = False
    while longest is not None and sum(len(b.text) + 2 for b in blocks) + len(short) > longest:
        droppable = [b for b in blocks if b.rank]
        if not droppable:
            return f"{blocks[0].text}\n\n{blocks[1].text}"[: longest - len(short) - 2] + short
        cut = True
        blocks.remove(max(droppable, key=lambda b: (b.rank, len(b.text))))
    return "\n\n".join([*(b.text for b in blocks), *[short] * cut]) + "\n"
