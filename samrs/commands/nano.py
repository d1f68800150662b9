"""The commands ``samrs nano train`` and ``samrs nano average``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from samrs.commands.options import COUNT, FILE, FOLDER, NEW_FILE, computing

WORK = Path(".work/nano")


@click.group("nano")
def command() -> None:
    """Train the bundled small model, or average two of its weights."""


@command.command("train")
@click.option(
    "-c",
    "--cycles",
    multiple=True,
    required=True,
    metavar="STABLE+COOLDOWN",
    help="Steps at a constant rate and steps of its fall to zero, repeatable.",
)
@click.option("--out", type=NEW_FILE, required=True, help="File of the weights, safetensors.")
@click.option("--start", type=FILE, help="Weights to go on from, without a rehearsal.")
@click.option(
    "--rehearsal",
    type=click.IntRange(min=0),
    default=1500,
    show_default=True,
    help="Steps of box filling before the first cycle.",
)
@click.option("--items", type=COUNT, show_default="as the last cycle says", help="Pictures drawn.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights and crops.")
@click.option("--bank", type=FOLDER, default=WORK / "bank", show_default=True, help="Pictures.")
@click.option("--work", type=FOLDER, default=WORK, show_default=True, help="Progress.")
@click.option(
    "--processes",
    type=COUNT,
    default=2,
    show_default=True,
    help="Processes that share a step; the weights depend on their number.",
)
@computing("workers")
def train(runtime: Mapping[str, Any], items: int | None, **given: Any) -> None:
    """Train nano on procedural scenes, on the CPU.

    The same command goes on where it was stopped, and further cycles prolong a finished run.

    \b
    samrs nano train --cycles 3000+1250 --cycles 2850+2400 --out nano.safetensors
    """
    from samrs.nano.schedule import COURSES
    from samrs.nano.train import train

    train(items=items or COURSES[-1].items, workers=runtime["workers"], **given)


@command.command("average")
@click.argument("first", type=FOLDER)
@click.argument("second", type=FOLDER)
@click.option("--out", type=NEW_FILE, required=True, help="File of the mean, safetensors.")
def average(first: Path, second: Path, out: Path) -> None:
    """Write the mean of two of nano's weights.

    One of FIRST and SECOND was trained from the other, or both from a third.
    """
    from samrs.nano.average import average

    average(first, second, out)
