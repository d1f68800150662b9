"""The command ``samrs choose-prompt``."""

from __future__ import annotations

import click


@click.command("choose-prompt")
@click.option("--write", is_flag=True, help="Store the choice, which `prompt: auto` then follows.")
def command(write: bool) -> None:
    """Compare the ablation's choice of a recipe with the stored one.

    Run `dvc repro compare-prompts` first. Nothing is written without --write.
    """
    from samrs.core.shards import json_text, write_json
    from samrs.label.auto import CHOICE, SUMMARY, choice_of, read_choice, read_summary

    choice = choice_of(read_summary(SUMMARY))
    stored = choice if write else read_choice(CHOICE)
    click.echo(f"{SUMMARY}: {json_text(choice)}")
    if write:
        write_json(CHOICE, choice)
        click.echo(f"{CHOICE}: written")
    elif stored == choice:
        click.echo(f"{CHOICE}: the same")
    else:
        click.echo(f"{CHOICE}: {json_text(stored)}")
        click.echo("they differ; `samrs choose-prompt --write` stores the ablation's")
