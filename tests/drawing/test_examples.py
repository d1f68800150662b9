from __future__ import annotations

from samrs.core.shards import read_table
from samrs.drawing.examples import example_tiles, worst_instances
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


def test_worst_are_those_of_the_lowest_quality_once_each(tmp_path):
    bad = {"predicted_iou": 0.2, "stability_score": 0.1, "box_iou": 0.1, "outside": 0.9}
    things = [
        Thing("a__0_0", "ship", BOX, "good"),
        Thing("a__0_0", "ship", BOX, "bad", scores=bad),
        Thing("b__0_0", "ship", BOX, "bad", scores={**bad, "components": 9}),
    ]
    out = write_release(tmp_path, "sota", ["a__0_0", "b__0_0"], things)
    worst = worst_instances(out, 9)
    assert list(worst["instance_id"]) == ["bad", "good"]
    every = read_table(out, "instances", ["quality"])["quality"].to_pylist()
    assert list(worst["quality"]) == [min(every), max(every)]
    assert len(worst_instances(out, 1)) == 1


def test_release_without_instances_has_no_examples_and_no_worst(tmp_path):
    out = write_release(tmp_path, "sota", ["a__0_0"], [])
    assert example_tiles(out, 6) == []
    assert len(worst_instances(out, 16)) == 0
