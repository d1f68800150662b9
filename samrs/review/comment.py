"""The one comment that a pull request gets, made by trusted code after an untrusted run.

The run that a fork's pull request starts has no right to write. When it ends, a second one starts
from the default branch with a token: it finds the pull request by commit, never by what the first
run says, fetches both commits as data and writes the comparison anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from samrs.core.errors import ParameterError, SamrsError, SourceError
from samrs.review import revisions
from samrs.review.cells import span
from samrs.review.markdown import COMMENT_LENGTH, render
from samrs.review.review import review

MARKER = "<!-- samrs metrics -->"
PAGE = 100
TIMEOUT = 30.0


@dataclass(frozen=True)
class Run:
    """The run that a pull request started, from the event ``workflow_run``.

    Args:
        repository: ``owner/name`` of the pull request.
        head_repository, head_branch, head_sha: where its commits are from.
        url: the run's page.
    """

    repository: str
    head_repository: str
    head_branch: str
    head_sha: str
    url: str


@dataclass(frozen=True)
class Access:
    """GitHub's REST interface.

    Args:
        api: e.g. ``https://api.github.com``.
        token: of a job that may write to pull requests.
        bot: who the comments are by.
    """

    api: str
    token: str
    bot: str = "github-actions[bot]"

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """The JSON answer to a request.

        Raises:
            SourceError: GitHub refuses or is not there.
        """
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        try:
            answer = requests.request(
                method, f"{self.api}/{path}", headers=headers, timeout=TIMEOUT, **content
            )
            answer.raise_for_status()
            return answer.json()
        except requests.RequestException as error:
            raise SourceError(
                f"{method} {path}: GitHub does not answer as needed, got {error}; a token that may "
                "write to pull requests is needed; run the job again"
            ) from error

    def pages(self, path: str, **values: str) -> Iterator[Any]:
        """Every item of a list that comes in pages."""
        page, found = 1, [None] * PAGE
        while len(found) == PAGE:
            numbers = {"per_page": str(PAGE), "page": str(page)}
            found = self.ask("GET", path, params={**values, **numbers})
            yield from found
            page += 1


def run_from(environment: Mapping[str, str]) -> tuple[Run, Access]:
    """The run and the access from the variables that the workflow sets.

    Raises:
        ParameterError: one is missing.
    """
    names = {
        "repository": "GITHUB_REPOSITORY",
        "head_repository": "HEAD_REPOSITORY",
        "head_branch": "HEAD_BRANCH",
        "head_sha": "HEAD_SHA",
        "url": "RUN_URL",
        "api": "GITHUB_API_URL",
        "token": "GITHUB_TOKEN",
    }
    for name in names.values():
        if not environment.get(name):
            raise ParameterError(
                f"environment: variable is missing, got no {name}; {', '.join(names.values())} are "
                "needed; metrics-comment.yml sets them"
            )
    found = {key: environment[name] for key, name in names.items()}
    access = Access(found.pop("api"), found.pop("token"))
    return Run(**found), access


def pull_requests(run: Run, access: Access) -> list[tuple[int, str]]:
    """Number and base branch of the open pull requests whose last commit the run was of."""
    owner = run.head_repository.split("/")[0]
    listed = access.pages(
        f"repos/{run.repository}/pulls", state="open", head=f"{owner}:{run.head_branch}"
    )
    return [
        (int(pull["number"]), str(pull["base"]["ref"]))
        for pull in listed
        if pull["head"]["sha"] == run.head_sha
        and (pull["head"]["repo"] or {}).get("full_name") == run.head_repository
    ]


def body(repo: Path, run: Run, pull: int, base: str) -> str:
    """The comment: the comparison, or in one sentence why there is none.

    Args:
        repo: a clone of the default branch with its history; the commits are fetched into it.
        pull: number of the pull request.
        base: its base branch.
    """
    here = (f"refs/samrs/{pull}/head", f"refs/samrs/{pull}/base")
    there = (f"refs/pull/{pull}/head", f"refs/heads/{base}")
    refs = [f"+{remote}:{local}" for remote, local in zip(there, here, strict=True)]
    revisions.git(repo, "fetch", "--quiet", "--no-tags", "origin", *refs)
    foot = f"_[The run]({run.url}) shows all of it._"
    room = COMMENT_LENGTH - len(MARKER) - len(foot) - 4
    try:
        text = render(review(repo, here[1], run.head_sha), run.repository, room)
    except SamrsError as error:
        text = f"## What this changes\n\nNo comparison: {span(str(error), room // 2)}\n"
    return f"{MARKER}\n{text}\n{foot}"


def post(run: Run, access: Access, pull: int, text: str) -> None:
    """Write the comment, over the one that is there.

    Raises:
        SourceError: GitHub refuses.
    """
    issue = f"repos/{run.repository}/issues"
    for comment in access.pages(f"{issue}/{pull}/comments"):
        if comment["body"].startswith(MARKER) and comment["user"]["login"] == access.bot:
            access.ask("PATCH", f"{issue}/comments/{int(comment['id'])}", json={"body": text})
            return
    access.ask("POST", f"{issue}/{pull}/comments", json={"body": text})


def comment(repo: Path, run: Run, access: Access) -> list[int]:
    """Comment on every pull request of a run.

    Returns:
        Their numbers; none where a newer commit has come since.

    Raises:
        SourceError: GitHub refuses.
        UnknownNameError: the commits cannot be fetched.
    """
    found = pull_requests(run, access)
    for number, base in found:
        post(run, access, number, body(repo, run, number, base))
    return [number for number, _ in found]
