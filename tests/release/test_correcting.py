"""What people corrected stands in the release: masks, classes, objects, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samrs.core.errors import AnnotationError
from samrs.core.images import decode_labels
from samrs.core.records import MASKS
from samrs.core.rle import Rle, hbb_to_rle, rle_area
from samrs.core.shards import has_table, read_manifest, read_table, sha256, write_table
from samrs.corrections.records import (
    Added,
    Anchor,
    Answer,
    ClassChange,
    Clicks,
    Drawn,
    Verdict,
    mask_digest,
    rounded_box,
)
from samrs.corrections.store import Edit, Store
from samrs.verify.verify import verify
from tests.products_by_hand import OPEN, QUALITY, Thing, release, write

SIDE = 64
TILES = ["a__0_0", "a__32_0", "b__0_0", "c__0_0"]
THINGS = [
    Thing("a__0_0", "ship", (2, 2, 12, 12), "a#0"),
    Thing("a__0_0", "ship", (40, 10, 60, 30), "a#1"),
    Thing("a__32_0", "ship", (8, 10, 28, 30), "a#1"),  # the same object, 32 px to the left
    Thing("b__0_0", "plane", (4, 4, 8, 8), "b#0"),
]


class Made:
    """A release with corrections, written by hand."""

    def __init__(self, root: Path, things: list[Thing] | None = None, **parameters: Any) -> None:
        self.root = root
        self.products = write(root, TILES, THINGS if things is None else things)
        self.rows0 = read_table(self.products[0], "instances").to_pylist()
        self.parameters = {**OPEN, **parameters}
        self.store = Store(root / "corrections")

    def anchor(self, name: str, tile: str, **changes: Any) -> Anchor:
        row = next(r for r in self.rows0 if (r["instance_id"], r["tile_id"]) == (name, tile))
        return Anchor.of({**row, **changes})

    def put(self, *records: Any) -> None:
        self.store.apply([Edit(None, record) for record in records])

    def release(self) -> dict[str, Any]:
        self.out = self.root / "release" / "sota"
        counts: dict[str, Any] = release(
            *self.products, self.out, QUALITY, corrections=self.store.folder, **self.parameters
        )
        assert verify(self.out).lines() == []
        self.rows = {
            (r["instance_id"], r["tile_id"]): r
            for r in read_table(self.out, "instances").to_pylist()
        }
        self.scene_rows = {r["instance_id"]: r for r in read_table(self.out, "joined").to_pylist()}
        return counts

    def labels(self, tile: str) -> Any:
        maps = {r["tile_id"]: r for r in read_table(self.out, "semantic").to_pylist()}
        return decode_labels(maps[tile]["label_map"]["bytes"], tile)

    def conflicts(self) -> list[tuple[str, str, str]]:
        if not has_table(self.out, "conflicts"):
            return []
        rows = read_table(self.out, "conflicts").to_pylist()
        return [(r["file"], r["instance_id"], r["kind"]) for r in rows]


def box_mask(x0: int, y0: int, x1: int, y1: int) -> Rle:
    return hbb_to_rle(np.array([x0, y0, x1, y1], float), (SIDE, SIDE))


def verdict(anchor: Anchor, said: str, mask: Rle) -> Verdict:
    return Verdict(anchor=anchor, verdict=said, mask=mask_digest(mask))


def answer(rle: Rle) -> Answer:
    return Answer(rle=rle, segmenter="sam", model="nano", model_sha256="0", precision="float32",
                  predicted_iou=0.625, stability_score=0.5)  # fmt: skip


def test_a_rejected_mask_is_left_out_of_its_tile_alone(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.put(verdict(made.anchor("a#1", "a__0_0"), "reject", box_mask(40, 10, 60, 30)))
    counts = made.release()
    assert ("a#1", "a__0_0") not in made.rows
    assert ("a#1", "a__32_0") in made.rows
    assert (made.labels("a__0_0")[10:30, 40:60] == 255).all()
    assert (counts["kept"], counts["corrections"]["rejected"]) == (3, 1)
    assert made.scene_rows["a#1"]["tiles"] == 1


def test_an_absent_object_is_left_out_of_all_tiles(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.put(verdict(made.anchor("a#1", "a__32_0"), "absent", box_mask(8, 10, 28, 30)))
    counts = made.release()
    assert [name for name, _ in made.rows] == ["a#0", "b#0"]
    assert counts["corrections"]["rejected"] == 2
    assert counts["corrections"]["conflicts"] == {}


def test_an_accepted_mask_is_kept_whatever_its_scores(tmp_path: Path) -> None:
    made = Made(tmp_path, min_area=50)
    assert ("b#0", "b__0_0") not in (made.release() and made.rows)
    made.put(
        verdict(made.anchor("b#0", "b__0_0"), "accept", box_mask(4, 4, 8, 8)),
        verdict(made.anchor("a#0", "a__0_0"), "accept", box_mask(2, 2, 12, 12)),
    )
    counts = made.release()
    row = made.rows["b#0", "b__0_0"]
    assert (row["area"], row["made_by"], row["accepted"]) == (16, "machine", True)
    assert made.scene_rows["b#0"]["accepted"]
    assert not made.rows["a#1", "a__0_0"]["accepted"]
    assert counts["corrections"]["accepted"] == 2
    assert sum(counts["dropped"].values()) == 0


def test_what_is_left_out_as_difficult_stays_so(tmp_path: Path) -> None:
    things = [Thing("a__0_0", "ship", (2, 2, 12, 12), f"a#{i}", difficult=True) for i in (0, 1)]
    made = Made(tmp_path, things, keep_difficult=False)
    made.put(
        verdict(made.anchor("a#0", "a__0_0"), "accept", box_mask(2, 2, 12, 12)),
        Drawn(anchor=made.anchor("a#1", "a__0_0"), rle=box_mask(3, 3, 9, 9)),
    )
    counts = made.release()
    assert not made.rows
    assert counts["dropped"]["difficult"] == 2
    assert made.conflicts() == []


def test_a_broken_stored_mask_costs_the_count_of_no_other(tmp_path: Path) -> None:
    made = Made(tmp_path)
    rows = read_table(made.products[1], "masks").to_pylist()
    rows[1]["rle"]["counts"] = "~"
    write_table(made.products[1], "masks", MASKS, rows)
    made.put(
        Drawn(anchor=made.anchor("a#0", "a__0_0"), rle=box_mask(2, 2, 12, 7)),
        Drawn(anchor=made.anchor("a#1", "a__0_0"), rle=box_mask(40, 10, 60, 20)),
    )
    made.release()
    changed = {key: row["changed_px"] for key, row in made.rows.items()}
    assert changed["a#0", "a__0_0"] == 50
    assert changed["a#1", "a__0_0"] == 200  # all of it


def test_a_drawn_mask_stands_in_tile_scene_and_label_map(tmp_path: Path) -> None:
    made = Made(tmp_path, min_area=150)
    made.put(Drawn(anchor=made.anchor("a#0", "a__0_0"), rle=box_mask(2, 2, 12, 7)))
    counts = made.release()
    row = made.rows["a#0", "a__0_0"]
    assert row["rle"] == box_mask(2, 2, 12, 7)
    assert (row["area"], row["changed_px"], row["made_by"], row["recipe"]) == (
        50, 50, "drawn", "drawn",
    )  # fmt: skip
    assert row["mask_hbb"] == [2, 2, 12, 7]
    assert row["box_iou"] == row["obb_iou"] == 0.5
    assert [row[n] for n in ("quality", "predicted_iou", "stability_score")] == [None] * 3
    assert (made.labels("a__0_0")[2:7, 2:12] == 1).all()
    assert (made.labels("a__0_0")[7:12, 2:12] == 255).all()
    assert rle_area(made.scene_rows["a#0"]["rle"]) == 50
    assert made.scene_rows["a#0"]["made_by"] == "drawn"
    assert counts["corrections"]["drawn"] == 1
    assert counts["cleaned"]["instances"] == 0


def test_an_answer_to_clicks_brings_its_scores_and_a_drawn_mask_goes_before_it(
    tmp_path: Path,
) -> None:
    made = Made(tmp_path)
    first, second = made.anchor("a#0", "a__0_0"), made.anchor("b#0", "b__0_0")
    made.put(
        Clicks(anchor=first, positive=((5.0, 5.0),), answer=answer(box_mask(2, 2, 12, 7))),
        Clicks(anchor=second, box=(1, 1, 9, 9), answer=answer(box_mask(1, 1, 9, 9))),
        Drawn(anchor=second, rle=box_mask(1, 1, 3, 3)),
        verdict(first, "accept", box_mask(2, 2, 12, 7)),
    )
    counts = made.release()
    row = made.rows["a#0", "a__0_0"]
    assert (row["made_by"], row["recipe"], row["predicted_iou"], row["accepted"]) == (
        "clicked", "clicks", 0.625, True,
    )  # fmt: skip
    assert made.rows["b#0", "b__0_0"]["area"] == 4
    assert [counts["corrections"][n] for n in ("clicked", "drawn", "accepted")] == [1, 1, 1]
    assert counts["quality"]["mean"] is not None


def test_another_class_holds_in_all_tiles(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.put(ClassChange(anchor=made.anchor("a#1", "a__32_0"), old="ship", new="harbor"))
    counts = made.release()
    found = [r["category"] for (name, _), r in made.rows.items() if name == "a#1"]
    assert found == ["harbor", "harbor"]
    assert made.rows["a#0", "a__0_0"]["category"] == "ship"
    assert made.scene_rows["a#1"]["category_id"] == 2
    assert made.labels("a__0_0")[20, 50] == 2
    assert counts["corrections"]["reclassified"] == 2


def test_an_added_object_stands_behind_those_of_its_tile(tmp_path: Path) -> None:
    made = Made(tmp_path)
    for tile, box in (
        ("a__0_0", (1, 40, 9, 50)),
        ("c__0_0", (0, 0, 4, 4)),
        ("a__32_0", (9, 9, 90, 30)),
    ):
        name = f"{tile[0]}#new-0123456789a{len(box) + TILES.index(tile):x}"
        anchor = Anchor(instance_id=name, tile_id=tile, annotated=rounded_box(box))
        x0, y0, x1, y1 = box
        made.put(Added(anchor=anchor, category="harbor"),
                 Drawn(anchor=anchor, rle=box_mask(x0, y0, min(x1, 64), y1)))  # fmt: skip
    counts = made.release()
    tiles = [tile for _, tile in made.rows]
    assert tiles == sorted(tiles, key=TILES.index)
    assert [name for name, tile in made.rows if tile == "a__0_0"] == [
        "a#0",
        "a#1",
        "a#new-0123456789a4",
    ]
    row = made.rows["a#new-0123456789a5", "a__32_0"]
    assert row["hbb"] == [9, 9, 64, 30]
    assert row["visible"] == pytest.approx(55 / 81)
    assert made.labels("c__0_0")[:4, :4].tolist() == [[2] * 4] * 4
    assert [name for name in made.scene_rows if name[0] == "a"] == [
        "a#0", "a#1", "a#new-0123456789a4", "a#new-0123456789a5",
    ]  # fmt: skip
    assert (counts["instances"], counts["kept"]) == (4, 7)
    assert counts["corrections"]["added"] == counts["corrections"]["drawn"] == 3
    assert counts["tiles_empty"] == 0


def test_a_person_decides_what_lies_in_a_tile_of_which_another_shows_more(tmp_path: Path) -> None:
    """The machine's mask of the tile that shows the whole box does not stand against it."""
    made = Made(tmp_path)
    made.put(Drawn(anchor=made.anchor("a#1", "a__32_0"), rle=box_mask(8, 10, 28, 15)))
    made.release()
    row = made.scene_rows["a#1"]
    assert (row["way"], row["made_by"], row["area"]) == ("whole", "drawn", 100)


