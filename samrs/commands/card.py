"""The command ``samrs card``."""

from __future__ import annotations

from pathlib import Path

import click

from samrs.commands.options import FOLDER, readable


@click.command("card")
@click.argument("release", type=FOLDER)
def command(release: Path) -> None:
    """Print the data card of a release.

    It is Markdown with a YAML header, as Hugging Face shows it.

    \b
    samrs card data/release/sota > CARD.md
    """
    from samrs.card import card

    with readable(release):
        text = card(release)
    click.echo(text, nl=False)
