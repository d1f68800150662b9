"""Scenes whole in the formats of tiles, and where pictures lie on the map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from defusedxml import ElementTree
from pycocotools.coco import COCO

from samrs.core.axis import load, names
from samrs.core.errors import ParameterError
from samrs.core.records import Georeference
from samrs.core.rle import rle_to_mask
from samrs.export.export import AXIS, export
from samrs.export.formats.yolo_seg import pycocotools_iou, read_line
from samrs.export.outlines import rle_to_obb
from samrs.export.world_file import write_place
from tests.export.releases import HEIGHT, UTM, WIDTH, instance, stored, tile, write_release
from tests.export.test_maps import PLACES

rasterio = pytest.importorskip("rasterio")

FORMATS = names(AXIS)
OF_SCENES = [f for f in FORMATS if "scene" in getattr(load(AXIS, f), "LEVELS", ())]
OF_TILES = {"coco", "dota", "voc", "yolo_obb", "yolo_seg"}
"""Formats of tiles that hold scenes, too."""


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with a scene of two tiles side by side, an object over their border, one beside."""
    whole = np.zeros((HEIGHT, 2 * WIDTH - 20), dtype=bool)
    whole[10:20, 5:75] = True
    left, right = whole[:, :WIDTH], whole[:, WIDTH - 20 :]
    tiles = [tile("a__0_0", "train"), {**tile("a__30_0", "train"), "x0": 30}]
    tiles.append(tile("b__0_0", "val", ".jpg"))
    other = np.zeros((HEIGHT, WIDTH), dtype=bool)
    other[30:36, 2:9] = True
    beside = {"hbb": [0.0, 10.0, 45.0, 20.0], "hbb_annotated": [-25.0, 10.0, 45.0, 20.0]}
    over = {"hbb": [5.0, 10.0, 50.0, 20.0], "hbb_annotated": [5.0, 10.0, 75.0, 20.0]}
    rows = [
        instance("0", "a__0_0", 0, left, **over, obb=None, visible=45 / 70),
        instance("1", "a__0_0", 1, other),
        instance("0", "a__30_0", 0, right, **beside, obb=None, visible=45 / 70),
        instance("0", "b__0_0", 2, other),
    ]
    return write_release(tmp_path_factory.mktemp("halves") / "sota", tiles=tiles, rows=rows)


def joined(release: Path) -> dict[str, dict[str, Any]]:
    return {row["instance_id"]: row for row in stored(release, "joined")}


def test_a_format_says_which_levels_it_has_or_why_not(release, tmp_path):
    assert set(OF_SCENES) > OF_TILES
    for format in FORMATS:
        module = load(AXIS, format)
        levels = getattr(module, "LEVELS", ("tile",))
        for level in {"tile", "scene"} - set(levels):
            with pytest.raises(ParameterError, match=f"no such level, got '{level}'.*, since .*"):
                export(format, release, tmp_path / "out", level=level)
        with pytest.raises(ParameterError, match="no such level, got 'town'"):
            export(format, release, tmp_path / "out", level="town")


@pytest.mark.parametrize("format", sorted(OF_TILES))
def test_scenes_have_each_instance_once_and_no_pictures(format, halves, tmp_path):
    about = export(format, halves, tmp_path / "out", level="scene")
    assert (about["level"], about["images"], about["most_instances_on_a_scene"]) == (
        "scene", False, 2,
    )  # fmt: skip
    stems = {p.stem for p in (tmp_path / "out").rglob("*.txt")} - {"labelmap", "train", "val"}
    stems |= {p.stem for p in (tmp_path / "out").rglob("*.xml")}
    if format != "coco":
        assert stems == {"a", "b"}
    assert not list((tmp_path / "out").rglob("*.png"))


def test_coco_has_the_joined_masks_of_scenes(halves, tmp_path):
    export("coco", halves, tmp_path / "out", level="scene")
    found = COCO(str(tmp_path / "out" / "annotations" / "instances_train.json"))
    (image,) = found.imgs.values()
    assert (image["file_name"], image["width"], image["height"]) == ("a.png", 80, HEIGHT)
    assert (image["crs"], image["scene_id"]) == (UTM, "a")
    assert "tile_id" not in image
    rows = joined(halves)
    assert rows["a#0"]["way"] == "joined"
    for entry in found.anns.values():
        row = rows[entry["object_id"]]
        assert (found.annToMask(entry) == rle_to_mask(row["rle"])).all()
        assert entry["bbox"][2:] == ([70, 10] if entry["object_id"] == "a#0" else [7, 6])
    other = COCO(str(tmp_path / "out" / "annotations" / "instances_val.json"))
    assert other.imgs[2]["file_name"] == "b.jpg"


