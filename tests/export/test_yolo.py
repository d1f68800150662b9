from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from samrs.core.errors import ParameterError
from samrs.core.geometry import polygon_to_hbb
from samrs.core.records import Quarantine
from samrs.core.rle import hbb_to_rle, rle_to_mask
from samrs.datasets.yolo import read as reader
from samrs.export.export import export
from samrs.export.formats.yolo_seg import has_mask_target, opencv_iou, pycocotools_iou, read_line
from tests.export.releases import CATEGORIES, HEIGHT, WIDTH, instance, masks, stored, tile
from tests.export.releases import write_release as write
from tests.export.test_outlines import filled

SIZE_WH = np.array([WIDTH, HEIGHT])


def lines(out: Path, split: str, name: str) -> list[tuple[int, np.ndarray]]:
    """Class and corners (K, 2) in px of each line, as Ultralytics parses them."""
    text = (out / "labels" / split / f"{name}.txt").read_text("utf-8")
    fields = [line.split() for line in text.splitlines()]
    points = [np.array(f[1:], dtype=np.float64).reshape(-1, 2) for f in fields]
    assert all(p.min() >= 0 and p.max() <= 1 for p in points if len(p) != 4)
    return [(int(f[0]), p * SIZE_WH) for f, p in zip(fields, points, strict=True)]


def test_polygons_filled_by_the_even_odd_rule_are_the_masks(release, tmp_path):
    export("yolo_seg", release, tmp_path / "out")
    count = 0
    for name, split in (("a__0_0", "train"), ("c__0_0", "val"), ("d__0_0", "train")):
        rows = [row for row in stored(release) if row["tile_id"] == name]
        for row, (label, points) in zip(rows, lines(tmp_path / "out", split, name), strict=True):
            assert label == row["category_id"]
            mask = filled([(x, y) for x, y in points], (HEIGHT, WIDTH))
            lost = rle_to_mask(row["rle"]) & ~mask
            assert not (mask & ~rle_to_mask(row["rle"])).any()
            assert lost.sum() == (row["instance_id"] == "c#noise"), row["instance_id"]
            count += 1
    assert count == 9


def test_what_was_lost_is_measured_on_the_text(release, tmp_path):
    summary = export("yolo_seg", release, tmp_path / "out")["summary"]
    noise = int(masks()["noise"].sum())  # one px of it lies 2 px off the rest
    worst = (noise - 1) / noise
    assert (summary["images"], summary["instances"], summary["parts_left_out"]) == (4, 9, 1)
    found = summary["iou"]
    assert found["mean"] == pytest.approx((8 + worst) / 9, abs=1e-6)
    assert found["p5"] == pytest.approx(np.quantile([worst, *[1] * 8], 0.05), abs=1e-6)
    assert found["below_0.9"] == 0
    assert 0.8 < summary["opencv_iou"]["mean"] < 1


def test_the_measures_know_a_box_and_half_of_it():
    size_wh = (WIDTH, HEIGHT)
    box = hbb_to_rle((3, 4, 13, 10), (HEIGHT, WIDTH))
    edges = read_line("0 0.06 0.1 0.26 0.1 0.26 0.25 0.06 0.25", size_wh)
    assert edges == pytest.approx(np.array([[3, 4], [13, 4], [13, 10], [3, 10]]))
    half = read_line("0 0.06 0.1 0.16 0.1 0.16 0.25 0.06 0.25", size_wh)
    assert pycocotools_iou(edges, box) == 1
    assert pycocotools_iou(half, box) == 0.5
    assert opencv_iou(edges + 0.5, hbb_to_rle((3, 4, 14, 11), (HEIGHT, WIDTH))) == 1
    assert opencv_iou(edges - 0.05 * np.sign(edges - [8, 7]), box) == 1
    assert opencv_iou(half, box) == 0.6  # six columns: the edge is painted too


