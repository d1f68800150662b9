"""The command ``samrs label``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from samrs.commands.options import (
    FOLDER,
    NEW_FOLDER,
    computing,
    cutting,
    precision,
    reader_options,
)
from samrs.core import axis

INTERRUPTED = 130


@click.command("label")
@click.argument("format", type=click.Choice(axis.names("samrs.datasets")))
@click.argument("folder", type=FOLDER)
@click.option("--out", type=NEW_FOLDER, required=True, help="Folder of all that is made.")
@click.option("--name", help="What the dataset is called; else the folder's name.")
@click.option(
    "-r",
    "--recipe",
    default="hbox",
    show_default=True,
    help="What to ask for a box, see samrs recipes; auto: the ablation's choice.",
)
@click.option(
    "-e",
    "--export",
    "exports",
    multiple=True,
    type=click.Choice(axis.names("samrs.export.formats")),
    help="Write the release in this format too, repeatable.",
)
@cutting
@click.option(
    "--segmenter",
    type=click.Choice(axis.names("samrs.segmenters")),
    show_default="the model's",
    help="What makes the masks.",
)
@click.option("--model", default="nano", show_default=True, help="See samrs models.")
@precision
@click.option(
    "--max-quarantined",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="Share of images and boxes that may be set aside.",
)
@click.option(
    "--force", is_flag=True, help="Make a finished folder again; finished tiles are kept."
)
@computing("device", "threads", "executor")
def command(format: str, folder: Path, out: Path, **given: Any) -> None:
    """Make masks for the boxes of a dataset, without dvc and without a project.

    FOLDER is read where it lies, never written to. A release, exports of it, a list of what was set
    aside and why, and a summary are written below OUT. Stopped or killed, the same command goes on
    where it was.

    \b
    samrs label coco FOLDER --recipe zoom --export yolo_seg --out masks
    samrs label yolo FOLDER --model vit_h --val 0.1 -e coco -e huggingface --out masks
    """
    from samrs.label_dataset.label_dataset import label_dataset

    try:
        given["options"] = reader_options(format, given["options"])
        about = label_dataset(format, folder, out, **given)
    except KeyboardInterrupt:
        click.echo("stopped; finished tiles are kept, run the same command to go on", err=True)
        sys.exit(INTERRUPTED)
    click.echo("\n".join(told(about, out)))


def told(about: Mapping[str, Any], out: Path) -> list[str]:
    """What is said of a finished run, in lines.

    Args:
        about: as ``label_dataset`` returns it.
        out: where it was made.
    """
    found, aside, released = about["found"], about["set_aside"], about["released"]
    splits = ", ".join(f"{of['scenes']} {split}" for split, of in found["splits"].items())
    lines = [f"{about['name']}: {found['scenes']} images ({splits}), {found['instances']} boxes"]
    if found["tiles_without_data"]:
        lines.append(f"left out: {found['tiles_without_data']} tiles without data")
    for reason, count in aside["by_reason"].items():
        lines.append(f"set aside: {count} x {reason}; {aside['examples'][reason][0]}")
    if aside["total"]:
        lines.append(f"all {aside['total']} are listed in {out / 'set_aside.csv'}")
    left_out = {reason: count for reason, count in released["dropped"].items() if count}
    why = ", ".join(f"{count} x {reason}" for reason, count in left_out.items())
    without = f", {sum(left_out.values())} left out ({why})" if left_out else ", none left out"
    lines.append(f"{released['kept']} masks in {released['tiles']} tiles{without}")
    if said := corrected(released["corrections"]):
        lines.append(f"corrections: {said}")
    if (mean := released["quality"]["mean"]) is not None:
        below = 100 * released["quality"]["below_half"]
        lines.append(f"estimated quality: {mean:.2f} on average, {below:.1f} % below a half")
    place = out / about["release"]
    exports = [f"export: {out / format}" for format in about["exports"]]
    shown, page = shlex.quote(str(place)), shlex.quote(str(out / "preview.html"))
    further = [f"    samrs preview {shown} --out {page}", f"    samrs verify {shown}"]
    further.append(f"    samrs review {shown}")
    return [*lines, f"release: {place}", *exports, "Next:", "", *further]


def corrected(counts: Mapping[str, Any]) -> str:
    """What people said of the masks, in words; empty where nobody did.

    Args:
        counts: of a release: masks by what was said, and ``conflicts`` by kind.
    """
    said = {key: count for key, count in counts.items() if key != "conflicts" and count}
    if conflicts := sum(counts["conflicts"].values()):
        said["that do not fit any more"] = conflicts
    return ", ".join(f"{count} {key}" for key, count in said.items())
