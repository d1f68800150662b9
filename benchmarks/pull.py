"""How long a stranger waits for a release: clone, `dvc pull`, `dvc get`, on loopback.

    python -m benchmarks.pull data/release
    python -m benchmarks.pull data/release --remote s3

The folder's subsets are copied into a new repository and pushed, then fetched by real git and dvc
processes with empty caches: over HTTP from a server of files, or over S3 from moto's server. Prints
one JSON line: seconds of each command (a process start of dvc included), bytes, files, and the rows
that were verified after the pull.
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
from moto.server import ThreadedMotoServer

from samrs.core.shards import verify_product
from samrs.publish.artifacts import MANIFEST, products
from samrs.publish.repository import Repository
from samrs.publish.stranger import environment

BUCKET = "release"
NAME = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@samrs.example")
REMOTE = "address"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Patient(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client may hang up: dvc get does once it has what it needs."""


@contextmanager
def http(folder: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Where to push, where to pull from, variables: a folder, served read-only."""
    store = folder / "store"
    store.mkdir()
    handler = functools.partial(_Quiet, directory=str(store))
    with _Patient(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield str(store), f"http://127.0.0.1:{server.server_address[1]}", {}
        server.shutdown()


@contextmanager
def s3(folder: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The same with a bucket, in memory."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    access = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "anyone",
        "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    made = requests.put(f"{access['AWS_ENDPOINT_URL']}/{BUCKET}", timeout=60)
    made.raise_for_status()
    address = f"s3://{BUCKET}/dvc"
    yield address, address, access
    server.stop()


REMOTES = {"http": http, "s3": s3}


def published(release: Path, folder: Path, push_to: str, pull_from: str, env: Any) -> Repository:
    """A repository in ``folder/repo`` with the subsets pushed and its default remote set."""
    root = folder / "repo"
    root.mkdir()
    repository = Repository(root, {**environment(folder / "maintainer"), **env})
    repository.git("init", "--quiet")
    repository.dvc("init", "--quiet")
    subsets = sorted(manifest.parent for manifest in release.glob(f"*/{MANIFEST}"))
    for subset in subsets:
        shutil.copytree(subset, root / "data" / "release" / subset.name)
    repository.dvc("add", "--quiet", *(f"data/release/{subset.name}" for subset in subsets))
    repository.dvc("remote", "add", "--quiet", "--default", REMOTE, pull_from)
    repository.dvc("remote", "modify", REMOTE, "verify", "true")
    repository.dvc("remote", "add", "--quiet", "storage", push_to)
    repository.git("add", "--all")
    repository.git(*NAME, "commit", "--quiet", "--message", "Release")
    repository.dvc("push", "--quiet", "--remote", "storage")
    return repository


def seconds(work: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    work()
    return round(time.perf_counter() - start, 2)


def measure(release: Path, remote: str) -> dict[str, Any]:
    """Publish into a temporary folder and fetch from there."""
    with tempfile.TemporaryDirectory() as name, REMOTES[remote](Path(name)) as (to, at, env):
        folder = Path(name)
        source = published(release, folder, to, at, env)
        for who in ("puller", "getter"):
            (folder / who).mkdir()
        stranger = Repository(folder / "puller", {**environment(folder / "puller"), **env})
        getter = Repository(folder / "getter", {**environment(folder / "getter"), **env})
        address = source.root.as_uri()
        clone = Repository(folder / "puller" / "clone", stranger.env)
        subset = min(release.glob(f"*/{MANIFEST}")).parent.name
        found = {
            "remote": remote,
            "clone_s": seconds(lambda: stranger.git("clone", "--quiet", address, "clone")),
            "pull_s": seconds(lambda: clone.dvc("pull")),
            "get_one_subset_s": seconds(
                lambda: getter.dvc("get", address, f"data/release/{subset}")
            ),
        }
        files = [path for product in products(clone.root) for path in product.iterdir()]
        return {
            **found,
            "files": len(files),
            "bytes": sum(p.stat().st_size for p in files),
            "rows_verified": sum(map(verify_product, products(clone.root))),
        }


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.pull", description="Time fetching a release.")
    parser.add_argument("release", type=Path, help="folder of subsets, e.g. data/release")
    parser.add_argument("--remote", choices=REMOTES, default="http")
    given = parser.parse_args()
    print(json.dumps(measure(given.release, given.remote)))


if __name__ == "__main__":
    main()
