"""Ultralytics' YOLO format: boxes and rotated boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samrs.core.errors import AnnotationError, MissingInputError
from samrs.core.records import Quarantine, SceneRecord
from samrs.core.rle import rle_area
from samrs.datasets.yolo import read as yolo
from tests.datasets import by_hand
from tests.datasets.by_hand import HEIGHT, WIDTH, write_text

LABEL = "labels/train/a.txt"


def read(root: Path) -> tuple[list[SceneRecord], Quarantine]:
    quarantine = Quarantine()
    return list(yolo.read_scenes(root, quarantine)), quarantine


def test_a_box_is_shares_of_the_image(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    (first, second), quarantine = read(tmp_path)
    (ship,) = first.annotations
    assert (first.scene_id, first.split) == ("train_a", "train")
    assert (ship.category, ship.obb, ship.source_line) == ("ship", None, 1)
    assert np.allclose(ship.hbb, [4, 4, 14, 10])
    assert not second.annotations
    assert quarantine.rows == []


def test_eight_numbers_are_the_corners_of_a_rotated_box(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    corners = np.array([[4, 9], [9, 4], [14, 9], [9, 14]])
    text = " ".join(f"{v:.9f}" for v in (corners / (WIDTH, HEIGHT)).ravel())
    write_text(tmp_path / LABEL, f"0 {text}\n")
    (plane,) = read(tmp_path)[0][0].annotations
    assert plane.category == "plane"
    assert plane.obb is not None
    assert np.allclose(sorted(plane.obb.tolist()), sorted(corners.tolist()), atol=1e-5)
    assert np.allclose(plane.hbb, [4, 4, 14, 14], atol=1e-5)


def test_roboflows_layout_has_the_splits_first(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path / "in")
    for split, folder in (("train", "train"), ("val", "valid")):
        (tmp_path / folder).mkdir()
        (tmp_path / "in/images" / split).rename(tmp_path / folder / "images")
    (tmp_path / "in/labels/train").rename(tmp_path / "train/labels")
    write_text(tmp_path / "data.yaml", "train: ../train/images\nnc: 2\nnames: ['plane', 'ship']\n")
    write_text(tmp_path / "valid/labels/z.txt", "0 0.5 0.5 0.1 0.1\n")
    (first, second), quarantine = read(tmp_path)
    assert (first.scene_id, first.split, second.scene_id) == ("train_a", "train", "val_b")
    assert np.allclose(first.annotations[0].hbb, [4, 4, 14, 10])
    assert first.annotations[0].source_file == "train/labels/a.txt"
    assert (second.split, second.annotations) == ("val", ())
    assert [row["source_file"] for row in quarantine.rows] == ["valid/labels/z.txt"]


@pytest.mark.parametrize("names", ["names: [plane, ship]", "names:\n  0: plane\n  1: ship"])
def test_names_are_a_list_or_a_map(tmp_path: Path, names: str) -> None:
    by_hand.yolo(tmp_path)
    write_text(tmp_path / "data.yaml", names)
    assert yolo.categories(tmp_path) == ("plane", "ship")


def test_names_are_what_their_owner_wrote(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    write_text(tmp_path / "data.yaml", "names: [yes, no, 01, 1e3, true, null, 12:30]\n")
    assert yolo.categories(tmp_path) == ("yes", "no", "01", "1e3", "true", "null", "12:30")
    write_text(tmp_path / "data.yaml", "names: {00: off, '1': on, 2: 3.0}\n")
    assert yolo.categories(tmp_path) == ("off", "on", "3.0")


def test_names_may_stand_in_a_text_file(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    write_text(tmp_path / "classes.txt", "plane\nship\n")
    assert yolo.categories(tmp_path) == ("plane", "ship")
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(MissingInputError, match=r"data\.yaml or classes\.txt"):
        yolo.categories(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: [", "not YAML"),
        ("train: images", "no class names, got names: None"),
        ("names:", "no class names, got names: ''"),
        ("names: [ship, '']", "no class names"),
        ("names: {0: ship, '0': boat}", "not YAML.+each number once"),
        ("names: {0: ship, 00: boat}", "no class names"),
        ("names: {0: plane, 2: ship}", "no class names"),
        ("names: [ship, ship]", "two classes share a name"),
        ("names: !!python/object/apply:os.system [ls]", "not YAML"),
    ],
)
def test_bad_names_are_refused(tmp_path: Path, text: str, said: str) -> None:
    by_hand.yolo(tmp_path)
    write_text(tmp_path / "data.yaml", text)
    with pytest.raises(AnnotationError, match=rf"data\.yaml:\d+: .*{said}"):
        yolo.categories(tmp_path)


@pytest.mark.parametrize(
    ("line", "reason", "said"),
    [
        ("1 0.5 0.5 0.1", "does not parse", "got 4 fields"),
        ("1 0.5 0.5 0.1 x", "does not parse", "not a number"),
        ("1 20 15 10 6", "does not parse", "not shares of the image"),
        ("2 0.5 0.5 0.1 0.1", "unknown class", "0 to 1 are allowed"),
        ("-1 0.5 0.5 0.1 0.1", "unknown class", "0 to 1 are allowed"),
        ("0.5 0.5 0.5 0.1 0.1", "unknown class", "0 to 1 are allowed"),
        ("nan 0.5 0.5 0.1 0.1", "does not parse", "not a number"),
    ],
)
def test_bad_lines_are_set_aside_with_their_number(
    tmp_path: Path, line: str, reason: str, said: str
) -> None:
    by_hand.yolo(tmp_path)
    write_text(tmp_path / LABEL, f"1 0.5 0.5 0.1 0.1\n{line}\n0 0.5 0.5 0.2 0.2\n")
    scenes, quarantine = read(tmp_path)
    assert [a.ordinal for a in scenes[0].annotations] == [0, 2]
    (row,) = quarantine.rows
    assert (row["source_file"], row["source_line"], row["reason"]) == (LABEL, 2, reason)
    assert said in str(row["detail"])


def test_labels_of_no_image_and_of_a_bad_one_are_counted(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    write_text(tmp_path / "labels/val/z.txt", "1 0.5 0.5 0.1 0.1\n")
    (tmp_path / "images/train/a.jpg").write_bytes(b"no image")
    scenes, quarantine = read(tmp_path)
    assert [len(scene.annotations) for scene in scenes] == [0, 0]
    assert sorted((row["source_file"], row["reason"]) for row in quarantine.rows) == [
        (LABEL, "annotation of a bad image"),
        ("labels/val/z.txt", "annotation without image"),
    ]


def test_suffix_of_labels_may_be_upper_case(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    (tmp_path / LABEL).rename(tmp_path / LABEL.replace(".txt", ".TXT"))
    (first, _), quarantine = read(tmp_path)
    assert len(first.annotations) == 1
    assert quarantine.rows == []


def test_images_of_formats_that_are_not_read_are_not_forgotten(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    (tmp_path / "images/train/c.webp").write_bytes(b"RIFF")
    assert "train_c" in [scene.scene_id for scene in read(tmp_path)[0]]


LINE = "0 0.5 0.5 0.2 0.2\n"


def layout(
    root: Path, said: str, files: dict[str, str | None]
) -> tuple[list[tuple[str, str, int]], Quarantine]:
    """(scene, split, boxes) of images and text files; None makes an image."""
    write_text(root / "data.yaml", said)
    for name, text in files.items():
        if text is None:
            by_hand.write_image(root / name)
        else:
            write_text(root / name, text)
    scenes, quarantine = read(root)
    return [(s.scene_id, s.split, len(s.annotations)) for s in scenes], quarantine


def pictures(*names: str) -> dict[str, str | None]:
    """Images with a box each, in the usual place."""
    labels = {n.replace("images/", "labels/", 1).replace(".jpg", ".txt"): LINE for n in names}
    return {**dict.fromkeys(names), **labels}


@pytest.mark.parametrize(
    ("said", "files", "found"),
    [
        pytest.param(
            "train: images/train\nval: images/val\n",
            pictures("images/train/s1/a.jpg", "images/train/s2/a.jpg", "images/val/s3/a.jpg"),
            [("train_s1_a", "train", 1), ("train_s2_a", "train", 1), ("val_s3_a", "val", 1)],
            id="folders below a listed one",
        ),
        pytest.param(
            "train: [images/f1, images/f2]\nval: [images/f3]\n",
            pictures("images/f1/a.jpg", "images/f2/a.jpg", "images/f3/a.jpg"),
            [("f1_a", "train", 1), ("f2_a", "train", 1), ("f3_a", "val", 1)],
            id="lists of folders",
        ),
        pytest.param(
            "path: .\ntrain: train.txt\nval: val.txt\n",
            pictures("images/a.jpg", "images/b.jpg")
            | {"train.txt": "./images/a.jpg\n", "val.txt": "/elsewhere/images/b.jpg\n"},
            [("a", "train", 1), ("b", "val", 1)],
            id="lists of images",
        ),
        pytest.param(
            "",
            pictures("images/train2017/a.jpg", "images/val2017/b.jpg", "images/latest/c.jpg"),
            [("latest_c", "latest", 1), ("train2017_a", "train", 1), ("val2017_b", "val", 1)],
            id="words in folders",
        ),
        pytest.param(
            "path: VisDrone\ntrain: VisDrone2019-DET-train/images\n"
            "test: VisDrone2019-DET-test-dev/images\n",
            {
                "VisDrone2019-DET-train/images/0.jpg": None,
                "VisDrone2019-DET-train/labels/0.txt": LINE,
                "VisDrone2019-DET-train/annotations/0.txt": "684,8,273,116,0,0,0,0\n",
                "VisDrone2019-DET-test-dev/images/2.jpg": None,
                "VisDrone2019-DET-test-dev/labels/2.txt": LINE,
            },
            [
                ("VisDrone2019-DET-test-dev_2", "test", 1),
                ("VisDrone2019-DET-train_0", "train", 1),
            ],
            id="VisDrone",
        ),
        pytest.param(
            "", {"images/a.jpg": None, "images/a.txt": LINE}, [("a", "all", 1)], id="Darknet"
        ),
        pytest.param(
            "", {"images/a.jpg": None, "Labels/a.txt": LINE}, [("a", "all", 1)], id="Labels"
        ),
        pytest.param(
            "train: images/s1/images\n",
            {"images/s1/images/a.jpg": None, "images/s1/labels/a.txt": LINE},
            [("a", "train", 1)],
            id="images within images",
        ),
        pytest.param(
            "",
            pictures("images/train/a.jpg") | {"labels/train_original/a.txt": "imagesource:x\n"},
            [("a", "train", 1)],
            id="labels of before a conversion",
        ),
        pytest.param(
            "",
            pictures("images/train/a.jpg")
            | {
                "images/train/.ipynb_checkpoints/a-checkpoint.jpg": None,
                "labels/train/._a.txt": "",
            },
            [("a", "train", 1)],
            id="leftovers",
        ),
    ],
)
def test_layouts_of_others(
    tmp_path: Path, said: str, files: dict[str, str | None], found: list[tuple[str, str, int]]
) -> None:
    scenes, quarantine = layout(tmp_path, f"names: [ship]\n{said}", files)
    assert scenes == found
    assert quarantine.rows == []


def test_links_to_folders_are_followed_and_loops_of_them_end(tmp_path: Path) -> None:
    write_text(tmp_path / "store/labels/a.txt", LINE)
    root = tmp_path / "set"
    by_hand.write_image(root / "images/train/a.jpg")
    (root / "labels").mkdir()
    (root / "labels/train").symlink_to(tmp_path / "store/labels")
    (root / "images/train/again").symlink_to(root / "images")
    scenes, quarantine = layout(root, "names: [ship]", {})
    assert scenes == [("a", "train", 1)]
    assert quarantine.rows == []


def test_a_folder_without_labels_holds_no_negatives(tmp_path: Path) -> None:
    files = pictures("images/train/a.jpg") | {"images/test/b.jpg": None, "images/test/c.jpg": None}
    scenes, quarantine = layout(tmp_path, "names: [ship]", files)
    assert scenes == [("train_a", "train", 1)]
    (row,) = quarantine.rows
    assert (row["source_file"], row["reason"]) == ("images/test", "folder without labels")
    assert "none of its 2 images" in str(row["detail"])


def test_a_set_without_any_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="without labels, got 1 images"):
        layout(tmp_path, "names: [ship]", {"images/train/a.jpg": None})


def test_lists_that_contradict_or_miss_are_told(tmp_path: Path) -> None:
    lists = {"train.txt": "images/a.jpg\nimages/gone.jpg\n", "val.txt": "images/a.jpg\n"}
    scenes, quarantine = layout(
        tmp_path,
        "names: [ship]\ntrain: train.txt\nval: val.txt\n",
        pictures("images/a.jpg", "images/b.jpg") | lists,
    )
    assert scenes == [("a", "train", 1)]
    assert quarantine.counts() == {
        "image in two splits": 1,
        "images of no split": 1,
        "listed image is missing": 1,
    }


def test_a_folder_that_is_train_and_val_is_told(tmp_path: Path) -> None:
    said = "names: [ship]\ntrain: images/train\nval: images/train\n"
    scenes, quarantine = layout(tmp_path, said, pictures("images/train/a.jpg"))
    assert scenes == [("a", "train", 1)]
    (row,) = quarantine.rows
    assert (row["source_file"], row["reason"]) == ("data.yaml", "folder in two splits")


def test_data_yaml_is_read_before_other_files(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    write_text(tmp_path / "args.yaml", "task: detect\nepochs: 3\n")
    write_text(tmp_path / "a.yaml", "names: [tank]\n")
    assert yolo.categories(tmp_path) == ("plane", "ship")
    (tmp_path / "data.yaml").rename(tmp_path / "set.yaml")
    (tmp_path / "a.yaml").unlink()
    assert yolo.categories(tmp_path) == ("plane", "ship")


def test_a_blank_line_among_the_classes_keeps_its_number(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    write_text(tmp_path / "classes.txt", "ship\n\nplane\ntank\n\n")
    assert yolo.categories(tmp_path) == ("ship", "class 1", "plane", "tank")


def test_keypoints_follow_the_box(tmp_path: Path) -> None:
    write_text(tmp_path / "labels/a.txt", "0 0.5 0.5 0.4 0.3 0.35 0.5 0.65 0.5\n")
    layout(tmp_path, "names: [ship]\nkpt_shape: [2, 2]\n", {"images/a.jpg": None})
    (scene,), _ = read(tmp_path)
    (ship,) = scene.annotations
    assert np.allclose(ship.hbb, [0.3 * WIDTH, 0.35 * HEIGHT, 0.7 * WIDTH, 0.65 * HEIGHT])
    assert (ship.obb, ship.truth) == (None, None)


def test_polygons_are_true_masks_and_their_hulls_the_boxes(tmp_path: Path) -> None:
    square = np.array([[4, 4], [14, 4], [14, 10], [4, 10]]) / (WIDTH, HEIGHT)
    triangle = square[:3]
    lines = ["0 " + " ".join(f"{v:.9f}" for v in points.ravel()) for points in (square, triangle)]
    files = {"images/a.jpg": None, "labels/a.txt": "\n".join(lines)}
    layout(tmp_path, "names: [ship]", files)
    (scene,), quarantine = read(tmp_path)
    first, second = scene.annotations
    assert first.obb is None
    assert np.allclose(first.hbb, [4, 4, 14, 10], atol=1e-5)
    assert rle_area(first.truth) == 60
    assert 25 <= rle_area(second.truth) <= 40
    assert quarantine.rows == []


def test_labels_may_be_named_by_the_whole_name_of_their_image(tmp_path: Path) -> None:
    files = {"images/a.jpg": None, "labels/a.jpg.txt": LINE}
    scenes, quarantine = layout(tmp_path, "names: [ship]", files)
    assert scenes == [("a", "all", 1)]
    assert quarantine.rows == []


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", "\r\n\n"])
def test_a_file_of_good_boxes_is_read_as_line_by_line(tmp_path: Path, end: str) -> None:
    by_hand.yolo(tmp_path)
    rng = np.random.default_rng(3)
    rows = rng.uniform(-0.1, 1.1, (50, 4))
    text = "".join(
        f"{i % 2} {' '.join(map(repr, row.tolist()))}{end}" for i, row in enumerate(rows)
    )
    found = []
    for more in ("", "9 9\n"):  # a bad line: then each is parsed by itself
        write_text(tmp_path / LABEL, text + more)
        (first, _), quarantine = read(tmp_path)
        assert len(quarantine.rows) == len(more.split()) // 2
        found.append(
            [(a.category, a.hbb.tolist(), a.ordinal, a.source_line) for a in first.annotations]
        )
    assert len(found[0]) == 50
    assert found[0] == found[1]
    assert first.annotations[3].ordinal == 3
    assert [a.ordinal for a in first.annotations[-2:]] == [48, 49]


def test_a_bad_file_among_many_costs_no_other_its_boxes(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    image = (tmp_path / "images/train/a.jpg").read_bytes()
    for number in range(600):
        (tmp_path / f"images/train/b{number:03d}.jpg").write_bytes(image)
        line = "1 0.5 0.5 0.1 1e\n" if number == 300 else f"1 0.5 0.5 0.1 {number / 600}\n"
        write_text(tmp_path / f"labels/train/b{number:03d}.txt", line)
    scenes, quarantine = read(tmp_path)
    (row,) = quarantine.rows
    assert (row["source_file"], row["source_line"]) == ("labels/train/b300.txt", 1)
    heights = {
        scene.scene_id: [float(np.ptp(a.hbb[1::2])) for a in scene.annotations]
        for scene in scenes
        if scene.scene_id.startswith("train_b")
    }
    assert heights["train_b300"] == []
    assert len(heights) == 600
    for number in (0, 255, 256, 299, 301, 599):
        assert np.allclose(heights[f"train_b{number:03d}"], [HEIGHT * number / 600])


@pytest.mark.parametrize("said", [".", "./", "images/.."])
def test_the_sets_own_folder_may_be_a_split(tmp_path: Path, said: str) -> None:
    files = {"a.jpg": None, "a.txt": LINE, "more/b.jpg": None, "more/b.txt": LINE}
    scenes, quarantine = layout(tmp_path, f"train: {said}\nnames: [ship]", files)
    assert [split for _, split, _ in scenes] == ["train", "train"]
    assert quarantine.rows == []
