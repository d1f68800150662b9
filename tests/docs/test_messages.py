"""Errors meant for a user say where, what is wrong, what was got, what is allowed, what to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from samrs.core import errors
from tests.pipeline.closure import ROOT

FORM = re.compile(r".+: .+, got .+; .+; .+", re.DOTALL)
FILES = [p for top in ("samrs", "stages", "tools") for p in sorted((ROOT / top).rglob("*.py"))]
BASES = {name for name, value in vars(errors).items() if isinstance(value, type)}
MEANT = {
    *(name for name in BASES if issubclass(getattr(errors, name), errors.SamrsError)),
    *("CheckpointError", "PublishError"),
}
"""Names of the errors that end as a sentence on the screen."""


def text(node: ast.expr) -> str:
    """A message as it stands in the code, with a word for each value."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return text(node.left) + text(node.right)
    return "value"


def messages(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of each error that is made with a text of its own, and of each sentence
    about what is set aside."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        own = isinstance(node.args[0], ast.JoinedStr | ast.BinOp | ast.Constant)
        if name in MEANT and own:
            yield node.lineno, text(node.args[0])
        aside = ast.unparse(node.func).endswith(("quarantine.add", "_aside"))
        for part in node.args if aside else ():
            if isinstance(part, ast.JoinedStr) and ": " in text(part):
                yield part.lineno, text(part)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_an_error_says_where_what_got_allowed_and_do(file: Path) -> None:
    found = messages(ast.parse(file.read_text(encoding="utf-8")))
    wrong = [f"{line}: {said}" for line, said in found if not FORM.fullmatch(said)]
    assert not wrong


def test_most_errors_are_looked_at() -> None:
    """Or the test above would hold of nothing."""
    looked = sum(len(list(messages(ast.parse(f.read_text(encoding="utf-8"))))) for f in FILES)
    assert looked > 200
