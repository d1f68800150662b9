"""The index of the decisions, from their pages."""

from __future__ import annotations

import re
from pathlib import Path

from tools.docs.text import ROOT, table

FOLDER = ROOT / "docs" / "decisions"
AREAS = {
    "pipeline": "The pipeline",
    "ingestion": "Ingestion",
    "labelling": "Labelling",
    "prompts": "Prompts and measurements",
    "quality": "Quality of a mask",
    "nano": "nano",
    "training": "Training",
    "release": "Releases",
    "exports": "Exports",
    "use": "Use",
    "sharing": "Sharing",
    "pull requests": "Pull requests",
    "docs": "Documentation",
}


def head(page: Path) -> tuple[str, str, str]:
    """Title, date and area of a decision's page.

    Raises:
        ValueError: the page does not begin with ``# TITLE``, a blank line and ``DATE, AREA``.
    """
    text = page.read_text(encoding="utf-8")
    found = re.match(r"# (.+)\n\n(\d{4}-\d\d-\d\d), (.+)\n", text)
    if found is None or found[3] not in AREAS:
        raise ValueError(
            f"{page}: no head of a decision, got {text[:60]!r}; '# TITLE', a blank line and "
            f"'YYYY-MM-DD, AREA' are needed, AREA one of {', '.join(AREAS)}; write them"
        )
    return found[1], found[2], found[3]


def page() -> str:
    """``docs/decisions/index.md``."""
    heads = {p: head(p) for p in sorted(FOLDER.glob("*.md")) if p.name != "index.md"}
    parts = [
        "# Decisions",
        "What was decided, when and why, with what was tried and failed: a page each. To add one, "
        "copy a page, then run `make reference`. Measurements that are not the reason of a "
        "decision are in the [log](../log.md).",
    ]
    for area, title in AREAS.items():
        own = sorted((date, name, p.name) for p, (name, date, a) in heads.items() if a == area)
        if own:
            rows = [(date, f"[{name}]({file})") for date, name, file in own]
            parts += [f"## {title}", table(("date", "decision"), rows)]
    return "\n\n".join(parts) + "\n"
