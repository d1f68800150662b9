from __future__ import annotations

from samrs.drawing.examples import example_tiles
from tests.products_by_hand import Thing
from tests.report.releases import write_release

BOX = (0, 0, 9, 9)


def test_examples_show_new_classes_and_many_instances_first(tmp_path):
    things = [
        *[Thing("a__0_0", "ship", BOX)] * 3,
        *[Thing("b__0_0", category, BOX) for category in ("ship", "plane", "harbor")],
        Thing("c__0_0", "ship", BOX),
    ]
    out = write_release(tmp_path, "sota", ["a__0_0", "b__0_0", "c__0_0", "d__0_0"], things)
    assert example_tiles(out, 6) == ["b__0_0", "a__0_0", "c__0_0"]
    assert example_tiles(out, 1) == ["b__0_0"]


def test_examples_take_one_tile_of_a_scene(tmp_path):
    tiles = ["a__0_0", "a__50_0", "b__0_0"]
    things = [Thing("a__0_0", "ship", BOX), *[Thing("a__50_0", "ship", BOX)] * 2]
    things.append(Thing("b__0_0", "ship", BOX))
    out = write_release(tmp_path, "sota", tiles, things)
    assert example_tiles(out, 6) == ["a__50_0", "b__0_0"]


def test_release_without_instances_has_no_examples(tmp_path):
    out = write_release(tmp_path, "sota", ["a__0_0"], [])
    assert example_tiles(out, 6) == []