def test_parts_that_a_person_drew_go_before_others_where_masks_are_joined(tmp_path: Path) -> None:
    things = [
        Thing("a__0_0", "ship", (20, 0, 64, 10), "a#0"),
        Thing("a__32_0", "ship", (0, 0, 64, 10), "a#0"),
    ]
    made = Made(tmp_path, things)
    for i, row in enumerate(made.rows0):  # annotated over both tiles and beyond each
        row["hbb_annotated"] = [20.0 - 32 * i, 0.0, 96.0 - 32 * i, 10.0]
    _annotate(made)
    before = made.release()
    assert before["scenes"]["ways"] == {"joined": 1}
    assert made.scene_rows["a#0"]["area"] == (96 - 20) * 10
    made.put(Drawn(anchor=made.anchor("a#0", "a__0_0"), rle=box_mask(20, 0, 64, 4)))
    made.release()
    row = made.scene_rows["a#0"]
    assert (row["way"], row["made_by"]) == ("joined", "drawn")
    assert row["area"] == (64 - 20) * 4 + (96 - 64) * 10


def _annotate(made: Made) -> None:
    """Write the rows of the instances again."""
    from samrs.core.records import INSTANCES
    from samrs.core.shards import write_manifest, write_table

    manifest = read_manifest(made.products[0])
    for row in made.rows0:
        x0, y0, x1, y1 = row["hbb_annotated"]
        shown = [max(x0, 0), y0, min(x1, SIDE), y1]
        row["hbb"], row["visible"] = shown, (shown[2] - shown[0]) / (x1 - x0)
    write_table(made.products[0], "instances", INSTANCES, made.rows0)
    write_manifest(made.products[0], {k: v for k, v in manifest.items() if k != "shards"})


