"""What an export or a reader does not get wrong in silence: unsound releases, full disks, kills."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from samrs.core.axis import names
from samrs.core.errors import ProductError, SamrsError
from samrs.core.records import RELEASED, SEMANTIC, TILES
from samrs.core.shards import read_manifest, write_json, write_manifest, write_table
from samrs.data.torch import ReleaseTiles
from samrs.drawing.palette import palette
from samrs.export import export as module
from samrs.export.export import AXIS, export
from samrs.verify.verify import verify
from tests.commands.calls import call, refused
from tests.export.releases import stored, write_release

FORMATS = names(AXIS)
SCHEMAS = {"tiles": TILES, "instances": RELEASED, "semantic": SEMANTIC}
Rows = list[dict[str, Any]]


def other_rows(table: str, change: Callable[[Rows], None]) -> Callable[[Path], None]:
    """A release whose rows and manifest were written anew."""

    def tamper(release: Path) -> None:
        manifest = read_manifest(release)
        rows = stored(release, table)
        change(rows)
        for path in release.glob(f"{table}-*"):
            path.unlink()
        write_table(release, table, SCHEMAS[table], rows)
        write_manifest(release, {k: v for k, v in manifest.items() if k != "shards"})

    return tamper


def row(number: int, **values: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[number].update(values)


def runs(counts: str, size: tuple[int, int] = (40, 50)) -> Callable[[Rows], None]:
    return row(2, rle={"size": list(size), "counts": counts})


def manifest(**values: Any) -> Callable[[Path], None]:
    return lambda release: write_json(
        release / "manifest.json", {**read_manifest(release), **values}
    )


def without(key: str) -> Callable[[Path], None]:
    return lambda release: write_json(
        release / "manifest.json", {k: v for k, v in read_manifest(release).items() if k != key}
    )


def fewer_columns(release: Path) -> None:
    schema = pa.schema([field for field in RELEASED if field.name != "area"])
    rows = [{k: v for k, v in r.items() if k != "area"} for r in stored(release)]
    about = {k: v for k, v in read_manifest(release).items() if k != "shards"}
    write_table(release, "instances", schema, rows)
    write_manifest(release, about)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "runs that end early": (other_rows("instances", runs("11")), "a#corner"),
    "runs beyond the mask": (other_rows("instances", runs("PPPPP0")), "a#corner"),
    "runs of the wrong sign": (other_rows("instances", runs("1O")), "a#corner"),
    "no runs": (other_rows("instances", runs("")), "a#corner"),
    "runs with a strange letter": (other_rows("instances", runs("~~")), "a#corner"),
    "sides exchanged": (
        lambda r: other_rows("instances", row(2, rle={**stored(r)[2]["rle"], "size": [50, 40]}))(r),
        "a#corner",
    ),
    "no mask": (other_rows("instances", row(2, rle=None)), "a#corner"),
    "another area": (other_rows("instances", row(2, area=1)), "area 1"),
    "no number in a box": (
        other_rows("instances", row(2, mask_hbb=[float("nan"), 0, 1, 1])),
        "mask_hbb",
    ),
    "no box": (other_rows("instances", row(2, mask_hbb=None)), "no mask_hbb"),
    "an unknown class": (other_rows("instances", row(2, category_id=77)), "77"),
    "a class of another name": (other_rows("instances", row(2, category="boat")), "boat"),
    "an instance without id": (other_rows("instances", row(2, instance_id=None)), "instance_id"),
    "a tile without split": (
        other_rows("tiles", row(1, split=None)),
        "no split|its tiles are of another",
    ),
    "a tile without size": (other_rows("tiles", row(1, height=0)), "0, 50"),
    "a tile without image": (other_rows("tiles", row(1, image=None)), "no image"),
    "columns missing": (fewer_columns, "area"),
    "a shard missing": (lambda r: (r / "semantic-00000.parquet").unlink(), "semantic"),
    "other rows than listed": (
        manifest(
            shards=[
                {"file": f"{t}-00000.parquet", "rows": 1, "sha256": "0" * 64}
                for t in (*SCHEMAS, "scenes", "joined")
            ]
        ),
        "rows, where the manifest has 1",
    ),
    "no subset": (without("subset"), "subset None"),
    "no counts": (without("counts"), "counts are not those"),
    "classes that are no texts": (manifest(categories=[1, 2, 3]), "categories"),
    "no shards": (manifest(shards=[]), "not listed|no shard"),
    "a shard outside": (
        manifest(shards=[{"file": "../tiles-0.parquet", "rows": 1, "sha256": ""}]),
        "no name of a Parquet file",
    ),
}


NOT_READ = ("area 1", "mask_hbb", "no mask_hbb")
"""Of columns that other formats do not read."""


@pytest.fixture(scope="module", params=sorted(DAMAGES))
def damaged(request: Any, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("damaged") / "sota"
    shutil.copytree(release, folder)
    tamper, said = DAMAGES[request.param]
    tamper(folder)
    return folder, said


def test_verify_finds_each_of_these_faults(damaged: tuple[Path, str]) -> None:
    assert verify(damaged[0]).counts


@pytest.mark.parametrize("format", ["coco", "yolo_seg", "png"])
def test_an_export_refuses_what_verify_would(
    format: str, damaged: tuple[Path, str], tmp_path: Path
) -> None:
    folder, said = damaged
    if format != "coco" and said in NOT_READ:
        pytest.skip("read by coco only")
    message = refused(call("export", format, folder, tmp_path / "out"))
    assert message.startswith(str(folder))
    assert any(part in message for part in said.split("|")), message
    assert list(tmp_path.iterdir()) == []


def test_a_reader_refuses_what_verify_would(damaged: tuple[Path, str]) -> None:
    folder, _ = damaged
    with pytest.raises(SamrsError, match=str(folder)):
        list(ReleaseTiles(folder, masks="dense"))


def test_a_map_of_unknown_labels_is_refused(release: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sota"
    shutil.copytree(release, folder)
    manifest(categories=["plane", "ship"], labels=["plane", "ship"], palette=palette(2))(folder)
    kept = [r for r in stored(folder) if r["category_id"] < 2]
    other_rows("instances", lambda rows: rows.__setitem__(slice(None), kept))(folder)
    assert "label_map" in verify(folder).counts
    with pytest.raises(ProductError, match=r"unknown labels \[2\]"):
        export("png", folder, tmp_path / "out")
    with pytest.raises(ProductError, match="labels that are none of the categories"):
        list(ReleaseTiles(folder))


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_is_a_sentence_that_names_the_file(
    format: str, release: Path, tmp_path: Path
) -> None:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, old[1]))
    try:
        done = call("export", format, release, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    said = refused(done)
    start = tmp_path / f".out.{os.getpid()}.partial"
    assert said.startswith(f"{start}/"), said
    assert ": cannot be written, got " in said
    assert "File too large; room on the disk is needed" in said
    assert list(tmp_path.iterdir()) == []


def test_what_killed_exports_left_is_removed_but_not_what_still_runs(
    release: Path, tmp_path: Path
) -> None:
    left = [tmp_path / f".out.{number}.{kind}" for number in (1, 2) for kind in ("partial", "old")]
    mine = [
        tmp_path / name for name in (".out.x.partial", ".output.1.partial", ".out.1.partial.txt")
    ]
    running = tmp_path / ".out.3.partial"
    for folder in (*left, *mine, running):
        folder.mkdir()
        (folder / "file").write_text("much")
    (tmp_path / ".out.4.partial").symlink_to(mine[0], target_is_directory=True)
    with module._locked(running):
        export("dota", release, tmp_path / "out")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"out", running.name, ".out.4.partial", *(path.name for path in mine)}
    assert (mine[0] / "file").exists()
    export("dota", release, tmp_path / "out", force=True)
    assert not running.exists()


def test_the_most_instances_of_a_tile_are_those_of_the_choice(
    release: Path, tmp_path: Path
) -> None:
    def most(**choice: Any) -> int:
        about = export("voc", release, tmp_path / "out", images=False, force=True, **choice)
        return int(about["most_instances_in_a_tile"])

    rows = stored(release)
    assert most() == 4
    of_ships = [r["tile_id"] for r in rows if r["category"] == "ship"]
    assert most(classes=["ship"]) == max(map(of_ships.count, of_ships))
    few = write_release(tmp_path / "few", rows=[r for r in rows if r["tile_id"] != "c__0_0"][:3])
    assert export("voc", few, tmp_path / "a", splits=["train"])["most_instances_in_a_tile"] == 3
    assert export("voc", few, tmp_path / "b", splits=["val"])["most_instances_in_a_tile"] == 0
