"""Public functions with an argument that neither its name nor the docstring explains.

    python -m tools.docs.unexplained

An argument is explained by a line under ``Args:`` of the function (for ``__init__`` of the class),
by its name as a word of the docstring, or by being one of ``PLAIN``. Commands are left out: their
options have a help text.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.docs.docstrings import arguments
from tools.docs.text import ROOT

WORDS = """
annotations areas artifacts at axis batch_idx boxes boxes_xyxy categories category centre
checkpoint colour columns commit corners count crop crops data dataset detail device encoder
epoch error figure file folder frame hbb hbbs heading height image images inbox index instance
instances key labels length losses manifest manifests mask masks message metrics model name
names network normalized obb options out parameters params path pl_module points polygon
polygons precision product prompt quarantine radius recipe recipes record records release repo
repository request rgb rle rles rng root rows runtime scene scene_id scenes seed segmenter
settings shard size_hw size_wh source source_file sources split splits stage style subset subsets
summary table tag tags template text tile tile_id tiles title trainer url value values version
view where width window world x x0 x1 y y0 y1
"""
PLAIN = frozenset(WORDS.split())
"""Names that say what they hold; several are the project's words (records, boxes, recipes), or
those of ``samrs/scenes``, which ``World`` explains."""
UNITS = ("_m", "_px", "_hw", "_wh")
"""Ends of names that say the unit or the order."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_functions(tree: ast.Module) -> Iterator[tuple[str, Function, str]]:
    """Name, node and docstring of a module's public functions and methods."""
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_") and not _overload(node):
            yield node.name, node, ast.get_docstring(node) or ""
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            about = ast.get_docstring(node) or ""
            for part in node.body:
                if isinstance(part, Function) and part.name == "__init__":
                    own = ast.get_docstring(part) or ""
                    yield f"{node.name}.{part.name}", part, f"{about}\n{own}"
                elif isinstance(part, Function) and not part.name.startswith("_"):
                    yield f"{node.name}.{part.name}", part, ast.get_docstring(part) or ""


def _overload(node: Function) -> bool:
    """Whether it is a signature only, of a function that follows."""
    return any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list)


def unexplained(file: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Line, name and unexplained arguments of each public function of a file that has some."""
    for name, node, docstring in public_functions(ast.parse(file.read_text(encoding="utf-8"))):
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        known = set(arguments(docstring)) | set(re.findall(r"\w+", docstring)) | PLAIN
        missing = [
            argument.arg
            for argument in given
            if argument.arg not in known | {"self", "cls"} and not argument.arg.endswith(UNITS)
        ]
        if missing:
            yield node.lineno, name, missing


def files() -> list[Path]:
    """The files of the library but for the command line."""
    found = sorted((ROOT / "samrs").rglob("*.py"))
    return [f for f in found if "commands" not in f.parts]


def main() -> int:
    """List them; 1 where there are some."""
    count = 0
    for file in files():
        for line, name, missing in unexplained(file):
            count += 1
            place = f"{file.relative_to(ROOT).as_posix()}:{line}"
            sys.stdout.write(f"{place}: {name}: {', '.join(missing)}\n")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
