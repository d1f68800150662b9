"""What a stranger without an account does with a published release, over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from samrs.core.errors import ProductError
from samrs.core.shards import verify_product
from tests.publish import repositories as tiny

SOTA = "data/release/sota"
SHARD = f"{SOTA}/instances-00000.parquet"


@dataclass
class Published:
    """A release: the maintainer's tree, the git host's address, the storage and its server."""

    root: Path
    address: str
    storage: Path
    server: tiny.Server

    def objects_asked(self) -> set[str]:
        """Files of the storage that were asked for since ``server.asked`` was cleared."""
        return {path for path in self.server.asked if (self.storage / path).is_file()}


@pytest.fixture(scope="module")
def published(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("published")
    env = tiny.environment(folder)
    root = tiny.copy(original, folder / "repo")
    with tiny.served(folder / "storage") as server:
        tiny.reconfigure(root, "http://nowhere", server.url)
        tiny.commit(root, env, "Say where the data are")
        tiny.run(root, env, "dvc", "push", "-q", "-r", "storage")
        for tag in ("v1.0.0", "sota@v1.0.0", "nano@v1.0.0"):
            tiny.run(root, env, "git", "tag", "-a", tag, "-m", "Release 1.0.0")
        host = tiny.bare(root, folder / "host.git", env)
        yield Published(root, host.as_uri(), folder / "storage", server)


@dataclass
class Stranger:
    """An empty folder and nobody's settings."""

    folder: Path
    env: dict[str, str]

    def run(self, *command: str, at: str = ".") -> str:
        return tiny.run(self.folder / at, self.env, *command)

    def clone(self, published: Published) -> Path:
        self.run("git", "clone", "-q", published.address, "clone")
        return self.folder / "clone"


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    (tmp_path / "work").mkdir()
    return Stranger(tmp_path / "work", tiny.environment(tmp_path))


def test_clone_and_pull(published: Published, stranger: Stranger) -> None:
    clone = stranger.clone(published)
    stranger.run("dvc", "pull", at="clone")
    assert tiny.files(clone / "data") == tiny.files(published.root / "data")
    assert stranger.run("git", "status", "--porcelain", at="clone") == ""
    assert verify_product(clone / SOTA) == 11


def test_get_by_the_tag_of_the_release(published: Published, stranger: Stranger) -> None:
    stranger.run("dvc", "get", published.address, SOTA, "--rev", "v1.0.0")
    assert tiny.files(stranger.folder / "sota") == tiny.files(published.root / SOTA)


def test_get_an_artifact_by_its_name(published: Published, stranger: Stranger) -> None:
    get = ("dvc", "artifacts", "get", published.address)
    stranger.run(*get, "sota", "--rev", "v1.0.0", "-o", "sota")
    assert tiny.files(stranger.folder / "sota") == tiny.files(published.root / SOTA)
    stranger.run(*get, "nano", "-o", "nano.safetensors")
    model = (published.root / "samrs" / "models" / "nano.safetensors").read_bytes()
    assert (stranger.folder / "nano.safetensors").read_bytes() == model


def test_one_shard_is_pulled_without_the_rest(published: Published, stranger: Stranger) -> None:
    clone = stranger.clone(published)
    published.server.asked.clear()
    stranger.run("dvc", "pull", SHARD, at="clone")
    assert set(tiny.files(clone / "data")) == {
        ".gitignore",
        "release/.gitignore",
        SHARD.removeprefix("data/"),
    }
    assert len(published.objects_asked()) == 2, "the list of the folder and the shard"
    stranger.run("dvc", "pull", SOTA, at="clone")
    assert tiny.files(clone / SOTA) == tiny.files(published.root / SOTA)
    assert not (clone / "data" / "release" / "sior").exists()


def test_one_shard_is_got_without_the_rest(published: Published, stranger: Stranger) -> None:
    published.server.asked.clear()
    stranger.run("dvc", "get", published.address, SHARD, "--rev", "v1.0.0")
    assert list(tiny.files(stranger.folder)) == ["instances-00000.parquet"]
    assert len(published.objects_asked()) == 2, "the list of the folder and the shard"


def test_another_address_takes_the_place_of_the_committed_one(
    published: Published, stranger: Stranger
) -> None:
    """A mirror at a site, given on the command line or in config.local."""
    with tiny.served(published.storage) as mirror:
        published.server.asked.clear()
        url = f"url={mirror.url}"
        get = ("dvc", "get", published.address, SHARD, "--remote", "public")
        stranger.run(*get, "--remote-config", url)
        clone = stranger.clone(published)
        local = f"['remote \"public\"']\n    url = {mirror.url}\n"
        (clone / ".dvc" / "config.local").write_text(local)
        stranger.run("dvc", "pull", SHARD, at="clone")
        assert (clone / SHARD).read_bytes() == (stranger.folder / Path(SHARD).name).read_bytes()
        assert mirror.asked
        assert not published.server.asked


def test_wrong_bytes_are_found(published: Published, stranger: Stranger, tmp_path: Path) -> None:
    """By a pull itself; after a get, which checks nothing, by the manifest."""
    shutil.copytree(published.storage, tmp_path / "broken")
    good = (published.root / SHARD).read_bytes()
    broken = [p for p in (tmp_path / "broken").rglob("*") if p.is_file()]
    (file,) = [p for p in broken if p.read_bytes() == good]
    file.chmod(0o644)
    file.write_bytes(good[:-9] + b"x" + good[-8:])
    with tiny.served(tmp_path / "broken") as server:
        clone = stranger.clone(published)
        tiny.reconfigure(clone, published.server.url, server.url)
        done = tiny.attempt(clone, stranger.env, "dvc", "pull")
        assert done.returncode != 0
        assert SOTA in done.stderr
        assert not (clone / SHARD).exists()
        get = ("dvc", "get", published.address, SOTA, "--remote", "public")
        stranger.run(*get, "--remote-config", f"url={server.url}")
    with pytest.raises(ProductError, match=r"instances-00000\.parquet: content differs"):
        verify_product(stranger.folder / "sota")