def test_yolo_has_shares_of_scenes(halves, tmp_path):
    export("yolo_seg", halves, tmp_path / "out", level="scene")
    line = (tmp_path / "out" / "labels" / "train" / "a.txt").read_text().splitlines()[0]
    points = read_line(line, (80, HEIGHT))
    assert pycocotools_iou(points, joined(halves)["a#0"]["rle"]) == 1
    export("yolo_obb", halves, tmp_path / "obb", level="scene", boxes="mask")
    line = (tmp_path / "obb" / "labels" / "train" / "a.txt").read_text().splitlines()[0]
    corners = read_line(line, (80, HEIGHT))
    assert np.sort(corners, axis=0) == pytest.approx(
        np.sort(rle_to_obb(joined(halves)["a#0"]["rle"]), axis=0), abs=1e-3
    )


def test_dota_and_voc_have_boxes_of_scenes(halves, tmp_path):
    export("dota", halves, tmp_path / "dota", level="scene", boxes="annotated")
    lines = (tmp_path / "dota" / "train" / "labelTxt" / "a.txt").read_text().splitlines()
    assert lines[0] == "5.00 10.00 75.00 10.00 75.00 20.00 5.00 20.00 plane 0"
    export("voc", halves, tmp_path / "voc", level="scene")
    root = ElementTree.fromstring((tmp_path / "voc" / "Annotations" / "a.xml").read_text())
    assert root.findtext("size/width") == "80"
    box = root.find("object/bndbox")
    assert [int(value.text) for value in box] == [6, 11, 75, 20]


@pytest.mark.parametrize("name", [*PLACES, "EPSG:2180"])
def test_gdal_reads_where_a_picture_lies(name, release, tmp_path):
    """EPSG:2180 has northing first; here x is the easting, as everywhere in the project."""
    crs = rasterio.CRS.from_string(name.split()[0])
    transform = PLACES.get(name, (0.5, 0.0, 500000.0, 0.0, -0.5, 400000.0))
    (tmp_path / "a.png").write_bytes(stored(release, "tiles")[0]["image"]["bytes"])
    write_place(tmp_path / "a.png", Georeference(crs.to_wkt(version="WKT2_2019"), transform))
    with rasterio.open(tmp_path / "a.png") as file:
        assert file.crs == crs
        assert tuple(file.transform)[:6] == pytest.approx(transform, abs=1e-9)
    (tmp_path / "a.png.aux.xml").unlink()
    with rasterio.open(tmp_path / "a.png") as file:  # the world file alone
        assert tuple(file.transform)[:6] == pytest.approx(transform)


WITH_PICTURES = ["coco", "dota", "png", "samrs", "voc", "yolo_obb", "yolo_seg"]


@pytest.mark.parametrize("format", WITH_PICTURES)
def test_pictures_of_tiles_lie_on_the_map(format, halves, tmp_path):
    export(format, halves, tmp_path / "out")
    pictures = list((tmp_path / "out").rglob("a__30_0.png"))
    assert len(pictures) == {"png": 3, "samrs": 3}.get(format, 1)
    for path in pictures:
        with rasterio.open(path) as file:
            assert file.crs.to_epsg() == 32633
            assert file.transform.c == 500000 + 30 * 0.5
        assert path.with_suffix(".pgw").is_file()
    jpeg = next(p for p in (tmp_path / "out").rglob("b__0_0.jpg"))
    assert jpeg.with_suffix(".jgw").is_file()


def test_containers_say_where_tiles_lie(halves, tmp_path):
    import tarfile

    import pyarrow.parquet as pq

    export("huggingface", halves, tmp_path / "hf")
    rows = pq.read_table(tmp_path / "hf" / "data" / "train-00000.parquet").to_pylist()
    assert (rows[1]["crs"], rows[1]["transform"][2]) == (UTM, 500015)
    export("webdataset", halves, tmp_path / "wds")
    with tarfile.open(tmp_path / "wds" / "train" / "sota-000000.tar") as tar:
        told = json.loads(tar.extractfile("a__30_0.json").read())
    assert (told["crs"], told["transform"][2]) == (UTM, 500015)


def test_pictures_of_no_map_have_no_files_beside_them(tmp_path):
    release = write_release(tmp_path / "sota", crs=None)
    for format in WITH_PICTURES:
        export(format, release, tmp_path / format)
        assert not list((tmp_path / format).rglob("*.?gw"))
        assert not list((tmp_path / format).rglob("*.aux.xml"))
