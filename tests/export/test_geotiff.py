"""Label maps of whole scenes, read back by rasterio and judged by rio-cogeo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from defusedxml import ElementTree
from rasterio.crs import CRS

import samrs.export.raster_file as raster_file
import samrs.export.scene_maps as scene_maps
from samrs.core.errors import ProductError
from samrs.core.records import IGNORE, Georeference
from samrs.core.rle import mask_to_rle
from samrs.export.export import export
from tests.export.releases import CATEGORIES, UTM, instance, tile, write_release
from tests.release.one_by_one import paint

rasterio = pytest.importorskip("rasterio")

SIDE = 1300
"""Px of a scene of several windows (of 512 px in the tests) and two overviews."""


def large(folder: Path, **changes: Any) -> tuple[Path, np.ndarray]:
    """A release of one large scene that is one tile, and its map painted mask by mask."""
    rng = np.random.default_rng(1)
    rows, rles, labels = [], [], []
    for i in range(40):
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        x, y = rng.integers(0, SIDE - 40, 2)
        w, h = rng.integers(3, 600, 2)
        mask[y : y + h, x : x + w] = True
        if i % 3 == 0:
            mask &= rng.random(mask.shape) < 0.7
        rles.append(mask_to_rle(mask))
        labels.append(i % 3)
        row = instance(f"{i}", "a__0_0", i % 3, mask)
        rows.append({**row, "source_line": i + 1, "instance_id": f"a#{i}"})
    whole = {**tile("a__0_0", "train"), "width": SIDE, "height": SIDE}
    release = write_release(folder / "sota", tiles=[whole], rows=rows, **changes)
    painted, _, _ = paint(rles, labels, (SIDE, SIDE), "smaller_on_top")
    return release, painted


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("geotiff")
    release, painted = large(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene_maps, "WINDOW", 512)
        patch.setattr(scene_maps, "BATCH_ROWS", 7)
        export("geotiff", release, folder / "out")
    return folder / "out", painted


def test_a_map_painted_by_windows_is_that_painted_mask_by_mask(exported):
    out, painted = exported
    with rasterio.open(out / "train" / "a.tif") as file:
        assert (file.read(1) == painted).all()
        assert (file.crs, file.nodata) == (CRS.from_epsg(32633), IGNORE)
        assert tuple(file.transform)[:6] == (0.5, 0, 500000, 0, -0.5, 5000000)
        colours = file.colormap(1)
        assert colours[0] == (0, 127, 255, 255)
        assert colours[IGNORE][3] == 0
        assert json.loads(file.tags()["classes"]) == CATEGORIES


def test_it_is_a_sound_cloud_optimized_geotiff(exported):
    cogeo = pytest.importorskip("rio_cogeo")
    valid, errors, warnings = cogeo.cog_validate(exported[0] / "train" / "a.tif", strict=True)
    assert (valid, errors, warnings) == (True, [], [])


def test_overviews_have_the_label_that_most_px_have(exported):
    """255 votes too: else each lone px would grow, and 0 % of an overview be without a label."""
    out, painted = exported
    with rasterio.open(out / "train" / "a.tif") as file:
        assert file.overviews(1) == [2, 4]
    with rasterio.open(out / "train" / "a.tif", overview_level=0) as file:
        half = file.read(1)
        assert (file.nodata, file.colormap(1)[1]) == (IGNORE, (0, 63, 0, 255))
    blocks = painted[: SIDE // 2 * 2, : SIDE // 2 * 2].reshape(SIDE // 2, 2, SIDE // 2, 2)
    blocks = blocks.transpose(0, 2, 1, 3).reshape(SIDE // 2, SIDE // 2, 4)
    counts = (blocks[..., None] == np.array([0, 1, 2, IGNORE])).sum(axis=2)
    chosen = np.take_along_axis(
        counts, np.searchsorted([0, 1, 2, IGNORE], half)[..., None], axis=2
    )[..., 0]
    assert (chosen == counts.max(axis=2)).all()


def test_a_scene_of_one_tile_has_the_tile_s_own_map(release, tmp_path):
    for level in ("scene", "tile"):
        about = export("geotiff", release, tmp_path / level, level=level)
        assert about["summary"] == {"maps": 4, "on_a_map": 4}
    for scene, split in (("a", "train"), ("b.1", "train"), ("c", "val"), ("d", "train")):
        with (
            rasterio.open(tmp_path / "scene" / split / f"{scene}.tif") as one,
            rasterio.open(tmp_path / "tile" / split / f"{scene}__0_0.tif") as other,
        ):
            assert (one.read(1) == other.read(1)).all()
            assert (one.crs, one.transform) == (other.crs, other.transform)


def test_a_choice_of_classes_is_painted_anew(release, tmp_path):
    export("geotiff", release, tmp_path / "out", classes=["ship"], splits=["train"])
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.tif")) == [
        "a.tif",
        "b.1.tif",
        "d.tif",
    ]
    with rasterio.open(tmp_path / "out" / "train" / "a.tif") as file:
        labels = file.read(1)
        assert json.loads(file.tags()["classes"]) == ["ship"]
    assert (labels == 0).sum() == 30 * 20 - 25
    assert set(np.unique(labels)) == {0, IGNORE}


def test_scenes_on_no_map_have_a_map_without_coordinates(tmp_path):
    release = write_release(tmp_path / "sota", crs=None)
    assert export("geotiff", release, tmp_path / "out")["summary"] == {"maps": 4, "on_a_map": 0}
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        file = rasterio.open(tmp_path / "out" / "val" / "c.tif")
    with file:
        assert file.crs is None
        assert set(np.unique(file.read(1))) == {0, 1, 2}


def test_qgis_has_names_and_colours_of_the_classes(release, tmp_path):
    export("geotiff", release, tmp_path / "out")
    root = ElementTree.fromstring((tmp_path / "out" / "train" / "a.qml").read_text("utf-8"))
    entries = [(e.get("value"), e.get("label"), e.get("color")) for e in root.iter("paletteEntry")]
    assert entries == [
        ("0", "plane", "#007fff"),
        ("1", "ship", "#003f00"),
        ("2", "harbor", "#007f3f"),
    ]


@pytest.mark.parametrize(
    ("crs", "said"),
    [
        ("EPSG:7415", "a GeoTIFF cannot hold where it lies"),  # with heights of a national system
        ("nonsense", "no coordinate system, got 'nonsense'"),
    ],
)
def test_a_system_that_a_geotiff_would_lose_is_refused(crs, said, tmp_path):
    wkt = CRS.from_string(crs).to_wkt(version="WKT2_2019") if ":" in crs else crs
    place = Georeference(wkt, (0.5, 0, 0, 0, -0.5, 0))
    labels = np.zeros((4, 4), dtype=np.uint8)
    with pytest.raises(ProductError, match=said):
        raster_file.write_label_map(
            tmp_path / "a.tif", (4, 4), [(0, 0, labels)], place=place, palette=[(1, 2, 3)], tags={}
        )


def test_a_file_without_its_end_is_no_file(exported, tmp_path):
    """GDAL tells nothing of a disk that is full when the last block is written."""
    cut = tmp_path / "a.tif"
    cut.write_bytes((exported[0] / "train" / "a.tif").read_bytes()[:-1])
    with pytest.raises(OSError, match="not written to its end"):
        raster_file._check_whole(cut)


def test_nothing_is_held_that_is_as_large_as_a_scene(tmp_path):
    about = {"scene_id": "a", "split": "all", "width": 30_000, "height": 30_000, "crs": UTM}
    none = np.zeros(0, dtype=np.int32)
    found = scene_maps.SceneMap(
        about=about, x=none, top=none, bottom=none, label=none.astype(np.uint8), counts=none
    )
    x0, y0, labels = next(found.windows())
    assert (x0, y0, labels.shape) == (0, 0, (scene_maps.WINDOW, scene_maps.WINDOW))
    assert labels.min() == IGNORE
