"""The command line: ``samrs VERB``, a file of this folder each, imported when it is called.

A command's file imports what it needs in the body of its function, so that help costs nothing.
Errors meant for the user are one sentence on stderr and exit status 1, wrong usage is 2.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from samrs.core.errors import SamrsError, full_disk, named_extra

VERBS = {
    "datasets": "List the datasets that are read, their terms and their official files.",
    "recipes": "List the prompt recipes: what they need, what they cost, what they are.",
    "models": "List the models that make masks: licence, what they answer, what they cost.",
    "label": "Make masks for the boxes of a dataset, without dvc and without a project.",
    "add": "Add a dataset of your own to params.yaml.",
    "check": "Check params.yaml of this checkout before anything runs.",
    "prune": "Remove what datasets and subsets left that params.yaml no longer names.",
    "verify": "Check products: files, tables, ids, masks, label maps, counts.",
    "preview": "Write a page to look at a release: numbers, and its instances, the worst first.",
    "review": "Look at a release's masks in a browser, judge and mend them.",
    "corrections": "Take a release to a labelling tool and back; answer clicks; list conflicts.",
    "card": "Print the data card of a release.",
    "export": "Write a release in the format of another tool.",
    "audit": "Measure masks against true ones, on a dataset of your own too.",
    "choose-prompt": "Compare the ablation's choice of a recipe with the stored one.",
    "fit-quality": "Fit the estimate of a mask's quality on procedural scenes.",
    "nano": "Train the bundled small model, or average two of its weights.",
    "publish": "Publish a release: prove it in a clone, then tag it.",
}
"""What each command does, in the order of help: the first sentence of its own, not imported."""


class Failure(click.ClickException):
    """An error meant for the user; it ends the program with exit status 1."""

    def show(self, file: Any = None) -> None:
        """Write the one sentence."""
        click.echo(f"error: {self.format_message()}", file=file, err=file is None)


class Verbs(click.Group):
    """A group whose commands are files of this folder."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"samrs.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and tell the user of errors that are meant for one."""
        try:
            with named_extra():
                return super().invoke(ctx)
        except SamrsError as error:
            raise Failure(str(error)) from error
        except OSError as error:
            if (sentence := full_disk(error)) is None:
                raise
            raise Failure(sentence) from error


@click.group(
    cls=Verbs,
    commands={name: click.Command(name) for name in VERBS},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="samrs")
def samrs() -> None:
    """Segmentation datasets out of detection datasets: their tools beside the pipeline.

    The pipeline itself is run by dvc: `dvc repro`, or `make repro`.
    """


def main() -> None:
    """Run the command line."""
    samrs(prog_name="samrs")
