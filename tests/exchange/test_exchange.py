"""Out to every labelling tool and back: only what a person touched becomes a correction."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samrs.core import axis
from samrs.core.errors import AnnotationError
from samrs.core.rle import mask_to_rle, rle_to_mask
from samrs.core.shards import read_manifest, read_table
from samrs.corrections.read import read_corrections
from samrs.corrections.records import (
    Added,
    Anchor,
    ClassChange,
    Clicks,
    Drawn,
    Record,
    Verdict,
    mask_digest,
)
from samrs.corrections.store import Edit, Store
from samrs.exchange.exchange import TOOLS, export, take_back
from samrs.exchange.shapes import Picture, Shape
from samrs.exchange.tools.label_studio import decode_brush, encode_brush
from tests.commands.calls import call
from tests.export.releases import HEIGHT, WIDTH, write_release
from tests.review.releases import write_release as of_two_tiles

NAMES = axis.names(TOOLS)
CATEGORIES = ("plane", "ship", "harbor")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("exchange") / "sota", quality=True)


def back(tool: str, out: Path) -> dict[str, list[Shape]]:
    """What a tool's files hold, by the name of the image."""
    module = axis.load(TOOLS, tool)
    sizes = {p.name: (WIDTH, HEIGHT) for p in out.rglob("*.[pj][np]g")}
    return dict(module.read(out, sizes))


def rewrite(tool: str, out: Path, shapes: Mapping[str, list[Shape]]) -> None:
    pictures = [Picture(name, (WIDTH, HEIGHT), None, found) for name, found in shapes.items()]
    axis.load(TOOLS, tool).write(iter(pictures), CATEGORIES, out)


@pytest.mark.parametrize("tool", NAMES)
def test_untouched_masks_are_no_corrections(tool: str, release: Path, tmp_path: Path) -> None:
    told = export(tool, release, tmp_path / "out")
    assert (told.images, told.masks, told.holes, told.parts) == (4, 9, 2, 2)
    counts = take_back(tool, release, tmp_path / "out", tmp_path / "said")
    assert counts == {**dict.fromkeys(counts, 0), "images": 4, "untouched": 9}
    assert len(read_corrections(tmp_path / "said")) == 0


def test_coco_calls_ids_as_every_tool_of_it_takes_them(release: Path, tmp_path: Path) -> None:
    """FiftyOne 1.22.1 opens no file with an attribute called instance_id."""
    export("coco", release, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "annotations.json").read_text())["annotations"]
    ids = set(read_table(release, "instances")["instance_id"].to_pylist())
    assert {annotation["object_id"] for annotation in written} == ids
    assert {annotation["attributes"]["object_id"] for annotation in written} == ids
    assert not any("instance_id" in annotation["attributes"] for annotation in written)


