"""Scenes are reproducible, and masks, boxes, rotated boxes and land cover tell the same story."""

import time

import cv2
import numpy as np
import pytest

from samrs.scenes.render import THEMES, render_scene
from samrs.scenes.scene import KINDS, LAND_COVERS, Scene, SceneObject

SIZE = (200, 256)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """One scene of each theme."""
    return [render_scene(11 + k, size_hw=SIZE, theme=name) for k, name in enumerate(THEMES)]


def _inside_obb(instance: SceneObject, margin: float) -> np.ndarray:
    """For each mask pixel, whether its centre lies in the rotated box grown by `margin` px."""
    ys, xs = np.nonzero(instance.mask)
    points = np.stack([xs + instance.box[0] + 0.5, ys + instance.box[1] + 0.5], 1)
    front_left, front_right, _, back_left = instance.obb
    inside = np.ones(len(points), bool)
    for start, end in ((front_left, front_right), (front_left, back_left)):
        length = np.linalg.norm(end - start)
        along = (points - start) @ (end - start) / max(length, 1e-9)
        inside &= (along >= -margin) & (along <= length + margin)
    return inside


def test_same_seed_gives_same_bytes_and_another_seed_does_not() -> None:
    first, again = (render_scene(5, size_hw=(128, 96)) for _ in range(2))
    other = render_scene(6, size_hw=(128, 96))
    assert first.image.tobytes() == again.image.tobytes()
    assert first.land_cover.tobytes() == again.land_cover.tobytes()
    assert [o.mask.tobytes() for o in first.objects] == [o.mask.tobytes() for o in again.objects]
    assert [o.obb.tobytes() for o in first.objects] == [o.obb.tobytes() for o in again.objects]
    assert first.image.tobytes() != other.image.tobytes()


def test_bytes_do_not_depend_on_the_number_of_opencv_threads() -> None:
    threads = cv2.getNumThreads()
    try:
        images = []
        for count in (1, 2):
            cv2.setNumThreads(count)
            images.append(render_scene(3, size_hw=(160, 160), theme="sports").image.tobytes())
    finally:
        cv2.setNumThreads(threads)
    assert images[0] == images[1]


def test_every_theme_has_the_promised_types(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert scene.image.shape == (*SIZE, 3)
        assert scene.image.dtype == np.uint8
        assert scene.land_cover.shape == SIZE
        assert scene.land_cover.dtype == np.uint8
        assert scene.land_cover.max() < len(LAND_COVERS)
        assert scene.gsd > 0
        for instance in scene.objects:
            assert instance.kind in KINDS
            assert instance.obb.shape == (4, 2)
            assert instance.obb.dtype == np.float64
            assert instance.mask.dtype == bool


def test_masks_fill_their_boxes_and_lie_in_the_image(scenes: list[Scene]) -> None:
    for scene in scenes:
        for instance in scene.objects:
            x0, y0, x1, y1 = instance.box
            assert 0 <= x0 < x1 <= SIZE[1]
            assert 0 <= y0 < y1 <= SIZE[0]
            assert instance.mask.shape == (y1 - y0, x1 - x0)
            assert instance.mask[0].any()
            assert instance.mask[-1].any()
            assert instance.mask[:, 0].any()
            assert instance.mask[:, -1].any()
            assert instance.mask.sum() >= 12


def test_obb_contains_the_mask_and_runs_clockwise(scenes: list[Scene]) -> None:
    for scene in scenes:
        for instance in scene.objects:
            assert _inside_obb(instance, 1.0).all(), instance.kind
            a, b, c, _ = instance.obb
            assert np.cross(b - a, c - b) > 0


def test_masks_overlap_only_with_what_stands_on_them(scenes: list[Scene]) -> None:
    parents = {"harbor", "bridge", "roundabout", "track_field"}
    for scene in scenes:
        owner = np.full(SIZE, -1)
        for number, instance in enumerate(scene.objects):
            x0, y0, x1, y1 = instance.box
            under = np.unique(owner[y0:y1, x0:x1][instance.mask])
            assert {scene.objects[k].kind for k in under if k >= 0} <= parents
            owner[y0:y1, x0:x1][instance.mask] = number


@pytest.mark.parametrize(
    ("kind", "cover"),
    [("building", "building"), ("tree", "tree"), ("small_vehicle", "car"), ("ship", "clutter")],
)
def test_land_cover_agrees_with_visible_objects(scenes: list[Scene], kind: str, cover: str) -> None:
    found = 0
    for scene in scenes:
        for instance in scene.objects:
            if instance.kind == kind:
                x0, y0, x1, y1 = instance.box
                seen = scene.land_cover[y0:y1, x0:x1][instance.mask]
                assert (seen == LAND_COVERS.index(cover)).all()
                found += 1
    assert found


def test_only_wanted_kinds_become_objects() -> None:
    for theme in THEMES:
        scene = render_scene(2, size_hw=(160, 160), kinds=("ship", "plane"), theme=theme)
        assert {o.kind for o in scene.objects} <= {"ship", "plane"}
    assert render_scene(4, size_hw=(96, 96), kinds=()).objects == ()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_had_alone(kind: str) -> None:
    theme = next(name for name, (*_, good_for) in THEMES.items() if kind in good_for)
    gsd = 0.8 * THEMES[theme][1][1]
    for seed in range(20):
        scene = render_scene(seed, size_hw=(200, 200), kinds=(kind,), gsd=gsd, theme=theme)
        if scene.objects:
            break
    assert {o.kind for o in scene.objects} == {kind}


def test_rivers_have_bridges_where_bridges_are_wanted() -> None:
    seen = 0
    for seed in range(6):
        scene = render_scene(seed, size_hw=SIZE, theme="river", kinds=("bridge",), gsd=0.6)
        seen += len(scene.objects)
    assert seen >= 4


def test_vehicles_drive_on_streets() -> None:
    kinds = ("small_vehicle", "large_vehicle")
    scenes = [render_scene(k, size_hw=SIZE, theme="city", gsd=0.5, kinds=kinds) for k in range(3)]
    assert {o.kind for scene in scenes for o in scene.objects} == set(kinds)


def test_vehicles_of_8_px_occur() -> None:
    scene = render_scene(0, size_hw=SIZE, theme="parking_lot", gsd=0.5, kinds=("small_vehicle",))
    sides = [max(o.box[2] - o.box[0], o.box[3] - o.box[1]) for o in scene.objects]
    assert 4 <= min(sides) <= 8


def test_a_scene_is_quick_enough_to_train_on() -> None:
    render_scene(0, size_hw=(64, 64))
    start = time.process_time()
    for seed in range(4):
        render_scene(seed, size_hw=(256, 256))
    assert (time.process_time() - start) / 4 < 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"kinds": ("plane", "boat")},
            r"render_scene: unknown kind, got 'boat'; allowed are plane",
        ),
        ({"theme": "moon"}, r"render_scene: unknown theme, got 'moon'; allowed are airport"),
    ],
)
def test_unknown_names_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_scene(0, size_hw=(64, 64), **arguments)  # type: ignore[arg-type]
