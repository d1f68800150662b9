"""What this project declares for releases: artifacts in dvc.yaml, remotes in .dvc/config."""

from __future__ import annotations

import subprocess
from pathlib import Path

from dvc.config import Config
from dvc.repo import Repo

from samrs.check.remotes import PLACEHOLDER
from samrs.publish.artifacts import read_artifacts
from samrs.publish.tags import release_tags

ROOT = Path(__file__).parents[2]
ALLOWED = {"url", "verify"}
"""What a committed remote may say: no credentials, no endpoint."""


def test_artifacts_are_outputs_or_in_git_and_dvc_finds_their_tags() -> None:
    artifacts = read_artifacts(ROOT)
    assert [a.name for a in artifacts] == ["sota", "sior", "fast", "pretrained", "nano"]
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    with Repo(str(ROOT)) as repo:
        outs = {Path(o.fs_path).relative_to(ROOT).as_posix() for o in repo.index.outs}
        declared = repo.artifacts.read()["dvc.yaml"]
    for artifact in artifacts:
        assert artifact.path in outs or artifact.path in listed, artifact
        said = declared[artifact.name]
        assert said.type == ("dataset" if artifact.path.startswith("data/release/") else "model")
        assert said.desc
        assert said.labels
    for tag in release_tags("1.2.3", artifacts)[1:]:
        name, _, version = tag.partition("@")
        assert (name in declared, version) == (True, "v1.2.3")


def test_two_remotes_read_only_by_default_without_secrets() -> None:
    config = Config.load_file(str(ROOT / ".dvc" / "config"))
    remotes = config["remote"]
    assert set(remotes) == {"public", "storage"}
    assert config["core"]["remote"] == "public"
    assert remotes["public"]["url"].startswith("https://")
    assert remotes["storage"]["url"].startswith("s3://")
    for remote in remotes.values():
        assert set(remote) == ALLOWED
        assert remote["verify"] == "true"


def test_the_placeholder_is_nobodys() -> None:
    assert PLACEHOLDER.endswith(".example")  # RFC 2606, section 2
