"""Properties of whole scenes cut to tiles: any boxes, any cut."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samrs.core.geometry import clip_hbb, hbb_area, polygon_to_hbb, rotated_box_to_polygon
from samrs.core.records import Annotation, SceneRecord
from samrs.normalize.scene_rows import Cut, Scene, make_scene
from tests.datasets.by_hand import image, write_image

SIZE_WH = (97, 61)


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the image of a scene."""
    root = tmp_path_factory.mktemp("scene")
    write_image(root / "a.png", image(0, *SIZE_WH))
    return root


numbers = st.floats(-40, 130, allow_nan=False)
sides = st.floats(0.01, 80, allow_nan=False)
turned = st.builds(
    rotated_box_to_polygon, numbers, numbers, sides, sides, st.floats(-3.2, 3.2, allow_nan=False)
)
cuts = st.builds(
    Cut,
    tile=st.none() | st.integers(9, 120),
    overlap=st.integers(0, 8),
    min_visible=st.floats(0, 1),
    clip=st.booleans(),
    pad=st.booleans(),
    keep_difficult=st.just(True),
    stretch=st.just(2.0),
    categories=st.just(("ship",)),
)


def cut_scene(folder: Path, obbs: list[np.ndarray], cut: Cut, pool: ThreadPoolExecutor) -> Scene:
    annotations = tuple(
        Annotation(
            category="ship",
            hbb=polygon_to_hbb(obb),
            obb=obb,
            source_file="a.txt",
            ordinal=i,
            source_line=i + 1,
        )
        for i, obb in enumerate(obbs)
    )
    record = SceneRecord(scene_id="a", split="all", image=folder / "a.png", annotations=annotations)
    return make_scene(record, source=folder, folder=folder, cut=cut, pool=pool)


@given(obbs=st.lists(turned, max_size=6), cut=cuts)
def test_any_boxes_in_any_cut(
    folder: Path, pool: ThreadPoolExecutor, obbs: list[np.ndarray], cut: Cut
) -> None:
    scene = cut_scene(folder, obbs, cut, pool)
    tiles = {row["tile_id"]: row for row in scene.rows["tiles"]}

    seen = np.zeros(SIZE_WH[::-1], bool)
    for row in tiles.values():
        seen[row["y0"] : row["y0"] + row["height"], row["x0"] : row["x0"] + row["width"]] = True
    assert seen.all(), "tiles cover the scene"

    listed = defaultdict(list)
    for row in scene.instances or ():
        listed[row["source_line"] - 1].append(row)
    bad = [int(str(row["source_line"])) - 1 for row in scene.quarantine.rows]
    assert sorted([*listed, *bad]) == list(range(len(obbs))), "none lost, none invented"
    assert all(hbb_area(clip_hbb(polygon_to_hbb(obbs[i]), SIZE_WH)) <= 0 for i in bad)

    for i, found in listed.items():
        hbb = polygon_to_hbb(obbs[i])
        assert {row["instance_id"] for row in found} == {f"a#{i}"}, "one id across tiles"
        assert len({row["tile_id"] for row in found}) == len(found)
        for row in found:
            tile = tiles[row["tile_id"]]
            offset = np.array([tile["x0"], tile["y0"]] * 4)
            assert np.abs(row["hbb_annotated"] + offset[:4] - hbb).max() < 1e-6
            assert np.abs(row["obb"] + offset - obbs[i].ravel()).max() < 1e-6
            assert np.abs(polygon_to_hbb(row["obb"]) - row["hbb_annotated"]).max() < 1e-6
            shown = [min(tile["width"], SIZE_WH[0]), min(tile["height"], SIZE_WH[1])]
            inside = clip_hbb(row["hbb_annotated"], shown)
            assert row["hbb"] == (inside.tolist() if cut.clip else row["hbb_annotated"])
            share = hbb_area(inside) / hbb_area(hbb)
            assert row["visible"] == pytest.approx(share, rel=1e-6, abs=1e-9)
        best = max(row["visible"] for row in found)
        assert all(row["visible"] >= min(cut.min_visible, best) for row in found)
