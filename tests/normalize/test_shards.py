"""The same bytes whatever the workers, few changed shards when a dataset grows, safe to kill."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from samrs.core.errors import MissingInputError, ProductError
from samrs.core.shards import read_manifest, sha256, verify_product
from samrs.normalize import shard_ends as boundaries
from samrs.normalize.shard_ends import Boundaries
from tests.normalize.test_normalize import box_line, dota_scene, rows, run

NUM_SCENES = 60


def shards(out: Path) -> dict[str, str]:
    """File name of each shard by its checksum."""
    return {s["sha256"]: s["file"] for s in read_manifest(out)["shards"]}


def dataset(root: Path, numbers: range) -> None:
    for number in numbers:
        dota_scene(root, box_line(4, 4, 14, 10), "x", name=f"P{number:04d}")


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of about seven scenes of 3.6 kB."""
    monkeypatch.setattr(boundaries, "SMALLEST", 10_000)
    monkeypatch.setattr(boundaries, "USUAL", 15_000)
    monkeypatch.setattr(boundaries, "LARGEST", 60_000)


@pytest.mark.usefixtures("small_shards")
def test_bytes_do_not_depend_on_the_workers(tmp_path: Path) -> None:
    dataset(tmp_path / "in", range(20))
    products = []
    for workers in (1, 2, 5):
        out = tmp_path / str(workers)
        run("dota", tmp_path / "in", out, tile=25, max_quarantined=1.0, workers=workers)
        products.append({p.name: sha256(p) for p in out.iterdir()})
    assert products[0] == products[1] == products[2]
    assert len(products[0]) > 6, "several shards"


@pytest.mark.usefixtures("small_shards")
def test_a_new_scene_changes_few_shards(tmp_path: Path) -> None:
    dataset(tmp_path / "in", range(0, 2 * NUM_SCENES, 2))
    run("dota", tmp_path / "in", tmp_path / "before", max_quarantined=1.0)
    before = shards(tmp_path / "before")
    num_tables = 2
    changed = []
    for number in (1, 31, 61, 91, 2 * NUM_SCENES + 1):
        shutil.copytree(tmp_path / "in", tmp_path / "more")
        dataset(tmp_path / "more", range(number, number + 1))
        run("dota", tmp_path / "more", tmp_path / "after", max_quarantined=1.0)
        new = {f for h, f in shards(tmp_path / "after").items() if h not in before}
        changed.append(len([f for f in new if not f.startswith("quarantine")]) / num_tables)
        shutil.rmtree(tmp_path / "more")
    total = sum(f.startswith("tiles") for f in before.values())
    assert total >= 8
    assert np.mean(changed) <= 2, f"of {total} shards a table, new ones by place: {changed}"
    assert max(changed) <= 3


@pytest.mark.usefixtures("small_shards")
def test_every_table_ends_its_shards_after_the_same_scenes(tmp_path: Path) -> None:
    dataset(tmp_path / "in", range(30))
    run("dota", tmp_path / "in", tmp_path / "out", max_quarantined=1.0)
    counts: dict[str, list[int]] = {"tiles": [], "instances": []}
    for shard in read_manifest(tmp_path / "out")["shards"]:
        table = shard["file"].split("-")[0]
        if table in counts:
            counts[table].append(shard["rows"])
    assert counts["tiles"] == counts["instances"]
    assert len(counts["tiles"]) > 2


def test_shards_of_large_scenes_have_a_usual_size() -> None:
    found, size = [], 0
    ends = Boundaries()
    for number in range(20_000):
        size += 2**20
        if ends.ends_after(f"scene{number}", 2**20):
            found.append(size)
            size = 0
    assert min(found) >= boundaries.SMALLEST
    assert max(found) <= boundaries.LARGEST
    assert 100 * 2**20 < np.mean(found) < 140 * 2**20


KILLED = """
import sys
from pathlib import Path
from tests.normalize.test_normalize import run
run("dota", Path(sys.argv[1]), Path(sys.argv[2]), tile=64, overlap=10, workers=2)
"""


def start(source: Path, out: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, str(source), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.DEVNULL)


def test_killed_run_is_no_product_and_the_next_one_is_right(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for number in range(8):  # 888 tiles: the first 512 are written while others are cut
        dota_scene(source, box_line(4, 4, 14, 10), name=f"P{number}", width=6000)
    run("dota", source, tmp_path / "whole", tile=64, overlap=10)
    process = start(source, out)
    while process.poll() is None and not (out / "tiles-00000.parquet").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
    with pytest.raises((MissingInputError, ProductError)):
        verify_product(out)
    run("dota", source, out, tile=64, overlap=10)
    assert {p.name: sha256(p) for p in out.iterdir()} == {
        p.name: sha256(p) for p in (tmp_path / "whole").iterdir()
    }


def test_quarantine_is_sorted_by_place(tmp_path: Path) -> None:
    for name in ("P2", "P1"):
        dota_scene(tmp_path / "in", "x", box_line(4, 4, 4, 4), "y", name=name)
    (tmp_path / "in/images/P3.png").write_bytes(b"")
    (tmp_path / "in/labelTxt/P3.txt").write_text("")
    run("dota", tmp_path / "in", tmp_path / "out", max_quarantined=1.0)
    places = [(r["source_file"], r["source_line"]) for r in rows(tmp_path / "out", "quarantine")]
    assert places == [
        ("images/P3.png", None),
        *((f"labelTxt/{name}.txt", line) for name in ("P1", "P2") for line in (1, 2, 3)),
    ]


def bad_images(folder: Path) -> dict[str, bytes]:
    """Files that are no images, each by what is wrong with it."""
    dota_scene(folder, name="good")
    png = (folder / "images/good.png").read_bytes()
    huge = bytearray(png)
    huge[16:24] = (200_000).to_bytes(4, "big") * 2
    return {
        "cut": png[:-100],
        "empty": b"",
        "text": b"<html>",
        "jpeg": b"\xff\xd8\xff",
        "bomb": huge,
    }


def test_every_kind_of_bad_image_is_quarantined_with_its_reason(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for name, data in bad_images(root).items():
        dota_scene(root, name=name)
        (root / f"images/{name}.png").write_bytes(data)
    metrics = run("dota", root, tmp_path / "out", max_quarantined=1.0)
    assert metrics["scenes"] == 1
    reasons = {r["source_file"][7:-4]: r["reason"] for r in rows(tmp_path / "out", "quarantine")}
    assert reasons.pop("jpeg") == "image of another format than its name"
    assert set(reasons) == {"cut", "empty", "text", "bomb"}
    assert all(r in ("image does not decode", "image too large") for r in reasons.values())
