"""What a pull request is told, as commands; the workflows run these.

    python -m samrs.review metrics BASE HEAD [--repository OWNER/NAME]   1: the gate is shut
    python -m samrs.review lock                                          1: dvc.lock is stale
    python -m samrs.review parameters                                    1: params.yaml is wrong
    python -m samrs.review comment                                       of an event workflow_run
    python -m samrs.review tag                                           tag=vX.Y.Z of this commit
    python -m samrs.review notes TAG                                     its changelog entry

Markdown goes to stdout, for the job's summary; what is wrong to stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from samrs.core.errors import SamrsError
from samrs.review.changelog import entry
from samrs.review.guard import check_guard
from samrs.review.lock import graph, stale
from samrs.review.markdown import render
from samrs.review.review import review
from samrs.review.revisions import release_tag

HERE = Path()


def metrics(base: str, head: str, repository: str | None) -> int:
    """Compare two commits; 1 where a guarded metric fails."""
    found = review(HERE, base, head)
    sys.stdout.write(render(found, repository))
    for verdict in found.verdicts:
        if not verdict.passed:
            print(f"error: {verdict.sentence}", file=sys.stderr)
    return 0 if found.passed else 1


def lock() -> int:
    """Compare dvc.lock with the tree and draw the pipeline; 1 where it is stale."""
    wrong = stale(HERE)
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if wrong:
        print("dvc.lock is stale; run dvc repro and commit dvc.lock and metrics/", file=sys.stderr)
    told = f"{len(wrong)} stale entries" if wrong else "up to date"
    print(f"## dvc.lock: {told}\n\n```mermaid\n{graph(HERE)}\n```")
    return 1 if wrong else 0


def parameters() -> int:
    """Check params.yaml; 1 where something in it is wrong."""
    from samrs.check.schema import faults  # it imports torch, which the other commands do without

    wrong = faults(HERE)
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    print(f"## params.yaml: {len(wrong)} faults; {check_guard(HERE)} metrics are guarded")
    return 1 if wrong else 0


def comment() -> int:
    """Comment on the pull request of a finished run."""
    from samrs.review.comment import comment, run_from

    done = comment(HERE, *run_from(os.environ))
    print(f"commented on {done}" if done else "no open pull request has this commit as its last")
    return 0


def tag() -> int:
    """Name the release tag of the commit that is checked out, if any, as a step's output."""
    print(f"tag={release_tag(HERE) or ''}")
    return 0


def notes(tag: str) -> int:
    """Print a version's changelog entry."""
    sys.stdout.write(entry((HERE / "CHANGELOG.md").read_text(encoding="utf-8"), tag))
    return 0


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m samrs.review")
    commands = parser.add_subparsers(dest="command", required=True)
    for function in (metrics, lock, parameters, comment, tag, notes):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        if function is metrics:
            command.add_argument("base")
            command.add_argument("head")
            command.add_argument("--repository", help="owner/name, for the pictures' addresses")
        if function is notes:
            command.add_argument("tag")
    options = vars(parser.parse_args())
    options.pop("command")
    try:
        return int(options.pop("function")(**options))
    except SamrsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