def odd(made: Made) -> dict[str, list[Any]]:
    """Records that do not fit, by the kind of conflict."""
    first, mask = made.anchor("a#0", "a__0_0"), box_mask(2, 2, 12, 12)
    nobody = Anchor(instance_id="a#9", tile_id="a__0_0", annotated=first.annotated)
    nowhere = Anchor(instance_id="a#0", tile_id="z__0_0", annotated=first.annotated)
    elsewhere = Anchor(instance_id="a#0", tile_id="b__0_0", annotated=first.annotated)
    moved = Anchor(instance_id="a#0", tile_id="a__0_0", annotated=(2.0, 2.0, 12.0, 13.0))
    new = Anchor(instance_id="a#new-000000000000", tile_id="a__0_0", annotated=(1.0, 1.0, 3.0, 3.0))
    beside = Anchor(instance_id=new.instance_id, tile_id="a__0_0", annotated=(-9.0, 1.0, 0.0, 3.0))
    small = hbb_to_rle(np.array([1.0, 1, 3, 3]), (8, 8))
    return {
        "instance": [verdict(nobody, "reject", mask)],
        "tile": [verdict(nowhere, "reject", mask)],
        "tile ": [Drawn(anchor=elsewhere, rle=mask)],
        "tile  ": [Drawn(anchor=first, rle=small)],
        "tile   ": [ClassChange(anchor=nowhere, old="ship", new="plane")],
        "box": [verdict(moved, "reject", mask)],
        "box ": [Drawn(anchor=moved, rle=mask)],
        "box  ": [ClassChange(anchor=moved, old="ship", new="plane")],
        "box   ": [verdict(moved, "absent", mask)],
        "box    ": [Added(anchor=beside, category="ship"), Drawn(anchor=beside, rle=mask)],
        "mask": [verdict(first, "reject", box_mask(0, 0, 1, 1))],
        "mask ": [verdict(first, "accept", box_mask(0, 0, 1, 1))],
        "class": [ClassChange(anchor=first, old="plane", new="harbor")],
        "unanswered": [Clicks(anchor=first, positive=((5.0, 5.0),))],
        "unanswered ": [Added(anchor=new, category="ship")],
        "instance ": [Drawn(anchor=new, rle=mask)],
    }


