"""Hashes of every file of the demo: `python -m tests.demo.hashes small` or `whole`.

The tables in git (`small.sha256`, `whole.sha256`) hold what it prints. Write them anew only where
scenes are meant to change: `python -m tests.demo.hashes small > tests/demo/small.sha256`.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from samrs.core import axis
from samrs.core.parameters import read_parameters

ROOT = Path(__file__).parents[2]
SMALL = 200
"""Side of a small scene in px."""


def write_demo(root: Path, size: str) -> None:
    """Write every dataset below a folder of its name.

    Args:
        size: small (two scenes each of SMALL px) | whole (the demo as params.yaml has it).
    """
    demo = read_parameters(ROOT)["download"]
    for name in axis.names("samrs.datasets", "demo"):
        writer = axis.load("samrs.datasets", name, "demo")
        (root / name).mkdir()
        if size == "small":
            key = "SIZE_HW" if hasattr(writer, "SIZE_HW") else "SIDE"
            setattr(writer, key, (SMALL, SMALL) if key == "SIZE_HW" else SMALL)
            writer.write(root / name, scenes=2, seed=1)
        elif name in demo:
            writer.write(root / name, scenes=demo[name]["scenes"], seed=demo[name]["seed"])


def table(root: Path) -> str:
    """Lines of a hash and a path, as ``sha256sum`` writes and checks them."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root).as_posix()}\n"
        for path in files
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write_demo(Path(folder), sys.argv[1])
        print(table(Path(folder)), end="")
