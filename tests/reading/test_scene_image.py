"""Reading scenes by window, of any format, whole or not at all."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio import Affine
from rasterio.enums import ColorInterp
from rasterio.shutil import copy

from samrs.core.errors import ImageBandError, ImageError, ImageNameError, ImageSizeError
from samrs.core.images import encode_rgb
from samrs.core.records import Opening
from samrs.core.tiling import Window
from samrs.reading import raster_file, scene_image
from samrs.reading.scene_image import open_scene
from tests.datasets.by_hand import HEIGHT, WIDTH, image, write_image

SUFFIXES = (".png", ".jpg", ".bmp", ".tif")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_window_is_that_part_of_the_whole(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_image(path)
    with open_scene(path, "a") as scene:
        assert scene.size_wh == (40, 30)
        whole = scene.read()
        assert np.array_equal(scene.read(Window(5, 3, 20, 10)), whole[3:13, 5:25])
    if suffix != ".jpg":
        assert np.array_equal(whole, image())


@pytest.mark.parametrize("share", [0, 0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncated_file_is_an_error(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a{suffix}"
    write_image(path, image(0, 200, 150))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with (
        pytest.raises(ImageError, match=r"^a: image (is cut off|does not decode)"),
        open_scene(path, "a") as scene,
    ):
        scene.read()


def test_jpeg_cut_off_behind_a_thumbnail_is_seen(tmp_path: Path) -> None:
    data = encode_rgb(image(0, 200, 150), ".jpg")
    thumbnail = b"Exif\0\0" + encode_rgb(image(0, 8, 8), ".jpg")
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + segment + data[2 : len(data) // 2])
    with pytest.raises(ImageError, match="cut off"), open_scene(path, "a"):
        pass


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_plain_files_hand_on_their_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_image(path)
    with open_scene(path, "a") as scene:
        assert scene.plain == (path.read_bytes(), suffix)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
def test_grey_becomes_rgb_and_is_not_plain(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    grey = image()[:, :, :1]
    if suffix == ".tif":
        write_image(path, grey)
    else:
        path.write_bytes(cv2.imencode(suffix, grey)[1].tobytes())
    with open_scene(path, "a") as scene:
        pixels = scene.read()
        assert scene.plain is None
    assert pixels.shape == (30, 40, 3)
    assert (pixels == pixels[:, :, :1]).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_fourth_channel_is_dropped(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    rgba = np.concatenate([image(), image(1)[:, :, :1]], axis=2)
    if suffix == ".tif":
        write_image(path, rgba)
    else:
        path.write_bytes(cv2.imencode(".png", rgba[:, :, [2, 1, 0, 3]])[1].tobytes())
    with open_scene(path, "a") as scene:
        assert np.array_equal(scene.read(), image())
        assert scene.plain is None


def bit_depth(path: Path) -> None:
    """A 16-bit file of 40 x 30 px whose values rise from 1000 by 10 a px of a row."""
    values = (1000 + 10 * np.arange(WIDTH, dtype=np.uint16))[None].repeat(HEIGHT, axis=0)
    if path.suffix == ".png":
        path.write_bytes(cv2.imencode(".png", values)[1].tobytes())
    else:
        write_bands(path, values[None].repeat(4, axis=0))


def write_bands(path: Path, bands: NDArray[Any], **options: Any) -> None:
    """A GeoTIFF of (B, h, w), half a metre a px."""
    count, height, width = bands.shape
    options = {"crs": "EPSG:32650", "transform": Affine(0.5, 0, 300, 0, -0.5, 900)} | options
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=count,
        dtype=bands.dtype, **options,
    ) as file:  # fmt: skip
        file.write(bands)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_more_than_eight_bits_are_stretched_between_percentiles(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    bit_depth(path)
    with open_scene(path, "a", stretch=0.0) as scene:
        row = scene.read()[0, :, 0].astype(int)
        assert (row[0], row[-1]) == (0, 255)
        assert np.abs(np.diff(row) - 255 / 39).max() <= 1
        assert scene.plain is None
        assert np.array_equal(scene.read(Window(5, 3, 20, 10)), scene.read()[3:13, 5:25])
    with open_scene(path, "a", stretch=25.0) as scene:
        row = scene.read()[0, :, 0]
        assert (row == 0).sum() == (row == 255).sum() == 10


def test_px_without_data_count_for_nothing_and_are_black(tmp_path: Path) -> None:
    bands = np.full((1, HEIGHT, WIDTH), 500, np.uint16)
    bands[0, :, 20:] = 700
    bands[0, 0, 0] = 65535
    write_bands(tmp_path / "a.tif", bands, nodata=65535)
    with open_scene(tmp_path / "a.tif", "a", stretch=0.0) as scene:
        grey = scene.read()[:, :, 0]
    assert (grey[0, 0], grey[1, 0], grey[0, 20]) == (0, 0, 255)


def test_band_of_one_value_and_numbers_that_are_none_are_black(tmp_path: Path) -> None:
    bands = np.full((3, HEIGHT, WIDTH), np.nan, np.float32)
    bands[1] = 7
    bands[2, :, :20], bands[2, :, 20:] = -1.5, 2.5
    write_bands(tmp_path / "a.tif", bands)
    with open_scene(tmp_path / "a.tif", "a", stretch=2.0) as scene:
        assert scene.read()[0, [0, 20]].tolist() == [[0, 0, 0], [0, 0, 255]]


def test_values_nearer_to_each_other_than_numbers_reach_are_one(tmp_path: Path) -> None:
    bands = np.zeros((1, HEIGHT, WIDTH))
    bands[0, :, 20:] = 5e-324
    write_bands(tmp_path / "a.tif", bands)
    with warnings.catch_warnings(), open_scene(tmp_path / "a.tif", "a", stretch=0.0) as scene:
        warnings.simplefilter("error")
        assert (scene.read() == 0).all()


@pytest.mark.parametrize(("bands", "ranges"), [(1, 3), (3, 2), (4, 4)])
def test_ranges_of_other_bands_are_refused(tmp_path: Path, bands: int, ranges: int) -> None:
    write_bands(tmp_path / "a.tif", np.zeros((bands, HEIGHT, WIDTH), np.uint16))
    opening = Opening(ranges=((0.0, 9.0),) * ranges)
    with (
        pytest.raises(ImageBandError, match=rf"^a: ranges are of other bands, got {ranges} ranges"),
        open_scene(tmp_path / "a.tif", "a", stretch=0.0, opening=opening),
    ):
        pass


def test_tiff_of_more_than_eight_bits_is_refused_where_values_are_codes(tmp_path: Path) -> None:
    bit_depth(tmp_path / "a.tif")
    with (
        pytest.raises(ImageError, match="not an 8-bit image, got bands"),
        open_scene(tmp_path / "a.tif", "a"),
    ):
        pass


def test_bands_that_say_they_are_red_green_and_blue_are_taken(tmp_path: Path) -> None:
    bands = np.arange(4, dtype=np.uint8)[:, None, None].repeat(HEIGHT, 1).repeat(WIDTH, 2)
    write_bands(tmp_path / "a.tif", bands)
    with open_scene(tmp_path / "a.tif", "a") as scene:
        assert scene.read()[0, 0].tolist() == [0, 1, 2]
    with rasterio.open(tmp_path / "a.tif", "r+") as file:
        file.colorinterp = [
            ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined
        ]  # fmt: skip
    with open_scene(tmp_path / "a.tif", "a") as scene:
        assert scene.read()[0, 0].tolist() == [2, 1, 0]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_palettes_are_looked_up(tmp_path: Path, suffix: str) -> None:
    picture = Image.new("P", (WIDTH, HEIGHT), 1)
    picture.putpalette([9, 9, 9, 10, 20, 30])
    picture.save(tmp_path / f"a{suffix}")
    with open_scene(tmp_path / f"a{suffix}", "a") as scene:
        assert (scene.read() == (10, 20, 30)).all()
        assert scene.plain is None


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.new("1", (WIDTH, HEIGHT), 1).save(tmp_path / "a.png")
    with open_scene(tmp_path / "a.png", "a") as scene:
        assert (scene.read() == 255).all()


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_is_converted(tmp_path: Path, suffix: str) -> None:
    Image.new("CMYK", (WIDTH, HEIGHT), (0, 255, 255, 0)).save(tmp_path / f"a{suffix}")
    with open_scene(tmp_path / f"a{suffix}", "a") as scene:
        red = scene.read().astype(int)
        assert scene.plain is None
    assert np.abs(red - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize(
    ("crs", "step", "gsd"),
    [
        ("EPSG:32633", 0.5, 0.498656),  # 4.5 degrees west of its central meridian
        ("EPSG:4326", 1e-5, 0.97374),  # at 40 north: 85,394 m of longitude x 111,035 of latitude
        (None, 0.5, None),
    ],
)
def test_gsd_and_place_are_kept(
    tmp_path: Path, crs: str | None, step: float, gsd: float | None
) -> None:
    where = Affine(step, 0, 30, 0, -step, 40)
    bands = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    write_bands(tmp_path / "a.tif", bands, crs=crs, transform=where)
    with open_scene(tmp_path / "a.tif", "a") as scene:
        found = scene.ground and scene.ground.gsd
        assert found == (None if gsd is None else pytest.approx(gsd, rel=1e-4))
        place = scene.georeference
        assert (place and (place.name, place.transform)) == (crs and (crs, tuple(where)[:6]))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_name_of_another_format_is_an_error(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}")
    path = (tmp_path / f"a{suffix}").rename(tmp_path / ("b.png" if suffix != ".png" else "b.bmp"))
    with pytest.raises(ImageNameError, match=r"got \w+ data; a name that"), open_scene(path, "a"):
        pass


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_file_that_is_no_image_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"<VRTDataset/>")
    with pytest.raises(ImageError, match=r"^a: image does not decode, got 13 bytes that begin"):
        open_scene(path, "a").__enter__()


def test_image_beyond_all_bounds_is_refused_unread(tmp_path: Path) -> None:
    png = bytearray(encode_rgb(image()))
    png[16:24] = struct.pack(">II", 100_000, 100_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    (tmp_path / "a.png").write_bytes(png)
    with (
        pytest.raises(ImageSizeError, match=r"got 100000 x 100000 px; \d+ px are allowed; cut it"),
        open_scene(tmp_path / "a.png", "a"),
    ):
        pass


def test_tiff_of_one_huge_block_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raster_file, "LARGEST_BLOCK", 1000)
    write_bands(tmp_path / "a.tif", np.zeros((1, HEIGHT, WIDTH), np.uint8), compress="deflate")
    with (
        pytest.raises(ImageSizeError, match=r"cannot be read in parts, got blocks of 40 x 30 px"),
        open_scene(tmp_path / "a.tif", "a"),
    ):
        pass


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_damage_in_the_middle_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_image(path, image(0, 200, 150))
    data = path.read_bytes()
    end = {".png": data[-12:], ".jpg": b"\xff\xd9"}[suffix]
    path.write_bytes(data[: len(data) // 2] + end)
    with pytest.raises(ImageError, match="image"), open_scene(path, "a") as scene:
        scene.read()


LARGE = 30_000
READ_LARGE = """
import resource, sys
from pathlib import Path
from samrs.reading.scene_image import open_scene
from samrs.core.tiling import windows
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_scene(Path(sys.argv[1]), "a") as scene:
    for place in windows(*scene.size_wh, tile=1024, overlap=200):
        if place.y0 < 3000:
            scene.read(place)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_scene_of_thirty_thousand_px_a_side_is_never_whole_in_memory(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    driver = {".tif": "GTiff", ".png": "PNG"}[suffix]
    shape = {"width": LARGE, "height": LARGE, "count": 3, "dtype": "uint8"}
    tiled = tmp_path / "tiled.tif"
    options = {"tiled": True, "compress": "deflate", "photometric": "rgb", "zlevel": 1}
    with rasterio.open(tiled, "w", driver="GTiff", **shape, **options):
        pass  # px never written are zeros
    if suffix == ".tif":
        tiled.rename(path)
    else:
        copy(tiled, path, driver=driver, zlevel=1)
    done = subprocess.run(
        [sys.executable, "-c", READ_LARGE, str(path)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert int(done.stdout) < 700, "MiB; the whole is 2,575"


def test_real_truncated_file_is_an_error(real: Path, tmp_path: Path) -> None:
    data = (real / "dior/00001.jpg").read_bytes()
    path = tmp_path / "00001.jpg"
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ImageError, match="cut off"), open_scene(path, "00001.jpg"):
        pass


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("size_wh", [(17, 9), (400, 300)])
def test_the_size_of_the_header_is_that_of_the_open_image(
    tmp_path: Path, suffix: str, size_wh: tuple[int, int]
) -> None:
    path = tmp_path / f"a{suffix}"
    write_image(path, image(0, *size_wh))
    assert scene_image.size_of(path) == size_wh
    assert scene_image.size_of(str(path)) == size_wh
    path.write_bytes(path.read_bytes()[:20])
    assert scene_image.size_of(path) is None


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize(("number", "size_wh"), [(1, (17, 9)), (3, (17, 9)), (6, (9, 17))])
def test_the_size_of_the_header_is_that_of_the_turned_image(
    tmp_path: Path, suffix: str, number: int, size_wh: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = number
    path = tmp_path / f"a{suffix}"
    Image.fromarray(image(0, 17, 9)).save(path, exif=exif)
    assert scene_image.size_of(path) == size_wh
    with open_scene(path, "a") as scene:
        assert scene.size_wh == size_wh


def test_an_image_of_another_format_than_its_name_says_has_no_size(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", image(0, 17, 9))
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert scene_image.size_of(tmp_path / "a.jpg") is None
    (tmp_path / "b.jpg").mkdir()
    assert scene_image.size_of(tmp_path / "b.jpg") is None