KINDS = ["instance", "tile", "tile ", "tile  ", "tile   ", "box", "box ", "box  ", "box   ",
         "box    ", "mask", "mask ", "class", "unanswered", "unanswered ", "instance "]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_any_more_is_listed_and_not_applied(kind: str, tmp_path: Path) -> None:
    made = Made(tmp_path)
    plain = made.release()
    before = {p.name: sha256(p) for p in made.out.glob("*.parquet")}
    records = odd(made)[kind]
    made.put(*records)
    counts = made.release()
    after = {p.name: sha256(p) for p in made.out.glob("*.parquet")}
    assert after.pop("conflicts-00000.parquet")
    assert after == before
    assert counts["corrections"]["conflicts"] == {kind.strip(): 1} or len(records) > 1
    assert {k for _, _, k in made.conflicts()} >= {kind.strip()}
    assert {f for f, _, _ in made.conflicts()} >= {records[0].FILE}
    assert counts | {"corrections": 0} == plain | {"corrections": 0}


def test_verdicts_against_each_other_are_a_conflict(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.put(
        verdict(made.anchor("a#1", "a__0_0"), "accept", box_mask(40, 10, 60, 30)),
        verdict(made.anchor("a#1", "a__32_0"), "absent", box_mask(8, 10, 28, 30)),
    )
    counts = made.release()
    assert made.conflicts() == [("verdicts.csv", "a#1", "absent")]
    assert counts["corrections"]["accepted"] == 0


def test_without_corrections_a_release_is_the_same(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.release()
    found = {p.name: sha256(p) for p in made.out.iterdir()}
    release(*made.products, made.out, QUALITY, **made.parameters)
    assert {p.name: sha256(p) for p in made.out.iterdir()} == found
    assert {(r["made_by"], r["accepted"]) for r in made.rows.values()} == {("machine", False)}


def test_what_is_said_is_of_known_classes(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.put(ClassChange(anchor=made.anchor("a#0", "a__0_0"), old="ship", new="harbour"))
    with pytest.raises(AnnotationError, match=r"classes\.csv:2: .*did you mean harbor"):
        made.release()


def test_the_manifest_says_which_corrections_were_applied(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.put(verdict(made.anchor("a#0", "a__0_0"), "reject", box_mask(2, 2, 12, 12)))
    made.release()
    said = read_manifest(made.out)["corrections"]
    assert said["sha256"] == made.store.read().digest()
    assert said["records"]["verdicts.csv"] == 1
