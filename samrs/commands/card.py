"""The command ``samrs card``."""

from __future__ import annotations

from pathlib import Path

import click

from samrs.commands.options import FOLDER, readable


@click.command("card")
@click.argument("release", type=FOLDER)
@click.option(
    "--judged",
    type=FOLDER,
    show_default="metrics/review/<dataset>.json of the project, if there",
    help="What samrs review --sample wrote.",
)
def command(release: Path, judged: Path | None) -> None:
    """Print the data card of a release.

    It is Markdown with a YAML header, as Hugging Face shows it.

    \b
    samrs card data/release/sota > CARD.md
    """
    from samrs.card import card
    from samrs.corrections.places import places

    with readable(release):
        text = card(release, judged=judged or places(release).metrics)
    click.echo(text, nl=False)
