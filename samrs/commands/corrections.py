"""The commands ``samrs corrections``: labelling tools, answers to clicks, what does not fit."""

from __future__ import annotations

from pathlib import Path

import click

from samrs.commands.options import FOLDER, NEW_FOLDER, telling
from samrs.core import axis
from samrs.core.jobs import DEVICES


@click.group("corrections")
def command() -> None:
    """Take a release to a labelling tool and back; answer clicks; list conflicts."""


TOOL = click.argument("tool", type=click.Choice(axis.names("samrs.exchange.tools")))


TO = click.option(
    "--to",
    type=FOLDER,
    show_default="corrections/<dataset> beside the folder of releases",
    help="Folder of corrections.",
)


@command.command("export")
@TOOL
@click.argument("release", type=FOLDER)
@click.option("--out", type=NEW_FOLDER, required=True, help="A new folder.")
@click.option("--no-images", is_flag=True, help="Leave the pictures out.")
@telling
def export(tool: str, release: Path, out: Path, no_images: bool) -> None:
    """Write a release for a labelling tool, each mask with its id.

    \b
    samrs corrections export cvat data/release/sota --out sota_cvat
    """
    from samrs.exchange import exchange

    told = exchange.export(tool, release, out, images=not no_images)
    click.echo(f"{out}: {told.images} images with {told.masks} masks for {tool}")
    click.echo(
        f"On the way through the tool may be lost: {told.loses}. {told.holes} of the masks have "
        f"holes, {told.parts} several parts."
    )


@command.command("import")
@TOOL
@click.argument("release", type=FOLDER)
@click.argument("path", type=FOLDER)
@TO
@click.option(
    "--deleted",
    type=click.Choice(("reject", "keep")),
    default="reject",
    show_default=True,
    help="What an object is that its image has no more.",
)
@telling
def take_back(tool: str, release: Path, path: Path, to: Path | None, deleted: str) -> None:
    """Turn what was changed in a tool into corrections of the release that was exported.

    Masks that nobody touched are recognised and are none. PATH is what the tool wrote.

    \b
    samrs corrections import cvat data/release/sota annotations.xml
    """
    from samrs.corrections.places import places
    from samrs.exchange import exchange
    from samrs.verify.refusal import listed_release

    listed_release(release)
    folder = to or places(release).corrections
    counts = exchange.take_back(tool, release, path, folder, deleted=deleted)
    told = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items())
    click.echo(f"{folder}: {told}")


@command.command("answer")
@click.argument("release", type=FOLDER)
@TO
@click.option("--device", type=click.Choice(DEVICES), default="auto", help="Answers clicks.")
@telling
@click.pass_context
def answer(ctx: click.Context, release: Path, to: Path | None, device: str) -> None:
    """Answer clicks that were written into clicks.jsonl by a person or a script.

    The segmenter that the release was made with is asked once for each; answers that are there
    stay. Ends with status 1 where one has no answer.

    \b
    samrs corrections answer data/release/sota
    """
    from samrs.arithmetic import instructions
    from samrs.corrections.places import places
    from samrs.review.answering import answer_clicks
    from samrs.verify.refusal import listed_release

    manifest = listed_release(release)
    instructions.begin(str(manifest.get("precision", instructions.PORTABLE)))
    folder = to or places(release).corrections
    found = answer_clicks(release, folder, device)
    for instance, tile, why in found.left:
        click.echo(f"{folder}: {instance} in {tile}: {why}")
    click.echo(f"{folder}: {found.answered} clicks answered, {len(found.left)} without an answer")
    if found.left:
        ctx.exit(1)


@command.command("check")
@click.argument("releases", nargs=-1, required=True, type=FOLDER)
@click.option("--strict", is_flag=True, help="End with status 1 where one does not fit.")
@click.pass_context
def check(ctx: click.Context, releases: tuple[Path, ...], strict: bool) -> None:
    """List the corrections that releases could not apply, and why.

    \b
    samrs corrections check data/release/* --strict
    """
    from samrs.core.shards import has_table, read_table
    from samrs.verify.refusal import listed_release

    number = 0
    for release in releases:
        listed_release(release)
        if has_table(release, "conflicts"):
            for row in read_table(release, "conflicts").to_pylist():
                number += 1
                click.echo(
                    f"{release}: {row['file']}: {row['instance_id']} in {row['tile_id']}: "
                    f"{row['kind']}: {row['detail']}"
                )
    click.echo(f"{number} corrections do not fit")
    if strict and number:
        ctx.exit(1)
