"""Finished tiles are kept, reused where nothing changed and nowhere else, and killed runs go on."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import ProductError
from samrs.core.records import INSTANCES, TILES
from samrs.core.shards import read_manifest, read_table, write_manifest, write_table
from samrs.label import journal, label
from samrs.label.journal import Journal
from samrs.sam import checkpoints
from samrs.sam.batches import Several
from samrs.segmenters import sam
from samrs.weights.checkpoint import Checkpoint
from samrs.weights.weights import find_checkpoint
from samrs.work import fingerprint, lock
from tests.label.hand_made import many_tiles, write_product
from tests.label.test_label import RUNTIME
from tests.segmenters.tiny_sam import tiny_sam

GIVEN = {"prompt": "hbox", "checkpoint": Checkpoint("box", "nano"), "precision": "float32-fast"}


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The places of the tiles that were encoded."""
    places: list[str] = []
    original = label._labelled

    def counted(engine: Any, recipe: Any, tile: Any, instances: Any, place: str) -> Any:
        places.append(tile["tile_id"])
        return original(engine, recipe, tile, instances, place)

    monkeypatch.setattr(label, "_labelled", counted)
    return places


def files(product: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(product.iterdir())}


def run(product: Path, tmp_path: Path, name: str = "out", **changes: str) -> dict[str, Any]:
    given = {**GIVEN, **changes}
    return label.label(product, tmp_path / name, **given, runtime=RUNTIME, work=tmp_path / "work")


def test_a_second_run_encodes_nothing_and_gives_the_same_bytes(
    tmp_path: Path, encoded: list[str]
) -> None:
    product = write_product(tmp_path / "hand")
    first = run(product, tmp_path, "one")
    assert len(encoded) == 2
    assert run(product, tmp_path, "two") == first
    assert len(encoded) == 2
    assert files(tmp_path / "one") == files(tmp_path / "two")


@pytest.mark.parametrize("change", [{"prompt": "rhbox"}, {"precision": "bfloat16"}])
def test_another_prompt_or_segmenter_reuses_nothing(
    tmp_path: Path, encoded: list[str], change: dict[str, str]
) -> None:
    product = write_product(tmp_path / "hand")
    run(product, tmp_path)
    run(product, tmp_path, **change)
    assert len(encoded) == 4
    # the folder is bounded: the jobs of other parameters are gone
    assert len([p for p in (tmp_path / "work").iterdir() if p.is_dir()]) == 1


@pytest.mark.parametrize(
    ("edited", "encodes"),
    [("segmenters/box.py", 2), ("prompts/hbox.py", 2), ("core/rle.py", 2), ("stats/stats.py", 0)],
)
def test_other_code_of_the_masks_reuses_nothing(
    tmp_path: Path,
    encoded: list[str],
    monkeypatch: pytest.MonkeyPatch,
    edited: str,
    encodes: int,
) -> None:
    """Of the masks only: what else a process has imported does not count."""
    product = write_product(tmp_path / "hand")
    run(product, tmp_path)
    encoded.clear()
    code = tmp_path / "code"
    shutil.copytree(fingerprint.ROOT / "samrs", code / "samrs")
    with (code / "samrs" / edited).open("a") as file:
        file.write("# edited")
    monkeypatch.setattr(fingerprint, "ROOT", code)
    run(product, tmp_path)
    assert len(encoded) == encodes


def grown(product: Path, at: Path, moved: bool = False) -> Path:
    """The product with one more tile, or with one box moved."""
    tiles = read_table(product, "tiles").to_pylist()
    instances = read_table(product, "instances").to_pylist()
    if moved:
        instances[0]["hbb"] = [v + 1 for v in instances[0]["hbb"]]
    else:
        last = tiles[-1]
        more = [{**row, "tile_id": "z"} for row in instances if row["tile_id"] == last["tile_id"]]
        tiles, instances = [*tiles, {**last, "tile_id": "z"}], instances + more
    write_table(at, "tiles", TILES, tiles)
    write_table(at, "instances", INSTANCES, instances)
    about = {k: v for k, v in read_manifest(product).items() if k not in ("files", "tables")}
    write_manifest(at, about)
    return at


def test_only_new_and_changed_tiles_are_encoded(tmp_path: Path, encoded: list[str]) -> None:
    product = write_product(tmp_path / "hand")
    run(product, tmp_path)
    encoded.clear()
    run(grown(product, tmp_path / "grown"), tmp_path)
    assert encoded == ["z"]
    encoded.clear()
    run(grown(product, tmp_path / "moved", moved=True), tmp_path)
    assert encoded == [read_table(product, "instances")["tile_id"][0].as_py()]


