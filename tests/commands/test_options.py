"""Options that commands share mean the same everywhere."""

from __future__ import annotations

import logging
from typing import Any

import click
import pytest
from click.testing import CliRunner

from samrs.commands.options import HOW, RUNTIME, computing


def given(*words: str) -> tuple[dict[str, Any], int, int]:
    """The runtime that a command gets, and the levels of the root's log and of ours."""
    seen: list[Any] = []

    @click.command()
    @computing(*HOW)
    def command(runtime: dict[str, Any]) -> None:
        levels = (logging.getLogger(name).level for name in (None, "samrs"))
        seen.append((runtime, *levels))

    loggers = [logging.getLogger(), logging.getLogger("samrs")]
    before = [log.level for log in loggers]
    done = CliRunner(catch_exceptions=False).invoke(command, words)
    for log, level in zip(loggers, before, strict=True):
        log.setLevel(level)
    assert done.exit_code == 0, done.output
    found: tuple[dict[str, Any], int, int] = seen[0]
    return found


def test_how_to_compute_is_one_mapping() -> None:
    words = "--device cpu --threads 3 --workers 0 --executor ray"
    runtime, *_ = given(*words.split())
    assert runtime == {"device": "cpu", "threads": 3, "workers": 0, "executor": "ray"}
    runtime, *_ = given()
    assert runtime == {"device": "auto", "threads": None, "workers": 1, "executor": "local"}


def test_a_command_without_an_option_gets_the_usual_value() -> None:
    @click.command()
    @computing("threads")
    def command(runtime: dict[str, Any]) -> None:
        click.echo(runtime == {**RUNTIME, "threads": 2})

    assert CliRunner().invoke(command, ["--threads", "2"]).stdout == "True\n"
    assert CliRunner().invoke(command, ["--device", "cpu"]).exit_code == 2


@pytest.mark.parametrize(
    "words",
    ["--threads 0", "--threads x", "--workers -1", "--device gpu", "--executor lokal", "-v -q"],
)
def test_what_cannot_be_is_wrong_usage(words: str) -> None:
    @click.command()
    @computing(*HOW)
    def command(runtime: dict[str, Any]) -> None:
        raise AssertionError(runtime)

    assert CliRunner().invoke(command, words.split()).exit_code == 2


@pytest.mark.parametrize(
    ("word", "root", "own"),
    [
        (None, logging.WARNING, logging.INFO),
        ("-q", logging.WARNING, logging.WARNING),
        ("--quiet", logging.WARNING, logging.WARNING),
        ("-v", logging.INFO, logging.DEBUG),
        ("--verbose", logging.INFO, logging.DEBUG),
    ],
)
def test_how_much_is_told(word: str | None, root: int, own: int) -> None:
    assert given(*filter(None, [word]))[1:] == (root, own)
