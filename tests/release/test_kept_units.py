"""Units of a release are kept, reused where nothing changed and nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from samrs.core.errors import ProductError
from samrs.core.images import decode_labels
from samrs.core.parameters import grouped
from samrs.core.records import UNCERTAIN
from samrs.core.shards import (
    read_manifest,
    read_table,
    sha256,
    shard_paths,
    verify_product,
    write_table,
)
from samrs.corrections.records import mask_digest
from samrs.label.label import label
from samrs.normalize import shard_ends
from samrs.release import kept_units, release
from samrs.release.units import units_of
from samrs.verify.verify import verify
from samrs.weights.checkpoint import Checkpoint
from samrs.work import fingerprint, lock
from tests.datasets.by_hand import image, write_image
from tests.label.test_label import RUNTIME
from tests.normalize.test_normalize import box_line, dota_scene, run
from tests.products_by_hand import OPEN, QUALITY

SCENES = 20


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of about four scenes of 3.6 kB."""
    monkeypatch.setattr(shard_ends, "SMALLEST", 8_000)
    monkeypatch.setattr(shard_ends, "USUAL", 8_000)
    monkeypatch.setattr(shard_ends, "LARGEST", 30_000)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of tiles of each unit that was made."""
    sizes: list[int] = []
    original = release._write

    def counted(*paths: Path, **given: Any) -> Any:
        counts = original(*paths, **given)
        sizes.append(counts["tiles"])
        return counts

    monkeypatch.setattr(release, "_write", counted)
    return sizes


def scene(root: Path, number: int, seed: int | None = None) -> None:
    boxes = [box_line(4, 4, 14, 10), box_line(20, 8, 36, 26, "ship")] if number % 5 else []
    dota_scene(root, *boxes, name=f"P{number:04d}")
    write_image(root / f"images/P{number:04d}.png", image(number if seed is None else seed))


def labelled(root: Path) -> None:
    """Normalize and label what lies in ``root/in``; both keep what they finish."""
    run("dota", root / "in", root / "normalized", tile=30, overlap=10, work=root / "work/n")
    label(
        root / "normalized", root / "labelled", prompt="hbox", checkpoint=Checkpoint("box", "nano"),
        precision="float32", runtime=RUNTIME, work=root / "work/l",
    )  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(SCENES):
        scene(tmp_path / "in", number)
    labelled(tmp_path)
    return tmp_path


def again(root: Path, work: bool = True, name: str = "sota", **changes: Any) -> dict[str, bytes]:
    """The release's files, of a run that may use what earlier ones kept."""
    given = {**OPEN, "work": root / "work/r" if work else None, **changes}
    said = given.pop("corrections", None)
    paths = (root / "normalized", root / "labelled", root / name, QUALITY)
    release.release(*paths, said, **grouped(release.release, given))
    found = {path.name: path.read_bytes() for path in sorted((root / name).iterdir())}
    if name != "sota":  # the manifest tells the subset by the dataset
        shutil.rmtree(root / name)
    return found


def test_units_are_the_shards_that_share_no_scene(root: Path) -> None:
    units = units_of(root / "normalized", root / "labelled")
    paths = shard_paths(root / "normalized", "tiles")
    assert [unit.shards["tiles"] for unit in units] == [[path] for path in paths]
    assert len(units) > 3
    assert all(len(unit.shards.get("masks", [])) <= 1 for unit in units)
    rows = sum(pq.read_metadata(path).num_rows for path in paths)
    assert sum(len(unit.tile_ids) for unit in units) == rows


