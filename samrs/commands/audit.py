"""The command ``samrs audit``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from samrs.commands.options import COUNT, FOLDER, NEW_FILE, NEW_FOLDER, computing, precision
from samrs.core import axis

DATASETS = click.Choice(axis.names("samrs.datasets"))
RECIPES = (
    "point",
    "hbox",
    "rhbox",
    "rbox",
    "hbox+point",
    "hbox_wide",
    "zoom",
    "two_sizes",
    "soft_rbox",
    "soft_rbox+zoom",
)


def one_each(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a comma list."""
    if lists := [name for name in names if "," in name]:
        each = " ".join(f"--recipes {name}" for name in lists[0].split(","))
        raise click.BadParameter(f"one recipe is allowed, got {lists[0]!r}; repeat it: {each}")
    return names


@click.command("audit")
@click.argument("dataset", type=DATASETS)
@click.argument("folder", type=FOLDER)
@click.option("--out", type=NEW_FOLDER, required=True, help="Folder of tables and pictures.")
@click.option("--truth", type=DATASETS, help="Read FOLDER as this dataset for its true masks.")
@click.option(
    "-r",
    "--recipes",
    multiple=True,
    default=RECIPES,
    show_default=True,
    callback=one_each,
    help="A recipe to ask, repeatable.",
)
@click.option("--fill", type=NEW_FILE, help="Markdown file to put the tables into.")
@click.option("--model", default="nano", show_default=True, help="See samrs models.")
@precision
@click.option("--tile", type=COUNT, show_default="whole images", help="Side of a tile in px.")
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="Px shared by neighbouring tiles.",
)
@click.option("--limit", type=COUNT, show_default="all", help="So many images, evenly spaced.")
@computing("device", "threads", "executor")
def command(
    dataset: str,
    folder: Path,
    out: Path,
    fill: Path | None,
    truth: str | None,
    tile: int | None,
    overlap: int,
    runtime: Mapping[str, Any],
    **given: Any,
) -> None:
    """Measure masks against true ones, on a dataset of your own too.

    FOLDER holds a DATASET in its official layout; see samrs datasets. Tables by recipe, class and
    size, pictures and a page are written below OUT.

    \b
    samrs audit coco FOLDER --recipes hbox --recipes point --out DIR
    samrs audit dota FOLDER --truth isaid --tile 1024 --out DIR
    samrs audit hrsc2016 FOLDER --out DIR --fill docs/quality.md
    """
    from samrs.audit.audit import audit
    from samrs.audit.tables import audit_markdown, audit_text, fill_block, find_block

    name = "+".join(filter(None, (dataset, truth)))
    if fill:
        find_block(fill, name)
    audit(
        dataset,
        folder,
        out,
        truth=truth,
        tile=tile,
        overlap=overlap if tile else 0,
        runtime=runtime,
        **given,
    )
    if fill:
        fill_block(fill, name, audit_markdown(out))
    click.echo(audit_text(out), nl=False)
