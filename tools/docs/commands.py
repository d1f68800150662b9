"""The page of the command line: what ``--help`` says of each command."""

from __future__ import annotations

from collections.abc import Iterator

import click

from samrs.commands.group import VERBS, samrs
from tools.docs.text import table

WIDTH = 96


def _helps(name: str, command: click.Command) -> Iterator[str]:
    """The section of a command and of those below it.

    Args:
        name: as it is typed, e.g. ``samrs nano train``.
    """
    context = click.Context(
        command,
        info_name=name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=samrs.context_settings["help_option_names"],
    )
    below = command.commands if isinstance(command, click.Group) else {}
    if not below:
        yield f"## {name}\n\n```text\n{command.get_help(context)}\n```"
    for word in sorted(below):
        yield from _helps(f"{name} {word}", below[word])


def page() -> str:
    """``docs/reference/commands.md``."""
    rows = []
    sections: list[str] = []
    for verb, what in VERBS.items():
        command = samrs.get_command(click.Context(samrs), verb)
        assert command is not None
        sections += _helps(f"samrs {verb}", command)
        rows.append((f"`samrs {verb}`", what))
    intro = (
        "`samrs VERB --help` prints what stands below. An error is one sentence and exit status 1, "
        "a wrong call has exit status 2. `samrs --version` prints the version."
    )
    listed = table(("command", "what"), rows)
    return "\n\n".join(["# Command line", intro, listed, *sections]) + "\n"
