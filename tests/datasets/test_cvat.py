"""CVAT for images: kinds of shapes, groups, subsets, files of jobs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samrs.core.errors import AnnotationError
from samrs.core.rle import rle_area, rle_to_mask
from samrs.datasets.cvat import read as cvat
from tests.datasets import by_hand
from tests.datasets.by_hand import HEIGHT, WIDTH, cvat_image, write_image, write_text
from tests.datasets.reading import boxes, details, only, read

BOX = '<box label="ship" xtl="4" ytl="4" xbr="14" ybr="10" occluded="0"/>'
POLYGON = '<polygon label="ship" points="4.0,4.0;14.0,4.0;14.0,10.0;4.0,10.0" occluded="0"/>'


def shapes(root: Path, text: str) -> None:
    by_hand.cvat(root, cvat_image("a.jpg", text), cvat_image("b.jpg"))


def test_a_box_is_half_open(tmp_path: Path) -> None:
    shapes(tmp_path, BOX)
    (first, second), quarantine = read("cvat", tmp_path)
    (ship,) = first.annotations
    assert boxes(first) == [("ship", [4, 4, 14, 10])]
    assert (ship.obb, ship.truth) == (None, None)
    assert (first.scene_id, first.split, first.declared_wh) == ("a", "all", (WIDTH, HEIGHT))
    assert second.annotations == ()
    assert quarantine.rows == []


def test_a_rotation_turns_clockwise_about_the_centre(tmp_path: Path) -> None:
    shapes(tmp_path, BOX.replace("/>", ' rotation="90"/>') + BOX.replace("/>", ' rotation="30"/>'))
    quarter, turned = read("cvat", tmp_path)[0][0].annotations
    assert np.allclose(quarter.hbb, [6, 2, 12, 12])
    assert turned.obb is not None
    # the middle of the right side goes down on screen
    right = turned.obb[1:3].mean(axis=0)
    assert np.allclose(right, [9 + 5 * np.cos(np.pi / 6), 7 + 5 * np.sin(np.pi / 6)])
    assert np.allclose(turned.hbb[:2], turned.obb.min(axis=0))


@pytest.mark.parametrize("degrees", ["0", "0.0", "360", "-360"])
def test_no_rotation_is_none(tmp_path: Path, degrees: str) -> None:
    shapes(tmp_path, BOX.replace("/>", f' rotation="{degrees}"/>'))
    assert only(read("cvat", tmp_path)[0]).obb is None


def test_a_polygon_is_a_true_mask(tmp_path: Path) -> None:
    shapes(tmp_path, POLYGON)
    ship = only(read("cvat", tmp_path)[0])
    assert ship.truth is not None
    assert (rle_area(ship.truth), ship.truth["size"]) == (60, [HEIGHT, WIDTH])
    assert ship.hbb.tolist() == [4, 4, 14, 10]


def mask(runs: str, place: tuple[int, int, int, int]) -> str:
    left, top, width, height = place
    at = f'left="{left}" top="{top}" width="{width}" height="{height}"'
    return f'<mask label="ship" source="manual" occluded="0" rle="{runs}" {at} z_order="0"></mask>'


def test_a_mask_is_row_by_row_in_its_box_background_first(tmp_path: Path) -> None:
    shapes(tmp_path, mask("1, 1, 1, 3", (37, 28, 3, 2)))
    ship = only(read("cvat", tmp_path)[0])
    assert ship.hbb.tolist() == [37, 28, 40, 30]
    assert ship.truth is not None
    whole = rle_to_mask(ship.truth)
    assert whole[28:, 37:].tolist() == [[False, True, False], [True, True, True]]
    assert whole.sum() == 4


def test_a_mask_may_begin_with_no_background(tmp_path: Path) -> None:
    shapes(tmp_path, mask("0, 6", (0, 0, 3, 2)))
    truth = only(read("cvat", tmp_path)[0]).truth
    assert truth is not None
    assert rle_to_mask(truth)[:2, :3].all()
    assert rle_area(truth) == 6


@pytest.mark.parametrize(
    "runs", ["1, 1", "", "a", "-1, 7", "1, 1, 1, 3, 1", "9" * 30, "0, 6, 0, 4611686018427387904"]
)
def test_a_bad_mask_never_costs_the_box(tmp_path: Path, runs: str) -> None:
    shapes(tmp_path, mask(runs, (4, 4, 3, 2)))
    scenes, quarantine = read("cvat", tmp_path)
    assert boxes(scenes[0]) == [("ship", [4, 4, 7, 6])]
    assert only(scenes).truth is None
    assert quarantine.counts() == {"true mask does not parse": 1}


def test_a_mask_larger_than_its_image_is_not_unpacked(tmp_path: Path) -> None:
    shapes(tmp_path, mask("0, 90000000000", (0, 0, 300000, 300000)))
    _, quarantine = read("cvat", tmp_path)
    assert "a mask of 300000 x 300000 px in an image" in details(quarantine)


def test_shapes_of_one_label_and_group_are_one_object(tmp_path: Path) -> None:
    part = POLYGON.replace("/>", ' group_id="3"/>')
    other = part.replace("4.0,", "20.0,").replace("14.0,", "24.0,")
    shapes(tmp_path, part + BOX + other + part.replace("ship", "quay"))
    found = read("cvat", tmp_path)[0][0].annotations
    assert [(a.category, a.ordinal) for a in found] == [("ship", 0), ("ship", 1), ("quay", 3)]
    assert found[0].truth is not None
    assert found[0].hbb[2] > 20


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ('<polyline label="ship" points="1,1;9,9"/>', "no box, got <polyline>"),
        ('<points label="ship" points="1,1"/>', "no box, got <points>"),
        ('<ellipse label="ship" cx="9" cy="9" rx="3" ry="2"/>', "no box, got <ellipse>"),
        ('<skeleton label="ship"><points label="1"/></skeleton>', "no box, got <skeleton>"),
        (BOX.replace("/>", ' outside="1"/>'), "marked outside"),
        (BOX.replace('"ship"', '" "'), "a shape without label"),
        (BOX.replace('"4"', '"x"', 1), "shape 1, xtl: not a number"),
        (BOX.replace(' xtl="4"', ""), "shape 1, xtl: not a number"),
        ('<polygon label="ship" points="1,1;9,9"/>', "points do not parse"),
        ('<polygon label="ship" points="1,1;9,9;3"/>', "points do not parse"),
    ],
)
def test_shapes_that_are_no_boxes_are_set_aside(tmp_path: Path, shape: str, said: str) -> None:
    shapes(tmp_path, shape + BOX)
    scenes, quarantine = read("cvat", tmp_path)
    assert only(scenes).ordinal == 1
    (row,) = quarantine.rows
    assert (row["source_file"], row["source_line"]) == ("annotations.xml", 1)
    assert said in str(row["detail"])


def test_tags_are_of_the_image_and_classes_those_of_shapes(tmp_path: Path) -> None:
    shapes(tmp_path, '<tag label="cloudy"/>' + BOX + '<points label="bow" points="1,1"/>')
    scenes, quarantine = read("cvat", tmp_path)
    assert only(scenes).source_line == 1
    assert cvat.categories(tmp_path) == ("ship",)
    assert quarantine.counts() == {"does not parse": 1}


def test_an_attribute_makes_difficult(tmp_path: Path) -> None:
    told = '<attribute name="difficult">{}</attribute></box>'
    both = [BOX.replace("/>", ">") + told.format(word) for word in ("true", "false")]
    shapes(tmp_path, "".join(both))
    found = read("cvat", tmp_path)[0][0].annotations
    assert [a.difficult for a in found] == [True, False]


def test_subsets_and_folders_tell_the_split(tmp_path: Path) -> None:
    for folder in ("Train", "Validation"):
        write_image(tmp_path / f"images/{folder}/a.jpg")
    listed = [cvat_image("a.jpg", BOX, f'subset="{s}"') for s in ("Train", "Validation")]
    text = f"<annotations>{''.join(listed)}</annotations>"
    write_text(tmp_path / "annotations.xml", text)
    scenes, quarantine = read("cvat", tmp_path)
    assert [(s.scene_id, s.split) for s in scenes] == [
        ("Train_a", "train"),
        ("Validation_a", "val"),
    ]
    assert quarantine.rows == []


def test_an_image_that_several_jobs_list_counts_where_it_has_shapes(tmp_path: Path) -> None:
    by_hand.cvat(tmp_path, cvat_image("a.jpg"), cvat_image("b.jpg", BOX))
    (tmp_path / "job_1").mkdir()
    (tmp_path / "annotations.xml").rename(tmp_path / "job_1/annotations.xml")
    by_hand.cvat(tmp_path / "job_2", cvat_image("a.jpg", BOX), cvat_image("b.jpg"))
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "job_2/images" / name).unlink()
    scenes, quarantine = read("cvat", tmp_path)
    found = [(s.scene_id, [a.source_file for a in s.annotations]) for s in scenes]
    assert found == [("a", ["job_2/annotations.xml"]), ("b", ["job_1/annotations.xml"])]
    assert quarantine.rows == []


def test_images_and_entries_without_partner_are_listed(tmp_path: Path) -> None:
    by_hand.cvat(tmp_path, cvat_image("a.jpg", BOX), cvat_image("../../x.jpg", BOX))
    scenes, quarantine = read("cvat", tmp_path)
    assert [s.scene_id for s in scenes] == ["a"]
    assert quarantine.counts() == {"annotation without image": 1, "image without annotation": 1}
    assert "'../../x.jpg' with 1 shapes" in details(quarantine)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<annotations><track/></annotations>", "a file of a video, got <track>"),
        ("<annotation/>", "got <annotation>; <annotations> as the outermost"),
        ("<annotations>", "not well-formed XML"),
    ],
)
def test_files_of_other_kinds_are_refused(tmp_path: Path, text: str, said: str) -> None:
    by_hand.cvat(tmp_path)
    write_text(tmp_path / "annotations.xml", text)
    with pytest.raises(AnnotationError, match=said):
        read("cvat", tmp_path)
