"""The one comment that a pull request gets, made by trusted code after an untrusted run.

The run that a fork's pull request starts has no right to write. When it ends, a second one starts
from the default branch with a token: it finds the pull request by commit, never by what the first
run says, fetches both commits as data and writes the comparison anew. It first writes over the
comment of the commit before, so that nothing that fails here leaves an old result standing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

from samrs.core.errors import ParameterError, SamrsError, SourceError
from samrs.drawing.markdown import code
from tools.review import commits
from tools.review.markdown import COMMENT_LENGTH, render
from tools.review.review import review

MARKER = "<!-- samrs metrics -->"
BOT = "github-actions[bot]"
PAGE = 100
TIMEOUT = 30.0


class GitHub:
    """The repository of a pull request over GitHub's REST interface, and the run that it started.

    Args:
        environment: the variables that metrics-comment.yml sets.

    Raises:
        ParameterError: one is missing.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        try:
            self.repository = environment["GITHUB_REPOSITORY"]
            self.address = f"{environment['GITHUB_API_URL']}/repos/{self.repository}"
            self.fork, self.branch = environment["HEAD_REPOSITORY"], environment["HEAD_BRANCH"]
            self.commit, self.run = environment["HEAD_SHA"], environment["RUN_URL"]
            self.headers = {"Authorization": f"Bearer {environment['GITHUB_TOKEN']}"}
        except KeyError as error:
            raise ParameterError(
                f"environment: variable is missing, got no {error}; those that metrics-comment.yml "
                "sets are needed; run it there"
            ) from error

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """The JSON answer to a request.

        Raises:
            SourceError: GitHub refuses or is not there.
        """
        address = f"{self.address}/{path}"
        try:
            answer = requests.request(
                method, address, headers=self.headers, timeout=TIMEOUT, **content
            )
            answer.raise_for_status()
            return answer.json()
        except requests.RequestException as error:
            raise SourceError(
                f"{method} {path}: GitHub does not answer as needed, got {error}; a token that may "
                "write to pull requests is needed; run the job again"
            ) from error

    def items(self, path: str, **query: str) -> Iterator[Any]:
        """Every item of a list that comes in pages."""
        page, found = 1, [None] * PAGE
        while len(found) == PAGE:
            numbers = {"per_page": str(PAGE), "page": str(page)}
            found = self.ask("GET", path, params={**query, **numbers})
            yield from found
            page += 1

    def pull_requests(self) -> list[tuple[int, str]]:
        """Number and base branch of the open pull requests whose last commit the run was of."""
        head = f"{self.fork.split('/')[0]}:{self.branch}"
        return [
            (int(pull["number"]), str(pull["base"]["ref"]))
            for pull in self.items("pulls", state="open", head=head)
            if pull["head"]["sha"] == self.commit
            and (pull["head"]["repo"] or {}).get("full_name") == self.fork
        ]

    def post(self, pull: int, text: str) -> None:
        """Write the comment, over the one that is there."""
        body = {"body": f"{MARKER}\n{text}\n\n_Of {code(self.commit)}; [the run]({self.run})._"}
        for comment in self.items(f"issues/{pull}/comments"):
            if comment["body"].startswith(MARKER) and comment["user"]["login"] == BOT:
                self.ask("PATCH", f"issues/comments/{int(comment['id'])}", json=body)
                return
        self.ask("POST", f"issues/{pull}/comments", json=body)


def compared(repo: Path, github: GitHub, pull: int, base: str) -> str:
    """The comparison, or in one sentence why there is none.

    Args:
        repo: a clone of the default branch with its history; the commits are fetched into it.
        github: what the event says.
        pull: number of the pull request.
        base: its base branch.
    """
    refs = (f"+refs/pull/{pull}/head:refs/samrs/head", f"+refs/heads/{base}:refs/samrs/base")
    try:
        commits.git(repo, "fetch", "--quiet", "--no-tags", "origin", *refs)
        found = review(repo, "refs/samrs/base", github.commit)
        return render(found, github.repository, COMMENT_LENGTH)
    except SamrsError as error:
        why = str(error)
    except Exception as error:  # whatever a stranger's files do, the comment says that it failed
        why = f"the comparison ended with {type(error).__name__}, a fault of tools/review"
    return f"## What this changes\n\nNo comparison: {code(why, 2000)}"


def comment(repo: Path, github: GitHub) -> list[int]:
    """Comment on every pull request of a run.

    Args:
        repo: a clone of the default branch with its history.
        github: what the event says.

    Returns:
        Their numbers; none where a newer commit has come since.

    Raises:
        SourceError: GitHub refuses.
    """
    found = github.pull_requests()
    for number, base in found:
        github.post(number, "The comparison is being made.")
        github.post(number, compared(repo, github, number, base))
    return [number for number, _ in found]
