"""The command ``samrs export``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from samrs.commands.options import FOLDER, NEW_FOLDER, readable, telling
from samrs.core import axis


@click.command("export")
@click.argument("format", type=click.Choice(axis.names("samrs.export.formats")))
@click.argument("release", type=FOLDER)
@click.argument("out", type=NEW_FOLDER)
@click.option("-s", "--splits", multiple=True, help="A split to export, repeatable; else all.")
@click.option("-c", "--classes", multiple=True, help="A class to export, repeatable; else all.")
@click.option("--no-images", is_flag=True, help="Leave the pixels out.")
@click.option("--masks", type=click.Choice(["rle", "polygon"]), help="coco: how to write masks.")
@click.option(
    "--boxes",
    type=click.Choice(["annotated", "mask"]),
    help="Whose the main box is; yolo_obb: annotated without it, other formats: the mask's.",
)
@click.option("--simplify", type=click.FloatRange(min=0), help="Px that an outline may move.")
@click.option("--taken", metavar="TIME", help="stac: when pictures were taken; or FROM/TO.")
@click.option(
    "--level",
    type=click.Choice(["tile", "scene"]),
    help="Each tile, or each scene whole; else as is usual for the format.",
)
@click.option("--force", is_flag=True, help="Replace an earlier export.")
@telling
def command(
    format: str,
    release: Path,
    out: Path,
    splits: tuple[str, ...],
    classes: tuple[str, ...],
    no_images: bool,
    level: str | None,
    force: bool,
    **options: Any,
) -> None:
    """Write a release in the format of another tool.

    OUT is a folder, new or empty. What was exported, and what the format lost, is printed and
    stands in OUT/export.json.

    \b
    samrs export coco data/release/sota out/sota-coco
    samrs export yolo_seg data/release/sota out/ships --splits train --classes ship
    samrs export coco data/release/sota out/polygons --masks polygon
    """
    from samrs.core.shards import json_text
    from samrs.export.export import export

    with readable(release):
        about = export(
            format,
            release,
            out,
            splits=splits or None,
            classes=classes or None,
            images=not no_images,
            level=level,
            force=force,
            **{name: value for name, value in options.items() if value is not None},
        )
    click.echo(json_text(about["summary"], indent=2))