def test_simplifying_has_fewer_points_for_less_iou_and_says_both(tmp_path):
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    disc = (x - 25) ** 2 + (y - 20) ** 2 < 15**2
    rows = [instance("disc", "a__0_0", 0, disc), instance("box", "a__0_0", 1, masks()["box"])]
    release = write(tmp_path / "sota", tiles=[tile("a__0_0", "train")], rows=rows)
    found = {
        px: export("yolo_seg", release, tmp_path / str(px), simplify=px)["summary"]
        for px in (0, 1.0, 3.0)
    }
    assert export("yolo_seg", release, tmp_path / "none")["summary"] == found[0]
    most = [summary["points"]["most"] for summary in found.values()]
    assert most[0] > most[1] > most[2] > 4
    ious = [summary["iou"]["mean"] for summary in found.values()]
    assert 1 == ious[0] > ious[1] > ious[2] > 0.8
    boxes = [lines(tmp_path / str(px), "train", "a__0_0")[1][1] for px in (0, 3.0)]
    assert sorted(boxes[0].round(3).tolist()) == sorted(boxes[1].round(3).tolist())
    about = json.loads((tmp_path / "3.0" / "export.json").read_text())
    assert about["options"] == {"simplify": 3.0}
    for wrong in (-1, float("nan"), float("inf"), "2"):
        with pytest.raises(ParameterError, match="simplify is no distance, got"):
            export("yolo_seg", release, tmp_path / "wrong", simplify=wrong)


@pytest.mark.parametrize("at", range(8, 16))
def test_a_mask_target_is_the_painted_mask_made_smaller(at):
    corners = (
        np.array([[0, 0], [3, 0], [3, 3], [0, 3]])
        + at
        + 0.05 * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    )
    whole = np.zeros((64, 64), dtype=np.uint8)
    whole[at : at + 3, at : at + 3] = 1
    assert has_mask_target(corners, 4) == cv2.resize(whole, (16, 16)).any()
    assert has_mask_target(corners, 1)


def test_instances_without_a_mask_target_are_counted(tmp_path):
    kinds = masks()
    rows = [instance(name, "a__0_0", 0, kinds[name]) for name in ("pixel", "box", "whole")]
    release = write(tmp_path / "sota", tiles=[tile("a__0_0", "train")], rows=rows)
    found = export("yolo_seg", release, tmp_path / "out")["summary"]["without_mask_target"]
    assert found == {  # 640 px are 12.8 times the tile's own
        "imgsz=640 mask_ratio=4": 0,
        "imgsz=tile mask_ratio=4": 1,
        "imgsz=tile mask_ratio=1": 0,
    }


def test_a_part_smaller_than_the_bridge_to_it_is_left_out_and_counted(tmp_path):
    mask = masks()["box"]  # 60 px from (3, 4) to (13, 10)
    mask[5:7, 16] = True  # 2 px, 3 px away
    mask[4:10, 20:22] = True  # 12 px, 7 px away
    rows = [instance("box", "a__0_0", 0, mask)]
    release = write(tmp_path / "sota", tiles=[tile("a__0_0", "train")], rows=rows)
    summary = export("yolo_seg", release, tmp_path / "out")["summary"]
    assert summary["parts_left_out"] == 1
    assert summary["iou"]["mean"] == pytest.approx(72 / 74, abs=1e-6)
    ((_, points),) = lines(tmp_path / "out", "train", "a__0_0")
    mask[5:7, 16] = False
    assert (filled([(x, y) for x, y in points], (HEIGHT, WIDTH)) == mask).all()


def test_tile_without_instances_has_an_empty_file(release, tmp_path):
    for format in ("yolo_seg", "yolo_obb"):
        export(format, release, tmp_path / format)
        assert (tmp_path / format / "labels" / "train" / "b.1__0_0.txt").read_bytes() == b""


