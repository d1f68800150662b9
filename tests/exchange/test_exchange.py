"""Out to every labelling tool and back: only what a person touched becomes a correction."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from samrs.core import axis
from samrs.core.errors import AnnotationError
from samrs.core.rle import mask_to_rle, rle_to_mask
from samrs.corrections.read import read_corrections
from samrs.corrections.records import Added, ClassChange, Drawn, Verdict
from samrs.exchange.exchange import TOOLS, export, take_back
from samrs.exchange.shapes import Picture, Shape
from samrs.exchange.tools.label_studio import decode_brush, encode_brush
from tests.commands.calls import call
from tests.export.releases import HEIGHT, WIDTH, write_release

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
    assert export(tool, release, tmp_path / "out") == 4
    counts = take_back(tool, release, tmp_path / "out", tmp_path / "said")
    assert counts == {**dict.fromkeys(counts, 0), "images": 4, "untouched": 9}
    assert len(read_corrections(tmp_path / "said")) == 0


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
    done = call("corrections", "import", "coco", release, out, "--to", said)
    assert "9 untouched" in done.output
    done = call("corrections", "check", release, "--strict")
    assert (done.exit_code, done.output) == (0, "0 corrections do not fit\n")
