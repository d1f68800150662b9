"""The command ``samrs fit-quality``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from samrs.commands.options import COUNT, NEW_FILE, computing


@click.command("fit-quality")
@click.option("--out", type=NEW_FILE, required=True, help="File of the fitted estimate, JSON.")
@click.option(
    "--scenes", type=COUNT, show_default="as the bundled one", help="Scenes to draw and label."
)
@computing("threads")
def command(out: Path, scenes: int | None, runtime: Mapping[str, Any]) -> None:
    """Fit the estimate of a mask's quality on procedural scenes.

    Networks compute on the CPU: the same command gives the same bytes on one machine.

    \b
    samrs fit-quality --out samrs/models/quality.json
    """
    from tempfile import TemporaryDirectory

    from samrs.core.shards import json_text
    from samrs.fit_quality.fit_quality import SCENES, fit_scenes, write_quality

    with TemporaryDirectory() as work:
        model = fit_scenes(scenes or SCENES, Path(work), {**runtime, "device": "cpu"})
    write_quality(out, model)
    click.echo(json_text(model["about"]["held_out"]))
