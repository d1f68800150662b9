"""The command ``samrs add``."""

from __future__ import annotations

from pathlib import Path

import click

from samrs.commands.options import FOLDER, cutting, reader_options, telling
from samrs.core import axis


@click.command("add")
@click.argument("format", type=click.Choice(axis.names("samrs.datasets")), required=False)
@click.argument("folder", type=FOLDER, required=False)
@click.option("--name", help="What the dataset is called from now on; else the folder's name.")
@cutting
@click.option("--remove", metavar="NAME", help="Take a dataset out of params.yaml again.")
@telling
def command(
    format: str | None,
    folder: Path | None,
    name: str | None,
    tile: int | None,
    overlap: int | None,
    val: float,
    options: tuple[str, ...],
    remove: str | None,
) -> None:
    """Add a dataset of your own to params.yaml.

    FOLDER is read where it lies, never copied. It is checked first: what is found and what is set
    aside is told, and nothing is written where it is no dataset of that FORMAT.

    \b
    samrs add coco path/to/folder --name airfields
    samrs add --remove airfields
    """
    from samrs import add

    params = Path("params.yaml")
    if remove is not None:
        if format is not None:
            raise click.UsageError("--remove NAME stands alone.")
        add.remove(params, remove)
        click.echo(
            f"{remove} is out of {params}. Its files stay where they are; samrs prune removes what "
            "the pipeline made of them."
        )
        return
    if format is None or folder is None:
        raise click.UsageError("FORMAT and FOLDER are needed, or --remove NAME.")
    name = name or folder.resolve().name
    told = reader_options(format, options)
    found = add.add(params, format, folder, name, tile=tile, overlap=overlap, val=val, options=told)
    splits = ", ".join(f"{count} {split}" for split, count in sorted(found.splits.items()))
    click.echo(f"{found.scenes} images ({splits}), {found.boxes} boxes, {found.classes} classes")
    for reason, count in found.quarantined.items():
        click.echo(f"set aside: {count} x {reason}")
    click.echo(f"{name} is in {params}. Next:\n\n    dvc repro release@{name}")
