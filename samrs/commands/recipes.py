"""The command ``samrs recipes``."""

from __future__ import annotations

import click


@click.command("recipes")
def command() -> None:
    """List the prompt recipes: what they need, what they cost, what they are.

    A recipe is one of these parts or a sum of them, such as soft_rbox+zoom. Parts with
    sizes take one behind an @: fit@96.
    """
    from samrs.prompting.recipes import describe

    click.echo(describe())
