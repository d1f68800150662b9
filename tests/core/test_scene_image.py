"""Reading scenes by window, of any format, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from samrs.core.errors import ImageError
from samrs.core.images import encode_rgb
from samrs.core.scene_image import open_scene
from samrs.core.tiling import Window
from tests.datasets.by_hand import image, write_image

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


def test_tiff_of_more_than_eight_bits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(cv2.imencode(".tif", np.zeros((4, 4, 3), np.uint16))[1].tobytes())
    with pytest.raises(ImageError, match="not an 8-bit RGB or grey TIFF"), open_scene(path, "a"):
        pass


def test_real_truncated_file_is_an_error(real: Path, tmp_path: Path) -> None:
    data = (real / "dior/00001.jpg").read_bytes()
    path = tmp_path / "00001.jpg"
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ImageError, match="cut off"), open_scene(path, "00001.jpg"):
        pass
