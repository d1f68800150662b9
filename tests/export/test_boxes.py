"""DOTA's labelTxt and Pascal VOC, read back by the project's own readers."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from samrs.core.errors import ProductError
from samrs.core.geometry import hbb_iou, hbb_to_polygon
from samrs.core.records import Quarantine
from samrs.core.rle import polygons_to_rle, rle_intersection
from samrs.datasets.dota import read as dota
from samrs.datasets.voc import read as voc
from samrs.export.export import export
from tests.export.releases import HEIGHT, WIDTH, instance, masks, stored, tile, write_release


def test_dota_s_boxes_cover_their_masks(release, tmp_path):
    export("dota", release, tmp_path / "out")
    quarantine = Quarantine()
    scenes = {s.image.stem: s for s in dota.read_scenes(tmp_path / "out", quarantine)}
    assert quarantine.rows == []
    assert {name: s.split for name, s in scenes.items()} == {
        "a__0_0": "train",
        "b.1__0_0": "train",
        "c__0_0": "val",
        "d__0_0": "train",
    }
    assert scenes["b.1__0_0"].annotations == ()
    for name, scene in scenes.items():
        rows = [row for row in stored(release) if row["tile_id"] == name]
        for annotation, row in zip(scene.annotations, rows, strict=True):
            assert annotation.category == row["category"]
            assert annotation.difficult == row["difficult"]
            assert annotation.obb is not None
            box = polygons_to_rle([annotation.obb], (HEIGHT, WIDTH))
            assert rle_intersection(box, row["rle"]) >= 0.97 * row["area"]
    first = scenes["a__0_0"].annotations[0]
    assert first.hbb == pytest.approx([3, 4, 13, 10], abs=0.01)


def test_dota_without_splits_has_no_folder_for_them(tmp_path):
    tiles = [tile("a__0_0", "all")]
    rows = [instance("box", "a__0_0", 1, masks()["box"])]
    export("dota", write_release(tmp_path / "sota", tiles=tiles, rows=rows), tmp_path / "out")
    (scene,) = dota.read_scenes(tmp_path / "out", Quarantine())
    assert (scene.split, len(scene.annotations)) == ("all", 1)


def test_blanks_of_any_kind_part_no_column(tmp_path):
    names = ["a\u3000b\u00a0c", "ship", "harbor"]
    rows = [{**instance("box", "a__0_0", 0, masks()["box"]), "category": names[0]}]
    release = write_release(
        tmp_path / "sota", tiles=[tile("a__0_0", "all")], rows=rows, categories=names
    )
    for format, folder in (("dota", "labelTxt"), ("samrs", "hbbtxts")):
        export(format, release, tmp_path / format)
        (line,) = (tmp_path / format / folder / "a__0_0.txt").read_text("utf-8").splitlines()
        assert line.split()[8:] == ["a-b-c", "0"]


def test_dota_s_class_names_have_no_blanks(tmp_path):
    rows = [instance("box", "a__0_0", 1, masks()["box"])]
    names = ["plane", "Dry Cargo\tShip", "harbor"]
    release = write_release(
        tmp_path / "sota", tiles=[tile("a__0_0", "train")], rows=rows, categories=names
    )
    export("dota", release, tmp_path / "out")
    (line,) = (tmp_path / "out" / "train" / "labelTxt" / "a__0_0.txt").read_text().splitlines()
    assert line.split()[8:] == ["Dry-Cargo-Ship", "0"]


@pytest.mark.parametrize("format", ["dota", "samrs"])
def test_classes_that_would_be_one_word_are_refused(format, tmp_path):
    names = ["dry cargo", "plane", "dry  cargo"]
    release = write_release(tmp_path / "sota", categories=names)
    with pytest.raises(ProductError, match="'dry cargo' and 'dry  cargo', both 'dry-cargo'"):
        export(format, release, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    export(format, release, tmp_path / "out", classes=names[1:])


def test_voc_has_a_labelmap_where_its_columns_hold(release, tmp_path):
    assert export("voc", release, tmp_path / "out")["summary"]["labelmap"]
    text = (tmp_path / "out" / "labelmap.txt").read_text("utf-8")
    rows = [line.split(":") for line in text.splitlines()[1:]]
    assert [row[0] for row in rows] == ["background", "plane", "ship", "harbor"]
    assert [row[1] for row in rows] == ["0,0,0", "0,127,255", "0,63,0", "0,127,63"]
    odd = write_release(tmp_path / "odd", categories=["a:b", "ship", "harbor"])
    assert not export("voc", odd, tmp_path / "other")["summary"]["labelmap"]
    assert not (tmp_path / "other" / "labelmap.txt").exists()


def test_voc_has_the_masks_boxes(release, tmp_path):
    export("voc", release, tmp_path / "out")
    assert voc.categories(tmp_path / "out") == ("harbor", "plane", "ship")
    quarantine = Quarantine()
    scenes = {s.image.stem: s for s in voc.read_scenes(tmp_path / "out", quarantine)}
    assert quarantine.rows == []
    assert [s.split for s in scenes.values()] == ["train", "train", "val", "train"]
    for name, scene in scenes.items():
        rows = [row for row in stored(release) if row["tile_id"] == name]
        assert [a.category for a in scene.annotations] == [row["category"] for row in rows]
        assert [a.difficult for a in scene.annotations] == [row["difficult"] for row in rows]
        found = np.array([a.hbb for a in scene.annotations])
        assert found.tolist() == [row["mask_hbb"] for row in rows]


def annotated(release: Path) -> Path:
    """A release whose annotated boxes are not those of its masks."""
    box, corners = [1.5, 2.0, 30.0, 20.25], [1.0, 2.0, 30.0, 3.0, 29.0, 20.0, 2.0, 19.0]
    rows = [
        {
            **row,
            "hbb": box,
            "hbb_annotated": box,
            "visible": 1.0,
            "obb": row["obb"] and corners,
            "box_iou": round(float(hbb_iou(row["mask_hbb"], box)[0, 0]), 6),
        }
        for row in stored(release)
    ]
    return write_release(release.parent / "annotated", rows=rows)


def test_dota_and_voc_have_the_annotated_boxes_where_asked(release, tmp_path):
    other = annotated(release)
    export("dota", other, tmp_path / "dota", boxes="annotated")
    for scene in dota.read_scenes(tmp_path / "dota", Quarantine()):
        rows = [row for row in stored(other) if row["tile_id"] == scene.image.stem]
        for annotation, row in zip(scene.annotations, rows, strict=True):
            corners = hbb_to_polygon(row["hbb_annotated"]) if row["obb"] is None else row["obb"]
            assert annotation.obb.ravel().tolist() == np.ravel(corners).tolist()
    export("voc", other, tmp_path / "voc", boxes="annotated")
    for scene in voc.read_scenes(tmp_path / "voc", Quarantine()):
        for annotation in scene.annotations:
            assert annotation.hbb.tolist() == [1, 2, 30, 21]


def test_rotated_boxes_of_yolo_are_those_of_masks_where_asked(release, tmp_path):
    other = annotated(release)
    summary = export("yolo_obb", other, tmp_path / "out", boxes="mask")["summary"]
    assert summary["boxes"]["annotated"] == 0
    assert summary["instances"] == sum(row["area"] > 0 for row in stored(other))


def test_containers_have_both_boxes_and_the_chosen_one_as_the_main_one(release, tmp_path):
    other = annotated(release)
    for boxes in ("mask", "annotated"):
        export("huggingface", other, tmp_path / boxes, boxes=boxes)
        shard = tmp_path / boxes / "data" / "val-00000.parquet"
        (row,) = pq.read_table(shard, columns=["objects"]).to_pylist()
        for entry in row["objects"]:
            assert entry["bbox"] == entry[f"{boxes}_bbox"]
            assert entry["annotated_bbox"] == [1.5, 2.0, 28.5, 18.25]
        export("webdataset", other, tmp_path / f"{boxes}-tars", boxes=boxes)
        with tarfile.open(tmp_path / f"{boxes}-tars" / "val" / "sota-000000.tar") as tar:
            (about,) = (json.load(tar.extractfile(m)) for m in tar if m.name.endswith(".json"))
        for entry in about["instances"]:
            assert entry["hbb"] == entry[f"{boxes}_hbb"]
            assert entry["annotated_hbb"] == [1.5, 2.0, 30.0, 20.25]
    texts = [(tmp_path / boxes / "README.md").read_text("utf-8") for boxes in ("mask", "annotated")]
    assert ["annotated boxes" in text for text in texts] == [False, True]


def test_voc_s_corners_are_1_based_and_inclusive(release, tmp_path):
    export("voc", release, tmp_path / "out")
    text = (tmp_path / "out" / "Annotations" / "d__0_0.xml").read_text("utf-8")
    assert "<xmin>4</xmin><ymin>5</ymin><xmax>13</xmax><ymax>10</ymax>" in text
    assert f"<width>{WIDTH}</width><height>{HEIGHT}</height>" in text
    assert "<truncated>1</truncated>" in (
        tmp_path / "out" / "Annotations" / "a__0_0.xml"
    ).read_text("utf-8")
