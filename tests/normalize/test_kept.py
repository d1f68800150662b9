"""Finished scenes are kept and reused where nothing changed; killed runs go on."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from samrs.core.errors import ProductError
from samrs.core.records import Annotation, Opening, Quarantine, SceneRecord
from samrs.core.shards import verify_product
from samrs.normalize import kept_scenes, normalize, shard_ends
from samrs.normalize.kept_scenes import summary_of
from samrs.normalize.scene_key import Beside, scene_key
from samrs.normalize.scene_rows import Scene
from samrs.normalize.spool import Spool
from samrs.normalize.tables import found_or_made
from samrs.work import fingerprint, lock, parts
from tests.datasets.by_hand import WRITERS, image, write_image, write_text
from tests.normalize.test_normalize import NAMES, box_line, dota_scene, run

SCENES = 18
UNMARKED = ("dota", "isaid", "potsdam")
"""Datasets with instances, true masks and label maps: what others have, too."""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of about seven scenes of 3.6 kB."""
    monkeypatch.setattr(shard_ends, "SMALLEST", 10_000)
    monkeypatch.setattr(shard_ends, "USUAL", 15_000)
    monkeypatch.setattr(shard_ends, "LARGEST", 60_000)


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the scenes that were cut."""
    ids: list[str] = []
    original = normalize.make_scene

    def counted(record: Any, **given: Any) -> Any:
        ids.append(record.scene_id)
        return original(record, **given)

    monkeypatch.setattr(normalize, "make_scene", counted)
    return ids


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A dataset of scenes of other pixels each, one of which is bad."""
    root = tmp_path / "in"
    for number in range(SCENES):
        scene(root, number)
    (root / "images/P0007.png").write_bytes(b"no image")
    return root


def scene(root: Path, number: int, seed: int | None = None) -> None:
    dota_scene(root, box_line(4, 4, 14, 10), box_line(-9, 0, 5, 5), "x", name=f"P{number:04d}")
    write_image(root / f"images/P{number:04d}.png", image(number if seed is None else seed))


def files(product: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(product.iterdir())}


def again(source: Path, work: Path | None, name: str = "out", **changes: Any) -> dict[str, bytes]:
    """The product's files, of a run that may use what earlier ones kept."""
    given = {"tile": 25, "overlap": 5, "max_quarantined": 1.0, "work": work, **changes}
    run("dota", source, source.parent / name, **given)
    return files(source.parent / name)


def test_the_decoded_label_map_of_a_kept_scene_is_released(tmp_path: Path) -> None:
    """A shard has scenes of Potsdam by the hundred, 36 MB each."""
    WRITERS["potsdam"](tmp_path / "in")
    maps: list[Any] = []

    def watched(record: SceneRecord) -> SceneRecord:
        def semantic() -> Any:
            assert record.semantic is not None
            labels = record.semantic().copy()
            maps.append(weakref.ref(labels))
            return labels

        return replace(record, semantic=semantic)

    module, _, told = normalize._reader("potsdam", tmp_path / "in", "potsdam", None)
    kept = SimpleNamespace(find=lambda key: summary_of(Scene(record, {}, spool, Quarantine())))
    spool = Spool(tmp_path)
    found = []
    for record in module.read_scenes(tmp_path / "in", Quarantine(), **told):
        given: Any = {"kept": kept, "beside": Beside(), "make": None, "source": tmp_path / "in"}
        found.append(found_or_made(watched(record), **given))
    assert maps
    assert all(one.scene is None and one.key for one in found)
    assert all(ref() is None for ref in maps)


def test_scenes_are_said_to_be_kept_where_some_are(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "samrs")
    again(source, tmp_path / "work")
    again(source, tmp_path / "work")
    scene(source, 4, seed=99)
    again(source, tmp_path / "work")
    assert [line for line in caplog.messages if "scenes cut" in line] == [
        "normalize out: 18 of 18 scenes cut",
        "normalize out: 0 of 18 scenes cut, 18 kept from earlier runs",
        "normalize out: 1 of 18 scenes cut, 17 kept from earlier runs",
    ]


