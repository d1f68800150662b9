"""Checking, exporting and describing a release, and reading its tables, takes the base only."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.core import axis
from tests.package.hidden import EXTRAS, command, run

MAPS = {"geojson", "geoparquet", "geotiff", "gpkg", "stac"}
"""Formats of features on maps, which come with the extra geo."""
FORMATS = sorted(set(axis.names("samrs.export.formats")) - MAPS)
DRAWN = {"coco", "dota", "png", "yolo_obb", "yolo_seg"}
"""Formats that OpenCV draws, encodes or fits rectangles for as a whole."""


def modules_of(formats: set[str]) -> list[str]:
    return sorted(f"samrs.export.formats.{name}" for name in formats)


@pytest.mark.parametrize(
    ("modules", "without"),
    [
        (["samrs.card", "samrs.data.reader"], (*EXTRAS, "cv2", "PIL")),
        (["samrs.verify.verify"], (*EXTRAS, "cv2", "PIL", "pandas", "jinja2")),
        (["samrs.export.export", *modules_of(set(FORMATS) - DRAWN)], (*EXTRAS, "cv2", "PIL")),
        (modules_of(DRAWN), EXTRAS),
    ],
    ids=["card and tables", "verify", "most formats", "drawn formats"],
)
def test_importing_it_imports_nothing_heavy(
    modules: list[str], without: tuple[str, ...], tmp_path: Path
) -> None:
    code = f"import {', '.join(modules)}\nprint('imported')\n"
    done = run(code, without=without, folder=tmp_path)
    assert done.stdout == "imported\n", done.stderr


def test_it_works_without_any_extra(released: Path, tmp_path: Path) -> None:
    release = str(released)
    exports = [["export", name, release, f"out/{name}"] for name in FORMATS]
    code = (
        "from samrs.commands.group import samrs\n"
        f"for words in {[['verify', release], ['card', release], *exports]}:\n"
        "    samrs(words, prog_name='samrs', standalone_mode=False)\n"
    )
    done = run(code, without=EXTRAS, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{released}: sound: " in done.stdout
    assert "# SOTA" in done.stdout
    for name in FORMATS:
        assert (tmp_path / "out" / name / "export.json").is_file()


NEEDY = [
    ("audit coco . --out out", "torch", "label"),
    ("audit coco . --out out", "matplotlib", "label"),
    ("datasets", "rasterio", "label"),
    ("label geo data --out out", "pyogrio", "geo"),
    ("export gpkg . out", "shapely", "geo"),
    ("export geojson . out", "pyogrio", "geo"),
    ("export geoparquet . out", "pyproj", "geo"),
    ("export stac . out", "pystac", "geo"),
    ("export stac . out", "antimeridian", "geo"),
    ("fit-quality --out out.json", "sklearn", "train"),
    ("nano train --cycles 1+1 --out out", "torch", "label"),
    ("nano average a b --out out", "safetensors", "label"),
    ("review .", "uvicorn", "review"),
    ("review .", "starlette", "review"),
    ("publish 1.0.0 --dry-run", "dvc", "dvc"),
]


@pytest.mark.parametrize(("words", "module", "extra"), NEEDY)
def test_a_command_without_its_extra_names_it_in_one_sentence(
    words: str, module: str, extra: str, tmp_path: Path
) -> None:
    done = command(*words.split(), without=[module], folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: samrs: a package is not installed, got no module {module!r}; it comes with the "
        f"extra {extra}; run pip install 'samrs[{extra}]'\n"
    )
    assert not list(tmp_path.iterdir())
