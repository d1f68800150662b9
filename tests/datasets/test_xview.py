"""xView: boxes in px of the chip, class ids without a name, images without labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.core.errors import AnnotationError
from samrs.datasets.xview import read as xview
from tests.datasets import by_hand
from tests.datasets.by_hand import write_image, write_text, xview_feature
from tests.datasets.reading import boxes, details, read

FILE = "xView_train.geojson"


def test_bounds_are_left_top_right_bottom(tmp_path: Path) -> None:
    by_hand.xview(tmp_path, xview_feature("a.tif", "20,5,30,25", 94))
    (first, second), quarantine = read("xview", tmp_path)
    assert boxes(first) == [("Small Car", [4, 4, 14, 10]), ("Tower", [20, 5, 30, 25])]
    assert boxes(second) == [("Building", [4, 4, 14, 10])]
    assert [a.source_line for a in first.annotations] == [1, 3]
    assert [a.ordinal for a in first.annotations] == [0, 1]
    assert (first.scene_id, first.split, first.gsd) == ("train_images_a", "train", 0.3)
    assert quarantine.rows == []


@pytest.mark.parametrize(
    ("bounds", "type_id", "reason", "said"),
    [
        ("4,4,14,10", 75, "unknown class", "75 and 82 have no name"),
        ("4,4,14,10", 82, "unknown class", "75 and 82 have no name"),
        ("4,4,14,10", 14, "unknown class", "got type_id 14; the 60 ids"),
        ("4,4,14,10", "18", "unknown class", "got type_id 18"),
        ([], 18, "does not parse", "bounds_imcoords does not parse, got '[]'"),
        ("4,4,14", 18, "does not parse", "bounds_imcoords does not parse"),
        ("4,4,14,x", 18, "does not parse", "not a number"),
        (None, 18, "does not parse", "got 'None'"),
    ],
)
def test_bad_features_are_set_aside(
    tmp_path: Path, bounds: object, type_id: object, reason: str, said: str
) -> None:
    by_hand.xview(tmp_path, xview_feature("a.tif", bounds, type_id))
    (first, _), quarantine = read("xview", tmp_path)
    assert len(first.annotations) == 1
    (row,) = quarantine.rows
    assert (row["source_file"], row["source_line"], row["reason"]) == (FILE, 3, reason)
    assert said in str(row["detail"])


def test_features_of_images_that_are_not_there_are_listed(tmp_path: Path) -> None:
    gone = [xview_feature("1395.tif"), xview_feature("../../etc/passwd"), 7]
    by_hand.xview(tmp_path, *gone)
    scenes, quarantine = read("xview", tmp_path)
    assert len(scenes) == 2
    assert quarantine.counts() == {"annotation without image": 3}
    assert "got image_id '1395.tif'" in details(quarantine)


def test_images_without_a_feature_are_no_negatives(tmp_path: Path) -> None:
    by_hand.xview(tmp_path)
    write_image(tmp_path / "train_images/c.tif")
    for name in ("d", "e"):
        write_image(tmp_path / f"val_images/{name}.tif")
    scenes, quarantine = read("xview", tmp_path)
    assert [s.scene_id for s in scenes] == ["train_images_a", "train_images_b"]
    found = [(row["source_file"], row["reason"]) for row in quarantine.rows]
    assert found == [
        ("train_images/c.tif", "image without annotation"),
        ("val_images", "folder without labels"),
    ]
    assert "none of its 2 images" in details(quarantine)


def test_an_image_of_two_files_is_told(tmp_path: Path) -> None:
    by_hand.xview(tmp_path)
    write_text(tmp_path / "z.geojson", (tmp_path / FILE).read_text())
    scenes, quarantine = read("xview", tmp_path)
    assert [len(s.annotations) for s in scenes] == [1, 1]
    assert quarantine.counts() == {"image in two files": 2}


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    by_hand.xview(tmp_path)
    write_text(tmp_path / FILE, '{"type": "Feature"}')
    with pytest.raises(AnnotationError, match=r"xView_train\.geojson:1: .*a list features"):
        read("xview", tmp_path)


def test_the_publishers_sixty_classes() -> None:
    assert len(xview.CATEGORIES) == 60
    assert xview.CATEGORIES[0] == "Fixed-wing Aircraft"
    assert "Passenger/Cargo Plane" in xview.CATEGORIES
