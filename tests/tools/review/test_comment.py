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

from tests.tools.review import changes
from tests.tools.review.changes import METRICS, PARAMS, begin, git, save
from tools.review.comment import MARKER, PAGE

BOT = "github-actions[bot]"


class GitHub:
    """Pull requests and comments, served as GitHub's REST interface does."""

    def __init__(self) -> None:
        self.pulls: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.written: list[str] = []
        handler = type("Handler", (_Handler,), {"github": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        self.asked.append(f"{method} {path}")
        self.written += [body["body"]] if body else []
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
    assert text.endswith("; [the run](https://github.com/o/r/actions/runs/1)._")
    assert [a.split()[0] for a in github.asked if not a.startswith("GET")] == [
        "POST",
        *["PATCH"] * 3,
    ]
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


@pytest.mark.parametrize(
    ("params", "metrics", "said"),
    [
        ("a: [`@everyone`", "{}", "params.yaml: unreadable, got "),
        ("a: &name [1]\nb: *name", "{}", "params.yaml: unreadable, got ValueError, an alias"),
        ("a: &name [*name]", "{}", "params.yaml: unreadable, got ValueError, an alias"),
        ("a: !!bool maybe", "{}", "params.yaml: unreadable, got ValueError, the tag"),
        ("a: " + "[" * 5000, "{}", "params.yaml: unreadable, got ValueError, an alias, more than"),
        ("a: 2001-01-01", "{}", "params.yaml: unusable value, got date that"),
        ("? [a, b]\n: c", "{}", "params.yaml: wrong guard, got guard: None; "),
        ("a: 0x" + "f" * 5000, "{}", "params.yaml: unusable value, got int that"),
        ("a: " + "9" * 400, "{}", "params.yaml: unusable value, got int that"),
        ("a: " + "9" * 5000, "{}", "params.yaml: unreadable, got ValueError, Exceeds the limit"),
        ("a: [1]", '{"a": ' + "9" * 5000 + "}", "metrics/x.json: unreadable metrics, got Value"),
        ("a: [1]", '{"a": ' * 5000, "metrics/x.json: unreadable metrics, got "),
        ("a: [1]", '{"a": ' + "9" * 400 + "}", "metrics/x.json: unusable value, got int that"),
        ("a: [1]", '{"a": ' * 20 + "1" + "}" * 20, "metrics/x.json: unusable value, got more th"),
        ("a: [1]", '{"a": NaN}', "metrics/x.json: unusable value, got float that"),
        ("a: [1]", "{", "metrics/x.json: unreadable metrics, got JSONDecodeError"),
        ("a: [1]", '{"a": 1}', "params.yaml: wrong guard, got guard: None; "),
    ],
)
def test_what_cannot_be_compared_takes_the_place_of_the_earlier_comment(
    clone: Path, github: GitHub, params: str, metrics: str, said: str
) -> None:
    github.pulls = [pull(clone)]
    assert comment(clone, github).returncode == 0
    assert "**Gate passed**" in github.comments[0]["body"]
    remote = clone.parent / "remote"
    git(remote, "checkout", "-q", "--detach", "refs/pull/7/head")
    head = save(remote, params, files={"metrics/x.json": metrics.encode()})
    git(remote, "update-ref", "refs/pull/7/head", "HEAD")
    github.pulls = [pull(clone)]
    done = comment(clone, github)
    assert (done.returncode, done.stderr) == (0, "")
    (text,) = (c["body"] for c in github.comments)
    assert f"No comparison: `{said}" in text
    assert "Gate" not in text
    assert f"_Of `{head}`; [the run]" in text
    outside = "".join(text.split("`")[::2])
    assert "@everyone" not in outside


def test_before_it_compares_it_takes_the_old_result_away(clone: Path, github: GitHub) -> None:
    github.pulls = [pull(clone)]
    assert comment(clone, github).returncode == 0
    first, last = github.written
    assert "The comparison is being made." in first
    assert "Gate" not in first
    assert "**Gate passed**" in last


def test_a_base_that_is_gone_is_told_in_the_comment(clone: Path, github: GitHub) -> None:
    github.pulls = [pull(clone) | {"base": {"ref": "gone"}}]
    assert comment(clone, github).returncode == 0
    assert "No comparison: `git fetch " in github.comments[0]["body"]


def test_what_goes_wrong_is_one_sentence(clone: Path, github: GitHub) -> None:
    github.pulls = [pull(clone)]
    other = "wrong"
    refused = comment(clone, github, GITHUB_TOKEN=other)
    assert refused.returncode == 1
    assert "error: GET pulls: GitHub does not answer as needed, got 403" in refused.stderr
    lost = changes.review(clone, "comment", GITHUB_REPOSITORY="o/r", GITHUB_API_URL="http://a")
    assert "variable is missing, got no 'HEAD_REPOSITORY'" in lost.stderr
    assert "Traceback" not in refused.stderr + lost.stderr