def test_no_shard_of_a_table_of_tiles_is_of_two_units(root: Path) -> None:
    tiles = [pq.read_table(path) for path in shard_paths(root / "normalized", "tiles")]
    ids = [some["tile_id"][0].as_py() for some in (tiles[1], tiles[2])]
    outline = [0.0, 0.0, 4.0, 0.0, 4.0, 3.0, 0.0, 3.0]
    for path in (root / "normalized").glob("uncertain-*"):
        path.unlink()
    rows = [{"tile_id": name, "reason": "ignored", "outline": outline} for name in ids]
    write_table(root / "normalized", "uncertain", UNCERTAIN, rows)
    units = units_of(root / "normalized", root / "labelled")
    sizes = [len(unit.shards["tiles"]) for unit in units]
    assert sizes == [1, 2, *[1] * (len(tiles) - 3)]
    again(root, background="outside_boxes")
    rows = read_table(root / "sota", "semantic").to_pylist()
    maps = {row["tile_id"]: decode_labels(row["label_map"]["bytes"], "") for row in rows}
    assert all((maps[name][:3, :4] == 255).all() for name in ids)


def test_a_change_makes_the_units_it_is_in_and_gives_the_bytes_of_a_whole_run(
    root: Path, made: list[int]
) -> None:
    before = again(root)
    assert before == again(root, work=False, name="whole")
    number = len(made) // 2
    made.clear()
    assert again(root) == before
    assert made == []
    scene(root / "in", 7, seed=99)
    scene(root / "in", 31)
    for place in ("images/P0012.png", "labelTxt/P0012.txt"):
        (root / "in" / place).unlink()
    labelled(root)
    made.clear()
    after = again(root)
    assert 0 < len(made) < number
    assert after == again(root, work=False, name="whole")
    assert after != before
    assert verify_product(root / "sota") > 0
    assert not verify(root / "sota")