def test_finished_tiles_survive_an_unreadable_one(tmp_path: Path, encoded: list[str]) -> None:
    product = write_product(tmp_path / "hand")
    whole = run(product, tmp_path, "whole")
    broken = tmp_path / "broken"
    tiles = read_table(product, "tiles").to_pylist()
    bad = tiles[-1]["image"]["bytes"]
    tiles[-1]["image"]["bytes"] = bad[:40]
    write_table(broken, "tiles", TILES, tiles)
    write_table(broken, "instances", INSTANCES, read_table(product, "instances").to_pylist())
    write_manifest(broken, {k: v for k, v in read_manifest(product).items() if k != "files"})
    encoded.clear()
    (tmp_path / "fresh").mkdir()
    with pytest.raises(Exception, match=str(tiles[-1]["tile_id"])):
        run(broken, tmp_path / "fresh")
    assert len(encoded) == 2
    encoded.clear()
    assert run(product, tmp_path / "fresh") == whole
    assert encoded == [tiles[-1]["tile_id"]]


def test_rows_are_written_by_count_and_by_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "CHUNK_TILES", 3)
    with Journal(tmp_path, "job") as kept:
        for n in range(7):
            kept.put(f"tile {n}", [{"n": n}, {"n": -n}])
        assert len(list(kept.job.glob("*.tiles"))) == 2
    with Journal(tmp_path, "job") as kept:
        assert kept.get("tile 6") == [{"n": 6}, {"n": -6}]
        assert kept.get("tile 0") == [{"n": 0}, {"n": 0}]
        assert kept.get("tile 7") is None
    monkeypatch.setattr(journal, "CHUNK_SECONDS", 0)
    with Journal(tmp_path, "other") as kept:
        kept.put("tile", [{"n": 1}])
        assert len(list(kept.job.glob("*.tiles"))) == 1


def test_a_damaged_tile_is_labelled_again_and_its_neighbours_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Journal(tmp_path, "job") as kept:
        for n, name in enumerate("abc"):
            kept.put(name, [{"n": n, "text": "é\n", "none": None, "number": 0.1}])
    path = next(kept.job.glob("*.tiles"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4  # in the second of three alike
    path.write_bytes(data)
    with Journal(tmp_path, "job") as kept:
        assert kept.damaged == 1
        assert kept.get("b") is None
        for n, name in ((0, "a"), (2, "c")):
            assert kept.get(name) == [{"n": n, "text": "é\n", "none": None, "number": 0.1}]
    assert "1 damaged parts, removed; they are labelled again" in caplog.text
    with Journal(tmp_path, "job") as kept:
        assert kept.damaged == 0


def test_a_tile_damaged_while_the_run_goes_on_is_labelled_again(tmp_path: Path) -> None:
    with Journal(tmp_path, "job") as kept:
        kept.put("a", [{"n": 1}])
    path = next(kept.job.glob("*.tiles"))
    with Journal(tmp_path, "job") as kept:
        path.write_bytes(bytes(path.stat().st_size))
        assert kept.get("a") is None
        assert (kept.damaged, kept.found) == (1, 0)


def test_files_and_their_folder_are_on_the_disk_before_they_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, rename = os.fsync, Path.replace

    def synced(number: int) -> None:
        events.append(f"sync {Path(f'/proc/self/fd/{number}').readlink().name}")
        sync(number)

    def renamed(path: Path, target: Path) -> Path:
        events.append(f"name {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    with Journal(tmp_path, "job") as kept:
        kept.put("a", [{"n": 1}])
    assert events == ["sync 000000.tiles.part", "name 000000.tiles", f"sync {kept.job.name}"]


def damage(path: Path, rng: random.Random) -> bool:
    """Flip a bit; or, one time in six, cut the end off or overwrite it. Whether it was one bit."""
    data, kind = bytearray(path.read_bytes()), rng.randrange(12)
    at = rng.randrange(len(data))
    if kind == 0:
        del data[at:]
    elif kind == 1:
        data[at:] = bytes(len(data) - at)
    else:
        data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return kind > 1


def test_whatever_is_damaged_the_masks_are_the_right_ones(
    tmp_path: Path, encoded: list[str]
) -> None:
    product = write_product(tmp_path / "hand")
    run(product, tmp_path, "right")
    right, rng = files(tmp_path / "right"), random.Random(7)
    (path,) = (tmp_path / "work").glob("*/*.tiles")
    whole = path.read_bytes()
    for _ in range(300):
        path.write_bytes(whole)
        one_bit = damage(path, rng)
        encoded.clear()
        run(product, tmp_path)
        assert files(tmp_path / "out") == right
        assert 1 <= len(encoded) <= (1 if one_bit else 2)
        *_, end = (tmp_path / "work" / "log.jsonl").read_text(encoding="utf-8").splitlines()
        assert json.loads(end)["damaged"] == 1
        for other in (tmp_path / "work").glob("*/*.tiles"):
            other.unlink()


def test_a_full_disk_is_named_and_loses_only_what_was_pending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    kept = Journal(tmp_path, "job")
    kept.put("a", [{"n": 1}])
    kept.flush()
    kept.put("b", [{"n": 2}])
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProductError, match=r"No space left on device.*1 masks are lost"), kept:
        pass
    monkeypatch.undo()
    with Journal(tmp_path, "job") as again:
        assert again.get("a") == [{"n": 1}]
        assert again.get("b") is None


def test_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.2)
    with Journal(tmp_path, "job"), pytest.raises(ProductError, match="in use"):
        Journal(tmp_path, "job")
    with Journal(tmp_path, "job"):
        pass


SCRIPT = """
import sys, time
from pathlib import Path
from samrs.label import journal, label
from samrs.weights.checkpoint import Checkpoint
journal.CHUNK_TILES = 1
slow = label._labelled
def slower(*given):
    rows = list(slow(*given))
    print("tile", flush=True)
    time.sleep(0.2)
    return rows
label._labelled = slower
product, out, work = map(Path, sys.argv[1:])
runtime = {"executor": "local", "device": "cpu", "threads": 1}
given = {"prompt": "hbox", "checkpoint": Checkpoint("box", "nano"), "precision": "float32-fast"}
label.label(product, out, **given, runtime=runtime, work=work)
"""


def start(product: Path, out: Path, work: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(product), str(out), str(work)]
    # a file of the code must not be compiled anew by every child
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ})