@pytest.mark.parametrize(
    "name",
    [n if n in UNMARKED else pytest.param(n, marks=pytest.mark.slow) for n in NAMES],
)
def test_a_second_run_cuts_nothing_of_any_dataset(
    name: str, tmp_path: Path, cut: list[str]
) -> None:
    WRITERS[name](tmp_path / "in")
    given = {"tile": 25, "overlap": 5}
    counts = run(name, tmp_path / "in", tmp_path / "whole", **given)
    for out in ("first", "second"):
        cut.clear()
        work = tmp_path / "work"
        assert run(name, tmp_path / "in", tmp_path / out, work=work, **given) == counts
        assert files(tmp_path / out) == files(tmp_path / "whole")
    assert cut == []


def test_a_change_cuts_what_changed_and_gives_the_bytes_of_a_whole_run(
    source: Path, tmp_path: Path, cut: list[str]
) -> None:
    before = again(source, tmp_path / "work")
    assert len(before) > 8, "several shards"
    cut.clear()
    for number in (40, 41):
        scene(source, number)
    for place in ("images/P0003.png", "labelTxt/P0003.txt"):
        (source / place).unlink()
    write_image(source / "images/P0012.png", image(99))
    (source / "labelTxt/P0015.txt").write_text(box_line(1, 1, 9, 9))
    after = again(source, tmp_path / "work")
    assert sorted(cut) == ["P0012", "P0015", "P0040", "P0041"]
    assert after == again(source, None, "whole")
    assert after != before


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def rename(source: Path) -> None:
    for place in ("images/P0005.png", "labelTxt/P0005.txt"):
        path = source / place
        path.rename(path.with_stem("P0099"))


CHANGES: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "a byte of an image that shows nothing": (
        lambda source: flip_byte(source / "images/P0005.png"), ["P0005"],
    ),
    "a line of annotations": (
        lambda source: write_text(source / "labelTxt/P0005.txt", box_line(4, 4, 14, 11)), ["P0005"],
    ),
    "a world file beside an image": (
        lambda source: write_text(source / "images/P0005.pgw", "1\n0\n0\n-1\n0\n0\n"), ["P0005"],
    ),
    "the name of a scene": (rename, ["P0099"]),
    "a good image for a bad one": (lambda source: scene(source, 7), ["P0007"]),
    "times of files": (lambda source: os.utime(source / "images/P0005.png", (1, 1)), []),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_what_decides_a_scene_and_nothing_else_cuts_it_anew(
    what: str, source: Path, tmp_path: Path, cut: list[str]
) -> None:
    again(source, tmp_path / "work")
    cut.clear()
    change, wanted = CHANGES[what]
    change(source)
    after = again(source, tmp_path / "work")
    assert cut == wanted
    assert after == again(source, None, "whole")


@pytest.mark.parametrize("parameter", [{"clip": False}, {"stretch": 1.0}])
def test_other_parameters_cut_every_scene(
    parameter: dict[str, Any], source: Path, tmp_path: Path, cut: list[str]
) -> None:
    again(source, tmp_path / "work")
    cut.clear()
    after = again(source, tmp_path / "work", **parameter)
    assert len(cut) == SCENES
    assert after == again(source, None, "whole", **parameter)


