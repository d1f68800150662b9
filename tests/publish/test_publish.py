"""`make release` on a tiny repository, with real git and dvc."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from samrs.core.shards import read_manifest, write_json
from samrs.publish.checks import check_remotes
from samrs.publish.repository import Repository
from tests.commands.calls import call
from tests.drawing.test_judged import TOLD
from tests.pipeline.closure import ROOT
from tests.publish import repositories as tiny

TAGS = {"v1.0.0", "sota@v1.0.0", "sior@v1.0.0", "pretrained@v1.0.0", "nano@v1.0.0"}


@dataclass
class Done:
    """How a run ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Project:
    """A maintainer's repository, its git remote, and the folder that is storage and public."""

    root: Path
    origin: Path
    storage: Path
    env: dict[str, str]

    def release(self, version: str, *options: str) -> Done:
        """Run the command in this process: its imports cost more than its work."""
        done = call("publish", version, "--root", self.root, *options)
        return Done(done.exit_code, done.stdout, done.stderr)

    def git(self, *arguments: str) -> str:
        return tiny.run(self.root, self.env, "git", *arguments)

    def state(self) -> tuple[str, str, str]:
        """Head, tags and the tree here, and all refs of the git remote."""
        refs = self.git("for-each-ref", "--format=%(refname) %(objectname)")
        return refs, self.git("status", "--porcelain"), self.git("ls-remote", str(self.origin))


