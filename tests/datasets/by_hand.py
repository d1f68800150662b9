"""Tiny datasets in their official layouts, written by hand: two images, one without objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine

from samrs.core.images import encode_rgb

WIDTH, HEIGHT = 40, 30


def image(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Noise (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def write_image(path: Path, pixels: NDArray[np.uint8] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = image() if pixels is None else pixels
    if path.suffix == ".tif":
        height, width, bands = pixels.shape
        with rasterio.open(
            path, "w", driver="GTiff", width=width, height=height, count=bands, dtype="uint8",
            transform=Affine(0.5, 0, 0, 0, -0.5, 0),
        ) as file:  # fmt: skip
            file.write(np.moveaxis(pixels, 2, 0))
    elif path.suffix == ".bmp":
        path.write_bytes(cv2.imencode(".bmp", pixels[:, :, ::-1])[1].tobytes())
    else:
        path.write_bytes(encode_rgb(pixels, path.suffix))


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def painted(fields: dict[tuple[int, int, int, int], tuple[int, int, int]]) -> NDArray[np.uint8]:
    """Black image with filled boxes xyxy in colours."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for (x0, y0, x1, y1), colour in fields.items():
        pixels[y0:y1, x0:x1] = colour
    return pixels


def dota(root: Path) -> None:
    write_image(root / "train/images/P0001.png")
    write_image(root / "val/images/P0002.png", image(1))
    line = "4 4 14 4 14 10 4 10 plane 1\n"
    write_text(root / "train/labelTxt/P0001.txt", f"imagesource:GoogleEarth\ngsd:0.25\n{line}")
    write_text(root / "val/labelTxt/P0002.txt", "")


