"""A review as Markdown: gate, parameters, metrics by file, plots; what is long is folded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from samrs.check.values import Plain
from samrs.drawing.markdown import NONE, code, folded, number, table
from tools.review.commits import Commit
from tools.review.review import Review

COMMENT_LENGTH = 65_000
"""GitHub takes comments of 65,536 characters."""

ADVICE = (
    "Mend the change and run `dvc repro`. Where a loss is meant, raise the metric's tolerance "
    "under `guard` in `params.yaml` in this pull request and say why, so that the reviewer agrees "
    "to it; where a metric is gone on purpose, remove its entry."
)
SHORTENED = "_Shortened: the summary of the job that compared them has all of it._"


@dataclass(frozen=True)
class _Part:
    """A piece of the text; of long text the longest bodies are left out first.

    Args:
        title: Markdown above it.
        body: a table.
        summary: plain words that the table is folded below; empty where it stands open.
    """

    title: str
    body: str = ""
    summary: str = ""

    @property
    def text(self) -> str:
        """The part as Markdown."""
        body = folded(self.summary, self.body) if self.summary and self.body else self.body
        return "\n\n".join(filter(None, (self.title, body or self.summary)))


def _is_number(value: Plain) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(values: Mapping[str, Plain], name: str) -> str:
    """A value as a cell; a dash where there is none."""
    value = values.get(name, NONE)
    if value is None or isinstance(value, bool):
        return code("null" if value is None else str(value).lower())
    return number(value) if not isinstance(value, str) else code(value) if name in values else value


def _changes(old: Mapping[str, Plain], new: Mapping[str, Plain], kind: str) -> tuple[int, str]:
    """How many values differ, and their table; those that are gone stand last."""
    rows = []
    for name in [*new, *(name for name in old if name not in new)]:
        before, after = old.get(name), new.get(name)
        if before != after or (name in old) != (name in new):
            change = NONE
            if _is_number(before) and _is_number(after):
                change = number(after - before, "+")  # type: ignore[operator]
            rows.append((code(name), _cell(old, name), _cell(new, name), change))
    return len(rows), table((kind, "old", "new", "change"), rows, 3)


def _gate(review: Review) -> list[_Part]:
    """The guarded metrics, those that fail first; folded where none does."""
    rows = [
        (
            code(f"{v.guard.path} {v.guard.name}"),
            *(NONE if x is None else number(x) for x in (v.old, v.new, v.worse_by)),
            number(v.guard.tolerance),
            "" if v.passed else "**gone**" if v.new is None else "**worse**",
        )
        for v in sorted(review.verdicts, key=lambda verdict: verdict.passed)
    ]
    body = table(("guarded metric", "old", "new", "worse by", "tolerance", ""), rows, 4)
    count, failed = len(rows), len(review.failed)
    if failed:
        gate = _Part(f"**Gate failed**: {failed} of {count} guarded metrics. {ADVICE}", body)
    else:
        gate = _Part("**Gate passed**", body, f"{count} guarded metrics are within tolerance")
    names = ", ".join(code(name) for name in review.unguarded)
    title = "No longer guarded, which the reviewer must agree to:"
    return [gate, *[_Part(title, names)] * bool(names)]


def _metrics(review: Review) -> list[_Part]:
    parts = []
    for path in sorted({*review.old.metrics, *review.new.metrics}):
        old, new = (side.metrics.get(path, {}) for side in (review.old, review.new))
        count, body = _changes(old, new, "metric")
        if count:
            summary = f"{count} of {len({*old, *new})} values changed"
            parts.append(_Part(f"#### {code(path)}", body, summary))
    return parts or [_Part("No metric changed.")]


def _plots(review: Review, repository: str | None) -> list[_Part]:
    """Plots as links into the two commits: nothing is uploaded."""

    def image(path: str, side: Commit) -> str:
        link = f"https://github.com/{repository}/blob/{side.revision}/{quote(path)}?raw=true"
        return f'<img width="400" src="{link}">' if repository and path in side.plots else NONE

    old, new = review.old, review.new
    paths = sorted({*old.plots, *new.plots})
    changed = [path for path in paths if old.plots.get(path) != new.plots.get(path)]
    rows = [(code(path), image(path, old), image(path, new)) for path in changed]
    return [_Part("### Plots", table(("plot", "before", "after"), rows))] if rows else []


def render(review: Review, repository: str | None = None, longest: int | None = None) -> str:
    """The review as Markdown.

    Args:
        review: the comparison.
        repository: ``owner/name`` that the plots are linked from, None for their names only.
        longest: characters; the longest tables are left out until it fits, and it says so.
    """
    count, parameters = _changes(review.old.parameters, review.new.parameters, "parameter")
    parts = [
        _Part(
            f"## What this changes\n\n`{review.old.revision[:10]}` → `{review.new.revision[:10]}`"
        ),
        *_gate(review),
        _Part("### Parameters", parameters if count else "No parameter changed."),
        _Part("### Metrics"),
        *_metrics(review),
        *_plots(review, repository),
    ]
    text = "\n\n".join(part.text for part in parts)
    if longest is None or len(text) < longest:
        return f"{text}\n"
    room = longest - len(SHORTENED) - 3
    while len(text) > room and any(part.body for part in parts):
        place = max(range(len(parts)), key=lambda place: len(parts[place].body))
        parts[place] = replace(parts[place], body="")
        text = "\n\n".join(part.text for part in parts)
    kept = text if len(text) <= room else text[:room].rpartition("\n")[0]
    return f"{kept}\n\n{SHORTENED}\n"