def test_other_code_and_other_libraries_cut_every_scene(
    source: Path, tmp_path: Path, cut: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    again(source, tmp_path / "work")
    shutil.copytree(
        fingerprint.ROOT / "samrs", tmp_path / "samrs", ignore=shutil.ignore_patterns("*.pyc")
    )
    edited = tmp_path / "samrs/core/tiling.py"
    edited.write_text(edited.read_text() + "\n# edited\n")
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    cut.clear()
    again(source, tmp_path / "work")
    assert len(cut) == SCENES
    monkeypatch.setattr(kept_scenes, "LIBRARIES", ("numpy",))
    cut.clear()
    again(source, tmp_path / "work")
    assert len(cut) == SCENES


def zero_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


FILES = ("tiles-", "instances-", "part")
DAMAGES: dict[str, Callable[[Path], Any]] = {
    "changed": zero_byte,
    "cut short": lambda path: os.truncate(path, 100),
    "gone": Path.unlink,
}


CASES = [(file, damage, g) for file in FILES for damage in DAMAGES for g in (False, True)]
QUICK = (("tiles-", "changed", True), ("tiles-", "gone", False), ("part", "cut short", False))


@pytest.mark.parametrize(
    ("file", "damage", "grown"),
    [c if c in QUICK else pytest.param(*c, marks=pytest.mark.slow) for c in CASES],
)
def test_a_damaged_part_is_made_again(
    file: str, damage: str, grown: bool, source: Path, tmp_path: Path, cut: list[str]
) -> None:
    """Whether its shards are wanted whole or, after a change of a neighbour, in rows."""
    work = tmp_path / "work"
    again(source, work)
    shutil.rmtree(tmp_path / "out")  # else its files would be damaged, too
    places = [p for p in sorted(work.rglob("*")) if p.is_file() and p.name.startswith(file)]
    DAMAGES[damage](places[1])
    if grown:
        scene(source, 0, seed=50)
    cut.clear()
    after = again(source, work)
    assert 0 < len(cut) < SCENES // 2
    assert after == again(source, None, "whole")
    cut.clear()
    assert again(source, work) == after
    assert cut == []


def test_what_is_done_to_the_product_does_not_reach_the_next_run(
    source: Path, tmp_path: Path
) -> None:
    whole = again(source, tmp_path / "work")
    for path in (tmp_path / "out").iterdir():
        zero_byte(path)
    assert again(source, tmp_path / "work") == whole


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM])
def test_where_files_have_one_name_they_are_copied(
    number: int, source: Path, tmp_path: Path, cut: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*names: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(parts.os, "link", refused)
    whole = again(source, tmp_path / "work")
    cut.clear()
    assert again(source, tmp_path / "work") == whole
    assert cut == []
    assert all(p.stat().st_nlink == 1 for p in (tmp_path / "work").rglob("*.parquet"))


def test_a_full_disk_keeps_nothing_half_and_leaves_the_product_whole(
    source: Path,
    tmp_path: Path,
    cut: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(parts, "keep", full)
        whole = again(source, tmp_path / "work")
    assert "not kept" in caplog.text
    assert "No space left" in caplog.text
    assert verify_product(tmp_path / "out") > 0
    assert [p.name for p in (tmp_path / "work").rglob("*") if p.is_file()] == ["lock"]
    cut.clear()
    assert again(source, tmp_path / "work") == whole
    assert len(cut) == SCENES


def test_what_the_last_run_did_not_use_is_removed(source: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    again(source, work, tile=20)
    (job,) = (p for p in work.iterdir() if p.is_dir())
    again(source, work)
    (other,) = (p for p in work.iterdir() if p.is_dir())
    assert other != job
    count = len(list(other.iterdir()))
    for number in range(3):
        scene(source, 3, seed=100 + number)
        again(source, work)
    assert len(list(other.iterdir())) <= count + 1


def test_one_process_at_a_time(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.2)
    with (
        lock.locked(tmp_path / "work", "does it", None),
        pytest.raises(ProductError, match="in use"),
    ):
        again(source, tmp_path / "work")
    again(source, tmp_path / "work")


SCRIPT = """
import sys, time
from pathlib import Path
from samrs.normalize import normalize, shard_ends
from tests.normalize.test_kept import again
shard_ends.SMALLEST, shard_ends.USUAL, shard_ends.LARGEST = 10_000, 15_000, 60_000
made = normalize.make_scene
def slower(record, **given):
    time.sleep(0.05)
    return made(record, **given)
normalize.make_scene = slower
again(Path(sys.argv[1]), Path(sys.argv[2]), workers=1)
"""


def start(source: Path, work: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", SCRIPT, str(source), str(work)]
    return subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL)


def test_a_killed_run_goes_on_where_it_was(source: Path, tmp_path: Path, cut: list[str]) -> None:
    work = tmp_path / "work"
    whole = again(source, None, "whole")
    process = start(source, work)
    while process.poll() is None and len(list(work.rglob("part"))) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
    shutil.rmtree(tmp_path / "out")  # as dvc does
    cut.clear()
    assert again(source, work) == whole
    assert 0 < len(cut) < SCENES * 3 / 4


@pytest.mark.slow
def test_two_processes_at_once_give_the_same_bytes(source: Path, tmp_path: Path) -> None:
    whole = again(source, None, "whole")
    process = start(source, tmp_path / "work")
    while process.poll() is None and not (tmp_path / "work" / "lock").exists():
        time.sleep(0.01)
    assert again(source, tmp_path / "work", "other") == whole
    assert process.wait() == 0
    assert files(tmp_path / "out") == whole


def record(**changes: Any) -> SceneRecord:
    annotation = {
        "category": "plane", "hbb": np.array([1.0, 2.0, 3.0, 4.0]), "obb": np.zeros((4, 2)),
        "source_file": "a.txt", "ordinal": 0, "source_line": 1, "difficult": False,
        "truth": {"size": [4, 4], "counts": "11"},
    } | changes.pop("annotation", {})  # fmt: skip
    values = {
        "scene_id": "a", "split": "all", "gsd": 0.5, "declared_wh": (4, 4),
        "annotations": [Annotation(**annotation)],
    } | changes  # fmt: skip
    return SceneRecord(image=Path("in/images/a.png"), **values)


OTHER = {
    "scene_id": "b", "split": "val", "gsd": 0.25, "declared_wh": None, "annotations": [],
    "opening": Opening(bands=(1, 2, 3)), "uncertain": [("ignored", None)],
}  # fmt: skip
OTHER_ANNOTATION = {
    "category": "ship", "hbb": np.array([1.0, 2.0, 3.0, np.nextafter(4.0, 5.0)]), "obb": None,
    "source_file": "b.txt", "ordinal": 1, "source_line": None, "difficult": True,
    "truth": {"size": [4, 4], "counts": "12"},
}  # fmt: skip


def test_every_field_of_a_scene_and_of_its_annotations_is_part_of_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(Path("in/images/a.png"))
    changes = [{}, *({name: value} for name, value in OTHER.items())]
    changes += [{"annotation": {name: value}} for name, value in OTHER_ANNOTATION.items()]
    keys = [scene_key(record(**change), Path("in"), Beside(), b"") for change in changes]
    assert len(set(keys)) == len(changes)
    assert None not in keys
    assert scene_key(record(), Path("in"), Beside(), b"map") not in keys
    assert scene_key(record(), Path("in"), Beside(), b"") == keys[0]
    told = {f.name for f in fields(SceneRecord)} - {"image", "semantic"}
    assert told <= OTHER.keys(), "add the new field to this test"
    assert {f.name for f in fields(Annotation)} == OTHER_ANNOTATION.keys()
    opened = [Opening(ranges=((0.0, 1.0),)), Opening(ranges=((0.0, 2.0),)), Opening(nodata=1.0)]
    assert len({scene_key(record(opening=o), Path("in"), Beside(), b"") for o in opened}) == 3
    far = record(opening=Opening(url="https://example.org/a.tif"))
    assert scene_key(far, Path("in"), Beside(), b"") is None
    with pytest.raises(TypeError, match="no way to tell"):
        scene_key(record(gsd=object()), Path("in"), Beside(), b"")