@pytest.mark.parametrize("tool", NAMES)
def test_what_is_touched_becomes_a_correction_of_its_kind(
    tool: str, release: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(tool, release, out)
    shapes = back(tool, out)
    name = next(n for n in shapes if n.startswith("a__"))
    first, second, third, fourth = shapes[name]
    mask = rle_to_mask(first.rle)
    mask[5, 3] = False
    new = np.zeros_like(mask)
    new[30:34, 30:36] = True
    shapes[name] = [
        Shape(first.instance_id, first.category, mask_to_rle(mask)),
        Shape(second.instance_id, "plane", second.rle),
        third,
        Shape(None, "ship", mask_to_rle(new)),
    ]
    rewrite(tool, out, shapes)
    counts = take_back(tool, release, out, tmp_path / "said")
    wanted = {"untouched": 6, "drawn": 1, "reclassified": 1, "added": 1, "rejected": 1}
    assert {k: v for k, v in counts.items() if v} == {**wanted, "images": 4}
    said = read_corrections(tmp_path / "said", CATEGORIES)
    drawn = {r.anchor.instance_id: r for r in said.of(Drawn)}
    assert (rle_to_mask(drawn[str(first.instance_id)].rle) == mask).all()
    (added,) = said.of(Added)
    assert added.anchor.annotated == (30, 30, 36, 34)
    assert [r.new for r in said.of(ClassChange)] == ["plane"]
    assert [r.anchor.instance_id for r in said.of(Verdict)] == [fourth.instance_id]
    again = take_back(tool, release, out, tmp_path / "said", deleted="keep")
    assert again["rejected"] == 0
    assert len(read_corrections(tmp_path / "said")) == len(said)


@pytest.mark.parametrize("tool", NAMES)
def test_without_ids_untouched_masks_are_found_and_touched_ones_counted(
    tool: str, release: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(tool, release, out)
    shapes = {
        name: [Shape(None, shape.category, shape.rle) for shape in found]
        for name, found in back(tool, out).items()
    }
    name = next(n for n in shapes if n.startswith("d__"))
    mask = rle_to_mask(shapes[name][0].rle)
    mask[4] = False
    shapes[name] = [Shape(None, shapes[name][0].category, mask_to_rle(mask))]
    rewrite(tool, out, shapes)
    counts = take_back(tool, release, out, tmp_path / "said")
    assert {k: v for k, v in counts.items() if v} == {
        "images": 4, "untouched": 8, "drawn": 1, "by_overlap": 1,
    }  # fmt: skip


@pytest.mark.parametrize("tool", NAMES)
def test_what_is_of_another_release_or_class_is_refused(
    tool: str, release: Path, tmp_path: Path
) -> None:
    for number, (name, category) in enumerate((("z__0_0.png", "ship"), ("d__0_0.png", "boat"))):
        out = tmp_path / str(number)
        out.mkdir()
        classes = (*CATEGORIES, "boat")
        shape = Shape(None, category, mask_to_rle(np.ones((HEIGHT, WIDTH), bool)))
        picture = Picture(name, (WIDTH, HEIGHT), None, [shape])
        axis.load(TOOLS, tool).write(iter([picture]), classes, out)
        with pytest.raises(AnnotationError, match=r"another release|unknown class"):
            take_back(tool, release, out, tmp_path / "said")
    assert not list((tmp_path / "said").glob("*")) if (tmp_path / "said").exists() else True


@pytest.mark.parametrize("tool", NAMES)
@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', "<a", "[[[[", '[{"data": 1}]'])
def test_what_no_tool_wrote_is_refused_or_holds_nothing(
    tool: str, text: str, release: Path, tmp_path: Path
) -> None:
    file = tmp_path / ("a.xml" if tool == "cvat" else "a.json")
    file.write_text(text)
    with contextlib.suppress(AnnotationError):
        assert take_back(tool, release, file, tmp_path / "said")["images"] == 0


def corrected(release: Path, tmp_path: Path, *records: Record) -> Path:
    """A folder of corrections that were there before."""
    store = Store(tmp_path / "said", read_manifest(release)["categories"])
    store.apply([Edit(None, record) for record in records])
    return store.folder


def rows_of(release: Path) -> dict[str, dict[str, Any]]:
    rows = read_table(release, "instances").to_pylist()
    return {row["instance_id"]: row for row in rows if row["tile_id"].startswith("a__")}


def exported(release: Path, out: Path) -> tuple[str, dict[str, list[Shape]]]:
    """The name of a tile's image, and the shapes of all."""
    export("coco", release, out)
    shapes = back("coco", out)
    return next(n for n in shapes if n.startswith("a__")), shapes


def test_an_object_stays_of_the_datasets_class_when_it_is_changed_again(
    release: Path, tmp_path: Path
) -> None:
    """The release shows the class of the first change, which is not the dataset's."""
    name, shapes = exported(release, tmp_path / "out")
    first, second = shapes[name][:2]
    rows = rows_of(release)
    said = corrected(release, tmp_path, *(
        ClassChange(anchor=Anchor.of(rows[str(s.instance_id)]), old="harbor", new=s.category)
        for s in (first, second)
    ))  # fmt: skip
    other = next(c for c in CATEGORIES if c not in ("harbor", first.category))
    shapes[name][:2] = [replace(first, category=other), replace(second, category="harbor")]
    rewrite("coco", tmp_path / "out", shapes)
    assert take_back("coco", release, tmp_path / "out", said)["reclassified"] == 2
    (change,) = read_corrections(said).of(ClassChange)  # the second is of its own class again
    assert (change.anchor.instance_id, change.old, change.new) == (
        first.instance_id, "harbor", other,
    )  # fmt: skip


def test_a_drawn_mask_takes_back_what_was_said_of_the_one_before(
    release: Path, tmp_path: Path
) -> None:
    name, shapes = exported(release, tmp_path / "out")
    shape, row = shapes[name][0], rows_of(release)[str(shapes[name][0].instance_id)]
    clicks = Clicks(anchor=Anchor.of(row), positive=((1.0, 1.0),))
    told = Verdict(anchor=Anchor.of(row), verdict="accept", mask=mask_digest(row["rle"]))
    said = corrected(release, tmp_path, told, clicks)
    mask = rle_to_mask(shape.rle)
    mask[5, 3] = False
    shapes[name][0] = replace(shape, rle=mask_to_rle(mask))
    rewrite("coco", tmp_path / "out", shapes)
    take_back("coco", release, tmp_path / "out", said)
    found = read_corrections(said)
    assert [record.FILE for record in found.records.values()] == [Drawn.FILE]
    # and what is said of that very mask stays
    told = replace(told, mask=mask_digest(shapes[name][0].rle))
    Store(said).apply([Edit(None, told)])
    take_back("coco", release, tmp_path / "out", said)
    assert len(read_corrections(said).of(Verdict)) == 1


def test_what_was_added_before_is_mended_and_not_added_twice(release: Path, tmp_path: Path) -> None:
    name, shapes = exported(release, tmp_path / "out")
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[30:34, 30:36] = True
    said = tmp_path / "said"
    for rows, category in ((34, "ship"), (35, "ship"), (35, "plane")):
        mask[30:rows, 30:36] = True
        shapes[name] = [*shapes[name][:4], Shape(None, category, mask_to_rle(mask))]
        rewrite("coco", tmp_path / "out", shapes)
        counts = take_back("coco", release, tmp_path / "out", said)
        assert counts["added"] == (rows == 34)
    found = read_corrections(said, CATEGORIES)
    assert [record.category for record in found.of(Added)] == ["plane"]
    assert [rle_to_mask(record.rle).sum() for record in found.of(Drawn)] == [30]
    assert found.of(ClassChange) == []


def test_a_deleted_object_that_comes_back_is_not_rejected_any_more(
    release: Path, tmp_path: Path
) -> None:
    name, shapes = exported(release, tmp_path / "out")
    said, every = tmp_path / "said", shapes[name]
    shapes[name] = every[1:]
    rewrite("coco", tmp_path / "out", shapes)
    assert take_back("coco", release, tmp_path / "out", said)["rejected"] == 1
    shapes[name] = every
    rewrite("coco", tmp_path / "out", shapes)
    assert take_back("coco", release, tmp_path / "out", said)["returned"] == 1
    assert len(read_corrections(said)) == 0


def test_the_mask_that_is_rejected_is_the_one_to_be_released(release: Path, tmp_path: Path) -> None:
    name, shapes = exported(release, tmp_path / "out")
    row = rows_of(release)[str(shapes[name][0].instance_id)]
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[30:34, 30:36] = True
    drawn = Drawn(anchor=Anchor.of(row), rle=mask_to_rle(mask))
    said = corrected(release, tmp_path, drawn)
    counts = take_back("coco", release, tmp_path / "out", said)
    assert (counts["corrected_before"], counts["untouched"]) == (1, 9)
    del shapes[name][0]
    rewrite("coco", tmp_path / "out", shapes)
    take_back("coco", release, tmp_path / "out", said)
    assert [v.mask for v in read_corrections(said).of(Verdict)] == [mask_digest(drawn.rle)]


def test_what_a_person_rejected_is_not_added_by_an_older_file(
    release: Path, tmp_path: Path
) -> None:
    """The file has an object that the release, made again since, has no more."""
    name, shapes = exported(release, tmp_path / "out")
    gone = Anchor(instance_id="a#gone", tile_id=Path(name).stem, annotated=(30, 30, 36, 34))
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[30:34, 30:36] = True
    shapes[name].append(Shape("a#gone", "ship", mask_to_rle(mask)))
    rewrite("coco", tmp_path / "out", shapes)
    with pytest.raises(AnnotationError, match="an object of another release, got 'a#gone'"):
        take_back("coco", release, tmp_path / "out", tmp_path / "new")
    for word, said in (("reject", "a"), ("absent", "b")):
        told = Verdict(anchor=gone, verdict=word, mask="0" * 16)
        folder = corrected(release, tmp_path / said, told)
        counts = take_back("coco", release, tmp_path / "out", folder)
        assert (counts["left_out"], counts["added"]) == (1, 0)


def test_an_object_is_of_one_class_in_all_tiles(tmp_path: Path) -> None:
    release, out = of_two_tiles(tmp_path / "release" / "hand"), tmp_path / "out"
    export("coco", release, out, images=False)
    told = json.loads((out / "annotations.json").read_text())
    both = [a for a in told["annotations"] if a["object_id"] == "b#shared"]
    for annotation, category in zip(both, (2, 3, 2), strict=True):
        annotation["category_id"] = category
    (out / "annotations.json").write_text(json.dumps(told))
    with pytest.raises(AnnotationError, match="b#shared is of two classes"):
        take_back("coco", release, out, tmp_path / "said")


def test_an_image_stands_once(release: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export("coco", release, out, images=False)
    (out / "older.json").write_bytes((out / "annotations.json").read_bytes())
    with pytest.raises(AnnotationError, match="an image stands there twice, got 'a__"):
        take_back("coco", release, out, tmp_path / "said")


def test_a_polygon_that_does_not_parse_is_refused(release: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export("coco", release, out, images=False)
    told = json.loads((out / "annotations.json").read_text())
    told["annotations"][0]["segmentation"] = [[1, 1, 9, 1, 9, 9], [3, 3, 4]]
    (out / "annotations.json").write_text(json.dumps(told))
    with pytest.raises(AnnotationError, match=r"annotations\.json:1: annotation without a mask"):
        take_back("coco", release, out, tmp_path / "said")


def test_of_a_task_one_persons_annotation_is_taken(release: Path, tmp_path: Path) -> None:
    """Skipped ones count for nothing, and a task that nobody submitted did not come back."""
    out = tmp_path / "out"
    export("label_studio", release, out, images=False)
    tasks = json.loads((out / "tasks.json").read_text())
    tasks[0]["annotations"].append({"result": [], "was_cancelled": True})
    tasks[1]["annotations"] = []
    (out / "tasks.json").write_text(json.dumps(tasks))
    counts = take_back("label_studio", release, out, tmp_path / "said")
    assert (counts["images"], counts["rejected"]) == (3, 0)
    tasks[0]["annotations"].append(tasks[0]["annotations"][0])
    (out / "tasks.json").write_text(json.dumps(tasks))
    with pytest.raises(AnnotationError, match="several annotations of a task, got 2 of 'a__"):
        take_back("label_studio", release, out, tmp_path / "said")


def test_corrections_go_where_the_pipeline_looks(tmp_path: Path) -> None:
    """From whichever folder the command is called."""
    release = write_release(tmp_path / "data" / "release" / "sota", quality=True)
    (tmp_path / "params.yaml").write_text("")
    name, shapes = exported(release, tmp_path / "out")
    del shapes[name][0]
    rewrite("coco", tmp_path / "out", shapes)
    done = call("corrections", "import", "coco", release, tmp_path / "out")
    assert done.exit_code == 0, done.output
    dataset = read_manifest(release)["dataset"]
    assert len(read_corrections(tmp_path / "data" / "corrections" / dataset)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_brush_strokes_decode_as_they_were(seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 200, 2).tolist()
    mask = random.random((height, width)) < random.choice([0.01, 0.5, 1.0])
    assert (decode_brush(encode_brush(mask), (width, height)) == mask).all()
    with pytest.raises(ValueError, match="brush stroke"):
        decode_brush(encode_brush(mask)[:-2], (width, height))


def test_the_command_goes_out_and_back(release: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "out", tmp_path / "said"
    said.mkdir()
    done = call("corrections", "export", "coco", release, "--out", out, "--no-images")
    assert done.exit_code == 0, done.output
    assert not list(out.rglob("*.png"))
    assert "2 of the masks have holes, 2 several parts" in done.output
    done = call("corrections", "import", "coco", release, out, "--to", said)
    assert "9 untouched" in done.output
    done = call("corrections", "check", release, "--strict")
    assert (done.exit_code, done.output) == (0, "0 corrections do not fit\n")