def voc_object(name: str, box: tuple[int, int, int, int]) -> str:
    fields = "".join(
        f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name><bndbox>{fields}</bndbox></object>"


def robnd_object(name: str, corners: tuple[int, ...]) -> str:
    names = [f"{a}_{k}" for k in ("left_top", "right_top", "right_bottom", "left_bottom")
             for a in "xy"]  # fmt: skip
    fields = "".join(f"<{k}>{v}</{k}>" for k, v in zip(names, corners, strict=True))
    return (
        f"<object><name>{name}</name><difficult>0</difficult>"
        f"<robndbox>{fields}</robndbox><angle>0</angle></object>"
    )


def dior(root: Path) -> None:
    write_image(root / "JPEGImages-trainval/00001.jpg")
    write_image(root / "JPEGImages-test/11726.jpg", image(1))
    hbb, obb = (
        root / "Annotations/Horizontal Bounding Boxes",
        root / "Annotations/Oriented Bounding Boxes",
    )
    objects = voc_object("Expressway-Service-area", (5, 5, 14, 10))
    write_text(hbb / "00001.xml", f"<annotation>{objects}</annotation>")
    write_text(hbb / "11726.xml", "<annotation></annotation>")
    objects = robnd_object("Expressway-Service-area", (5, 5, 14, 5, 14, 10, 5, 10))
    write_text(obb / "00001.xml", f"<annotation>{objects}</annotation>")


def fair1m_object(name: str, *points: str) -> str:
    inner = "".join(f"<point>{p}</point>" for p in points)
    return (
        f"<object><possibleresult><name>{name}</name></possibleresult>"
        f"<points>{inner}</points></object>"
    )


def fair1m(root: Path) -> None:
    write_image(root / "train/part1/images/0.tif")
    write_image(root / "validation/images/0.tif", image(1))
    truck = fair1m_object("Cargo Truck", "4.5,4", "14.5,4", "14.5,10", "4.5,10", "4.5,4")
    xml = "<annotation><objects>{}</objects></annotation>"
    write_text(root / "train/part1/labelXml/0.xml", xml.format(truck))
    write_text(root / "validation/labelXmls/0.xml", xml.format(""))


def hrsc_object(colour: str = "", angle: float = 0.0) -> str:
    values = {
        "box_xmin": 4, "box_ymin": 4, "box_xmax": 14, "box_ymax": 10, "mbox_cx": 9, "mbox_cy": 7,
        "mbox_w": 10, "mbox_h": 6, "mbox_ang": angle, "difficult": 0, "seg_color": colour,
    }  # fmt: skip
    return (
        "<HRSC_Object>" + "".join(f"<{k}>{v}</{k}>" for k, v in values.items()) + "</HRSC_Object>"
    )


def hrsc_xml(*objects: str, annotated: int = 1) -> str:
    return (
        f"<HRSC_Image><Img_Resolution>1.07</Img_Resolution><Annotated>{annotated}</Annotated>"
        f"<HRSC_Objects>{''.join(objects)}</HRSC_Objects></HRSC_Image>"
    )


def hrsc2016(root: Path) -> None:
    write_image(root / "Train/AllImages/1.bmp")
    write_image(root / "Test/AllImages/2.bmp", image(1))
    write_text(root / "Train/Annotations/1.xml", hrsc_xml())
    write_text(root / "Test/Annotations/2.xml", hrsc_xml(hrsc_object("0,255,255")))
    write_image(root / "Test/Segmentations/2.png", painted({(4, 4, 14, 10): (0, 255, 255)}))


def potsdam(root: Path) -> None:
    for name in ("2_10", "2_13"):
        write_image(root / f"2_Ortho_RGB/top_potsdam_{name}_RGB.tif")
        colours = painted({(0, 0, 40, 30): (255, 255, 255), (4, 4, 14, 10): (255, 255, 0)})
        colours[20:, :] = (255, 0, 0)
        write_image(root / f"5_Labels_all/top_potsdam_{name}_label.tif", colours)


def isaid(root: Path) -> None:
    ships = {(4, 4, 14, 10): (0, 0, 63), (20, 4, 30, 10): (0, 127, 255)}
    ids = {(4, 4, 14, 10): (75, 120, 150), (20, 4, 30, 10): (1, 2, 3)}
    for split, name, fields in (("train", "P0001", True), ("val", "P0002", False)):
        write_image(root / split / f"images/{name}.png")
        for folder, ending, colours in (
            ("Instance_masks", "_instance_id_RGB", ids),
            ("Semantic_masks", "_instance_color_RGB", ships),
        ):
            path = root / split / folder / "images" / f"{name}{ending}.png"
            write_image(path, painted(colours if fields else {}))


def coco_value() -> dict[str, list[dict[str, object]]]:
    return {
        "categories": [{"id": 7, "name": "ship"}, {"id": 3, "name": "plane"}],
        "images": [
            {"id": 10, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT},
            {"id": 11, "file_name": "b.jpg", "width": WIDTH, "height": HEIGHT},
        ],
        "annotations": [
            {
                "id": 1, "image_id": 10, "category_id": 7, "bbox": [4, 4, 10, 6],
                "segmentation": [[4, 4, 14, 4, 14, 10, 4, 10]],
            },
        ],
    }  # fmt: skip


def coco(root: Path, value: object = None) -> None:
    write_image(root / "images/a.jpg")
    write_image(root / "images/b.jpg", image(1))
    write_text(root / "annotations.json", json.dumps(coco_value() if value is None else value))


def voc(root: Path) -> None:
    write_image(root / "JPEGImages/a.jpg")
    write_image(root / "JPEGImages/b.jpg", image(1))
    ship = voc_object("ship", (5, 5, 14, 10))
    write_text(root / "Annotations/a.xml", f"<annotation>{ship}</annotation>")
    write_text(root / "Annotations/b.xml", "<annotation></annotation>")


def voc_zero_based(root: Path) -> None:
    voc(root)
    ship = voc_object("ship", (4, 4, 14, 10))
    write_text(root / "Annotations/a.xml", f"<annotation>{ship}</annotation>")


def yolo(root: Path) -> None:
    write_image(root / "images/train/a.jpg")
    write_image(root / "images/val/b.jpg", image(1))
    write_text(root / "data.yaml", "path: .\ntrain: images/train\nnames:\n  0: plane\n  1: ship\n")
    write_text(
        root / "labels/train/a.txt", f"1 {9 / WIDTH} {7 / HEIGHT} {10 / WIDTH} {6 / HEIGHT}\n"
    )
    write_text(root / "labels/val/b.txt", "")


def visdrone(root: Path) -> None:
    for split, name, lines in (("train", "a", "4,4,10,6,1,4,0,1\n"), ("val", "b", "")):
        folder = root / f"VisDrone2019-DET-{split}"
        write_image(folder / f"images/{name}.jpg")
        write_text(folder / f"annotations/{name}.txt", lines)


def soda_a_value(*annotations: object) -> dict[str, object]:
    return {
        "images": {"file_name": "a.jpg", "width": WIDTH, "height": HEIGHT, "id": 1},
        "annotations": list(annotations),
        "categories": [{"id": 0, "name": "airplane"}, {"id": 9, "name": "ignore"}],
    }


def soda_a(root: Path) -> None:
    plane = {"poly": [4, 4, 14, 4, 14, 10, 4, 10], "area": 60, "category_id": 0, "image_id": 1}
    for split, name, found in (("train", "a", [plane]), ("val", "b", [])):
        write_image(root / f"Images/{name}.jpg")
        text = json.dumps(soda_a_value(*found))
        write_text(root / f"Annotations/{split}/{name}.json", text)


def xview_feature(image: str, bounds: object = "4,4,14,10", type_id: object = 18) -> object:
    ring = [[-90.1, 14.1], [-90.0, 14.1], [-90.0, 14.0], [-90.1, 14.0], [-90.1, 14.1]]
    return {
        "type": "Feature",
        "properties": {"bounds_imcoords": bounds, "type_id": type_id, "image_id": image},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def xview(root: Path, *more: object) -> None:
    """Each image has a box: without one nobody says that it is without objects."""
    write_image(root / "train_images/a.tif")
    write_image(root / "train_images/b.tif", image(1))
    features = [xview_feature("a.tif"), xview_feature("b.tif", type_id=73), *more]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    write_text(root / "xView_train.geojson", text)


def labelme_value(name: str, *shapes: object) -> dict[str, object]:
    return {
        "version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": name,
        "imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH,
    }  # fmt: skip


def labelme_shape(kind: str, *points: tuple[float, float], **more: object) -> dict[str, object]:
    shape = {"label": "ship", "points": [list(p) for p in points], "group_id": None}
    return {**shape, "shape_type": kind, "flags": {}, **more}


def labelme(root: Path) -> None:
    ship = labelme_shape("rectangle", (14, 10), (4, 4))
    for name, shapes in (("a", [ship]), ("b", [])):
        write_image(root / f"{name}.jpg")
        write_text(root / f"{name}.json", json.dumps(labelme_value(f"{name}.jpg", *shapes)))


def cvat_image(name: str, shapes: str = "", more: str = "") -> str:
    return f'<image id="0" name="{name}" width="{WIDTH}" height="{HEIGHT}" {more}>{shapes}</image>'


def cvat(root: Path, *images: str) -> None:
    write_image(root / "images/a.jpg")
    write_image(root / "images/b.jpg", image(1))
    ship = '<box label="ship" xtl="4" ytl="4" xbr="14" ybr="10" occluded="0"/>'
    listed = images or (cvat_image("a.jpg", ship), cvat_image("b.jpg"))
    text = f"<annotations><version>1.1</version>{''.join(listed)}</annotations>"
    write_text(root / "annotations.xml", text)


MAP = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
"""Where the images of ``geojson`` lie in EPSG:32650."""


def write_map(path: Path, crs: str | None = "EPSG:32650", to_map: Affine = MAP) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", width=WIDTH, height=HEIGHT, count=3, dtype="uint8",
        crs=crs, transform=to_map,
    ) as file:  # fmt: skip
        file.write(np.moveaxis(image(), 2, 0))


def geojson_feature(
    *px: tuple[float, float], to_map: Affine = MAP, **properties: object
) -> dict[str, object]:
    ring = [list(to_map @ point) for point in (*px, px[0])]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def geojson_value(*features: object, crs: str | None = "EPSG:32650") -> dict[str, object]:
    told = {} if crs is None else {"crs": {"type": "name", "properties": {"name": crs}}}
    return {"type": "FeatureCollection", **told, "features": list(features)}


def geojson(root: Path) -> None:
    ship = geojson_feature((4, 4), (14, 4), (14, 10), (4, 10), **{"class": "ship"})
    for name, features in (("a", [ship]), ("b", [])):
        write_map(root / f"images/{name}.tif")
        write_text(root / f"images/{name}.geojson", json.dumps(geojson_value(*features)))


def write_layer(
    path: Path, *rings: object, crs: str | None = "EPSG:32650", layer: str | None = None,
    to_map: Affine | None = MAP, **columns: list[object],
) -> None:  # fmt: skip
    """A layer of polygons, each a ring of px, or a shape of shapely's in px; by GeoPandas.

    Args:
        to_map: from px; None: the rings are told in the layer's system.
    """
    import geopandas
    import shapely
    from shapely.affinity import affine_transform

    path.parent.mkdir(parents=True, exist_ok=True)
    kept = (type(None), shapely.Geometry)
    shapes = [r if isinstance(r, kept) else shapely.Polygon(r) for r in rings]
    if to_map is not None:
        matrix = [to_map.a, to_map.b, to_map.d, to_map.e, to_map.c, to_map.f]
        shapes = [None if s is None else affine_transform(s, matrix) for s in shapes]
    frame = geopandas.GeoDataFrame(columns or {"height": [1] * len(shapes)}, geometry=shapes)
    frame = frame if crs is None else frame.set_crs(crs)
    if path.suffix in (".parquet", ".geoparquet"):
        frame.to_parquet(path, index=False)
        return
    mode = "a" if path.suffix == ".gpkg" and path.exists() else "w"
    named = {} if layer is None else {"layer": layer}
    frame.to_file(path, engine="pyogrio", mode=mode, **named)


def geo(root: Path) -> None:
    write_map(root / "images/a.tif")
    write_map(root / "images/b.tif")
    ring = ((4, 4), (14, 4), (14, 10), (4, 10))
    write_layer(root / "images/a.gpkg", ring, **{"class": ["ship"]})
    write_text(root / "images/b.geojson", json.dumps(geojson_value()))


WRITERS: dict[str, Callable[[Path], None]] = {
    "coco": coco,
    "cvat": cvat,
    "dior": dior,
    "dota": dota,
    "fair1m": fair1m,
    "geo": geo,
    "geojson": geojson,
    "hrsc2016": hrsc2016,
    "isaid": isaid,
    "labelme": labelme,
    "potsdam": potsdam,
    "soda_a": soda_a,
    "visdrone": visdrone,
    "voc": voc,
    "voc_zero_based": voc_zero_based,
    "xview": xview,
    "yolo": yolo,
}
"""Writer of each dataset; each writes two scenes, whose first box is (4, 4, 14, 10) or so."""
