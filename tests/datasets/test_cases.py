"""Small inputs of kinds that people reported, and what is right for each: all of it, in words.

They lie beside the project (``../shared/cases``); what is right is written here: a line for
each box (scene, split, class, corners in px, and ``truth``, ``obb`` or ``difficult``), for a scene
without one its name and split, and with ``!`` what is set aside.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from samrs.core.errors import AnnotationError, SamrsError
from samrs.core.records import SceneRecord
from samrs.datasets.yolo import read as yolo
from samrs.normalize.normalize import normalize
from tests.conftest import ROOT
from tests.datasets.reading import read

LONG = (
    "u9ad8u5206u4e8cu53f7u536bu661fu5f71u50cfu5317u4eacu5e02u6d77u6dc0u533au4e2du5173"
    "u6751u5927u8857u4e8cu96_31f34d93a5028f29"
)
"""The id of a scene whose name is 60 letters of another script: its end is a digest."""
RIGHT = """
coco_cat_name_int: coco
  a all 737 4 4 14 10
coco_dot_slash_two: coco
  train_a train ship 4 4 14 10
  val_a val
coco_imgid_float: coco
  a all ship 4 4 14 10
cvat_coco_instances: coco
  test_c test ship 4 5 24 15
  train_a train ship 4 5 24 15
  val_b val plane 4 5 24 15
coco_isaid_like: coco
  train_P0000 train Large_Vehicle 4 4 14 10 truth
  val_P0003 val ship 4 4 14 10 truth
coco_long_cjk: coco
  {LONG} all plane 30 40 90 70
coco_macos_anndir: coco
  a train ship 4 4 14 10
coco_no_size_seg: coco
  a all ship 4 4 14 10 truth
coco_resized: coco
  a all ship 8 8 28 20
coco_roboflow_layout: coco
  train_train train ship 4 4 14 10
  val_valid val ship 4 4 14 10
coco_root_same_name: coco
  a all ship 4 4 14 10
coco_same_name_two_splits: coco
  train_a train ship 4 4 14 10
  val_a val ship 4 4 14 10
coco_seg_point_plus_good: coco
  a all ship 4 4 14 10 truth
  ! 1 x true mask does not parse
coco_win_path_two: coco
  train_a train ship 4 4 14 10
  val_a val
dm_coco: coco
  train_a train ship 4 5 24 15
  train_a train plane 40 30 55.5 42.25
  train_sub_b train ship 10 10 30 30
  val_c val ship 4 5 24 15
  val_neg val
dm_voc_detection: voc
  a train ship 3 4 24 15
  a train plane 39 29 55.5 42.25 difficult
  b train ship 9 9 30 30
  c val ship 3 4 24 15
  ! 1 x image without annotation
dm_yolo_ultralytics: yolo
  train_a train ship 4 5 24 15
  train_a train plane 40 30 55.5 42.25
  train_sub_b train ship 10 10 30 30
  val_c val ship 4 5 24 15
  val_neg val
img_geo_3857_lat60: coco
  a all ship 4 4 14 10
img_miniswhite: coco
  a all ship 4 4 14 10
potsdam_irrg2: potsdam
  top_potsdam_2_10 train
voc_difficult_words: voc
  a all ship 4 4 14 10
  a all ship 19 4 30 10
  a all ship 19 14 30 20
  a all ship 0 14 10 20
voc_list_suffix: voc
  a train ship 4 4 14 10
voc_nested_mixed: voc
  a all ship 4 4 14 10
  b all ship 4 4 14 10
yolo_classes_blank_shift: yolo
  a train plane 8 12 16 18
yolo_darknet: yolo
  a all ship 8 12 16 18
yolo_dotav1: yolo
  train_P0 train plane 30 40 90 70 obb
  val_P1 val plane 30 40 90 70 obb
  ! 1 x folder without labels
yolo_exif: yolo
  a all ship 6 16 12 24
yolo_globalwheat: yolo
  f1_a train ship 8 12 16 18
  f2_a train ship 8 12 16 18
  f3_a val ship 8 12 16 18
  f4_a val ship 8 12 16 18