@pytest.mark.parametrize(
    ("splits", "named"),
    [
        (["train", "val"], {"train": "train", "val": "val"}),
        (["train", "val", "test"], {"train": "train", "val": "val", "test": "test"}),
        (["trainval", "test"], {"train": "trainval", "test": "test"}),
        (["Validation", "train2017"], {"train": "train2017", "val": "Validation"}),
        (["all"], {"train": "all"}),
        (["airport", "harbour", "val"], {"train": ["airport", "harbour"], "val": "val"}),
        (["test-dev", "test_train"], {"test": ["test-dev", "test_train"]}),
        (["val"], {"val": "val"}),
    ],
)
def test_yaml_names_each_split_once_and_says_what_is_missing(
    splits: list[str], named: dict[str, str | list[str]], tmp_path: Path
) -> None:
    tiles = [tile(f"{split}__0_0", split) for split in splits]
    export("yolo_seg", write(tmp_path / "sota", tiles=tiles, rows=[]), tmp_path / "out")
    text = (tmp_path / "out" / "data.yaml").read_text("utf-8")
    data = yaml.safe_load(text)
    assert data.pop("names") == dict(enumerate(CATEGORIES))
    images = {
        use: f"images/{of}" if isinstance(of, str) else [f"images/{split}" for split in of]
        for use, of in named.items()
    }
    assert data == images
    for folder in np.hstack(list(data.values())):
        assert (tmp_path / "out" / folder).is_dir()
    for use in ("train", "val"):
        assert (f"# No split of this export is for {use}" in text) == (use not in named)


def test_our_own_reader_reads_the_rotated_boxes_back(release, tmp_path):
    summary = export("yolo_obb", release, tmp_path / "out")["summary"]
    assert summary["boxes"] == {"annotated": 8, "mask_rectangle": 1, "mask_hbb": 0}
    quarantine = Quarantine()
    scenes = {s.image.stem: s for s in reader.read_scenes(tmp_path / "out", quarantine)}
    assert quarantine.rows == []
    for name, scene in scenes.items():
        rows = [row for row in stored(release) if row["tile_id"] == name]
        assert [a.category for a in scene.annotations] == [row["category"] for row in rows]
        for annotation, row in zip(scene.annotations, rows, strict=True):
            if row["obb"] is not None:
                wanted = np.reshape(row["obb"], (4, 2))
                assert annotation.obb == pytest.approx(wanted, abs=1e-3)
            else:
                assert annotation.hbb == pytest.approx(row["mask_hbb"], abs=1e-3)


def test_boxes_for_which_ultralytics_leaves_out_an_image_give_way(tmp_path):
    box = masks()["box"]
    far = [-60.0, 4, -50, 4, -50, 10, -60, 10]
    huge = [-40.0, -40, 90, -40, 90, 90, -40, 90]
    beyond = [-2.0, 4, 8, 4, 8, 10, -2, 10]
    diagonal = np.abs(np.subtract.outer(np.arange(HEIGHT), np.arange(WIDTH) * 0.8)) < 3
    rows = [
        instance("far", "a__0_0", 0, box, obb=far),
        instance("huge", "a__0_0", 1, box, obb=huge),
        instance("beyond", "a__0_0", 2, box, obb=beyond),
        instance("diagonal", "a__0_0", 0, diagonal, obb=None),
    ]
    release = write(tmp_path / "sota", tiles=[tile("a__0_0", "train")], rows=rows)
    summary = export("yolo_obb", release, tmp_path / "out")["summary"]
    assert summary["boxes"] == {"annotated": 1, "mask_rectangle": 2, "mask_hbb": 1}
    found = [points for _, points in lines(tmp_path / "out", "train", "a__0_0")]
    assert found[2] == pytest.approx(np.reshape(beyond, (4, 2)), abs=1e-3)
    for points in found:
        x0, y0, x1, y1 = polygon_to_hbb(points / SIZE_WH)
        assert min((x0 + x1) / 2, (y0 + y1) / 2) >= 0
        assert max((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0) <= 1
