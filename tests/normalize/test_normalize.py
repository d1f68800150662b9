"""Scenes to tiles and instances: nothing lost, nothing invented, the same bytes each time."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from samrs.core import axis
from samrs.core.errors import (
    AnnotationError,
    MissingInputError,
    ParameterError,
    QuarantineError,
    UnknownNameError,
)
from samrs.core.images import decode_labels, decode_rgb
from samrs.core.rle import rle_area, rle_to_hbb
from samrs.core.shards import (
    has_table,
    iter_rows,
    read_manifest,
    read_table,
    sha256,
    verify_product,
)
from samrs.normalize.normalize import OWN_TERMS, normalize
from samrs.verify.manifest import manifest_problem
from tests.datasets import by_hand
from tests.datasets.by_hand import HEIGHT, WIDTH, WRITERS, image, write_image, write_text

NAMES = axis.names("samrs.datasets")


def run(dataset: str, source: Path, out: Path, **changes: Any) -> dict[str, Any]:
    parameters = {
        "tile": None,
        "overlap": 0,
        "min_visible": 0.7,
        "clip": True,
        "pad": False,
        "keep_difficult": True,
        "stretch": 2.0,
        "max_quarantined": 0.0,
        **changes,
    }
    return normalize(dataset, source, out, **parameters)


def rows(out: Path, table: str) -> list[dict[str, Any]]:
    return list(iter_rows(out, table))


def dota_scene(root: Path, *lines: str, name: str = "P1", width: int = WIDTH) -> None:
    write_image(root / f"images/{name}.png", image(0, width))
    write_text(root / f"labelTxt/{name}.txt", "".join(f"{line}\n" for line in lines))


def box_line(x0: float, y0: float, x1: float, y1: float, category: str = "plane") -> str:
    return f"{x0} {y0} {x1} {y0} {x1} {y1} {x0} {y1} {category} 0"


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_gives_a_product_that_verifies(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / "in")
    metrics = run(name, tmp_path / "in", tmp_path / "out", tile=25, overlap=5)
    assert verify_product(tmp_path / "out") > 0
    manifest = read_manifest(tmp_path / "out")
    assert manifest["product"] == "normalize"
    assert manifest["dataset"] == name
    assert manifest["parameters"]["tile"] == 25
    assert metrics["scenes"] == 2
    assert metrics["tiles"] == 8
    assert metrics["quarantined"] == {"total": 0, "by_reason": {}}
    instances = rows(tmp_path / "out", "instances")
    categories = manifest["categories"]
    assert all(categories[r["category_id"]] == r["category"] for r in instances)
    assert (name == "potsdam") == (not instances)


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_write_the_same_bytes(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / "in")
    for out in ("a", "b"):
        run(name, tmp_path / "in", tmp_path / out, tile=25, overlap=5)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert len(files) >= 4
    assert [sha256(tmp_path / "a" / f) for f in files] == [
        sha256(tmp_path / "b" / f) for f in files
    ]


def test_box_is_clipped_moved_and_its_visible_share_kept(tmp_path: Path) -> None:
    dota_scene(tmp_path / "in", box_line(18, 4, 28, 10))
    run("dota", tmp_path / "in", tmp_path / "out", tile=20)
    (row,) = rows(tmp_path / "out", "instances")
    assert row["tile_id"] == "P1__20_0"
    assert row["instance_id"] == "P1#0"
    assert row["hbb"] == [0, 4, 8, 10]
    assert row["hbb_annotated"] == [-2, 4, 8, 10]
    assert row["obb"] == [-2, 4, 8, 4, 8, 10, -2, 10]
    assert row["visible"] == 0.8
    assert (row["source_file"], row["source_line"]) == ("labelTxt/P1.txt", 1)


def test_box_across_tiles_keeps_one_id_where_enough_of_it_is_seen(tmp_path: Path) -> None:
    dota_scene(tmp_path / "in", box_line(15, 4, 25, 10))
    metrics = run("dota", tmp_path / "in", tmp_path / "out", tile=20, min_visible=0.5)
    found = rows(tmp_path / "out", "instances")
    assert [r["tile_id"] for r in found] == ["P1__0_0", "P1__20_0"]
    assert {r["instance_id"] for r in found} == {"P1#0"}
    assert (metrics["instances"], metrics["instance_rows"]) == (1, 2)


def test_box_beyond_the_border_is_clipped_to_the_image(tmp_path: Path) -> None:
    dota_scene(tmp_path / "in", box_line(-5, -6, 5, 6))
    run("dota", tmp_path / "in", tmp_path / "out")
    (row,) = rows(tmp_path / "out", "instances")
    assert row["hbb"] == [0, 0, 5, 6]
    assert row["visible"] == 0.25


def test_rows_come_by_scene_window_and_annotation(tmp_path: Path) -> None:
    for name in ("P2", "P1"):
        lines = (box_line(25, 2, 30, 6), box_line(1, 2, 5, 6), box_line(2, 2, 6, 6))
        dota_scene(tmp_path / "in", *lines, name=name)
    run("dota", tmp_path / "in", tmp_path / "out", tile=20)
    keys = [(r["tile_id"], r["instance_id"]) for r in rows(tmp_path / "out", "instances")]
    assert keys[:3] == [("P1__0_0", "P1#1"), ("P1__0_0", "P1#2"), ("P1__20_0", "P1#0")]
    assert [k[0][:2] for k in keys] == ["P1"] * 3 + ["P2"] * 3
    tiles = [r["tile_id"] for r in rows(tmp_path / "out", "tiles")]
    assert tiles[:4] == ["P1__0_0", "P1__20_0", "P1__0_10", "P1__20_10"]


def test_tiles_hold_the_windows_px_and_images_without_boxes_stay(tmp_path: Path) -> None:
    dota_scene(tmp_path / "in")
    metrics = run("dota", tmp_path / "in", tmp_path / "out", tile=20)
    for row in rows(tmp_path / "out", "tiles"):
        x0, y0 = row["x0"], row["y0"]
        part = image()[y0 : y0 + row["height"], x0 : x0 + row["width"]]
        assert np.array_equal(decode_rgb(row["image"]["bytes"], "tile"), part)
        assert row["image"]["path"] == f"{row['tile_id']}.png"
    assert (metrics["tiles"], metrics["tiles_empty"], metrics["instances"]) == (4, 4, 0)


def test_whole_scenes_keep_the_bytes_of_plain_files(tmp_path: Path) -> None:
    by_hand.coco(tmp_path / "in")
    run("coco", tmp_path / "in", tmp_path / "out")
    stored = {r["tile_id"]: r["image"] for r in rows(tmp_path / "out", "tiles")}
    assert stored["a__0_0"] == {
        "bytes": (tmp_path / "in/images/a.jpg").read_bytes(),
        "path": "a__0_0.jpg",
    }


@pytest.mark.parametrize("name", ["hrsc2016", "fair1m"])
def test_whole_scenes_of_other_formats_become_png(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / "in")
    run(name, tmp_path / "in", tmp_path / "out")
    first = rows(tmp_path / "out", "tiles")[0]["image"]
    assert first["path"].endswith(".png")
    assert np.array_equal(decode_rgb(first["bytes"], "tile"), image())


def test_truth_and_semantic_are_cropped_to_the_tile(tmp_path: Path) -> None:
    by_hand.isaid(tmp_path / "in")
    run("isaid", tmp_path / "in", tmp_path / "out", tile=25, overlap=5, min_visible=0.1)
    truth = {(r["tile_id"], r["instance_id"]): r["rle"] for r in rows(tmp_path / "out", "truth")}
    plane = truth["P0001__0_0", "P0001#0"]
    assert plane["size"] == [25, 25]
    assert rle_to_hbb(plane).tolist() == [20, 4, 25, 10]
    assert rle_area(truth["P0001__15_0", "P0001#0"]) == 60
    maps = {r["tile_id"]: r["label_map"] for r in rows(tmp_path / "out", "semantic")}
    labels = decode_labels(maps["P0001__0_0"]["bytes"], "map")
    assert (labels == 1).sum() == 60
    assert (labels == 14).sum() == 30


def test_tables_a_dataset_does_not_have_are_not_written(tmp_path: Path) -> None:
    by_hand.dota(tmp_path / "in")
    run("dota", tmp_path / "in", tmp_path / "out")
    assert not has_table(tmp_path / "out", "truth")
    assert not has_table(tmp_path / "out", "semantic")
    assert read_table(tmp_path / "out", "quarantine").num_rows == 0


def test_equal_boxes_are_both_kept(tmp_path: Path) -> None:
    dota_scene(tmp_path / "in", box_line(4, 4, 14, 10), box_line(4, 4, 14, 10))
    assert run("dota", tmp_path / "in", tmp_path / "out")["instances"] == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (box_line(4, 4, 4, 10), "box without area"),
        ("4 4 6 6 8 8 10 10 plane 0", "box without area"),
        (box_line(40, 4, 50, 10), "box outside its image"),
        (box_line(-9, 4, 0, 10), "box outside its image"),
    ],
)
def test_useless_box_is_quarantined_with_its_place(tmp_path: Path, line: str, reason: str) -> None:
    dota_scene(tmp_path / "in", box_line(4, 4, 14, 10), line)
    metrics = run("dota", tmp_path / "in", tmp_path / "out", max_quarantined=0.5)
    assert metrics["quarantined"] == {"total": 1, "by_reason": {reason: 1}}
    assert metrics["instances"] == 1
    (row,) = rows(tmp_path / "out", "quarantine")
    assert (row["source_file"], row["source_line"]) == ("labelTxt/P1.txt", 2)
    assert row["detail"].startswith(f"labelTxt/P1.txt:2: {reason}, got plane at")


@pytest.mark.parametrize("keep", [0, 0.6])
def test_bad_image_is_quarantined_with_each_of_its_boxes(tmp_path: Path, keep: float) -> None:
    dota_scene(tmp_path / "in", box_line(4, 4, 14, 10), box_line(1, 1, 3, 3))
    path = tmp_path / "in/images/P1.png"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    dota_scene(tmp_path / "in", box_line(4, 4, 14, 10), name="P2")
    metrics = run("dota", tmp_path / "in", tmp_path / "out", max_quarantined=0.6)
    assert metrics["quarantined"]["by_reason"] == {
        "annotation of a bad image": 2,
        "image does not decode": 1,
    }
    assert (metrics["scenes"], metrics["instances"]) == (1, 1)


def test_label_map_of_another_size_sets_the_scene_aside(tmp_path: Path) -> None:
    by_hand.potsdam(tmp_path / "in")
    small = np.zeros((4, 4, 3), np.uint8)
    write_image(tmp_path / "in/5_Labels_all/top_potsdam_2_10_label.tif", small)
    metrics = run("potsdam", tmp_path / "in", tmp_path / "out", max_quarantined=0.9)
    assert metrics["scenes"] == 1
    details = [row["detail"] for row in rows(tmp_path / "out", "quarantine")]
    assert any("label map does not fit, got (4, 4) px" in d for d in details)


def test_scene_id_used_twice_is_quarantined(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_image(tmp_path / f"in/{split}/images/P1.png")
        write_text(tmp_path / f"in/{split}/labelTxt/P1.txt", box_line(4, 4, 14, 10))
    metrics = run("dota", tmp_path / "in", tmp_path / "out", max_quarantined=0.5)
    assert metrics["splits"] == {"train": {"scenes": 1, "tiles": 1, "instances": 1}}
    assert metrics["quarantined"]["by_reason"] == {
        "annotation of a bad image": 1,
        "scene id used twice": 1,
    }


def test_too_much_bad_input_stops_with_reasons_and_the_first_place(tmp_path: Path) -> None:
    lines = (box_line(4, 4, 14, 10), "x", box_line(1, 1, 1, 1), box_line(2, 1, 2, 1))
    dota_scene(tmp_path / "in", *lines)
    expected = (
        "got 3 of 5 images and annotations (2 x box without area, 1 x does not parse; first "
        "labelTxt/P1.txt:2: line does not parse"
    )
    with pytest.raises(QuarantineError, match=re.escape(expected)):
        run("dota", tmp_path / "in", tmp_path / "out", max_quarantined=0.5)
    assert read_table(tmp_path / "out", "quarantine").num_rows == 3, "listed for the user"
    run("dota", tmp_path / "in", tmp_path / "out", max_quarantined=0.6)


def test_missing_folder_leaves_the_last_product_alone(tmp_path: Path) -> None:
    by_hand.dota(tmp_path / "in")
    run("dota", tmp_path / "in", tmp_path / "out")
    with pytest.raises(MissingInputError, match=r"nowhere: no dota dataset, got no such folder"):
        run("dota", tmp_path / "nowhere", tmp_path / "out")
    assert verify_product(tmp_path / "out")


def test_unknown_dataset_and_bad_parameters_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown name, got 'dotta'; allowed are coco, "):
        run("dotta", tmp_path, tmp_path / "out")
    with pytest.raises(ParameterError, match=r"min_visible is not a share, got 70; 0 to 1"):
        run("dota", tmp_path, tmp_path / "out", min_visible=70)
    by_hand.dota(tmp_path / "in")
    with pytest.raises(ParameterError, match="overlap does not fit the tile"):
        run("dota", tmp_path / "in", tmp_path / "out", tile=10, overlap=10)


corner = st.tuples(st.integers(-30, 70), st.integers(-30, 60))
quads = st.tuples(corner, corner, corner, corner)


@settings(max_examples=25)
@given(
    st.lists(quads, max_size=6),
    st.integers(9, 45),
    st.integers(0, 8),
    st.floats(0, 1),
)
def test_no_instance_is_lost_and_none_invented(
    polygons: list[tuple[tuple[int, int], ...]], tile: int, overlap: int, min_visible: float
) -> None:
    with TemporaryDirectory() as folder:
        root, out = Path(folder) / "in", Path(folder) / "out"
        lines = [" ".join(f"{x} {y}" for x, y in quad) + " ship 0" for quad in polygons]
        dota_scene(root, *lines)
        run(
            "dota", root, out,
            tile=tile, overlap=overlap, min_visible=min_visible, max_quarantined=1.0,
        )  # fmt: skip
        tiles = {r["tile_id"]: r for r in rows(out, "tiles")}
        listed = defaultdict(list)
        for row in rows(out, "instances"):
            listed[row["source_line"]].append(row)
        bad = [row["source_line"] for row in rows(out, "quarantine")]
    assert sorted([*listed, *bad]) == list(range(1, len(polygons) + 1))
    for line, found in listed.items():
        points = np.array(polygons[line - 1])
        assert {r["instance_id"] for r in found} == {f"P1#{line - 1}"}
        assert len({r["tile_id"] for r in found}) == len(found)
        for row in found:
            place = tiles[row["tile_id"]]
            offset = [place["x0"], place["y0"]]
            hull = np.array(row["hbb_annotated"]) + offset * 2
            assert hull.tolist() == [*points.min(axis=0), *points.max(axis=0)]
            moved = (np.reshape(row["obb"], (4, 2)) + offset).tolist()
            assert sorted(moved) == sorted(points.tolist())
            x0, y0, x1, y1 = row["hbb"]
            assert 0 <= x0 < x1 <= place["width"]
            assert 0 <= y0 < y1 <= place["height"]
            assert 0 < row["visible"] <= 1


def test_real_dota_scenes_lose_no_box(real: Path, tmp_path: Path) -> None:
    metrics = run(
        "dota", real / "dota_devkit", tmp_path / "out",
        tile=1024, overlap=200, max_quarantined=0.05,
    )  # fmt: skip
    assert metrics["instances"] == 536 + 64
    assert metrics["quarantined"] == {"total": 5, "by_reason": {"annotation without image": 5}}
    assert verify_product(tmp_path / "out")


def test_real_isaid_truth_is_complete(real: Path, tmp_path: Path) -> None:
    metrics = run("isaid", real / "dota_isaid", tmp_path / "out", tile=512)
    assert (metrics["instances"], metrics["with_truth"]) == (175, 175)
    assert metrics["quarantined"]["total"] == 0


def test_real_nwpu_keeps_every_image_and_mask(real: Path, tmp_path: Path) -> None:
    metrics = run("coco", real / "nwpu_vhr10", tmp_path / "out")
    assert (metrics["tiles"], metrics["instances"], metrics["with_truth"]) == (520, 3178, 3178)
    truth = rows(tmp_path / "out", "truth")
    assert all(rle_area(row["rle"]) > 0 for row in truth)


def test_origin_and_terms_are_those_of_what_download_took(tmp_path: Path) -> None:
    by_hand.coco(tmp_path / "in")
    (tmp_path / "in" / "annotations.json").rename(tmp_path / "in" / "instances_train.json")
    said = {"origin": "official", "terms": "as the edition says"}
    write_text(tmp_path / "in" / "manifest.json", json.dumps(said))
    run("coco", tmp_path / "in", tmp_path / "out")
    assert read_manifest(tmp_path / "out").items() >= said.items()
    (tmp_path / "in" / "manifest.json").unlink()
    run("coco", tmp_path / "in", tmp_path / "out")
    own = {"origin": "own", "terms": OWN_TERMS}
    assert read_manifest(tmp_path / "out").items() >= own.items()


def test_a_dataset_has_its_own_name_whatever_its_format(tmp_path: Path) -> None:
    by_hand.dota(tmp_path / "in")
    run("airfields", tmp_path / "in", tmp_path / "out", format="dota")
    manifest = read_manifest(tmp_path / "out")
    named = {key: manifest[key] for key in ("dataset", "format", "subset")}
    assert named == {"dataset": "airfields", "format": "dota", "subset": None}


@pytest.mark.parametrize("dataset", NAMES)
def test_dataset_without_a_single_image_is_an_error(dataset: str, tmp_path: Path) -> None:
    WRITERS[dataset](tmp_path / "in")
    for path in (tmp_path / "in").rglob("*"):
        if path.is_file() and path.suffix not in (".yaml", ".json"):
            path.unlink()
    with pytest.raises((MissingInputError, QuarantineError), match=r"needed|too much"):
        run(dataset, tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize("tile", [None, 16])
def test_true_mask_of_another_size_than_its_image_is_left_out_and_said(
    tmp_path: Path, tile: int | None
) -> None:
    value = by_hand.coco_value()
    for entry in value["images"]:
        del entry["width"], entry["height"]
    runs = {"size": [HEIGHT + 1, WIDTH], "counts": [(HEIGHT + 1) * WIDTH - 4, 4]}
    value["annotations"][0]["segmentation"] = runs
    by_hand.coco(tmp_path / "in", value)
    changes = {"tile": tile, "max_quarantined": 1.0}
    metrics = run("coco", tmp_path / "in", tmp_path / "out", **changes)
    assert (metrics["instances"], metrics["with_truth"]) == (1, 0)
    assert metrics["quarantined"]["by_reason"] == {"true mask of another size": 1}


@pytest.mark.parametrize(
    "text",
    [
        "{not JSON", "[" * 200_000, "[1]", '{"origin": "../x", "terms": "free"}',
        '{"origin": "official", "terms": 3}', '{"origin": "demo", "terms": "\\u001b[2J"}',
    ],
)  # fmt: skip
def test_a_users_own_manifest_is_not_mistaken_for_downloads(tmp_path: Path, text: str) -> None:
    by_hand.voc(tmp_path / "in")
    (tmp_path / "in/manifest.json").write_text(text)
    run("voc", tmp_path / "in", tmp_path / "out")
    assert read_manifest(tmp_path / "out")["terms"] == "as the owner of the data says"


def exif_coco(root: Path, declared_wh: tuple[int, int]) -> None:
    """A picture of 20 x 30 px as stored, 30 x 20 as seen, with a box at its size as declared."""
    (root / "images").mkdir(parents=True)
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (20, 30)).save(root / "images" / "a.jpg", exif=exif)
    width, height = declared_wh
    value = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": width, "height": height}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 3, 4, 5]}],
        "categories": [{"id": 1, "name": "ship"}],
    }
    write_text(root / "annotations.json", json.dumps(value))


@pytest.mark.parametrize("declared_wh", [(30, 20), (20, 30)])
def test_a_picture_is_turned_or_not_as_its_declared_size_says(
    declared_wh: tuple[int, int], tmp_path: Path
) -> None:
    exif_coco(tmp_path / "in", declared_wh)
    run("coco", tmp_path / "in", tmp_path / "out")
    (tile,) = rows(tmp_path / "out", "tiles")
    assert (tile["width"], tile["height"]) == declared_wh
    (box,) = rows(tmp_path / "out", "instances")
    assert box["hbb"] == [2, 3, 6, 8]


def test_boxes_of_a_picture_of_another_size_are_set_aside(tmp_path: Path) -> None:
    exif_coco(tmp_path / "in", (60, 40))
    metrics = run("coco", tmp_path / "in", tmp_path / "out", max_quarantined=1.0)
    assert metrics["instances"] == 0
    reasons = {"annotation of a bad image": 1, "image of another size than declared": 1}
    assert metrics["quarantined"]["by_reason"] == reasons


def many_classes(root: Path, names: list[str]) -> None:
    value = by_hand.coco_value()
    value["categories"] = [{"id": i, "name": name} for i, name in enumerate(names)]
    by_hand.coco(root, value)


def test_more_classes_than_label_maps_hold_are_told_before_masks_are_made(tmp_path: Path) -> None:
    many_classes(tmp_path / "in", [f"c{i}" for i in range(256)])
    with pytest.raises(AnnotationError, match="too many classes, got 256; 255 are allowed"):
        run("coco", tmp_path / "in", tmp_path / "out")


def test_classes_that_some_formats_cannot_tell_apart_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"c{i}" for i in range(7)] + ["large vehicle", "Large-vehicle"]
    many_classes(tmp_path / "in", names)
    run("coco", tmp_path / "in", tmp_path / "out")
    assert "'large vehicle', 'Large-vehicle'" in caplog.text


def test_a_share_of_scenes_makes_val_where_there_are_no_splits(tmp_path: Path) -> None:
    value = by_hand.coco_value()
    value["annotations"] = []
    value["images"] = [{"id": i, "file_name": f"{i}.jpg"} for i in range(60)]
    for i in range(60):
        write_image(tmp_path / f"in/images/{i}.jpg", np.zeros((4, 4, 3), np.uint8))
    write_text(tmp_path / "in/annotations.json", json.dumps(value))
    splits = []
    for out in ("a", "b"):
        metrics = run("coco", tmp_path / "in", tmp_path / out, val=0.25)
        splits.append([row["split"] for row in rows(tmp_path / out, "tiles")])
        assert set(metrics["splits"]) == {"train", "val"}
    assert splits[0] == splits[1]
    assert 5 <= splits[0].count("val") <= 27
    dota_scene(tmp_path / "dota")
    run("dota", tmp_path / "dota", tmp_path / "d", val=1.0)
    assert rows(tmp_path / "d", "tiles")[0]["split"] == "val"


@pytest.mark.parametrize("name", ["", "ship\x07", "a\x85b", "s" * 201])
def test_classes_of_no_name_are_refused_before_masks_are_made(tmp_path: Path, name: str) -> None:
    """samrs verify, and so every export, refuses a release that has one."""
    assert manifest_problem({"product": "normalize", "categories": [name], "shards": []})
    many_classes(tmp_path / "in", ["plane", name])
    with pytest.raises(AnnotationError, match=rf"no name of a class, .* of {len(name)} characters"):
        run("coco", tmp_path / "in", tmp_path / "out")
    many_classes(tmp_path / "other", ["plane", "s" * 200])
    assert run("coco", tmp_path / "other", tmp_path / "out", max_quarantined=1.0)["scenes"]


@pytest.mark.parametrize("other", ["caf\u00e9", "cafe\u0301 ", "caf\u00e9\x07"])
def test_classes_that_nobody_can_tell_apart_are_refused(tmp_path: Path, other: str) -> None:
    names = [f"c{i}" for i in range(7)] + ["cafe\u0301", other]
    many_classes(tmp_path / "in", names)
    with pytest.raises(AnnotationError, match=r"one class is spelled in several ways, got 'caf"):
        run("coco", tmp_path / "in", tmp_path / "out")
