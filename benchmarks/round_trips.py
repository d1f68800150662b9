"""Annotations through a reader and the rows of normalize, and back into their own format.

Every box of every file of DIOR (both versions) and of the DOTA files at hand must be that of the
original file, by a plain reading of both (``benchmarks/written_back.py``). Images are stood in for
by empty files, as readers do not open them; scenes lie in one wide tile, so that boxes outside
their image, which normalize would set aside, are compared as well.
"""

from __future__ import annotations

import shutil
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from benchmarks.written_back import Box, Key, dior_boxes, dota_boxes, scene_boxes, to_dior, to_dota
from samrs.core.records import Quarantine
from samrs.core.tiling import Window
from samrs.datasets.dior import read as dior
from samrs.datasets.dota import read as dota
from samrs.normalize.scene_rows import Cut, InstanceRows

WIDE = Window(-2000, -2000, 40_000, 40_000)
CUT = Cut(
    tile=None,
    overlap=0,
    min_visible=0.7,
    clip=True,
    pad=False,
    keep_difficult=True,
    stretch=2.0,
    categories=(),
)


def dior_folder(archive: Path, folder: Path, limit: int | None) -> Path:
    """DIOR's real annotations below a folder, with empty files for images.

    Args:
        limit: images, the first ones; None for all.

    Returns:
        The dataset's folder.
    """
    with tarfile.open(archive) as file:
        for member in file:
            stem = Path(member.name).stem
            if member.isfile() and stem.isdigit():
                if limit is None or int(stem) <= limit:
                    file.extract(member, folder, filter="data")
                elif "oriented" in member.name:
                    break  # the horizontal files come first
    root = next(path.parent for path in folder.rglob("annotations"))
    _stand_in(root / "annotations" / "horizontal", root / "images" / "trainval", ".jpg")
    return root


def dota_folder(real: Path, folder: Path) -> Path:
    """The DOTA files at hand below a folder, with empty files for images; returns the folder."""
    labels = folder / "labelTxt"
    labels.mkdir(parents=True)
    for path in sorted(real.glob("dota_*/labelTxt/*.txt")):
        shutil.copyfile(path, labels / path.name)
    _stand_in(labels, folder / "images", ".png")
    return folder


def _stand_in(labels: Path, images: Path, suffix: str) -> None:
    images.mkdir(parents=True, exist_ok=True)
    for path in labels.iterdir():
        (images / f"{path.stem}{suffix}").touch()


def _scenes(module: ModuleType, root: Path) -> Iterator[tuple[str, list[Box], Quarantine]]:
    """Each scene's boxes as the rows of normalize hold them, and what was set aside so far."""
    quarantine = Quarantine()
    cut = replace(CUT, categories=module.CATEGORIES)
    for scene in module.read_scenes(root, quarantine):
        rows = InstanceRows(scene.scene_id, scene.annotations, [WIDE], cut)
        tile = {"tile_id": f"{scene.scene_id}__-2000_-2000", "scene_id": scene.scene_id}
        tile |= {"x0": WIDE.x0, "y0": WIDE.y0}
        yield scene.scene_id, scene_boxes([tile], rows).get(scene.scene_id, []), quarantine


def dior_round_trip(root: Path) -> Counter[str]:
    """Counts of files, of boxes and of those files that differ from the originals."""
    counts: Counter[str] = Counter()
    for scene, boxes, quarantine in _scenes(dior, root):
        renamed = any(r["reason"] == "boxes contradict each other" for r in quarantine.rows)
        quarantine.rows.clear()
        versions = (("horizontal", "bndbox", "hbb"), ("oriented", "robndbox", "obb"))
        for text, (folder, tag, kind) in zip(to_dior(boxes), versions, strict=True):
            original = (root / "annotations" / folder / f"{scene}.xml").read_text()
            back, given = dior_boxes(text, tag), dior_boxes(original, tag)
            if renamed:  # a rotated box has the name of its horizontal one
                back, given = _without_names(back), _without_names(given)
            counts.update({"files": 1, kind: back.total(), "different": int(back != given)})
    return counts


def dota_round_trip(root: Path) -> Counter[str]:
    """Counts of files, of boxes and of those files that differ from the originals."""
    counts: Counter[str] = Counter()
    for scene, boxes, _ in _scenes(dota, root):
        back = dota_boxes(to_dota(boxes))
        given = dota_boxes((root / "labelTxt" / f"{scene}.txt").read_text())
        counts.update({"files": 1, "obb": back.total(), "different": int(back != given)})
    return counts


def _without_names(boxes: Counter[Key]) -> Counter[Key]:
    return Counter(box[1:] for box in boxes.elements())


ROUND_TRIPS: dict[str, Callable[[Path], Counter[str]]] = {
    "dior": dior_round_trip,
    "dota": dota_round_trip,
}
