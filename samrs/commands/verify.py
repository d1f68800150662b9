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
@click.option(
    "--against",
    help="Where their maker wrote down what they are: a dvc.lock, a CHANGELOG.md, or the sha256 of "
    "a manifest.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for what was found sound, e.g. .work/verify: the next run hashes all files again, "
    "but checks the rows only of what changed.",
)
@computing("threads")
@click.pass_context
def command(
    ctx: click.Context,
    products: tuple[Path, ...],
    tiles: Path | None,
    against: str | None,
    keep: Path | None,
    runtime: Mapping[str, Any],
) -> None:
    """Check products: files, tables, ids, masks, label maps, counts.

    PRODUCTS are folders with a manifest.json. A sound one is told in a line; of others the findings
    are counted by kind and the first ten named, and the exit status is 1.

    A folder's manifest vouches for its files, and --against for the manifest: take the dvc.lock or
    the CHANGELOG.md of a tag, or the digest of a release page.

    \b
    samrs verify data/release/* data/normalize/*
    samrs verify data/sam_label/dota --tiles data/normalize/dota
    samrs verify sota --against CHANGELOG.md
    """
    from samrs.core.parallel import limited_to
    from samrs.verify.anchor import read_anchor
    from samrs.verify.verify import Verification

    anchor = read_anchor(against) if against else None
    sound = True
    for product in products:
        check = Verification(product, tiles, anchor, keep)
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
