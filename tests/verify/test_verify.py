"""Verification tells every kind of damage, names it, and finds nothing in whole products."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from samrs.core.label_png import encode_labels
from samrs.core.records import INSTANCES, MASKS, RELEASED, SEMANTIC, TILES
from samrs.core.rle import hbb_to_rle, mask_to_rle, rle_to_hbb
from samrs.core.runs import rle_runs
from samrs.core.shards import iter_rows, read_manifest, write_manifest, write_table
from samrs.release.mask_boxes import mask_boxes
from samrs.verify.verify import Verification, verify
from tests.products_by_hand import Thing, write
from tests.released import write_release

TILES_IDS = ["a__0_0", "b__0_0", "c__0_0"]
THINGS = [
    Thing("a__0_0", "harbor", (0, 0, 20, 20), "a#1"),
    Thing("a__0_0", "ship", (5, 5, 10, 10), "a#2"),
    Thing("c__0_0", "ship", (0, 0, 10, 10), "c#2"),
]
SCHEMAS = {"tiles": TILES, "instances": RELEASED, "semantic": SEMANTIC}


@pytest.fixture
def products(tmp_path: Path) -> dict[str, Path]:
    normalized, labelled = write(tmp_path, TILES_IDS, THINGS)
    released = write_release(normalized, labelled, tmp_path / "release" / "sota")
    return {"normalize": normalized, "sam_label": labelled, "release": released}


@pytest.fixture
def released(products: dict[str, Path]) -> Path:
    return products["release"]


def rewrite(
    product: Path, table: str, schema: pa.Schema, change: Callable[[list[Any]], Any]
) -> None:
    """Change the rows of a table and make the manifest agree."""
    rows = list(iter_rows(product, table))
    rows = change(rows) or rows
    for path in product.glob(f"{table}-*.parquet"):
        path.unlink()
    write_table(product, table, schema, rows)
    sign(product)


def sign(product: Path) -> None:
    about = {k: v for k, v in read_manifest(product).items() if k != "shards"}
    write_manifest(product, about)


def label_map(labels: Any) -> dict[str, Any]:
    return {"bytes": encode_labels(np.asarray(labels, dtype=np.uint8)), "path": "b__0_0.png"}


def set_in(row: int, **values: Any) -> Callable[[list[Any]], None]:
    return lambda rows: rows[row].update(values)


@pytest.mark.parametrize("kind", ["normalize", "sam_label", "release"])
def test_a_whole_product_is_sound(products, kind):
    assert verify(products[kind]).counts == {}
    assert verify(products[kind], products["normalize"]).counts == {}


def test_the_summary_counts_rows(released):
    check = Verification(released)
    assert not check.run()
    assert check.summary() == ("5 shards, 3 instances, 3 joined, 3 scenes, 3 semantic, 3 tiles")


@pytest.mark.parametrize(
    ("table", "change", "kind", "named"),
    [
        ("instances", set_in(1, instance_id="a#1"), "duplicate", r"'a#1' in tile 'a__0_0'"),
        ("instances", set_in(0, instance_id=""), "source", "instance ''"),
        ("instances", set_in(2, tile_id="z__0_0"), "unknown_tile", "'z__0_0'"),
        ("instances", lambda rows: rows[::-1], "order", "'a#1' in tile 'a__0_0'"),
        ("instances", set_in(0, category="boat"), "category", r"\(2, 'boat'\)"),
        ("instances", set_in(0, category_id=3), "category", r"\(3, 'harbor'\)"),
        ("instances", set_in(0, category_id=None), "category", r"\(None, 'harbor'\)"),
        ("instances", set_in(0, source_file=None), "source", "file None"),
        ("instances", set_in(0, source_file="../a.txt"), "source", r"'\.\./a\.txt'"),
        ("instances", set_in(0, source_file="/etc/a.txt"), "source", "'/etc/a.txt'"),
        ("instances", set_in(0, source_line=0), "source", "line 0"),
        ("instances", set_in(0, area=401), "area", "'a#1' .*area 401, its mask has 400 px"),
        ("instances", set_in(0, area=None), "area", "area -1"),
        ("instances", set_in(0, rle=hbb_to_rle((0, 0, 20, 20), (64, 65))), "mask", r"\[64, 65\]"),
        ("instances", set_in(0, rle={"size": [64, 64], "counts": "PP"}), "mask", "no encoding"),
        ("instances", set_in(0, rle={"size": [64, 64], "counts": ""}), "mask", "no encoding"),
        ("instances", set_in(0, rle=None), "mask", "no encoding"),
        ("instances", set_in(0, rle={"size": None, "counts": "0"}), "mask", "no encoding"),
        ("instances", set_in(0, mask_hbb=[0, 0, 20, 21]), "box", r"21\.0\], its mask's is \[0\.0"),
        ("instances", set_in(0, mask_hbb=None), "value", "'a#1' in tile 'a__0_0': no mask_hbb"),
        ("instances", set_in(1, hbb=None), "value", "'a#2' in tile 'a__0_0': no hbb"),
        ("instances", set_in(1, hbb=[0, 0, 1, float("nan")]), "value", "no hbb"),
        ("instances", set_in(1, hbb_annotated=[0, 0, 1, None]), "value", "no hbb_annotated"),
        ("tiles", set_in(1, split=None), "value", "'b__0_0': no split"),
        ("tiles", set_in(1, image=None), "value", "'b__0_0': no image"),
        ("tiles", set_in(2, tile_id="b__0_0"), "duplicate", "tile 'b__0_0' stands 2 times"),
        ("tiles", set_in(1, height=0), "tile", r"'b__0_0': \[0, 64\] px"),
        ("tiles", set_in(1, tile_id=None), "tile", "tile None: no id"),
        ("semantic", set_in(1, label_map={"bytes": b"no", "path": "x"}), "label_map", "'b__0_0'"),
        ("semantic", set_in(1, label_map=None), "label_map", "'b__0_0'"),
        (
            "semantic",
            set_in(1, label_map=label_map(np.zeros((9, 9)))),
            "label_map",
            r"size \(9, 9\)",
        ),
        (
            "semantic",
            set_in(1, label_map=label_map(np.full((64, 64), 3))),
            "label_map",
            r"unknown labels \[3\]",
        ),
        (
            "semantic",
            set_in(1, label_map=label_map(np.zeros((64, 64)))),
            "label_map",
            "4096 px of label 0, its masks have 0",
        ),
        ("semantic", lambda rows: rows[:2], "counts", "label maps 2, the tables have 3"),
        ("instances", lambda rows: rows[:2], "counts", "kept 3, the tables have 2"),
    ],
)  # fmt: skip
def test_wrong_rows_are_found_and_named(released, table, change, kind, named):
    rewrite(released, table, SCHEMAS[table], change)
    findings = verify(released)
    assert kind in findings.counts, findings.lines()

    assert any(re.search(named, text) for text in findings.named[kind]), findings.named


def test_masks_of_labels_are_checked_against_the_tiles_that_are_given(products):
    other = hbb_to_rle((0, 0, 20, 20), (32, 32))
    rewrite(products["sam_label"], "masks", MASKS, set_in(0, rle=other))
    assert verify(products["sam_label"]).counts == {}
    found = verify(products["sam_label"], products["normalize"])
    assert found.counts == {"mask": 1}
    assert "size [32, 32], [64, 64] needed" in found.named["mask"][0]


def test_a_changed_byte_is_found(released):
    path = released / "tiles-00000.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    assert "tiles-00000.parquet" in verify(released).named["checksum"][0]


def test_missing_and_extra_shards_are_named(released):
    (released / "semantic-00000.parquet").rename(released / "semantic-00001.parquet")
    findings = verify(released)
    assert findings.named["missing_shard"] == ["semantic-00000.parquet"]
    assert findings.named["extra_shard"] == ["semantic-00001.parquet"]


@pytest.mark.parametrize("name", ["x.txt", "x.pkl", ".hidden", "more/tiles-00000.parquet"])
def test_any_other_file_is_named(released, name):
    (released / name).parent.mkdir(exist_ok=True)
    (released / name).write_bytes(b"x")
    assert verify(released).named == {"extra_shard": [name.split("/")[0]]}


def test_masks_that_changed_places_are_found(released):
    def swap(rows: list[Any]) -> None:
        for key in ("rle", "area"):
            rows[0][key], rows[1][key] = rows[1][key], rows[0][key]

    rewrite(released, "instances", RELEASED, swap)
    assert verify(released).counts["box"] == 2


def test_boxes_of_runs_are_pycocotools():
    rng = np.random.default_rng(0)
    masks = [rng.random((9, 7)) < share for share in (0, 0.02, 0.05, 0.3, 1) for _ in range(20)]
    rles = [mask_to_rle(mask) for mask in masks]
    runs = rle_runs(rles)
    found = mask_boxes(runs, np.full(len(masks), 9))
    np.testing.assert_array_equal(found, [rle_to_hbb(rle) for rle in rles])


def test_a_release_says_whose_it_is_and_under_which_terms(released):
    for key in ("subset", "dataset", "terms"):
        manifest = read_manifest(released)
        changed = json.dumps({**manifest, key: None})
        (released / "manifest.json").write_text(changed)
        assert f"{key} None, a text is needed" in verify(released).named["manifest"][0]
        (released / "manifest.json").write_text(json.dumps(manifest))


def test_a_missing_part_of_a_table_accuses_no_row(released):
    (released / "tiles-00000.parquet").unlink()
    assert set(verify(released).counts) == {"missing_shard", "counts"}


def test_another_schema_is_told_by_column(released):
    path = released / "instances-00000.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["visible"]), path)
    sign(released)
    assert "column 8 is" in verify(released).named["schema"][0]


def test_rows_of_the_manifest_are_compared(released):
    manifest = read_manifest(released)
    manifest["shards"][0]["rows"] = 7
    (released / "manifest.json").write_text(json.dumps(manifest))
    assert verify(released).named["rows"] == ["instances-00000.parquet: 3 rows, the manifest has 7"]


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ((), "labels"), (("parameters",), "background"), (("counts",), "scenes"),
        (("counts",), "background_pixels"), (("counts",), "corrections"),
    ],
)  # fmt: skip
def test_a_manifest_lacks_nothing_that_releases_have(
    released: Path, where: tuple[str, ...], name: str
) -> None:
    manifest = read_manifest(released)
    holder = manifest
    for key in where:
        holder = holder[key]
    del holder[name]
    (released / "manifest.json").write_text(json.dumps(manifest))
    assert set(verify(released).counts) == {"manifest"}


@pytest.mark.parametrize("table", ["scenes", "joined"])
def test_a_release_without_scenes_is_none(released: Path, table: str) -> None:
    (released / f"{table}-00000.parquet").unlink()
    sign(released)
    found = verify(released).named["missing_shard"]
    assert found == [f"{table}: the manifest lists no such table"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "NaN",
        "[" * 100_000,
        '{"product": "release"}',
        '{"product": ["release"], "categories": [], "shards": []}',
        '{"product": "other", "categories": [], "shards": []}',
        '{"product": "release", "categories": [1], "shards": []}',
        '{"product": "release", "categories": [], "shards": [1]}',
        '{"product": "release", "categories": [], "shards": [{"file": "../x.parquet"}]}',
        '{"product": "release", "categories": [], "shards": [{"file": "x.parquet", "rows": "1"}]}',
        '{"product": "release", "categories": [], "shards": [{"file": 1, "rows": 1}]}',
    ],
)
def test_a_hostile_manifest_is_a_finding(released, text):
    (released / "manifest.json").write_text(text)
    assert verify(released).counts == {"manifest": 1}


def test_a_manifest_of_other_bytes_or_none_is_a_finding(released, tmp_path):
    (released / "manifest.json").write_bytes(b"\xff\xfe\x00")
    assert verify(released).counts == {"manifest": 1}
    assert verify(tmp_path / "nothing").counts == {"manifest": 1}


def test_damaged_parquet_is_a_finding_whatever_its_damage(released):
    path = released / "instances-00000.parquet"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    hurt = [b"", b"PAR1", whole[:-1], whole[: len(whole) // 2], whole[len(whole) // 2 :]]
    for _ in range(40):
        data = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            data[place] = rng.integers(256)
        hurt.append(bytes(data))
    for data in hurt:
        path.write_bytes(data)
        findings = verify(released)
        assert data == whole or "checksum" in findings.counts
        assert all(text for texts in findings.named.values() for text in texts)


def test_text_that_is_no_text_is_a_finding(released):
    path = released / "instances-00000.parquet"
    table = pq.read_table(path)
    ids = pa.array([b"\xff\xfe", b"\x1b[31m", b"c#2"]).cast(pa.binary())
    raw = pa.StringArray.from_buffers(3, ids.buffers()[1], ids.buffers()[2])
    pq.write_table(table.set_column(0, RELEASED.field(0), raw), path)
    sign(released)
    findings = verify(released)
    assert "unreadable" in findings.counts
    assert "\x1b" not in "".join(findings.lines())


def test_many_findings_are_counted_and_ten_are_named(tmp_path):
    things = [Thing("a__0_0", "ship", (0, 0, 5, 5)) for _ in range(25)]
    normalized, _ = write(tmp_path, TILES_IDS, things)
    rewrite(normalized, "instances", INSTANCES, lambda rows: [{**r, "category": "?"} for r in rows])
    findings = verify(normalized)
    assert findings.counts == {"category": 25}
    assert len(findings.named["category"]) == 10
    assert findings.lines()[-1] == "  ... and 15 more"


def test_processes_find_what_one_process_finds(released, monkeypatch):
    rewrite(released, "instances", RELEASED, set_in(0, area=401))
    alone = verify(released)
    monkeypatch.setattr("samrs.verify.verify.MANY_ROWS", 1)
    together = verify(released)
    assert (together.counts, together.named) == (alone.counts, alone.named)
