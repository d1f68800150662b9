"""The storage on S3: real dvc-s3 against moto's server on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from samrs.core.shards import verify_product
from samrs.publish.storage import push_every_object
from tests.publish import repositories as tiny

BUCKET = "tiny"
URL = f"s3://{BUCKET}/dvc"
SOTA = "data/release/sota"
SHARD = f"{SOTA}/instances-00000.parquet"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "maintainer",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "2",
}
"""All that a maintainer needs beside AWS_ENDPOINT_URL; none of it is in a file."""


@dataclass
class Store:
    """A server with one bucket, asked directly."""

    port: int
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.client = boto3.client(
            "s3",
            endpoint_url=self.endpoint(),
            aws_access_key_id="maintainer",
            aws_secret_access_key="secret",  # noqa: S106 - moto asks for any
            region_name="us-east-1",
        )

    def endpoint(self, port: int | None = None) -> str:
        return f"http://127.0.0.1:{port or self.port}"

    def objects(self) -> dict[str, bytes]:
        """Content by key below ``files/md5/``, complete uploads only."""
        listed = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {
            item["Key"].split("files/md5/")[1]: self.client.get_object(
                Bucket=BUCKET, Key=item["Key"]
            )["Body"].read()
            for item in listed
        }

    def empty(self) -> None:
        for key in self.objects():
            self.client.delete_object(Bucket=BUCKET, Key=f"dvc/files/md5/{key}")


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    store = Store(moto.get_host_and_port()[1])
    store.client.create_bucket(Bucket=BUCKET)
    yield store
    moto.stop()


@pytest.fixture
def store(server: Store) -> Store:
    server.empty()
    return server


def maintainer(original: Path, folder: Path, store: Store) -> tuple[Path, dict[str, str]]:
    """The tiny project with its storage on S3, and variables with the credentials."""
    root = tiny.copy(original, folder / "repo")
    env = tiny.environment(folder, **CREDENTIALS, AWS_ENDPOINT_URL=store.endpoint())
    tiny.reconfigure(root, "../../storage", URL)
    tiny.commit(root, env, "Store on S3")
    return root, env


def cached(root: Path) -> dict[str, bytes]:
    return tiny.files(root / ".dvc" / "cache" / "files" / "md5")


def test_push_pull_and_get(original: Path, tmp_path: Path, store: Store) -> None:
    """By S3 with credentials, and without any over HTTP from the same bucket."""
    root, env = maintainer(original, tmp_path, store)
    readable = "['remote \"storage\"']\n    acl = public-read\n"
    (root / ".dvc" / "config.local").write_text(readable)
    tiny.run(root, env, "dvc", "push", "-q", "-r", "storage")
    assert store.objects() == cached(root)

    fresh = {**env, "DVC_SITE_CACHE_DIR": str(tmp_path / "other")}
    host = tiny.bare(root, tmp_path / "host.git", env).as_uri()
    tiny.run(tmp_path, env, "git", "clone", "-q", host, "clone")
    tiny.run(tmp_path / "clone", fresh, "dvc", "pull", "-q", "-r", "storage")
    assert tiny.files(tmp_path / "clone" / "data") == tiny.files(root / "data")

    nobody = tiny.environment(tmp_path, DVC_SITE_CACHE_DIR=str(tmp_path / "third"))
    url = f"url={store.endpoint()}/{BUCKET}/dvc"
    tiny.run(tmp_path, nobody, "dvc", "get", host, SHARD, "--remote-config", url)
    assert (tmp_path / Path(SHARD).name).read_bytes() == (root / SHARD).read_bytes()

    tiny.run(tmp_path, fresh, "dvc", "get", host, SOTA, "--remote", "storage")
    assert tiny.files(tmp_path / "sota") == tiny.files(root / SOTA)
    assert verify_product(tmp_path / "sota") == 11


def test_what_the_storage_lost_is_pushed_again_and_wrong_bytes_stop_a_pull(
    original: Path, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, env = maintainer(original, tmp_path, store)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    count = len(cached(root))
    assert push_every_object(root, "storage") == (count, count)
    shard = next(k for k, v in cached(root).items() if v[:4] == b"PAR1")
    store.client.delete_object(Bucket=BUCKET, Key=f"dvc/files/md5/{shard}")
    assert push_every_object(root, "storage") == (count, 1)
    assert store.objects() == cached(root)

    wrong = cached(root)[shard][:-1] + b"?"
    store.client.put_object(Bucket=BUCKET, Key=f"dvc/files/md5/{shard}", Body=wrong)
    tiny.run(tmp_path, env, "git", "clone", "-q", str(root), "clone")
    fresh = {**env, "DVC_SITE_CACHE_DIR": str(tmp_path / "other")}
    done = tiny.attempt(tmp_path / "clone", fresh, "dvc", "pull", "-r", "storage")
    assert done.returncode != 0
    assert "data/release/" in done.stderr


@contextmanager
def wire(port: int, store: Store, rate: float) -> Iterator[subprocess.Popen[bytes]]:
    """A wire to the server of so many bytes/s a connection, a process that a test may kill."""
    script = Path(__file__).with_name("forwarder.py")
    command = [sys.executable, str(script), str(port), str(store.port), str(rate)]
    with subprocess.Popen(command) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline, "the wire does not answer"
                    time.sleep(0.05)
            yield process
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_push_that_was_cut_off_is_resumed_without_loss(
    original: Path, tmp_path: Path, store: Store
) -> None:
    """The server goes away while objects are on their way, by SIGKILL; later it is back."""
    root, env = maintainer(original, tmp_path, store)
    before = _list_of(root, "data/pretrain")
    big = root / "data" / "pretrain"
    for n in range(6):
        (big / f"part-{n}.bin").write_bytes(os.urandom(200_000))
    tiny.run(root, env, "dvc", "commit", "-q", "-f", "pretrain")
    tiny.commit(root, env, "Add parts")
    wanted = cached(root)
    del wanted[before]  # no commit that is pushed has that list

    port = free_port()
    through = {**env, "AWS_ENDPOINT_URL": store.endpoint(port)}
    push = [sys.executable, "-m", "dvc", "push", "-j", "2", "-r", "storage"]
    with wire(port, store, 100_000) as process, (tmp_path / "said.txt").open("wb") as said:
        child = subprocess.Popen(push, cwd=root, env=through, stdout=said, stderr=said)
        while child.poll() is None and len(store.objects()) < 4:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert child.wait(timeout=120) != 0
    there = store.objects()
    assert 4 <= len(there) < len(wanted), (tmp_path / "said.txt").read_text()
    assert not there.items() - wanted.items()
    assert _list_of(root, "data/pretrain") not in there, "a folder's list comes last"

    with wire(port, store, 10_000_000):
        tiny.run(root, through, "dvc", "push", "-q", "-r", "storage")
    assert store.objects() == wanted
    tiny.run(tmp_path, env, "git", "clone", "-q", str(root), "clone")
    fresh = {**env, "DVC_SITE_CACHE_DIR": str(tmp_path / "other")}
    tiny.run(tmp_path / "clone", fresh, "dvc", "pull", "-q", "-r", "storage")
    assert tiny.files(tmp_path / "clone" / "data") == tiny.files(root / "data")


def _list_of(root: Path, path: str) -> str:
    """The key of a folder's list, as dvc.lock has it."""
    lines = (root / "dvc.lock").read_text().split(f"path: {path}\n")[1].splitlines()
    md5 = next(line.split()[-1] for line in lines if line.strip().startswith("md5:"))
    return f"{md5[:2]}/{md5[2:]}"
