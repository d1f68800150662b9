"""The comment on a fork's pull request: real git remotes, a server that speaks as GitHub."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from samrs.review.comment import MARKER, PAGE
from tests.pull_requests import changes
from tests.pull_requests.changes import METRICS, PARAMS, begin, git, save

BOT = "github-actions[bot]"


class GitHub:
    """Pull requests and comments, served as GitHub's REST interface does."""

    def __init__(self) -> None:
        self.pulls: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.asked: list[str] = []
        handler = type("Handler", (_Handler,), {"github": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        self.asked.append(f"{method} {path}")
        first = (int(query.get("page", ["1"])[0]) - 1) * int(query.get("per_page", ["30"])[0])
        if (method, path) == ("GET", "/repos/o/r/pulls"):
            assert query["state"] == ["open"]
            found = [p for p in self.pulls if query["head"] == [p["head"]["label"]]]
            return found[first : first + PAGE]
        if (method, path) == ("GET", "/repos/o/r/issues/7/comments"):
            return self.comments[first : first + PAGE]
        if (method, path) == ("POST", "/repos/o/r/issues/7/comments"):
            self.say(BOT, body["body"])
            return {}
        if method == "PATCH" and path.startswith("/repos/o/r/issues/comments/"):
            self.comments[int(path.rsplit("/", 1)[1])]["body"] = body["body"]
            return {}
        return None

    def say(self, who: str, text: str) -> None:
        self.comments.append({"id": len(self.comments), "user": {"login": who}, "body": text})


class _Handler(BaseHTTPRequestHandler):
    github: GitHub

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        address = urlsplit(self.path)
        answer = None
        if self.headers["Authorization"] == "Bearer token":
            answer = self.github.answer(self.command, address.path, parse_qs(address.query), body)
        content = json.dumps(answer).encode()
        self.send_response(403 if answer is None else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = _serve

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def github() -> Iterator[GitHub]:
    served = GitHub()
    yield served
    served.server.shutdown()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of the default branch; the fork's commit is at the remote under ``refs/pull``."""
    root = begin(tmp_path / "remote")
    save(root)
    git(root, "checkout", "-qb", "fork")
    params = {**PARAMS, "prompt": "rbox"}
    save(root, params, {**METRICS, "pretrain": {"final_loss": 1.0}})
    git(root, "update-ref", "refs/pull/7/head", "fork")
    git(root, "checkout", "-q", "main")
    git(root, "branch", "-qD", "fork")
    git(tmp_path, "clone", "-q", "remote", "clone")
    return tmp_path / "clone"


def pull(clone: Path, **changed: Any) -> dict[str, Any]:
    sha = git(clone.parent / "remote", "rev-parse", "refs/pull/7/head")
    head = {"label": "stranger:patch", "sha": sha, "repo": {"full_name": "stranger/fork"}}
    return {"number": 7, "base": {"ref": "main"}, "head": {**head, **changed}}


def comment(clone: Path, github: GitHub, **changed: str) -> Any:
    env = {
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_API_URL": github.address,
        "GITHUB_TOKEN": "token",
        "HEAD_REPOSITORY": "stranger/fork",
        "HEAD_BRANCH": "patch",
        "HEAD_SHA": git(clone.parent / "remote", "rev-parse", "refs/pull/7/head"),
        "RUN_URL": "https://github.com/o/r/actions/runs/1",
        "NO_PROXY": "127.0.0.1",
        **changed,
    }
    return changes.review(clone, "comment", **env)


def test_a_second_run_writes_over_the_first_comment(clone: Path, github: GitHub) -> None:
    github.pulls = [pull(clone)]
    github.say("somebody", f"{MARKER}\nnot the bot's")
    for number in range(PAGE):
        github.say("somebody", str(number))
    for _ in range(2):
        done = comment(clone, github)
        assert (done.returncode, done.stdout) == (0, "commented on [7]\n"), done.stderr
    ours = [c for c in github.comments if c["user"]["login"] == BOT]
    assert len(ours) == 1
    text = ours[0]["body"]
    assert text.startswith(f"{MARKER}\n## What this changes\n")
    assert "| `prompt` | `hbox` | `rbox` |" in text
    assert text.endswith("[The run](https://github.com/o/r/actions/runs/1) shows all of it._")
    assert len([a for a in github.asked if a.startswith(("POST", "PATCH"))]) == 2
    assert github.comments[0]["body"] == f"{MARKER}\nnot the bot's"


def test_nothing_of_the_fork_is_checked_out(clone: Path, github: GitHub) -> None:
    github.pulls = [pull(clone)]
    before = git(clone, "rev-parse", "HEAD"), (clone / "params.yaml").read_bytes()
    assert comment(clone, github).returncode == 0
    assert before == (git(clone, "rev-parse", "HEAD"), (clone / "params.yaml").read_bytes())
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "changed",
    [{"sha": "0" * 40}, {"repo": {"full_name": "another/fork"}}, {"repo": None}],
    ids=["newer commit", "another repository", "repository gone"],
)
def test_a_pull_request_of_another_commit_gets_none(
    clone: Path, github: GitHub, changed: dict[str, Any]
) -> None:
    github.pulls = [pull(clone, **changed)]
    done = comment(clone, github)
    assert done.returncode == 0
    assert "no open pull request has this commit as its last" in done.stdout
    assert github.comments == []


def test_an_unreadable_change_is_told_in_the_comment(clone: Path, github: GitHub) -> None:
    remote = clone.parent / "remote"
    git(remote, "checkout", "-q", "--detach", "refs/pull/7/head")
    save(remote, "a: [`@everyone`")
    git(remote, "update-ref", "refs/pull/7/head", "HEAD")
    github.pulls = [pull(clone)]
    assert comment(clone, github).returncode == 0
    text = github.comments[0]["body"]
    assert "No comparison: `params.yaml: " in text


def test_what_goes_wrong_is_one_sentence(clone: Path, github: GitHub) -> None:
    github.pulls = [pull(clone)]
    other = "wrong"
    refused = comment(clone, github, GITHUB_TOKEN=other)
    assert refused.returncode == 1
    assert "error: GET repos/o/r/pulls: GitHub does not answer as needed, got 403" in refused.stderr
    lost = comment(clone, github, HEAD_SHA="")
    assert "got no HEAD_SHA" in lost.stderr
    assert "Traceback" not in refused.stderr + lost.stderr
