"""A project without a server: DVC's objects lie on a branch of its git host."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from samrs.check.remotes import PLACEHOLDER, placeholder
from samrs.core.shards import verify_product
from samrs.publish import branch
from samrs.publish.repository import PublishError, Repository
from tests.commands.calls import call
from tests.publish import repositories as tiny

SOTA = "data/release/sota"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Host:
    """A git host on loopback: bare repositories by name, whose branches it serves."""

    folder: Path
    env: dict[str, str]
    url: str = ""
    repositories: dict[str, Path] = field(default_factory=dict)

    def clone(self, name: str) -> Path:
        """What a stranger gets, with nobody's settings and an empty cache."""
        folder = self.folder / f"stranger-{len(list(self.folder.iterdir()))}"
        tiny.run(
            self.folder, self.env, "git", "clone", "-q", str(self.repositories[name]), str(folder)
        )
        return folder

    def pulled(self, folder: Path) -> dict[str, bytes]:
        """All data of a clone after ``dvc pull``, and nothing set before."""
        tiny.run(folder, tiny.environment(folder.parent / f"{folder.name}-env"), "dvc", "pull")
        return tiny.files(folder / "data")

    def release(self, root: Path, version: str, name: str) -> None:
        done = call(
            "publish", version, "--root", root, "--address", f"{self.url}/{name}/{branch.BRANCH}"
        )
        assert done.exit_code == 0, done.stdout + done.stderr


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    env = tiny.environment(tmp_path)
    for name in set(os.environ) - set(env):
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    made = Host(tmp_path, env)
    with tiny.raw_host(made.repositories) as made.url:
        yield made


@pytest.fixture
def project(host: Host, original: Path) -> Path:
    """A maintainer's clone of ``owner/samrs``, with the committed placeholders."""
    root = tiny.copy(original, host.folder / "repo")
    tiny.reconfigure(root, "http://nowhere", f"https://{PLACEHOLDER}/dvc")
    tiny.reconfigure(root, "../../storage", f"s3://{PLACEHOLDER}/dvc")
    tiny.commit(root, host.env, "Have no server")
    host.repositories["owner/samrs"] = tiny.bare(root, host.folder / "origin.git", host.env)
    origin = str(host.repositories["owner/samrs"])
    tiny.run(root, host.env, "git", "remote", "add", "origin", origin)
    return root


def test_a_stranger_pulls_from_the_branch_and_an_older_release_stays(
    host: Host, project: Path
) -> None:
    assert placeholder(project) == "public"
    host.release(project, "1.0.0", "owner/samrs")
    assert tiny.run(project, host.env, "git", "status", "--porcelain") == ""
    assert placeholder(project) is None
    first = host.pulled(host.clone("owner/samrs"))
    assert first == tiny.files(project / "data")
    (project / "data/pretrain/weights.safetensors").write_bytes(b"other weights")
    manifest = project / "data/pretrain/manifest.json"
    text = manifest.read_text(encoding="utf-8")
    old = first["pretrain/weights.safetensors"]
    manifest.write_text(text.replace(digest(old), digest(b"other weights")), encoding="utf-8")
    log = project / "CHANGELOG.md"
    log.write_text(log.read_text().replace("## Unreleased\n", "## Unreleased\n\n- Other.\n"))
    tiny.run(project, host.env, "dvc", "commit", "-q", "-f")
    tiny.commit(project, host.env, "Train again")
    host.release(project, "1.1.0", "owner/samrs")
    newest = host.clone("owner/samrs")
    assert host.pulled(newest)["pretrain/weights.safetensors"] == b"other weights"
    tiny.run(newest, host.env, "git", "checkout", "-q", "v1.0.0")
    assert host.pulled(newest) == first
    bare = host.repositories["owner/samrs"]
    commits = tiny.run(bare, host.env, "git", "log", "--format=%s", branch.BRANCH).splitlines()
    assert commits == ["Objects of release 1.1.0", "Objects of release 1.0.0"]


def test_a_fork_releases_alike_under_its_own_address(host: Host, project: Path) -> None:
    host.release(project, "1.0.0", "owner/samrs")
    fork = tiny.bare(host.repositories["owner/samrs"], host.folder / "fork.git", host.env)
    host.repositories["stranger/fork"] = fork
    mine = host.clone("stranger/fork")
    tiny.run(mine, host.env, "git", "config", "user.name", "Stranger")
    tiny.run(mine, host.env, "git", "config", "user.email", "stranger@samrs.example")
    host.pulled(mine)
    assert verify_product(mine / SOTA) > 0
    log = mine / "CHANGELOG.md"
    log.write_text(log.read_text().replace("## Unreleased\n", "## Unreleased\n\n- Mine.\n"))
    tiny.commit(mine, host.env, "Say what is new")
    host.release(mine, "2.0.0", "stranger/fork")
    del host.repositories["owner/samrs"]  # the fork needs it no more
    assert host.pulled(host.clone("stranger/fork")) == tiny.files(mine / "data")


def test_the_address_that_is_committed_is_made_of_origin(host: Host, project: Path) -> None:
    here = "https://github.com/owner/samrs.git"
    bare = str(host.repositories["owner/samrs"])
    tiny.run(project, host.env, "git", "remote", "set-url", "origin", here)
    tiny.run(project, host.env, "git", "config", f"url.{bare}.insteadOf", here)
    served = f"{host.url}/owner/samrs/{branch.BRANCH}"
    planned = call("publish", "1.0.0", "--root", project, "--dry-run").stdout
    assert "2. push branch: every object to the branch dvc of the git remote" in planned
    done = call("publish", "1.0.0", "--root", project, "--pull-from", served)
    assert done.exit_code == 0, done.stdout + done.stderr
    config = tiny.run(project, host.env, "git", "show", "HEAD:.dvc/config")
    assert "url = https://raw.githubusercontent.com/owner/samrs/dvc\n" in config
    assert f"s3://{PLACEHOLDER}/dvc" in config
    assert served not in config


@pytest.mark.parametrize(
    ("remote", "served"),
    [
        ("https://github.com/o/r.git", "https://raw.githubusercontent.com/o/r/dvc"),
        ("https://github.com/o/r/", "https://raw.githubusercontent.com/o/r/dvc"),
        ("https://token@github.com/o/r.git", "https://raw.githubusercontent.com/o/r/dvc"),
        ("git@github.com:o/my.repo.git", "https://raw.githubusercontent.com/o/my.repo/dvc"),
        ("ssh://git@github.com:22/o/r.git", "https://raw.githubusercontent.com/o/r/dvc"),
        ("git@gitlab.com:group/part/r.git", "https://gitlab.com/group/part/r/-/raw/dvc"),
        ("https://codeberg.org/o/r", "https://codeberg.org/o/r/raw/branch/dvc"),
        ("https://git.example.org/o/r.git", None),
        ("https://github.com.example.org/o/r", None),
        ("/srv/git/r.git", None),
        ("../r.git", None),
        ("https://github.com/o/r?x=/../y", None),
    ],
)
def test_an_address_is_made_of_the_hosts_that_are_known(remote: str, served: str | None) -> None:
    assert branch.address(remote) == served


def test_an_object_that_no_host_takes_is_refused(
    host: Host, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = host.folder / "objects"
    (objects / "files").mkdir(parents=True)
    (objects / "files" / "a").write_bytes(b"12345")
    monkeypatch.setattr(branch, "LARGEST", 5)
    with pytest.raises(PublishError, match=r"too large for a branch, got files/a of 5 bytes"):
        branch.push_objects(Repository(project, host.env), objects, "nowhere", "Objects")
