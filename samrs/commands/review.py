"""The command ``samrs review``."""

from __future__ import annotations

from pathlib import Path

import click

from samrs.commands.options import COUNT, FOLDER, NEW_FILE, NEW_FOLDER, readable, telling
from samrs.core.jobs import DEVICES


@click.command("review")
@click.argument("release", type=FOLDER)
@click.option(
    "--corrections",
    type=NEW_FOLDER,
    show_default="corrections/<dataset> beside the folder of releases",
    help="Where verdicts, clicks and masks are kept.",
)
@click.option("--beside", type=FOLDER, help="Labels or another release to show masks of, too.")
@click.option("--sample", type=COUNT, help="Judge so many masks, drawn at random.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draw."
)
@click.option(
    "--metrics",
    type=NEW_FILE,
    show_default="metrics/review/<dataset>.json of the project",
    help="What the sample says of all masks.",
)
@click.option("--estimate", is_flag=True, help="Write what the sample says, and serve nothing.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="Where the page is served, to this machine alone.",
)
@click.option(
    "--device", type=click.Choice(DEVICES), default="auto", help="Where clicks are answered."
)
@telling
def command(
    release: Path,
    corrections: Path | None,
    beside: Path | None,
    sample: int | None,
    seed: int,
    metrics: Path | None,
    estimate: bool,
    port: int,
    device: str,
) -> None:
    """Look at a release's masks in a browser, judge and mend them.

    The page is served to this machine alone; open the address that is printed. What is said of
    masks is kept as it is said, and the next release applies it: dvc repro, or samrs label --force.

    \b
    samrs review data/release/sota
    samrs review data/release/sota --sample 200 --seed 7
    samrs review data/release/sota --beside other/release/sota
    """
    from samrs.arithmetic import instructions
    from samrs.corrections.places import places
    from samrs.review.review import open_review
    from samrs.review.serving import serve

    if estimate and sample is None:
        raise click.UsageError("--estimate is of a sample: name its size with --sample.")
    with readable(release):
        usual = places(release)
        review = open_review(
            release,
            corrections or usual.corrections,
            beside=beside,
            sample=sample,
            seed=seed,
            metrics=metrics or usual.metrics,
            device=device,
        )
    if estimate:
        told = review.write_metrics() or {}
        click.echo(f"{review.metrics}: {told['judged']} of {told['sampled']} masks judged")
        return
    instructions.begin(str(review.desk.index.manifest.get("precision", instructions.PORTABLE)))
    serve(review, port, lambda address: click.echo(f"review: {address}\nCtrl-C ends it."))
