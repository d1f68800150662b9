"""The command ``samrs models``."""

from __future__ import annotations

import click


@click.command("models")
def command() -> None:
    """List the models that make masks: licence, what they answer, what they cost.

    A model is named as params.yaml has it (model, with its segmenter), or with --model.
    """
    from samrs.weights.listing import describe

    click.echo(describe())
