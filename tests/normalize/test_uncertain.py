"""The table uncertain: what may hold objects without rows, and what release makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.shards import has_table, read_manifest, read_table
from samrs.core.tiling import Window
from samrs.normalize.normalize import normalize
from samrs.normalize.uncertain import uncertain_rows
from samrs.release.background import UncertainPlaces
from samrs.verify.verify import verify
from tests.datasets.by_hand import WRITERS, write_image, write_text
from tests.datasets.by_hand import image as noise

SIDE = 40
CUT: dict[str, Any] = {
    "tile": None,
    "overlap": 0,
    "min_visible": 0.7,
    "clip": True,
    "pad": False,
    "keep_difficult": True,
    "stretch": 2.0,
    "max_quarantined": 1.0,
}


def run(root: Path, lines: str, **changes: Any) -> Path:
    """A VisDrone set of one image of 60 x 40 px, normalized."""
    base = root / "data" / "VisDrone2019-DET-train"
    write_image(base / "images/a.jpg", noise(0, 60, SIDE))
    write_text(base / "annotations/a.txt", lines)
    normalize("visdrone", root / "data", root / "out", **{**CUT, **changes})
    return root / "out"


def uncertain(product: Path) -> dict[str, Any]:
    """By tile: where it is not background, (H, W)."""
    tiles = read_table(product, "tiles", ["tile_id", "height", "width"]).to_pylist()
    sizes = np.array([[tile["height"], tile["width"]] for tile in tiles])
    canvas = np.zeros(int(sizes.prod(axis=1).sum()), np.uint8)
    UncertainPlaces(product).of_tiles(0, len(tiles)).mark(canvas, sizes)
    ends = np.cumsum(sizes.prod(axis=1))[:-1]
    parts = zip(tiles, sizes.tolist(), np.split(canvas, ends), strict=True)
    return {
        tile["tile_id"].partition("__")[2]: part.reshape(size) == 255 for tile, size, part in parts
    }


def reasons(product: Path) -> list[str]:
    return read_table(product, "uncertain")["reason"].to_pylist()


def test_a_dataset_without_any_has_no_such_table(tmp_path: Path) -> None:
    out = run(tmp_path, "4,4,10,6,1,1,0,0\n")
    assert not has_table(out, "uncertain")
    assert not verify(out).counts


def test_ignored_regions_are_in_every_tile_that_meets_them(tmp_path: Path) -> None:
    out = run(tmp_path, "20,5,15,10,0,0,0,0\n", tile=SIDE, overlap=20)
    found = uncertain(out)
    assert list(found) == ["0_0", "20_0"]
    assert np.argwhere(found["0_0"]).min(axis=0).tolist() == [5, 20]
    assert found["0_0"].sum() == found["20_0"].sum() == 150
    assert reasons(out) == ["ignored region"] * 2
    assert not verify(out).counts
    assert any(shard["file"] == "uncertain-00000.parquet" for shard in read_manifest(out)["shards"])


def test_an_annotation_without_a_place_leaves_nothing_known(tmp_path: Path) -> None:
    out = run(tmp_path, "4,4,10,6,1,1,0,0\n1,2,3\n", tile=SIDE, overlap=20)
    assert all(part.all() for part in uncertain(out).values())
    assert reasons(out) == ["set aside"] * 2


def test_boxes_without_area_are_uncertain_where_they_are(tmp_path: Path) -> None:
    out = run(tmp_path, "30,10,0,6,1,1,0,0\n", tile=None, overlap=0)
    (found,) = uncertain(out).values()
    assert np.argwhere(found).min(axis=0).tolist() == [9, 29]
    assert found.sum() == 2 * 8


def test_difficult_instances_that_are_not_listed_stay_uncertain(tmp_path: Path) -> None:
    lines = "4,4,10,6,0,4,0,0\n20,20,5,5,1,1,0,0\n"
    out = run(tmp_path, lines, tile=None, overlap=0, keep_difficult=False)
    assert reasons(out) == ["difficult"]
    (found,) = uncertain(out).values()
    assert found.sum() == 60 + 25


def test_px_beyond_the_scene_are_no_background(tmp_path: Path) -> None:
    out = run(tmp_path, "", tile=64, overlap=0, pad=True)
    (found,) = uncertain(out).values()
    wanted = np.ones((64, 64), bool)
    wanted[:SIDE, :60] = False
    assert (found == wanted).all()


def test_objects_at_the_border_that_a_tile_does_not_list_stay_uncertain(tmp_path: Path) -> None:
    out = run(tmp_path, "15,4,10,6,1,1,0,0\n", tile=SIDE, overlap=20, min_visible=0.9)
    listed = read_table(out, "instances", ["tile_id"])["tile_id"].to_pylist()
    assert [tile.partition("__")[2] for tile in listed] == ["0_0"]
    found = uncertain(out)
    assert found["0_0"].sum() == 60
    assert found["20_0"][4:10, :5].all()
    assert found["20_0"].sum() == 30


def test_kept_scenes_are_cut_again_when_their_uncertain_places_change(tmp_path: Path) -> None:
    options = {"tile": None, "overlap": 0, "work": tmp_path / "work"}
    run(tmp_path, "4,4,10,6,1,1,0,0\n20,20,5,5,0,0,0,0\n", **options)
    out = run(tmp_path, "4,4,10,6,1,1,0,0\n20,20,8,8,0,0,0,0\n", **options)
    assert read_table(out, "uncertain")["outline"].to_pylist()[0][2] == 28


def test_every_dataset_by_hand_is_sound_with_it(tmp_path: Path) -> None:
    WRITERS["labelme"](tmp_path / "data")
    normalize("labelme", tmp_path / "data", tmp_path / "out", **CUT)
    assert not verify(tmp_path / "out").counts


def test_what_has_no_place_is_told_once_a_tile_however_much_it_is() -> None:
    """A layer of a million features of which one in a hundred is bad, over a thousand tiles."""
    tiles = [{"tile_id": f"a__{x}_0", "width": 10, "height": 10} for x in (0, 10)]
    places = [Window(0, 0, 10, 10), Window(10, 0, 10, 10)]
    box = np.array([[12.0, 2], [14, 2], [14, 5], [12, 5]])
    given = [("set aside", None), ("ignored", box), ("set aside", None), ("ignored", box)]
    rows = uncertain_rows(tiles, given, places)
    whole = [0.0, 0, 10, 0, 10, 10, 0, 10]
    moved = [2.0, 2, 4, 2, 4, 5, 2, 5]
    assert [(r["tile_id"], r["reason"], r["outline"]) for r in rows] == [
        ("a__0_0", "set aside", whole), ("a__10_0", "set aside", whole),
        ("a__10_0", "ignored", moved), ("a__10_0", "ignored", moved),
    ]  # fmt: skip
    assert uncertain_rows(tiles, [], places) == []
