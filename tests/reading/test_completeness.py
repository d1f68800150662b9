"""Images whose data ends early are no images, whatever a decoder would make up."""

from __future__ import annotations

import io
import itertools
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from samrs.core.errors import ImageError
from samrs.core.images import decode_rgb
from samrs.core.tiling import Window
from samrs.reading.scene_image import open_scene
from tests.datasets.by_hand import HEIGHT, WIDTH, image

SIDE = 128


def smooth(side: int = SIDE) -> NDArray[np.uint8]:
    """A picture (side, side, 3) that JPEG changes little."""
    return np.asarray(cv2.resize(image(0, 8, 8), (side, side), interpolation=cv2.INTER_CUBIC))


def reads(path: Path) -> NDArray[np.uint8]:
    with open_scene(path, "a", stretch=0.0) as scene:
        return scene.read()


def refuses(path: Path) -> None:
    with pytest.raises(ImageError, match=r"^a: image (is cut off|does not decode).+; replace"):
        reads(path)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    rows: bytes, kind: int = 2, depth: int = 8, interlaced: int = 0, after: bytes = b""
) -> bytes:
    """A PNG of ``WIDTH`` x ``HEIGHT`` px whose chunks are all valid, of any rows."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, kind, 0, 0, interlaced)
    palette = chunk(b"PLTE", bytes(range(256)) * 3) if kind == 3 else b""
    data = chunk(b"IHDR", header) + palette + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + data + after + chunk(b"IEND", b"")


PNG_KINDS = {"rgb": (2, 8, 3), "grey": (0, 8, 1), "palette": (3, 8, 1), "16 bits": (0, 16, 2)}


@pytest.mark.parametrize("left_out", [1, 15, HEIGHT])
@pytest.mark.parametrize("name", PNG_KINDS)
def test_png_whose_rows_end_early_is_an_error(tmp_path: Path, name: str, left_out: int) -> None:
    kind, depth, num_bytes = PNG_KINDS[name]
    row = b"\0" + bytes(range(1, 1 + WIDTH)) * num_bytes
    path = tmp_path / "a.png"
    path.write_bytes(png(row * HEIGHT, kind, depth))
    assert reads(path).any()
    path.write_bytes(png(row * (HEIGHT - left_out), kind, depth))
    refuses(path)


def test_interlaced_png_that_ends_early_is_an_error(tmp_path: Path) -> None:
    pixels, rows = image(), b""
    for x0, y0, dx, dy in (
        *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
        *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
    ):
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[y0::dy, x0::dx])
    path = tmp_path / "a.png"
    path.write_bytes(png(rows, interlaced=1))
    assert np.array_equal(reads(path), pixels)
    path.write_bytes(png(rows[:-1], interlaced=1))
    refuses(path)


def test_png_that_others_refuse_is_written_anew(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in image())
    path = tmp_path / "a.png"
    path.write_bytes(png(rows, after=chunk(b"ABCD", b"a")))
    with pytest.raises(ImageError):
        decode_rgb(path.read_bytes(), "a")
    with open_scene(path, "a") as scene:
        assert scene.plain is None
        assert np.array_equal(scene.read(), image())


def jpeg(**options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(smooth()).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"restart_marker_blocks": 5}, {"subsampling": 0}],
    ids=["baseline", "progressive", "restarts", "4:4:4"],
)
def test_jpeg_that_ends_early_is_an_error_though_it_has_an_end(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path, data = tmp_path / "a.jpg", jpeg(**options)
    path.write_bytes(data)
    assert np.abs(reads(path).astype(int) - smooth()).mean() < 5
    scan = data.index(b"\xff\xda")
    for share in (0.1, 0.5, 0.9, 0.99):
        path.write_bytes(data[: scan + 14 + int((len(data) - scan - 16) * share)] + b"\xff\xd9")
        refuses(path)


def test_progressive_jpeg_without_its_last_scans_is_an_error(tmp_path: Path) -> None:
    path, data = tmp_path / "a.jpg", jpeg(progressive=True)
    scans = [match.start() for match in re.finditer(b"\xff\xda", data)]
    assert len(scans) == 10
    for before, scan in itertools.pairwise(scans):
        end = data.rfind(b"\xff\xc4", before, scan)  # the scan's tables stand before it
        path.write_bytes(data[: end if end > 0 else scan] + b"\xff\xd9")
        assert cv2.imread(str(path)) is not None, "others show what is there"
        refuses(path)


def tiff(path: Path, **options: Any) -> None:
    pixels = np.moveaxis(smooth(), 2, 0)
    if options.get("nbits"):
        pixels = (pixels[:1] > 128).astype(np.uint8)
    with rasterio.open(
        path, "w", driver="GTiff", width=SIDE, height=SIDE, count=len(pixels), dtype="uint8",
        **options,
    ) as file:  # fmt: skip
        file.write(pixels)


STRIPS = {"blockysize": 16}
TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64}


def change(path: Path, tag: int, value: int, number: int = -1) -> int:
    """Set one of a little-endian TIFF's block offsets (273, 324) or sizes; gives the old one."""
    data = bytearray(path.read_bytes())
    at = struct.unpack_from("<I", data, 4)[0]
    for i in range(struct.unpack_from("<H", data, at)[0]):
        entry = at + 2 + 12 * i
        found, kind, count, place = struct.unpack_from("<HHII", data, entry)
        if found == tag:
            form = {3: "H", 4: "I"}[kind]
            values = place if count * struct.calcsize(form) > 4 else entry + 8
            values += (number % count) * struct.calcsize(form)
            (old,) = struct.unpack_from(f"<{form}", data, values)
            struct.pack_into(f"<{form}", data, values, value)
            path.write_bytes(data)
            return int(old)
    raise AssertionError(f"no tag {tag}")


