"""What a pull request is told, as commands; the workflows run these.

    python -m tools.review metrics BASE HEAD [--repository OWNER/NAME]   1: the gate is shut
    python -m tools.review lock                                          1: dvc.lock is stale
    python -m tools.review comment                                       of an event workflow_run
    python -m tools.review notes TAG                                     its changelog entry

Markdown goes to stdout, for the job's summary; what is wrong to stderr.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path

from samrs.core.errors import SamrsError
from samrs.drawing.markdown import printable
from samrs.publish.changelog import released
from tools.review.lock import graph, stale
from tools.review.markdown import render
from tools.review.review import review

HERE = Path()


def _end(wrong: list[str]) -> int:
    for sentence in wrong:
        print(f"error: {printable(sentence)}", file=sys.stderr)
    return 1 if wrong else 0


def metrics(base: str, head: str, repository: str | None) -> int:
    """compare two commits; 1 where a guarded metric fails"""
    found = review(HERE, base, head)
    sys.stdout.write(render(found, repository))
    return _end([verdict.sentence for verdict in found.failed])


def lock() -> int:
    """compare dvc.lock with the tree and draw the pipeline; 1 where it is stale"""
    wrong = stale(HERE)
    told = f"{len(wrong)} stale entries" if wrong else "up to date"
    print(f"## dvc.lock: {told}\n\n```mermaid\n{graph(HERE)}\n```")
    return _end(wrong)


def comment() -> int:
    """comment on the pull request of a finished run"""
    from tools.review.comment import GitHub, comment  # requests is installed for it alone

    done = comment(HERE, GitHub(os.environ))
    print(f"commented on {done}" if done else "no open pull request has this commit as its last")
    return 0


def notes(tag: str, as_output: str | None = None) -> int:
    """print a version's changelog entry"""
    text = released((HERE / "CHANGELOG.md").read_text(encoding="utf-8"), tag)
    if as_output:  # lines end where a word stands that nobody could have written
        end = secrets.token_hex(16)
        text = f"{as_output}<<{end}\n{text}\n{end}"
    print(text)
    return 0


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m tools.review")
    commands = parser.add_subparsers(required=True)
    for function in (metrics, lock, comment, notes):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        if function is metrics:
            command.add_argument("base")
            command.add_argument("head")
            command.add_argument("--repository", help="owner/name, for the plots' addresses")
        if function is notes:
            command.add_argument("tag")
            command.add_argument("--as-output", metavar="NAME", help="as an output of a step")
    options = vars(parser.parse_args())
    try:
        return int(options.pop("function")(**options))
    except SamrsError as error:
        return _end([str(error)])


if __name__ == "__main__":
    sys.exit(main())
