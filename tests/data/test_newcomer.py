"""What a newcomer does with a published release, with real git, dvc and an HTTP server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from samrs.core.errors import MissingInputError, SourceError
from samrs.data import ReleaseStream, ReleaseTiles, open_remote
from samrs.data import reader as release_reader
from tests.data.conftest import NUM_TILES, tile_name
from tests.pipeline.closure import ROOT
from tests.publish import repositories

ALL = [tile_name(i) for i in range(NUM_TILES)]


@pytest.fixture(scope="module")
def published(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``hosted.git``, which has no data, and ``store``, a DVC remote that has it."""
    folder = tmp_path_factory.mktemp("published")
    env = repositories.environment(folder)
    root, store = folder / "project", folder / "store"
    (root / "data" / "release").mkdir(parents=True)
    shutil.copytree(release, root / "data" / "release" / "sota")
    repositories.run(root, env, "git", "init", "-q", "-b", "main")
    repositories.run(root, env, "git", "config", "user.name", "Maintainer")
    repositories.run(root, env, "git", "config", "user.email", "maintainer@samrs.example")
    repositories.run(root, env, "dvc", "init", "-q")
    repositories.run(root, env, "dvc", "remote", "add", "-q", "-d", "public", str(store))
    repositories.run(root, env, "dvc", "add", "-q", "data/release/sota")
    repositories.commit(root, env, "Release")
    repositories.run(root, env, "git", "tag", "v1.0.0")
    repositories.run(root, env, "dvc", "push", "-q")
    repositories.bare(root, folder / "hosted.git", env)
    return folder


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dvc in this process, away from this user's settings and indexes."""
    for name, value in repositories.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    release_reader._filesystem.cache_clear()


@pytest.mark.usefixtures("apart")
def test_a_remote_is_read_without_pulling(published, release):
    there = open_remote(str(published / "hosted.git"), "sota", rev="v1.0.0")
    local, remote = ReleaseTiles(release), ReleaseTiles(there)
    assert len(remote) == NUM_TILES
    for index in (0, 7, 22, 3):
        a, b = local[index], remote[index]
        assert np.array_equal(a["image"].numpy(), b["image"].numpy())
        assert a["masks"] == b["masks"]
    stream = ReleaseStream(there, masks="none")
    names = [item["tile_id"] for item in DataLoader(stream, batch_size=None, num_workers=2)]
    assert sorted(names) == ALL


@pytest.mark.usefixtures("apart")
def test_a_server_that_sends_whole_files_is_told_and_what_to_do(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small files come whole all the same: of large ones it is the parts that fail."""
    monkeypatch.setattr("fsspec.implementations.http.DEFAULT_BLOCK_SIZE", 64)
    env = repositories.environment(tmp_path)
    clone = tmp_path / "clone"
    repositories.run(tmp_path, env, "git", "clone", "-q", str(published / "hosted.git"), "clone")
    with repositories.served(published / "store") as server:
        repositories.run(clone, env, "dvc", "remote", "modify", "public", "url", server.url)
        repositories.run(clone, env, "git", "config", "user.name", "Maintainer")
        repositories.run(clone, env, "git", "config", "user.email", "maintainer@samrs.example")
        repositories.commit(clone, env, "Serve it")
        said = r"cannot be read in parts, got a server that sends whole files.*dvc get"
        with pytest.raises(SourceError, match=said):
            ReleaseTiles(open_remote(str(clone), "sota"))


@pytest.mark.usefixtures("apart")
def test_what_a_remote_does_not_hold_is_said(published):
    with pytest.raises(MissingInputError, match=r"data/release/fast of .*hosted.git.*no manifest"):
        ReleaseTiles(open_remote(str(published / "hosted.git"), "fast"))


def test_the_newcomers_path_from_clone_to_picture(published, tmp_path):
    env = repositories.environment(tmp_path)
    with repositories.served(published / "store") as server:
        words = [sys.executable, "-m", "examples.newcomer"]
        words += [str(published / "hosted.git"), str(tmp_path / "out"), "--url", server.url]
        done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    instances = sum(i % 4 for i in range(NUM_TILES))
    assert "clone/data/release/sota: sound" in done.stdout
    assert f"pycocotools read {instances} masks" in done.stdout
    assert f"drew {tile_name(3)} to" in done.stdout
    picture = cv2.imread(str(tmp_path / "out" / "tile.png"))
    assert picture.shape == (64, 64, 3)
    assert np.ptp(picture.reshape(-1, 3), axis=0).max() > 100
    assert any(path.startswith("files/md5/") for path in server.asked)