@pytest.mark.parametrize("layout", [STRIPS, TILES], ids=["strips", "tiles"])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("compress", ["none", "lzw", "deflate", "jpeg"])
def test_tiff_without_one_of_its_blocks_is_an_error(
    tmp_path: Path, compress: str, interleave: str, layout: dict[str, Any]
) -> None:
    path = tmp_path / "a.tif"
    tiff(path, compress=compress, interleave=interleave, **layout)
    whole = reads(path)
    change(path, 279 if layout is STRIPS else 325, 0)
    with rasterio.open(path) as file:
        assert not file.read()[-1, -1, -1], "GDAL makes it up"
    with pytest.raises(ImageError, match=r"^a: image does not decode at x 0, y 0, got no data of"):
        reads(path)
    with open_scene(path, "a") as scene:  # the others are there
        first = scene.read(Window(0, 0, 16, 16))
    assert np.array_equal(first, whole[:16, :16])


def test_tiff_that_leaves_out_blocks_without_data_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    size = {"width": SIDE, "height": SIDE, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", nodata=9, sparse_ok=True, **TILES, **size) as f:
        f.write(smooth()[:64, :64, 0], 1, window=rasterio.windows.Window(0, 0, 64, 64))
    pixels = reads(path)
    assert np.array_equal(pixels[:64, :64, 0], smooth()[:64, :64, 0])
    assert (pixels[64:] == 9).all()


@pytest.mark.parametrize(
    "options",
    [
        {"compress": "jpeg"},
        {"compress": "jpeg", "photometric": "ycbcr"},
        {"compress": "ccittfax4", "nbits": 1},
        {"compress": "lzw"},
        {"compress": "deflate"},
        {"compress": "packbits"},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_tiff_block_that_ends_early_is_an_error(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "a.tif"
    tiff(path, interleave="pixel", **STRIPS, **options)
    assert reads(path).any()
    size = change(path, 279, 1)
    change(path, 279, size // 2)
    refuses(path)


def test_bmp_without_its_last_rows_is_an_error_whatever_size_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    data = bytearray(cv2.imencode(".bmp", image())[1].tobytes())
    del data[-200:]
    for declared in (len(data), 0):
        struct.pack_into("<I", data, 2, declared)
        path.write_bytes(data)
        refuses(path)
