"""Attack what the project makes and reads, and count what it survives.

    python -m tools.attack                       all classes
    python -m tools.attack bits releases --tries 500 --seed 3

Prints a table: attacks tried, survived (found, refused in a sentence, or the right result all the
same), wrong results without a word, tracebacks. The exit status is 1 where one did not survive;
each is told on stderr. ``kills`` and ``small_kills`` run real stages and take
minutes.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import tempfile
from pathlib import Path

from tools.attack.outcome import Tally

CLASSES = {
    "bits": "bits in journal and kept work",
    "releases": "changed releases, verified and read",
    "servers": "servers that lie",
    "folders": "odd folders and files for readers",
    "consumers": "exports read by others",
    "kills": "SIGKILL of stages and commands",
    "small_kills": "SIGKILL of trainings, check and report",
}
HEAD = "| attack | tried | survived | wrong in silence | tracebacks |\n|---|--:|--:|--:|--:|"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.attack", description=__doc__)
    parser.add_argument("classes", nargs="*", metavar="CLASS", help=", ".join(CLASSES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tries", type=int, default=200, help="of attacks drawn at random")
    wanted = parser.parse_args()
    if unknown := set(wanted.classes) - set(CLASSES):
        parser.error(f"no such class: {', '.join(sorted(unknown))}")
    logging.getLogger("samrs").setLevel(logging.ERROR)
    total = Tally()
    print(HEAD)
    for name in wanted.classes or CLASSES:
        module = importlib.import_module(f"tools.attack.{name}")
        tally = Tally()
        with tempfile.TemporaryDirectory() as work:
            tally.add(module.attacks(Path(work), wanted.seed, wanted.tries))
        print(tally.row(CLASSES[name]), flush=True)
        total.counts.update(tally.counts)
        total.failed += tally.failed
    print(total.row("**all**"))
    for outcome in total.failed:
        print(f"{outcome.verdict}: {outcome.attack}: {outcome.detail}", file=sys.stderr)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
