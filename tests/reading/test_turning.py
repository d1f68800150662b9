"""Pictures are seen as their orientation tag says: Pillow is the judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from samrs.core.tiling import Window
from samrs.reading.image_format import KINDS, orientation
from samrs.reading.scene_image import open_scene
from samrs.reading.turning import Turn

STORED = np.random.default_rng(0).integers(0, 255, (6, 9, 3), dtype=np.uint8)


def write(path: Path, number: int) -> None:
    exif = Image.Exif()
    exif[274] = number
    told = {"tiffinfo": {274: number}} if path.suffix == ".tif" else {"exif": exif}
    Image.fromarray(STORED).save(path, **told)


def seen(number: int) -> np.ndarray:
    image = Image.fromarray(STORED)
    image.getexif()[274] = number
    return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_every_orientation_is_seen_as_pillow_sees_it(
    suffix: str, number: int, tmp_path: Path
) -> None:
    path = tmp_path / f"a{suffix}"
    write(path, number)
    expected = seen(number)
    with open_scene(path, "a") as scene:
        assert scene.size_wh == expected.shape[1::-1]
        assert scene.stored_wh == (9, 6)
        assert np.array_equal(scene.read(), expected)
        assert np.array_equal(scene.read(Window(1, 2, 3, 4)), expected[2:6, 1:4])
        assert scene.plain is None, "other readers might not turn it"


@pytest.mark.parametrize("number", range(1, 9))
def test_a_jpeg_is_turned(number: int, tmp_path: Path) -> None:
    write(tmp_path / "a.jpg", number)
    write(tmp_path / "b.jpg", 1)
    with open_scene(tmp_path / "a.jpg", "a") as turned, open_scene(tmp_path / "b.jpg", "b") as flat:
        assert np.array_equal(turned.read(), Turn.of(number).turned(flat.read()))
        turned.as_stored()
        assert np.array_equal(turned.read(), flat.read())


@pytest.mark.parametrize("number", [0, 9, 77])
def test_a_number_that_is_none_turns_nothing(number: int, tmp_path: Path) -> None:
    write(tmp_path / "a.png", number)
    assert orientation(tmp_path / "a.png", KINDS[1]) == 1


def test_exif_that_does_not_parse_turns_nothing(tmp_path: Path) -> None:
    Image.fromarray(STORED).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff")
    assert orientation(tmp_path / "a.jpg", KINDS[2]) == 1
