"""The command ``samrs check``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("check")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Check params.yaml of this checkout before anything runs.

    Every section is checked against the stage that reads it, every name against what there is. The
    exit status is 1 where something is wrong.
    """
    from samrs.check.remotes import placeholder
    from samrs.check.schema import faults

    here = Path()
    wrong = faults(here)
    for sentence in wrong:
        click.echo(f"error: {sentence}", err=True)
    if name := placeholder(here):
        click.echo(
            f"note: no server has the data yet, got a placeholder as address of the DVC remote "
            f"{name}; `dvc pull` needs an address; make release writes one, or run "
            f"dvc remote modify --local {name} url ADDRESS"
        )
    if wrong:
        ctx.exit(1)
    click.echo("params.yaml: valid")
