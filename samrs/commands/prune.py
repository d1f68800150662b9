"""The command ``samrs prune``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("prune")
@click.option("--dry-run", is_flag=True, help="Tell what would be removed, remove nothing.")
def command(dry_run: bool) -> None:
    """Remove what datasets and subsets left that params.yaml no longer names.

    That is their entries in dvc.lock, and outputs that no stage makes any more. What was changed
    since it was made stays and is told. Data stay in DVC's cache: dvc checkout of an older commit
    brings them back.
    """
    from samrs.check.leftovers import leftovers, prune

    root = Path().resolve()
    found, renewed = (leftovers(root), []) if dry_run else prune(root)
    verb = "would remove" if dry_run else "removed"
    for name in found.stages:
        click.echo(f"{verb}: {name} from dvc.lock")
    for path in found.paths:
        click.echo(f"{verb}: {path}")
    for path, why in found.kept.items():
        click.echo(f"kept: {path}, {why}; remove it yourself if nobody needs it")
    for name in renewed:
        click.echo(f"up to date as before: {name}")
    if not (found.stages or found.paths or found.kept):
        click.echo("nothing is left over")
    elif not dry_run:
        click.echo("Next: dvc repro, then commit dvc.lock and metrics/.")