def test_counts_and_rows_are_those_of_one_unit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is released does not hang on where shards end."""
    again(root)
    for name in ("SMALLEST", "USUAL", "LARGEST"):
        monkeypatch.setattr(shard_ends, name, 2**30)
    whole = root / "one"
    shutil.copytree(root / "in", whole / "in")
    labelled(whole)
    assert len(units_of(whole / "normalized", whole / "labelled")) == 1
    again(whole)
    said = [read_manifest(folder / "sota") for folder in (root, whole)]
    assert len(said[0]["shards"]) > len(said[1]["shards"])
    for manifest in said:
        del manifest["shards"]
    assert said[0] == said[1]
    for table in ("tiles", "instances", "semantic", "scenes", "joined"):
        rows = [
            [row for p in shard_paths(f / "sota", table) for row in pq.read_table(p).to_pylist()]
            for f in (root, whole)
        ]
        assert rows[0] == rows[1], table


def test_masks_of_one_shard_make_one_unit(root: Path) -> None:
    """As labels are that were written before their shards ended with those of tiles."""
    before = again(root)
    rows = [pq.read_table(path) for path in shard_paths(root / "labelled", "masks")]
    assert len(rows) > 3
    for path in shard_paths(root / "labelled", "masks"):
        path.unlink()
    pq.write_table(pa.concat_tables(rows), root / "labelled/masks-00000.parquet")
    assert len(units_of(root / "normalized", root / "labelled")) == 1
    counts = read_manifest(root / "sota")["counts"]
    after = again(root)
    assert read_manifest(root / "sota")["counts"] == counts
    assert len(after) < len(before)


def test_bytes_decide_and_not_what_the_manifest_says(root: Path, made: list[int]) -> None:
    """A shard that somebody changed by hand is released as it is."""
    before = again(root)
    path = shard_paths(root / "labelled", "masks")[1]
    rows = pq.read_table(path)
    scores = rows.column_names.index("predicted_iou")
    pq.write_table(rows.set_column(scores, "predicted_iou", [[0.25] * len(rows)]), path)
    made.clear()
    after = again(root)
    assert len(made) == 1
    assert after != before
    assert after == again(root, work=False, name="whole")


@pytest.mark.parametrize(
    "change", [{"overlap": "larger_on_top"}, {"overrides": {"dota/ship": {"min_area": 9}}}]
)
def test_other_parameters_make_every_unit(
    change: dict[str, Any], root: Path, made: list[int]
) -> None:
    again(root)
    number = len(made)
    made.clear()
    after = again(root, **change)
    assert len(made) == number
    assert after == again(root, work=False, name="whole", **change)


def test_other_code_makes_every_unit(
    root: Path, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    again(root)
    number = len(made)
    shutil.copytree(
        fingerprint.ROOT / "samrs", root / "samrs", ignore=shutil.ignore_patterns("*.pyc")
    )
    edited = root / "samrs/release/cleaning.py"
    edited.write_text(edited.read_text() + "\n# edited\n")
    monkeypatch.setattr(fingerprint, "ROOT", root)
    made.clear()
    again(root)
    assert len(made) == number


@pytest.mark.parametrize("file", ["instances-", "semantic-", "joined-", "part"])
def test_a_damaged_unit_is_made_again(file: str, root: Path, made: list[int]) -> None:
    before = again(root)
    shutil.rmtree(root / "sota")  # else its files would be damaged, too
    path = [p for p in sorted((root / "work/r").rglob("*")) if p.name.startswith(file)][1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    made.clear()
    assert again(root) == before
    assert len(made) == 1
    made.clear()
    assert again(root) == before
    assert made == []


def verdict(root: Path, row: dict[str, Any], says: str) -> str:
    """A line of verdicts.csv, with its header before it."""
    digest = mask_digest(row["rle"])
    box = " ".join(str(v) for v in row["hbb_annotated"])
    header = "instance_id,tile_id,annotated,mask,verdict,reason\n"
    return f"{header}{row['instance_id']},{row['tile_id']},{box},{digest},{says},\n"


def test_what_people_said_makes_the_unit_it_is_of(
    root: Path, made: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    before = again(root)
    row = read_table(root / "sota", "instances").to_pylist()[-1]
    folder = root / "corrections"
    folder.mkdir()
    (folder / "verdicts.csv").write_text(verdict(root, row, "reject"))
    made.clear()
    after = again(root, corrections=folder)
    assert len(made) == 1
    assert read_manifest(root / "sota")["counts"]["corrections"]["rejected"] == 1
    assert after == again(root, work=False, name="whole", corrections=folder)
    assert after != before
    gone = [{**row, "tile_id": f"none__{i}_0"} for i in (0, 1)]
    other = {
        **read_table(root / "sota", "instances").to_pylist()[-1],
        "hbb_annotated": [0, 0, 1, 1],
    }
    lines = [verdict(root, some, "reject").splitlines(keepends=True) for some in (*gone, other)]
    (folder / "verdicts.csv").write_text("".join([lines[0][0], *(some[1] for some in lines)]))
    caplog.clear()
    after = again(root, corrections=folder)
    (said,) = (r.message for r in caplog.records if "corrections" in r.message)
    assert "3 corrections do not fit any more" in said
    assert sum(read_manifest(root / "sota")["counts"]["corrections"]["conflicts"].values()) == 3
    assert after == again(root, work=False, name="whole", corrections=folder)
    assert not verify(root / "sota")


def test_processes_give_the_same_bytes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = again(root, work=False)
    monkeypatch.setattr(kept_units, "MANY", 1)
    assert again(root, work=False) == before


def test_an_error_names_the_products_and_not_the_links_to_a_unit(root: Path) -> None:
    path = shard_paths(root / "labelled", "masks")[1]
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(ProductError, match="masks do not belong") as error:
        again(root)
    assert f"{root / 'labelled'}: " in str(error.value)
    assert "units" not in str(error.value)


def test_what_the_last_run_did_not_use_is_removed_and_one_works_at_a_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again(root, overlap="larger_on_top")
    again(root)
    (job,) = (p for p in (root / "work/r").iterdir() if p.is_dir())
    assert len(list(job.iterdir())) == len(units_of(root / "normalized", root / "labelled"))
    digests = {s["file"]: s["sha256"] for s in read_manifest(root / "sota")["shards"]}
    assert all(sha256(root / "sota" / name) == digest for name, digest in digests.items())
    monkeypatch.setattr(lock, "PATIENCE", 0.2)
    with lock.locked(root / "work/r", "does it", None), pytest.raises(ProductError, match="in use"):
        again(root)
