"""A tiny project that releases: git, dvc, two subsets made of products by hand, remotes."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from samrs.core.shards import sha256, write_manifest
from tests.products_by_hand import Thing
from tests.release.test_release import run as release

SUBSETS = ("sota", "sior")
GRAPH = """
stages:
  release:
    foreach: [sota, sior]
    do:
      cmd: exec false
      outs:
      - data/release/${item}
  pretrain:
    cmd: exec false
    outs:
    - data/pretrain
artifacts:
  sota: {path: data/release/sota, type: dataset, desc: hand-made}
  sior: {path: data/release/sior, type: dataset, desc: hand-made}
  pretrained: {path: data/pretrain, type: model}
  nano: {path: samrs/models/nano.safetensors, type: model}
"""
CONFIG = """
[core]
    analytics = false
    check_update = false
    autostage = true
    remote = public
['remote "public"']
    url = {public}
    verify = true
['remote "storage"']
    url = {storage}
    verify = true
"""
CHANGELOG = """# Changelog

Versions are those of the data.

## Unreleased

- Masks of ships are whole.
"""


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Variables that keep git and dvc away from this user's settings and indexes."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "DVC_", "GIT_"))}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(folder / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(folder / "system"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **more,
    }


def attempt(root: Path, env: Mapping[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=root, env=env, capture_output=True, text=True, check=False, timeout=120
    )


def run(root: Path, env: Mapping[str, str], *command: str) -> str:
    done = attempt(root, env, *command)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def make(root: Path, env: Mapping[str, str], *, public: str, storage: str) -> Path:
    """A committed repository at ``root`` whose products lie in the workspace and the cache."""
    for number, subset in enumerate(SUBSETS):
        things = [Thing("a__0_0", "ship", (5, 5, 10, 10 + number))]
        _, made = release(root.parent / "made" / subset, things)
        shutil.copytree(made, root / "data" / "release" / subset)
    weights = root / "data" / "pretrain" / "weights.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(bytes(range(256)) * 16)
    about = {"product": "pretrain", "files": {weights.name: sha256(weights)}}
    write_manifest(weights.parent, about)
    (root / "samrs" / "models").mkdir(parents=True)
    (root / "samrs" / "models" / "nano.safetensors").write_bytes(b"nano" * 100)
    (root / "dvc.yaml").write_text(GRAPH)
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    run(root, env, "git", "init", "-q", "-b", "main")
    run(root, env, "git", "config", "user.name", "Maintainer")
    run(root, env, "git", "config", "user.email", "maintainer@samrs.example")
    run(root, env, "dvc", "init", "-q")
    (root / ".dvc" / "config").write_text(CONFIG.format(public=public, storage=storage))
    run(root, env, "dvc", "commit", "-q", "-f")
    commit(root, env, "Reproduce")
    return root


def commit(root: Path, env: Mapping[str, str], subject: str) -> None:
    run(root, env, "git", "add", "-A")
    run(root, env, "git", "commit", "-q", "-m", subject)


def bare(repo: Path, to: Path, env: Mapping[str, str]) -> Path:
    """What a git host has of a repository: commits and tags, no data."""
    run(repo, env, "git", "clone", "-q", "--bare", str(repo), str(to))
    return to


def reconfigure(root: Path, old: str, new: str) -> None:
    """Replace an address in the committed configuration of dvc."""
    file = root / ".dvc" / "config"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def copy(repo: Path, to: Path) -> Path:
    """The same repository elsewhere, cache included."""
    shutil.copytree(repo, to, symlinks=True)
    return to


@dataclass
class Server:
    """A folder over HTTP: its address, and the paths that were asked for."""

    url: str
    asked: list[str]


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """The folder over HTTP on loopback, as a file host serves it: no writing, no listing."""
    folder.mkdir(parents=True, exist_ok=True)
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            asked.append(self.path.removeprefix("/"))

        def list_directory(self, path: object) -> None:
            self.send_error(404)

    class Patient(ThreadingHTTPServer):
        def handle_error(self, *arguments: object) -> None:
            """A client may hang up: dvc get does once it has what it needs."""

    handler = functools.partial(Handler, directory=str(folder))
    with Patient(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Server(f"http://127.0.0.1:{server.server_address[1]}", asked)
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def raw_host(repositories: Mapping[str, Path]) -> Iterator[str]:
    """Files of a branch over HTTP, ``<name>/<branch>/<path>``, as git hosts serve them.

    Args:
        repositories: bare ones, by name; read at each request.
    """

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            owner, name, branch, path = self.path.lstrip("/").split("/", 3)
            where = ["git", "--git-dir", str(repositories[f"{owner}/{name}"])]
            command = [*where, "cat-file", "blob", f"refs/heads/{branch}:{path}"]
            done = subprocess.run(command, capture_output=True, check=False)
            self.send_response(404 if done.returncode else 200)
            self.send_header("Content-Length", str(len(done.stdout)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(done.stdout)

        do_GET = do_HEAD = _serve

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def files(folder: Path) -> dict[str, bytes]:
    """Content by path relative to the folder."""
    found = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}
