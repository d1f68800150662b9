"""The command ``samrs preview``."""

from __future__ import annotations

from pathlib import Path

import click

from samrs.commands.options import COUNT, FOLDER, NEW_FILE, readable, telling


@click.command("preview")
@click.argument("release", type=FOLDER)
@click.option("--out", type=NEW_FILE, required=True, help="The page, an HTML file.")
@click.option(
    "-n", "--instances", type=COUNT, default=1000, show_default=True, help="Pictures at most."
)
@telling
def command(release: Path, out: Path, instances: int) -> None:
    """Write a page to look at a release: numbers, and its instances, the worst first.

    The page is one file that fetches nothing: open it in any browser, send it to anybody who may
    see the images. The numbers are of the whole release; pictures are of the worst instances of
    all, and of equally many of each class, from its worst to its best. They are filtered, sorted
    and opened in the page, and each has an address.

    \b
    samrs preview data/release/sota --out sota.html
    samrs preview masks/release/mine --out mine.html --instances 2000
    """
    from samrs.preview.preview import preview

    with readable(release):
        about = preview(release, out, instances=instances)
    megabytes = about["bytes"] / 1e6
    click.echo(f"{out}: {about['shown']} of {about['instances']} instances, {megabytes:.1f} MB")