def test_sigterm_finishes_the_tile_and_says_so(tmp_path: Path) -> None:
    product = many_tiles(tmp_path / "many", write_product(tmp_path / "hand"), 20)
    child = start(product, tmp_path / "out", tmp_path / "work")
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGTERM)
    rest, _ = child.communicate(timeout=60)
    assert child.returncode == 143
    assert rest.count("tile") <= 1
    again = start(product, tmp_path / "out", tmp_path / "work")
    assert again.communicate(timeout=60)[0].count("tile") == 20 - 1 - rest.count("tile")
    assert again.returncode == 0


def test_killed_anywhere_it_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    product = many_tiles(tmp_path / "many", write_product(tmp_path / "hand"), 8)
    whole = start(product, tmp_path / "whole", tmp_path / "other")
    whole.communicate(timeout=60)
    moments = random.Random(5)
    encoded = 0
    for _ in range(5):
        child = start(product, tmp_path / "out", tmp_path / "work")
        assert child.stdout is not None
        encoded += len(child.stdout.readline()) > 0
        time.sleep(moments.uniform(0, 0.3))
        child.kill()
        encoded += child.communicate(timeout=60)[0].count("tile")
    last = start(product, tmp_path / "out", tmp_path / "work")
    encoded += last.communicate(timeout=60)[0].count("tile")
    assert last.returncode == 0
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    # every kill costs at most the tile at hand and the one that is being written
    assert encoded <= 8 + 2 * 5


@pytest.mark.parametrize("prompt", ["hbox", "zoom", "refine"])
def test_tiles_computed_together_give_the_same_bytes_for_any_threads_and_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prompt: str
) -> None:
    """As on a GPU, where what a run that goes on has left to do comes in other batches."""
    monkeypatch.setitem(sam.NETWORKS, "cpu", partial(Several, tiles=3, slots=2, prompts=2))
    monkeypatch.setattr(checkpoints, "build_sam", lambda *_, **__: tiny_sam())
    hand = write_product(tmp_path / "hand")
    grown = many_tiles(tmp_path / "grown", hand, 7)
    tiles, instances = (read_table(grown, name).to_pylist() for name in ("tiles", "instances"))
    others, boxes = (read_table(hand, name).to_pylist() for name in ("tiles", "instances"))
    other = [row for row in boxes if row["tile_id"] == others[2]["tile_id"]]
    for number in (1, 4, 5):  # not all alike, or masks could change places unseen
        name = tiles[number]["tile_id"]
        tiles[number] = {**others[2], "tile_id": name}
        instances = [row for row in instances if row["tile_id"] != name]
        instances += [{**row, "tile_id": name} for row in other]
    write_table(grown, "tiles", TILES, tiles)
    instances.sort(key=lambda row: str(row["tile_id"]))
    write_table(grown, "instances", INSTANCES, instances)
    some = tmp_path / "some"
    kept = {tiles[number]["tile_id"] for number in (0, 2, 4)}
    write_table(some, "tiles", TILES, [row for row in tiles if row["tile_id"] in kept])
    write_table(some, "instances", INSTANCES, [r for r in instances if r["tile_id"] in kept])
    for product in (grown, some):
        write_manifest(product, {k: v for k, v in read_manifest(hand).items() if k != "files"})

    def labelled(product: Path, name: str, threads: int, work: str) -> dict[str, bytes]:
        label.label(
            product, tmp_path / name, prompt=prompt, checkpoint=find_checkpoint("sam", "nano"),
            precision="float32-fast", runtime={**RUNTIME, "threads": threads}, work=tmp_path / work,
        )  # fmt: skip
        return files(tmp_path / name)

    alone = labelled(grown, "alone", 1, "work 1")
    assert sum(row["area"] > 0 for row in read_table(tmp_path / "alone", "masks").to_pylist()) > 9
    assert labelled(grown, "together", 5, "work 2") == alone
    labelled(some, "begun", 2, "work 3")
    assert labelled(grown, "gone on", 4, "work 3") == alone
