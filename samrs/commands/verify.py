"""The command ``samrs verify``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from samrs.commands.options import FOLDER, computing


@click.command("verify")
@click.argument("products", nargs=-1, required=True, type=FOLDER)
@click.option("--tiles", type=FOLDER, help="Tiles that the masks of a sam_label product are of.")
@computing("threads")
@click.pass_context
def command(
    ctx: click.Context, products: tuple[Path, ...], tiles: Path | None, runtime: Mapping[str, Any]
) -> None:
    """Check products: files, tables, ids, masks, label maps, counts.

    PRODUCTS are folders with a manifest.json. A sound one is told in a line; of others the findings
    are counted by kind and the first ten named, and the exit status is 1.

    \b
    samrs verify data/release/* data/normalize/*
    samrs verify data/sam_label/dota --tiles data/normalize/dota
    """
    from samrs.core.parallel import limited_to
    from samrs.verify.verify import Verification

    sound = True
    for product in products:
        check = Verification(product, tiles)
        with limited_to(runtime["threads"]):
            findings = check.run()
        if findings:
            sound = False
            number = sum(findings.counts.values())
            click.echo("\n  ".join([f"{product}: {number} findings", *findings.lines()]))
        else:
            click.echo(f"{product}: sound: {check.summary()}")
    if not sound:
        ctx.exit(1)
