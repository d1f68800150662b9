from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from samrs.core.errors import ParameterError
from samrs.core.geometry import clip_hbb
from samrs.core.records import Quarantine
from samrs.core.rle import rle_iou, rle_to_mask
from samrs.datasets.coco import read as reader
from samrs.export.export import export
from samrs.export.formats.coco import polygons
from tests.export.releases import CATEGORIES, instance, masks, stored, tile, write_release


def opened(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


@pytest.fixture(scope="module")
def out(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coco") / "out"
    export("coco", release, folder)
    return folder


def test_pycocotools_reads_the_same_masks(release, out):
    wanted = {row["instance_id"]: row for row in stored(release)}
    found = {}
    for split in ("train", "val"):
        coco = opened(out / "annotations" / f"instances_{split}.json")
        for entry in coco.anns.values():
            row = wanted[entry["object_id"]]
            image = coco.imgs[entry["image_id"]]
            assert image["tile_id"] == row["tile_id"]
            assert (coco.annToMask(entry) == rle_to_mask(row["rle"])).all()
            assert entry["area"] == rle_to_mask(row["rle"]).sum()
            assert coco.cats[entry["category_id"]]["name"] == row["category"]
            found[entry["object_id"]] = entry
    assert found.keys() == wanted.keys()


def test_boxes_are_the_masks_xywh_and_scores_come_along(out):
    coco = opened(out / "annotations" / "instances_train.json")
    by_name = {entry["object_id"]: entry for entry in coco.anns.values()}
    box = by_name["a#box"]
    assert (box["bbox"], box["area"], box["iscrowd"]) == ([3, 4, 10, 6], 60, 0)
    assert (box["predicted_iou"], box["stability_score"], box["obb_iou"]) == (0.9, None, 0.75)
    assert not box["difficult"]
    assert by_name["a#hole"]["difficult"]


def test_ids_begin_at_1_and_are_unique_over_all_splits(out):
    files = [opened(out / "annotations" / f"instances_{s}.json") for s in ("train", "val")]
    annotations = [i for coco in files for i in coco.anns]
    images = [i for coco in files for i in coco.imgs]
    assert sorted(annotations) == list(range(1, 10))
    assert sorted(images) == [1, 2, 3, 4]
    assert sorted(files[0].cats) == [1, 2, 3]


def test_tiles_without_instances_stay(out):
    coco = opened(out / "annotations" / "instances_train.json")
    (image,) = (i for i in coco.imgs.values() if i["tile_id"] == "b.1__0_0")
    assert coco.getAnnIds(imgIds=[image["id"]]) == []
    assert (out / "images" / "train" / image["file_name"]).is_file()


def test_evaluated_against_itself_it_has_ap_1(out):
    coco = opened(out / "annotations" / "instances_val.json")
    results = [
        {**{k: a[k] for k in ("image_id", "category_id", "segmentation")}, "score": 0.9}
        for a in coco.anns.values()
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == 1.0


def test_our_own_reader_reads_it_back(release, out):
    assert reader.categories(out) == tuple(CATEGORIES)
    quarantine = Quarantine()
    scenes = {s.image.stem: s for s in reader.read_scenes(out, quarantine)}
    assert quarantine.rows == []
    assert {s.split for s in scenes.values()} == {"train", "val"}
    for tile_id, scene in scenes.items():
        rows = [row for row in stored(release) if row["tile_id"] == tile_id]
        assert [a.category for a in scene.annotations] == [row["category"] for row in rows]
        for annotation, row in zip(scene.annotations, rows, strict=True):
            assert annotation.truth is not None
            assert rle_iou([annotation.truth], [row["rle"]]) == 1
            assert annotation.hbb.tolist() == row["mask_hbb"]


RESERVED_BY_FIFTYONE = {
    "attributes", "bounding_box", "confidence", "dimensions", "id", "index", "instance",
    "instance_id", "label", "location", "mask", "mask_path", "rotation", "tags",
}  # fmt: skip
"""Fields of a Detection of FiftyOne 1.22.1: its COCO importer takes other keys as attributes."""


def test_no_key_is_a_word_that_fiftyone_keeps_for_itself(release, tmp_path):
    export("coco", release, tmp_path / "out", images=False)
    data = json.loads((tmp_path / "out" / "annotations" / "instances_train.json").read_text())
    own = {"id", "image_id", "category_id", "segmentation", "area", "bbox", "iscrowd"}
    keys = set().union(*data["annotations"]) - own
    assert "object_id" in keys
    assert not keys & RESERVED_BY_FIFTYONE


def test_file_names_are_bare_since_readers_add_the_folder_of_the_split(out):
    for split in ("train", "val"):
        coco = opened(out / "annotations" / f"instances_{split}.json")
        assert {i["file_name"] for i in coco.imgs.values()} == {
            path.name
            for path in (out / "images" / split).iterdir()
            if path.suffix in (".png", ".jpg")  # beside them: where they lie on the map
        }


def test_polygons_are_the_masks_as_pycocotools_paints_them(release, tmp_path):
    export("coco", release, tmp_path / "out", masks="polygon")
    wanted = {row["instance_id"]: row for row in stored(release)}
    count = 0
    for split in ("train", "val"):
        coco = opened(tmp_path / "out" / "annotations" / f"instances_{split}.json")
        for entry in coco.anns.values():
            row = wanted[entry["object_id"]]
            assert (coco.annToMask(entry) == rle_to_mask(row["rle"])).all(), entry["object_id"]
            assert entry["area"] == row["area"]
            assert all(len(polygon) >= 8 for polygon in entry["segmentation"])
            count += 1
    assert count == len(wanted)
    hole = next(e for e in wanted if e == "a#hole")
    pieces = polygons(wanted[hole]["rle"])
    assert len(pieces) == 2  # cut once, behind the hole
    assert pieces[0][:2] == [10, 10]


def test_annotated_boxes_stand_beside_those_of_masks_and_either_is_the_main_one(release, tmp_path):
    rows = stored(release)
    for boxes in ("mask", "annotated"):
        export("coco", release, tmp_path / boxes, images=False, boxes=boxes)
        entries = [
            entry
            for split in ("train", "val")
            for entry in json.loads(
                (tmp_path / boxes / "annotations" / f"instances_{split}.json").read_text()
            )["annotations"]
        ]
        assert len(entries) == len(rows)
        wanted = {(r["instance_id"], r["area"]): r for r in rows}
        for entry in entries:
            row = wanted[entry["object_id"], entry["area"]]
            assert entry["annotated_obb"] == row["obb"]
            assert entry["bbox"] == entry[f"{boxes}_bbox"]
            x0, y0, x1, y1 = row["mask_hbb"]
            assert entry["mask_bbox"] == [x0, y0, x1 - x0, y1 - y0]
            x0, y0, x1, y1 = clip_hbb(row["hbb"], (50, 40))
            assert entry["annotated_bbox"] == [x0, y0, x1 - x0, y1 - y0]


@pytest.mark.parametrize("format", ["coco", "voc", "dota", "yolo_obb", "huggingface", "webdataset"])
def test_boxes_are_of_a_known_kind(release, tmp_path, format):
    with pytest.raises(ParameterError, match=r"unknown boxes, got 'truth'; annotated, mask are"):
        export(format, release, tmp_path / "out", boxes="truth")
    assert list(tmp_path.iterdir()) == []


def test_masks_are_of_a_known_kind_and_options_of_their_format(release, tmp_path):
    with pytest.raises(ParameterError, match=r"unknown kind of masks, got 'png'; rle, polygon"):
        export("coco", release, tmp_path / "out", masks="png")
    with pytest.raises(ParameterError, match=r"of another format, got masks for voc; boxes is al"):
        export("voc", release, tmp_path / "out", masks="rle")
    assert list(tmp_path.iterdir()) == []


def test_classes_left_out_renumber_the_others(release, tmp_path):
    export("coco", release, tmp_path / "out", classes=["harbor", "ship"], images=False)
    data = json.loads((tmp_path / "out" / "annotations" / "instances_train.json").read_text())
    assert [(c["id"], c["name"]) for c in data["categories"]] == [(1, "ship"), (2, "harbor")]
    assert {a["category_id"] for a in data["annotations"]} == {1, 2}
    assert [a["id"] for a in data["annotations"]] == [1, 2, 5]  # 3 and 4 are in val


def test_a_column_of_quality_comes_along(tmp_path):
    better = write_release(tmp_path / "sota", quality=True)
    export("coco", better, tmp_path / "out", images=False)
    data = json.loads((tmp_path / "out" / "annotations" / "instances_val.json").read_text())
    assert np.unique([a["quality"] for a in data["annotations"]]).tolist() == [0.75]


def test_names_of_any_script_are_read_in_any_encoding(tmp_path):
    names = ["Hafen \u00f6\u00df \u6e2f\u53e3", "ship", "harbor"]
    rows = [{**instance("\u6e2f", "a__0_0", 0, masks()["box"]), "category": names[0]}]
    release = write_release(
        tmp_path / "sota", tiles=[tile("a__0_0", "train")], rows=rows, categories=names
    )
    export("coco", release, tmp_path / "out")
    file = tmp_path / "out" / "annotations" / "instances_train.json"
    value = json.loads(file.read_text("ascii"))
    assert [c["name"] for c in value["categories"]] == names
    assert value["annotations"][0]["object_id"] == "a#\u6e2f"


def test_a_release_without_any_instance_is_still_coco(tmp_path):
    empty = write_release(tmp_path / "sota", rows=[])
    export("coco", empty, tmp_path / "out", images=False)
    coco = opened(tmp_path / "out" / "annotations" / "instances_train.json")
    assert (len(coco.imgs), len(coco.anns), len(coco.cats)) == (3, 0, 3)
