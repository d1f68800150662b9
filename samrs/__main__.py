"""The commands of this package: ``python -m samrs COMMAND ...``."""

from __future__ import annotations

import importlib
import sys

COMMANDS = {
    "verify": "check products: files, tables, ids, masks, label maps, counts",
    "export": "write a release in the format of another tool",
    "card": "print the data card of a release",
    "audit": "measure masks against true ones, of your own dataset too",
}
"""Commands by name; each is the module of that name, whose ``main`` reads ``sys.argv``."""


def main() -> None:
    """The command line."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        width = max(map(len, COMMANDS))
        shown = "".join(f"  {n:{width}}  {what}\n" for n, what in COMMANDS.items())
        asked = name in ("-h", "--help")
        (sys.stdout if asked else sys.stderr).write(f"usage: samrs COMMAND ...\n\n{shown}")
        sys.exit(0 if asked else 2)
    sys.argv = [f"samrs {name}", *sys.argv[2:]]
    importlib.import_module(f"samrs.{name}").main()


if __name__ == "__main__":
    main()
