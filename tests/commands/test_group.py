"""Commands are found by name, cost nothing until they are called, and end as they say."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from samrs.commands.group import VERBS, samrs
from samrs.core.errors import ParameterError
from tests.commands.calls import call, misused, refused, run
from tests.pipeline.closure import ROOT

FOLDER = ROOT / "samrs" / "commands"
SHARED = {"__init__", "group", "options"}
HEAVY = {"cv2", "dvc", "jinja2", "matplotlib", "numpy", "pandas", "pyarrow", "torch", "yaml"}


def commands(group: click.Group = samrs, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command, groups too."""
    ctx = click.Context(group)
    found = []
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        found.append((*before, name))
        if isinstance(command, click.Group):
            found += commands(command, (*before, name))
    return found


@pytest.mark.parametrize("words", [(), *commands()], ids=" ".join)
def test_help_is_help_and_writes_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, *words, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {' '.join(('samrs', *words))} ")
    assert not list(tmp_path.iterdir())


def test_every_file_is_a_verb_with_its_own_first_sentence() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - SHARED
    assert files == {name.replace("-", "_") for name in VERBS}
    for name, sentence in VERBS.items():
        command = samrs.get_command(click.Context(samrs), name)
        assert command is not None
        assert command.name == name
        assert (command.help or "").partition("\n\n")[0] == sentence


def test_help_lists_all_verbs_and_imports_none() -> None:
    done = call("--help")
    assert all(f"\n  {name} " in done.stdout for name in VERBS)
    code = "import sys, samrs.commands.group as g; g.samrs(['-h'], standalone_mode=False); " + (
        "print(*sys.modules, file=sys.stderr)"
    )
    words = [sys.executable, "-c", code]
    loaded = subprocess.run(words, check=True, capture_output=True, text=True).stderr.split()
    assert {name for name in loaded if name.startswith("samrs.commands.")} == {
        "samrs.commands.group"
    }


def test_no_command_imports_a_heavy_library_until_it_is_called() -> None:
    imports = "; ".join(f"import samrs.commands.{name.replace('-', '_')}" for name in VERBS)
    words = [sys.executable, "-c", f"import sys; {imports}; print(*sys.modules)"]
    loaded = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_the_library_has_no_other_entry() -> None:
    """``python -m samrs`` is the only module that runs, and nobody else reads ``sys.argv``."""
    for path in sorted((ROOT / "samrs").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        entry = path.relative_to(ROOT).as_posix() == "samrs/__main__.py"
        assert ("__name__" in names) == entry, path
        assert "argv" not in attributes, path
        assert path.name != "__main__.py" or entry, path


def test_the_version_is_the_packages() -> None:
    assert call("--version").stdout == f"samrs, version {version('samrs')}\n"


def test_an_unknown_verb_is_wrong_usage_and_the_close_one_is_named() -> None:
    assert "Did you mean 'verify'?" in misused(call("verfy"))
    assert "--fast" in misused(call("verify", "--fast", "x"))


def test_no_verb_shows_help_as_wrong_usage() -> None:
    done = run(ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: samrs ")


def fail_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> None:
        raise error

    monkeypatch.setattr("samrs.prompting.recipes.describe", fail)


def test_our_errors_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(ParameterError("prompt: wrong, got it; mend it"), monkeypatch)
    assert refused(call("recipes")) == "prompt: wrong, got it; mend it"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(OSError(number, os.strerror(number), "out/table.csv"), monkeypatch)
    said = refused(call("recipes"))
    assert said.startswith("out/table.csv: cannot be written, got ")
    assert said.endswith("room on the disk is needed; make some and run again")


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), ValueError("a fault of ours")])
def test_a_fault_of_ours_is_not_hidden(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(error, monkeypatch)
    with pytest.raises(type(error), match=str(error.args[-1])):
        call("recipes")
