"""Options that commands share: how to cut scenes, how much to tell, where and how to compute."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from samrs.core import axis
from samrs.core.jobs import DEVICES

F = TypeVar("F", bound=Callable[..., Any])

FOLDER = click.Path(path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
COUNT = click.IntRange(min=1)

RUNTIME = {"executor": "local", "device": "auto", "threads": None, "workers": 0}
"""How to compute where a command has no option for it, or none is given."""
HOW = {
    "executor": click.option(
        "--executor",
        type=click.Choice(axis.names("samrs.executors")),
        default="local",
        show_default=True,
        help="Where tiles are worked on.",
    ),
    "device": click.option(
        "--device",
        type=click.Choice(DEVICES),
        default="auto",
        show_default=True,
        help="Where networks compute.",
    ),
    "threads": click.option(
        "--threads", type=COUNT, show_default="all cores", help="Work done at once, a core each."
    ),
    "workers": click.option(
        "--workers",
        type=click.IntRange(min=0),
        default=1,
        show_default=True,
        help="Further processes that prepare what a network is shown.",
    ),
}

precision = click.option(
    "--precision",
    default="float32",
    show_default=True,
    help="Of the network: float32, with SAM's own encoder the same bytes on every x86-64 CPU, or "
    "float32-fast, bfloat16, bfloat16-compiled, whose bytes are this machine's.",
)


def cutting(command: F) -> F:
    """Add ``--tile``, ``--overlap``, ``--val`` and ``--option``: how a dataset is read and cut."""
    for option in (
        click.option(
            "-o",
            "--option",
            "options",
            multiple=True,
            metavar="KEY=VALUE",
            help="An option of the format's reader, repeatable; geo has some, see docs/maps.md.",
        ),
        click.option(
            "--val",
            type=click.FloatRange(0, 1),
            default=0.0,
            show_default=True,
            help="Share of scenes for val where the dataset has no splits.",
        ),
        click.option(
            "--overlap", type=click.IntRange(min=0), help="Px shared by neighbouring tiles."
        ),
        click.option(
            "--tile", type=COUNT, help="Side of a tile, px; else 1024 where scenes are larger."
        ),
    ):
        command = option(command)
    return command


def telling(command: F) -> F:
    """Add ``--verbose`` and ``--quiet``: how much is told on stderr while a command runs."""

    @click.option("-v", "--verbose", is_flag=True, help="Tell more, with times.")
    @click.option("-q", "--quiet", is_flag=True, help="Tell nothing but warnings.")
    @functools.wraps(command)
    def wrapped(*args: Any, verbose: bool, quiet: bool, **given: Any) -> Any:
        if verbose and quiet:
            raise click.UsageError("--verbose and --quiet cannot be given together.")
        _tell(verbose=verbose, quiet=quiet)
        return command(*args, **given)

    return wrapped  # type: ignore[return-value]


def _tell(*, verbose: bool, quiet: bool) -> None:
    import logging

    shape = "%(asctime)s %(name)s: %(message)s" if verbose else "%(message)s"
    logging.basicConfig(format=shape)
    logging.getLogger().setLevel(logging.INFO if verbose else logging.WARNING)
    own = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    logging.getLogger("samrs").setLevel(own)


def computing(*names: str) -> Callable[[F], F]:
    """Add options of where and how fast to compute, and those of ``telling``.

    The command gets them as one mapping ``runtime``, which holds every key of ``RUNTIME``.

    Args:
        names: of ``HOW``.
    """

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def wrapped(*args: Any, **given: Any) -> Any:
            runtime = {**RUNTIME, **{name: given.pop(name) for name in names}}
            return command(*args, runtime=runtime, **given)

        told: Any = telling(wrapped)
        for name in reversed(names):
            told = HOW[name](told)
        return told  # type: ignore[no-any-return]

    return decorate


def reader_options(format: str, told: Sequence[str]) -> dict[str, Any]:
    """Options of a reader as ``--option`` tells them.

    Args:
        format: a folder of ``samrs/datasets``.
        told: each ``KEY=VALUE``.

    Raises:
        ParameterError: the reader has no such option, or it does not parse.
    """
    from samrs.reading.options import parsed

    return parsed(axis.load("samrs.datasets", format, "read"), format, told) if told else {}


@contextmanager
def readable(release: Path) -> Iterator[None]:
    """Tell in one sentence of a release whose tables cannot be read.

    Raises:
        ProductError: instead of what pyarrow raises.
    """
    import pyarrow as pa

    from samrs.core.errors import ProductError

    try:
        yield
    except pa.ArrowException as error:
        raise ProductError(
            f"{release}: unreadable, got {error}; a release as it was written is needed; run "
            "samrs verify on it"
        ) from error
