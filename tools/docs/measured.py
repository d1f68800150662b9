"""What the last run measured of pre-training, from metrics/ in git, in its place in the docs."""

from __future__ import annotations

import json
from pathlib import Path

from samrs.drawing.tables import probes_sentence, probes_table
from tools.docs.text import ROOT, table

PAGE = ROOT / "docs" / "training.md"
BEGIN, END = "<!-- measured:gains -->", "<!-- /measured:gains -->"


def gains(metrics: Path) -> str:
    """What the probes of each benchmark said, as Markdown.

    Args:
        metrics: folder of what finetune wrote, a JSON file a benchmark.
    """
    parts = []
    for path in sorted(metrics.glob("*.json"), reverse=True):
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["mode"] == "probe":
            shown = probes_table(found["miou"], found["gain"])
            said = probes_sentence(found["miou"], found["gain"], found["draws"])
            parts.append(f"**{path.stem}**, {found['tested']} tested tiles. {said}")
            parts += [table(shown.head, shown.rows)] if shown.rows else []
    return "\n\n".join(parts)


def filled(page: str, text: str) -> str:
    """A page with the text in its place.

    Args:
        page: Markdown that has both lines.
        text: Markdown.

    Raises:
        ValueError: it has not.
    """
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"{PAGE}: no place for gains, got no lines {BEGIN} and {END}; add them")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def page() -> str:
    """``docs/training.md`` with the gains of the committed metrics."""
    return filled(PAGE.read_text(encoding="utf-8"), gains(ROOT / "metrics" / "finetune"))
