"""Bands, stretch and nodata of rasters on the map, tiles of nothing, rasters beyond memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray

from samrs.core.errors import QuarantineError
from samrs.core.images import decode_rgb
from samrs.core.shards import iter_rows, read_manifest, verify_product
from tests.datasets.by_hand import MAP, write_layer
from tests.normalize.test_normalize import rows, run


def write(path: Path, bands: NDArray[Any], **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = options.pop("mask", None)
    with rasterio.open(
        path, "w", driver="GTiff", width=bands.shape[2], height=bands.shape[1], count=len(bands),
        dtype=bands.dtype, crs="EPSG:32650", transform=MAP, **options,
    ) as file:  # fmt: skip
        file.write(bands)
        if mask is not None:
            file.write_mask(mask)


def normalized(tmp_path: Path, bands: NDArray[Any], *boxes: Any, **given: Any) -> list[Any]:
    """Tiles of a raster as (h, w, 3), with their rows; the product stands in ``out``."""
    cut = {name: given.pop(name) for name in ("tile", "overlap", "stretch") if name in given}
    allowed = {"max_quarantined": given.pop("max_quarantined", 0.0)}
    options = given.pop("options", None)
    write(tmp_path / "in/a.tif", bands, **given)
    write_layer(tmp_path / "in/a.gpkg", *(boxes or [shapely.box(4, 4, 14, 10)]))
    run("geo", tmp_path / "in", tmp_path / "out", options=options, **cut, **allowed)
    assert verify_product(tmp_path / "out") > 0
    return [decode_rgb(row["image"]["bytes"], "tile") for row in rows(tmp_path / "out", "tiles")]


def ramp(bands: int = 4, side: int = 40) -> NDArray[np.uint16]:
    """Band b has the value 1000 b + column at each px."""
    column = np.broadcast_to(np.arange(side, dtype=np.uint16), (side, side))
    return np.stack([1000 * b + column for b in range(1, bands + 1)]).astype(np.uint16)


def test_bands_are_chosen_and_stretched_between_two_values(tmp_path: Path) -> None:
    options = {"bands": [4, 1, 2], "ranges": [[4000, 4255], [1000, 1255], [2000, 2510]]}
    (tile,) = normalized(tmp_path, ramp(), options=options)
    columns = np.arange(40)
    assert (tile[:, :, 0] == columns).all()
    assert (tile[:, :, 1] == columns).all()
    assert (tile[:, :, 2] == np.rint(columns / 2)).all()
    assert read_manifest(tmp_path / "out")["options"] == options


def test_one_band_is_grey_and_one_range_is_of_all(tmp_path: Path) -> None:
    (tile,) = normalized(tmp_path, ramp(), options={"bands": [3], "ranges": [[3000, 3255]]})
    assert (tile == np.arange(40)[None, :, None]).all()


def test_a_band_that_is_not_there_sets_the_raster_aside(tmp_path: Path) -> None:
    with pytest.raises(QuarantineError, match=r"a\.tif: band is not there, got band 5 of 4"):
        normalized(tmp_path, ramp(), options={"bands": [5]})


HOLES = {
    "tag": {"nodata": 60_000},
    "option": {"options": {"nodata": 60_000}},
    "mask": {"mask": np.repeat(np.arange(40) < 20, 40).reshape(40, 40).T},
}


@pytest.mark.parametrize("how", HOLES.values(), ids=HOLES)
def test_what_is_no_measurement_is_kept_out_of_the_stretch(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    bands = ramp(3)
    bands[:, :, 20:] = 60_000
    (tile,) = normalized(tmp_path, bands, stretch=0.0, **how)
    assert (tile[:, :20, 0] == np.rint(np.arange(20) * 255 / 19)).all()
    assert (tile[:, 20:] == 0).all()


def test_numbers_that_are_none_are_no_measurements(tmp_path: Path) -> None:
    bands = np.full((1, 40, 40), np.nan, np.float32)
    bands[0, :, :20] = np.arange(20) / 10
    (tile,) = normalized(tmp_path, bands, stretch=0.0)
    assert (tile[:, :20, 1] == np.rint(np.arange(20) * 255 / 19)).all()
    assert (tile[:, 20:] == 0).all()


def holes(value: int = 0) -> NDArray[np.uint8]:
    """60 x 60 px of three bands; all but the left third is ``value``."""
    bands = np.full((3, 60, 60), value, np.uint8)
    bands[:, :, :20] = np.random.default_rng(0).integers(1, 255, (3, 60, 20))
    return bands


EMPTY = {
    "tag": {"nodata": 0},
    "option": {"options": {"nodata": 0}},
    "mask": {"mask": np.broadcast_to(np.arange(60) < 20, (60, 60))},
    "sparse": {"nodata": 0, "sparse_ok": True, "tiled": True, "blockxsize": 16, "blockysize": 16},
}


@pytest.mark.parametrize("how", EMPTY.values(), ids=EMPTY)
def test_tiles_of_nothing_are_left_out_and_counted(tmp_path: Path, how: dict[str, Any]) -> None:
    write(tmp_path / "in/a.tif", holes(), **{k: v for k, v in how.items() if k != "options"})
    box, edge, lost = (
        shapely.box(4, 4, 14, 10),
        shapely.box(15, 30, 25, 40),
        shapely.box(45, 45, 55, 55),
    )
    write_layer(tmp_path / "in/a.gpkg", box, edge, lost)
    given = {"options": how.get("options"), "tile": 20, "max_quarantined": 0.5}
    metrics = run("geo", tmp_path / "in", tmp_path / "out", **given)
    assert [(r["x0"], r["y0"]) for r in rows(tmp_path / "out", "tiles")] == [
        (0, 0),
        (0, 20),
        (0, 40),
    ]
    assert (metrics["tiles"], metrics["tiles_without_data"]) == (3, 6)
    (aside,) = iter_rows(tmp_path / "out", "quarantine")
    assert aside["reason"] == "box where its image has no data"
    assert "a.gpkg:3: nothing is seen there" in aside["detail"]
    assert metrics["instances"] == 2
    assert verify_product(tmp_path / "out") > 0


def test_a_raster_of_nothing_is_set_aside(tmp_path: Path) -> None:
    with pytest.raises(QuarantineError, match="got image without data there"):
        normalized(tmp_path, np.zeros((3, 60, 60), np.uint8), tile=20, nodata=0)


def test_pictures_beside_the_map_keep_all_tiles(tmp_path: Path) -> None:
    """Eight bits of a raster without nodata value: black is a colour."""
    assert len(normalized(tmp_path, holes(), tile=20)) == 9


@pytest.mark.slow
def test_a_raster_beyond_memory_is_read_by_window(tmp_path: Path) -> None:
    """60,000 x 60,000 px of 3 x 16 bits are 20 GiB; blocks of it are there."""
    side = 60_000
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", width=side, height=side, count=3, dtype="uint16",
        crs="EPSG:32650", transform=MAP, nodata=0, sparse_ok=True, tiled=True, blockxsize=512,
        blockysize=512, bigtiff="YES",
    ) as file:  # fmt: skip
        noise = np.random.default_rng(0).integers(1, 4000, (3, 1024, 1024), dtype=np.uint16)
        for x, y in ((0, 0), (30_720, 40_960), (57_344, 57_344)):
            file.write(noise, window=rasterio.windows.Window(x, y, 1024, 1024))
    write_layer(tmp_path / "a.gpkg", shapely.box(30_800, 41_000, 30_900, 41_060))
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from samrs.normalize.normalize import normalize\n"
        "found = normalize('geo', Path(sys.argv[1]), Path(sys.argv[2]), tile=2048, overlap=0,\n"
        "    min_visible=0.7, clip=True, pad=False, keep_difficult=True, stretch=2.0,\n"
        "    max_quarantined=0.0, workers=1)\n"
        "print(found['tiles'], found['tiles_without_data'], found['instances'],\n"
        "    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    out = tmp_path.parent / f"{tmp_path.name}-out"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    tiles, without, instances, mebibytes = map(int, done.stdout.split())
    assert (tiles, tiles + without, instances) == (6, 900, 1)  # the last window overlaps others
    assert mebibytes < 1500
