"""The painter's rules: exact masks, nothing annotated is lost, ground stays under objects."""

import numpy as np
import pytest

from samrs.scenes import ground, structures
from samrs.scenes.raster import label_raster
from samrs.scenes.sprite import Part, Sprite, box, ellipse
from samrs.scenes.world import World

KINDS = frozenset({"ship", "harbor", "storage_tank"})


def _world(gsd: float = 1.0) -> World:
    world = World(np.random.default_rng(0), (100, 120), gsd, KINDS)
    world.lean_m = np.zeros(2)
    ground.cover_all(world, "water")
    return world


def _plate(kind: str, length: float, width: float) -> Sprite:
    return Sprite(kind, [Part(box(length, width), (1, 0, 0))], casts=False)


def test_a_10_by_6_rectangle_has_60_pixels() -> None:
    corners = np.array([[5.0, 4], [15, 4], [15, 10], [5, 10]])
    assert label_raster([corners], 20, 20).sum() == 60
    world = _world()
    world.paint(_plate("ship", 10, 6), np.array([50.0, 40]), 0.0)
    (instance,) = world.objects()
    assert instance.mask.sum() == 60
    assert instance.box == (45, 37, 55, 43)


@pytest.mark.parametrize("heading", [0.0, 0.7, np.pi / 2, 4.0])
def test_obb_starts_front_left_and_has_the_metric_size(heading: float) -> None:
    world = _world(gsd=0.5)
    world.paint(_plate("ship", 20, 8), np.array([30.0, 25]), heading)
    (instance,) = world.objects()
    ahead = np.array([np.cos(heading), np.sin(heading)])
    right = np.array([-np.sin(heading), np.cos(heading)])
    centre = np.array([60.0, 50])
    expected = [(20, -8), (20, 8), (-20, 8), (-20, -8)]
    for corner, (x, y) in zip(instance.obb, expected, strict=True):
        assert corner == pytest.approx(centre + x * ahead + y * right)
    assert (instance.length_m, instance.width_m) == (20, 8)
    assert instance.mask.sum() == pytest.approx(40 * 16, rel=0.02)


def test_a_tank_seen_from_straight_above_has_the_area_of_its_disc() -> None:
    world = _world()
    world.paint(structures.tank(world, radius=20.0), np.array([50.0, 50]), 0.0)
    (instance,) = world.objects()
    assert instance.mask.sum() == pytest.approx(np.pi * 400, rel=0.01)


def test_the_side_wall_of_a_leaning_tank_belongs_to_it() -> None:
    world = _world()
    world.lean_m = np.array([0.5, 0.0])
    tank = Sprite("storage_tank", [Part(ellipse(10, 10), (1, 1, 1), 20, wall=(1, 1, 1))])
    world.paint(tank, np.array([50.0, 50]), 0.0)
    (instance,) = world.objects()
    assert instance.box[2] - instance.box[0] == 30
    assert instance.mask.sum() == pytest.approx(np.pi * 100 + 10 * 20, rel=0.02)


def test_what_hides_most_of_an_annotated_object_is_not_painted() -> None:
    world = _world()
    world.paint(_plate("ship", 10, 6), np.array([50.0, 40]), 0.0)
    assert world.paint(_plate("tree", 30, 30), np.array([50.0, 40]), 0.0) == 0
    assert world.paint(_plate("tree", 30, 30), np.array([68.0, 40]), 0.0) > 0
    (instance,) = world.objects()
    assert instance.mask.sum() == 8 * 6


def test_what_reaches_in_by_less_than_a_third_is_not_painted() -> None:
    world = _world()
    before = world.image.copy()
    assert world.paint(_plate("ship", 20, 6), np.array([-5.0, 40]), 0.0) == 0
    assert np.array_equal(world.image, before)
    assert world.paint(_plate("ship", 20, 6), np.array([1.0, 40]), 0.0) > 0


def test_a_harbor_keeps_the_pixels_of_its_boats() -> None:
    world = _world()
    number = world.paint(_plate("harbor", 60, 30), np.array([60.0, 50]), 0.0)
    world.paint(_plate("ship", 10, 6), np.array([60.0, 50]), 0.0, parent=number)
    harbor, ship = world.objects()
    assert harbor.mask.sum() == 1800
    assert ship.mask.sum() == 60


def test_ground_is_painted_under_objects_never_over_them() -> None:
    world = _world()
    world.paint(_plate("ship", 10, 6), np.array([50.0, 40]), 0.0)
    before = world.image[37:43, 45:55].copy()
    ground.lay(world, np.array([[0.0, 0], [120, 0], [120, 100], [0, 100]]), "sand")
    ground.marks(world, np.array([[0.0, 40], [120, 40]]), 3.0, (1, 1, 1))
    assert np.array_equal(world.image[37:43, 45:55], before)