yolo_images_in_images: yolo
  a train ship 8 12 16 18
  ! 1 x folder in two splits
yolo_ipynb: yolo
  a train ship 8 12 16 18
yolo_macos: yolo
  a train ship 8 12 16 18
yolo_names_strkeys: yolo
  a train ship 8 12 16 18
yolo_pose2: yolo
  a train ship 12 10.5 28 19.5
yolo_sites: yolo
  train_site-1_a train ship 30 40 90 70
  train_site-2_a train ship 30 40 90 70
  val_site-3_a val ship 30 40 90 70
yolo_two_yaml: yolo
  a train ship 8 12 16 18
yolo_txt_lists: yolo
  a train ship 8 12 16 18
  b val ship 8 12 16 18
yolo_visdrone: yolo
  VisDrone2019-DET-test-dev_2 test ship 30 40 90 70
  VisDrone2019-DET-train_0 train ship 30 40 90 70
  VisDrone2019-DET-val_1 val ship 30 40 90 70
yolo_y2017: yolo
  train2017_0 train ship 30 40 90 70
  val2017_1 val ship 30 40 90 70
"""


def expected() -> dict[str, tuple[str, list[str]]]:
    """Reader and lines by case."""
    found: dict[str, tuple[str, list[str]]] = {}
    name = ""
    for line in RIGHT.strip().splitlines():
        if line.startswith(" "):
            found[name][1].append(line.strip().replace("{LONG}", LONG))
        else:
            name, _, reader = line.partition(": ")
            found[name] = (reader, [])
    return found


EXPECTED = expected()


def case(name: str, root: Path) -> Path:
    """A case's folder, unpacked; the test is skipped where the cases are not there."""
    archive = ROOT.parent / "shared" / "cases" / "files" / f"{name}.tar.gz"
    if not archive.is_file():
        pytest.skip("small inputs are not at ../shared/cases")
    with tarfile.open(archive) as file:
        file.extractall(root, filter="data")
    (folder,) = root.iterdir()
    return folder


def lines(scene: SceneRecord) -> list[str]:
    found = []
    for a in scene.annotations:
        box = " ".join(f"{v:g}" for v in (round(v, 2) + 0.0 for v in a.hbb.tolist()))
        marks = {"difficult": a.difficult, "truth": a.truth, "obb": a.obb is not None}
        words = [word for word, is_so in marks.items() if is_so]
        found.append(" ".join([scene.scene_id, scene.split, a.category, box, *words]))
    return found or [f"{scene.scene_id} {scene.split}"]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_case_is_read_as_its_owner_meant_it(name: str, tmp_path: Path) -> None:
    reader, right = EXPECTED[name]
    scenes, quarantine = read(reader, case(name, tmp_path))
    found = [line for scene in scenes for line in lines(scene)]
    found += [f"! {count} x {reason}" for reason, count in quarantine.counts().items()]
    assert found == right


def test_a_set_whose_labels_are_not_there_is_refused(tmp_path: Path) -> None:
    folder = case("yolo_no_labels_dir", tmp_path)
    with pytest.raises(AnnotationError, match="without labels, got 5 images"):
        read("yolo", folder)
    assert yolo.categories(folder)


CUT = {"tile": None, "overlap": 0, "min_visible": 0.7, "clip": True, "pad": False}
REST = {"keep_difficult": True, "stretch": 2.0, "max_quarantined": 0.01}


def test_more_classes_than_label_maps_hold_are_refused(tmp_path: Path) -> None:
    folder = case("coco_300_classes", tmp_path / "in")
    with pytest.raises(SamrsError, match="too many classes, got 300; 255 are allowed"):
        normalize("coco", folder, tmp_path / "out", **CUT, **REST)  # type: ignore[arg-type]


def test_boxes_of_an_image_of_another_size_are_set_aside(tmp_path: Path) -> None:
    folder = case("coco_resized", tmp_path / "in")
    with pytest.raises(SamrsError, match="image of another size than declared"):
        normalize("coco", folder, tmp_path / "out", **CUT, **REST)  # type: ignore[arg-type]
