"""What was normalized, written back in its own format, is what was read: box for box."""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samrs.core.records import Quarantine
from samrs.core.tiling import Window
from samrs.datasets import dior, fair1m
from samrs.scene_rows import Cut, instance_rows
from tests.datasets.by_hand import fair1m_object, image, write_image, write_text
from tests.datasets.written_back import product_boxes, scene_boxes, to_dior, to_dota, to_fair1m
from tests.normalize.test_normalize import run

Key = tuple[Any, ...]


def corners(values: Iterable[float]) -> tuple[tuple[float, float], ...]:
    """Four points in a fixed order: neither the first corner nor the turn counts."""
    points = np.round(np.reshape(list(values), (4, 2)), 6) + 0.0
    low, high = points.min(axis=0), points.max(axis=0)
    if (low == high).any():  # a row of px: its outer edges
        low, high = low - 0.5, high + 0.5
        points = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    return tuple(sorted((float(x), float(y)) for x, y in points))


def dota_boxes(lines: str) -> Counter[Key]:
    """Class, difficult and corners of a labelTxt file, by a plain reading."""
    found: Counter[Key] = Counter()
    for line in lines.splitlines():
        fields = line.split()
        if len(fields) in (9, 10):
            hard = len(fields) == 10 and fields[9] != "0"
            found[(fields[8], hard, corners(map(float, fields[:8])))] += 1
    return found


def xml_boxes(xml: str, tag: str) -> Counter[Key]:
    """Class and numbers of each object of a DIOR file, by a plain reading."""
    found: Counter[Key] = Counter()
    for item in re.findall(r"<object>.*?</object>", xml, re.DOTALL):
        (name,) = re.findall(r"<name>\s*(.*?)\s*</name>", item)
        (box,) = re.findall(rf"<{tag}>(.*?)</{tag}>", item, re.DOTALL)
        names = ("xmin", "ymin", "xmax", "ymax")
        if tag == "robndbox":
            names = tuple(re.findall(r"<([xy]_\w+)>", box))
        values = [float(*re.findall(rf"<{n}>\s*(.*?)\s*</{n}>", box)) for n in names]
        key = corners(values) if len(values) == 8 else tuple(np.round(values, 6))
        found[(name.lower(), key)] += 1
    return found


def fair1m_boxes(xml: str) -> Counter[Key]:
    """Class and corners of each object of a FAIR1M file, by a plain reading."""
    found: Counter[Key] = Counter()
    for item in re.findall(r"<object>.*?</object>", xml, re.DOTALL):
        (name,) = re.findall(r"<name>(.*?)</name>", item)
        points = re.findall(r"<point>(.*?),(.*?)</point>", item)
        assert points[0] == points[-1]
        found[(name, corners(float(v) for p in points[:4] for v in p))] += 1
    return found


@pytest.mark.parametrize("folder", ["dota_devkit", "dota_isaid"])
def test_real_dota_files_come_back(real: Path, tmp_path: Path, folder: str) -> None:
    run(
        "dota", real / folder, tmp_path / "out", tile=600, overlap=100, max_quarantined=0.05
    )  # fmt: skip
    boxes = product_boxes(tmp_path / "out")
    assert len(boxes) == 2
    for scene, found in boxes.items():
        original = (real / folder / "labelTxt" / f"{scene}.txt").read_text()
        assert dota_boxes(to_dota(found)) == dota_boxes(original)


def test_fair1m_files_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    objects = []
    for category in fair1m.CATEGORIES:
        centre, arm = rng.uniform(0, 60, 2), rng.uniform(1, 20, 2)
        side = np.array([-arm[1], arm[0]]) * rng.uniform(0.2, 1)
        square = [centre - arm - side, centre + arm - side, centre + arm + side]
        square += [centre - arm + side, centre - arm - side]
        name = category.replace("-", " ")
        objects.append(fair1m_object(name, *(f"{x:.6f},{y:.6f}" for x, y in square)))
    xml = f"<annotation><objects>{''.join(objects)}</objects></annotation>"
    write_image(tmp_path / "in/train/images/1.tif", image(0, 61, 61))
    write_text(tmp_path / "in/train/labelXml/1.xml", xml)
    run("fair1m", tmp_path / "in", tmp_path / "out", tile=25, overlap=5)
    (found,) = product_boxes(tmp_path / "out").values()
    assert fair1m_boxes(to_fair1m(found)) == fair1m_boxes(xml)


def dior_folder(archive: Path, folder: Path, last: int) -> Path:
    """Real DIOR files up to a number, with empty files for images, which are not opened."""
    with tarfile.open(archive) as file:
        for member in file:
            stem = Path(member.name).stem
            if member.isfile() and stem.isdigit():
                if int(stem) <= last:
                    file.extract(member, folder, filter="data")
                elif "oriented" in member.name:
                    break
    root = next(path.parent for path in folder.rglob("annotations"))
    (root / "images/trainval").mkdir(parents=True)
    for path in (root / "annotations/horizontal").iterdir():
        (root / "images/trainval" / f"{path.stem}.jpg").touch()
    return root


def dior_round_trip(root: Path) -> Iterator[tuple[int, int]]:
    """Checks each scene; gives its numbers of horizontal and rotated boxes."""
    cut = Cut(None, 0, 0.7, True, False, True, 2.0, dior.CATEGORIES)
    quarantine = Quarantine()
    # a wide place: also boxes that miss the image, which normalize would set aside
    wide = Window(-2000, -2000, 6000, 6000)
    for scene in dior.read_scenes(root, quarantine):
        rows, _ = instance_rows(scene.scene_id, scene.annotations, [wide], cut)
        tile = {"tile_id": f"{scene.scene_id}__-2000_-2000", "scene_id": scene.scene_id}
        tile |= {"x0": wide.x0, "y0": wide.y0}
        boxes = scene_boxes([tile], rows).get(scene.scene_id, [])
        written = to_dior(boxes)
        renamed = any(r["reason"] == "boxes contradict each other" for r in quarantine.rows)
        quarantine.rows.clear()
        counts = []
        for text, folder, tag in zip(
            written, ("horizontal", "oriented"), ("bndbox", "robndbox"), strict=True
        ):
            original = (root / "annotations" / folder / f"{scene.scene_id}.xml").read_text()
            back, given = xml_boxes(text, tag), xml_boxes(original, tag)
            if renamed:  # a rotated box has the name of its horizontal one
                back, given = _without_names(back), _without_names(given)
            assert back == given, f"{folder}/{scene.scene_id}.xml"
            counts.append(back.total())
        yield counts[0], counts[1]


def _without_names(boxes: Counter[Key]) -> Counter[Key]:
    return Counter(box[1:] for box in boxes.elements())


def test_some_real_dior_files_come_back(real: Path, tmp_path: Path) -> None:
    root = dior_folder(real / "dior/dior_annotations.tar.gz", tmp_path, 150)
    counts = np.array(list(dior_round_trip(root)))
    assert len(counts) == 150
    assert (counts[:, 0] == counts[:, 1]).all()


@pytest.mark.slow
def test_all_real_dior_files_come_back(real: Path, tmp_path: Path) -> None:
    root = dior_folder(real / "dior/dior_annotations.tar.gz", tmp_path, 10**6)
    counts = np.array(list(dior_round_trip(root)))
    assert len(counts) == 23_463
    assert counts.sum(axis=0).tolist() == [192_518, 192_518]
