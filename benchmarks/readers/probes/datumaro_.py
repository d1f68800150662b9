"""Datumaro."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from common import ROOT, Found, Tiles, finish, hull, painted, probe, truth, xyxy
from datumaro.components.annotation import AnnotationType as Kind
from datumaro.components.dataset import Dataset


def read(export: str, format: str) -> Tiles:
    dataset = Dataset.import_from(str(ROOT / export), format)
    names = [label.name for label in dataset.categories()[Kind.label]]
    tiles = truth()
    found: Tiles = {}
    for item in dataset:
        name = item.id.rpartition("/")[2]
        if name not in tiles:
            found[item.id] = []
            continue
        size_hw = tiles[name]["height"], tiles[name]["width"]
        polygons = defaultdict(list)
        objects: dict = {}
        for number, a in enumerate(item.annotations):
            key = a.group or -1 - number
            if a.type == Kind.mask:
                objects[key] = Found(names[a.label], xyxy(a.get_bbox()), a.image.astype(bool))
            elif a.type == Kind.polygon:
                polygons[key].append(a.points)
                mask = painted(polygons[key], size_hw)
                corners = np.concatenate([np.asarray(p) for p in polygons[key]])
                objects[key] = Found(names[a.label], hull(corners), mask)
            elif a.type == Kind.rotated_bbox:
                objects[key] = Found(names[a.label], hull(a.as_polygon()))
            elif a.type == Kind.bbox and key not in objects:
                objects[key] = Found(names[a.label], np.array(a.points))
        found[name] = list(objects.values())
    return found


for name in ("coco", "coco-polygon"):
    probe(name, 'Datumaro `import_from(…, "coco_instances")`')(lambda: read(name, "coco_instances"))
probe("yolo_seg", 'Datumaro `import_from(…, "yolo")`')(lambda: read("yolo_seg", "yolo"))
probe("voc", 'Datumaro `import_from(…, "voc_detection")`')(lambda: read("voc", "voc_detection"))
probe("dota", 'Datumaro `import_from(…, "dota")`', "dota")(lambda: read("dota", "dota"))
finish("datumaro")