@pytest.fixture
def project(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project of its own whose storage is served as its public remote."""
    root = tiny.copy(original, tmp_path / "repo")
    env = tiny.environment(tmp_path)
    for name in set(os.environ) - set(env):
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with tiny.served(tmp_path / "storage") as server:
        tiny.reconfigure(root, "http://nowhere", server.url)
        tiny.commit(root, env, "Say where the data are")
        origin = tiny.bare(root, tmp_path / "origin.git", env)
        tiny.run(root, env, "git", "remote", "add", "origin", str(origin))
        yield Project(root, origin, tmp_path / "storage", env)


def test_a_release_is_pushed_proven_tagged_and_said(project: Project) -> None:
    (project.root / "params.yaml").write_text("")
    dataset = read_manifest(project.root / "data" / "release" / "sota")["dataset"]
    write_json(project.root / "metrics" / "review" / f"{dataset}.json", TOLD)
    tiny.commit(project.root, project.env, "Judge a sample")
    done = project.release("1.0.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(project.git("tag").split()) == TAGS
    assert project.git("status", "--porcelain") == ""
    head = project.git("rev-parse", "HEAD").strip()
    assert {project.git("rev-parse", f"{tag}^{{commit}}").strip() for tag in TAGS} == {head}
    listed = project.git("ls-remote", str(project.origin))
    assert {t for t in TAGS if f"refs/tags/{t}\n" in listed} == TAGS
    assert f"{head}\trefs/heads/main" in listed
    log = (project.root / "CHANGELOG.md").read_text()
    assert "## Unreleased\n\n## 1.0.0 (" in log
    assert "| sota | `data/release/sota` | 6 |" in log
    cards = {p.name for p in (project.root / "docs" / "cards").iterdir()}
    assert cards == {"sota.md", "sior.md"}
    sota = (project.root / "docs" / "cards" / "sota.md").read_text()
    assert "SOTA" in sota
    assert "A person judged 200 of 200 masks" in sota
    data = tiny.files(project.root / "data")
    contents = {text for path, text in data.items() if not path.endswith(".gitignore")}
    folders = 3  # whose lists are objects, too
    assert len(tiny.files(project.storage)) == len(contents) + folders


def test_a_dry_run_prints_the_plan_and_does_nothing(project: Project) -> None:
    before = project.state()
    command = (sys.executable, "-m", "samrs", "publish", "1.0.0", "--dry-run", "--root")
    done = tiny.attempt(ROOT, project.env, *command, str(project.root))
    assert done.returncode == 0, done.stderr
    assert all(tag in done.stdout for tag in TAGS)
    steps = ("check", "push", "push again", "pull", "verify", "write", "tag", "publish")
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line[0].isdigit()] == [
        f"{n}. {step}" for n, step in enumerate(steps, 1)
    ]
    assert project.state() == before
    assert not tiny.files(project.storage)


def dirty(project: Project) -> None:
    (project.root / "new.txt").write_text("x")


def stale(project: Project) -> None:
    (project.root / "data" / "pretrain" / "weights.safetensors").write_bytes(b"other")


def tagged(project: Project) -> None:
    project.git("tag", "sior@v1.0.0")


def tagged_elsewhere(project: Project) -> None:
    project.git("push", "-q", "origin", "HEAD:refs/tags/v1.0.0")


def placeholder(project: Project) -> None:
    tiny.reconfigure(project.root, "../../storage", "s3://samrs.example/dvc")
    tiny.commit(project.root, project.env, "Forget where")


def nothing_to_say(project: Project) -> None:
    (project.root / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 0.9.0\n\n- x\n")
    tiny.commit(project.root, project.env, "Say nothing")


def others_images(project: Project) -> None:
    manifest = project.root / "data" / "release" / "sota" / "manifest.json"
    said = manifest.read_text().replace('"origin": "demo"', '"origin": "official"')
    manifest.unlink()  # it may be a link to dvc's cache
    manifest.write_text(said)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (dirty, "tree is not clean, got 1 changed or untracked files .new.txt."),
        (stale, "outputs are not up to date, got pretrain;"),
        (tagged, r"tags of this release exist .here., got sior@v1\.0\.0;"),
        (tagged_elsewhere, r"origin\.git\), got v1\.0\.0;"),
        (placeholder, "remote storage has no address, got s3://samrs.example/dvc"),
        (nothing_to_say, "nothing to say of 1.0.0"),
        (others_images, "not this project's own, got images under these terms: academic use only;"),
    ],
)
def test_what_is_not_in_order_stops_before_anything_is_pushed(
    project: Project, spoil, said: str
) -> None:
    spoil(project)
    before = project.state()
    done = project.release("1.0.0")
    assert done.returncode == 1
    assert re.search(said, done.stderr), done.stderr
    assert project.state() == before
    assert not tiny.files(project.storage)


def test_a_release_that_fails_on_the_way_leaves_nothing_and_can_be_repeated(
    project: Project,
) -> None:
    """Wrong bytes in the storage, then a git remote that refuses: no tag and no commit left."""
    before = project.state()
    tiny.run(project.root, project.env, "dvc", "push", "-q", "-r", "storage")
    weights = (project.root / "data" / "pretrain" / "weights.safetensors").read_bytes()
    (stored,) = [p for p in project.storage.rglob("*") if p.is_file() and p.read_bytes() == weights]
    stored.chmod(0o644)
    stored.write_bytes(weights[::-1])
    stored.chmod(0o444)  # as dvc leaves files in a folder: it does not hash them again
    done = project.release("1.0.0")
    assert done.returncode == 1
    assert "`dvc pull` failed" in done.stderr, done.stderr
    assert "data/pretrain" in done.stderr
    assert project.state() == before

    stored.unlink()  # dvc push takes it for there, the list of its folder is
    hook = project.origin / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\ntest "$1" != refs/tags/sior@v1.0.0\n')
    hook.chmod(0o755)
    done = project.release("1.0.0")
    assert done.returncode == 1
    assert "objects, 1 of them pushed now" in done.stdout, done.stdout
    assert "`git push" in done.stderr, done.stderr
    assert project.state() == before

    hook.unlink()
    done = project.release("1.0.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(project.git("tag").split()) == TAGS
    assert stored.read_bytes() == weights


def test_long_addresses_of_remotes_are_read(project: Project) -> None:
    long = "/".join(["https://example.org", *["a-folder"] * 20])
    tiny.run(project.root, project.env, "dvc", "remote", "modify", "storage", "url", long)
    check_remotes(Repository(project.root, project.env), "storage", None)
