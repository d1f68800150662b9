"""What people say is on the disk at once; windows do not overwrite each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from samrs.core.errors import AnnotationError, ParameterError
from samrs.core.records import RELEASED
from samrs.core.rle import rle_area
from samrs.core.shards import read_manifest, sha256, write_manifest, write_table
from samrs.corrections.read import read_corrections
from samrs.corrections.records import (
    Added,
    Anchor,
    ClassChange,
    Clicks,
    Drawn,
    Verdict,
    mask_digest,
)
from samrs.corrections.store import Edit, Store
from samrs.review.clicks import Answered
from samrs.review.desk import ChangedError, Desk
from samrs.review.estimates import estimates, write_estimates
from samrs.review.index import Index
from samrs.review.pictures import Pictures
from samrs.review.sampling import draw


def rewrite_rows(release: Path, rows: list[dict[str, Any]]) -> None:
    """Put other rows into a release of one shard."""
    about = {k: v for k, v in read_manifest(release).items() if k != "shards"}
    write_table(release, "instances", RELEASED, rows)
    write_manifest(release, about)


SQUARE = [(10.0, 10.0), (30.0, 10.0), (30.0, 30.0), (10.0, 30.0)]


class Grown:
    """Answers clicks with a square around the first point; a point at the corner sees nothing."""

    def ask(self, tile: int, positive: Any, negative: Any, box: Any) -> Answered | None:
        from samrs.core.rle import hbb_to_rle

        (x, y) = positive[0]
        if (x, y) == (0, 0):
            return None
        return Answered(hbb_to_rle([x - 9, y - 9, x + 9, y + 9], [256, 256]), 0.8, 0.7)


def on_disk(desk: Desk, kind: Any) -> list[Any]:
    return read_corrections(desk.store.folder).of(kind)


def seen(desk: Desk, number: int) -> str:
    return desk.held(number).seen


def test_a_verdict_is_on_the_disk_and_says_of_which_mask(desk: Desk) -> None:
    desk.judge(3, "w", seen(desk, 3), "reject", " too large ")
    (verdict,) = on_disk(desk, Verdict)
    assert (verdict.verdict, verdict.reason) == ("reject", "too large")
    assert verdict.mask == mask_digest(desk.pictures.row(3)["rle"])
    assert desk.marks().verdict[3] == 2
    assert not desk.held(3).stale


def test_two_windows_do_not_overwrite_each_other(desk: Desk) -> None:
    both = seen(desk, 3)
    desk.judge(3, "one", both, "reject", "")
    with pytest.raises(ChangedError, match="was changed elsewhere") as told:
        desk.judge(3, "two", both, "accept", "")
    assert told.value.number == 3
    assert on_disk(desk, Verdict)[0].verdict == "reject"
    desk.judge(3, "two", seen(desk, 3), "accept", "")
    assert on_disk(desk, Verdict)[0].verdict == "accept"


def test_two_reviews_of_one_dataset_do_not_either(desk: Desk, release: Path) -> None:
    index = Index(release)
    other = Desk(index, Pictures(index), Store(desk.store.folder, index.categories))
    both = seen(desk, 3)
    other.judge(3, "w", both, "reject", "")
    with pytest.raises(ChangedError):
        desk.judge(3, "w", both, "accept", "")
    assert desk.held(3).verdict == other.held(3).verdict


def test_a_window_takes_back_its_own_changes_only(desk: Desk) -> None:
    desk.judge(1, "one", seen(desk, 1), "accept", "")
    desk.judge(2, "two", seen(desk, 2), "reject", "")
    assert desk.undo("one") == 1
    assert [v.verdict for v in on_disk(desk, Verdict)] == ["reject"]
    assert desk.undo("one") is None
    desk.judge(2, "one", seen(desk, 2), "accept", "")
    with pytest.raises(ChangedError):
        desk.undo("two")


def test_clicks_and_drawings_mend_and_ask_for_a_new_verdict(desk: Desk) -> None:
    desk.mender = Grown()  # type: ignore[assignment]
    desk.judge(4, "w", seen(desk, 4), "accept", "")
    desk.click(4, "w", seen(desk, 4), [(100.0, 100.0)], [], None)
    assert on_disk(desk, Verdict) == []
    (clicks,) = on_disk(desk, Clicks)
    assert (clicks.positive, clicks.answer.model) == (((100, 100),), "nano")
    assert desk.held(4).made_by == "clicked"
    assert rle_area(desk.held(4).rle) == 18 * 18
    desk.draw(4, "w", seen(desk, 4), [SQUARE])
    assert on_disk(desk, Clicks) == []
    assert (desk.held(4).made_by, rle_area(desk.held(4).rle)) == ("drawn", 400)
    desk.judge(4, "w", seen(desk, 4), "accept", "")
    assert not desk.held(4).stale
    assert [desk.undo("w") for _ in range(4)] == [4, 4, 4, 4]
    assert desk.held(4).records == []
    assert desk.held(4).made_by == "machine"


def test_the_machines_mask_comes_back(desk: Desk) -> None:
    desk.draw(4, "w", seen(desk, 4), [SQUARE])
    desk.restore(4, "w", seen(desk, 4))
    assert on_disk(desk, Drawn) == []
    assert desk.marks().changed[4] == 0


def test_nothing_is_kept_of_what_cannot_be(desk: Desk) -> None:
    with pytest.raises(ParameterError, match="nobody answers clicks, got segmenter 'sam'"):
        desk.click(4, "w", seen(desk, 4), [(5.0, 5.0)], [], None)
    desk.mender = Grown()  # type: ignore[assignment]
    with pytest.raises(ParameterError, match="no mask there"):
        desk.click(4, "w", seen(desk, 4), [(0.0, 0.0)], [], None)
    with pytest.raises(ParameterError, match="nothing was drawn"):
        desk.draw(4, "w", seen(desk, 4), [[(999.0, 9.0), (990.0, 9.0), (999.0, 1.0)]])
    with pytest.raises(AnnotationError, match="unknown class"):
        desk.reclass(4, "w", seen(desk, 4), "boat")
    with pytest.raises(AnnotationError, match="unknown verdict"):
        desk.judge(4, "w", seen(desk, 4), "maybe", "")
    assert len(read_corrections(desk.store.folder)) == 0


def test_a_class_is_changed_and_changed_back(desk: Desk) -> None:
    desk.reclass(4, "w", seen(desk, 4), "square")
    (change,) = on_disk(desk, ClassChange)
    assert (change.old, change.new) == ("disc", "square")
    assert desk.among("reclassed").nonzero()[0].tolist() == [4]
    desk.reclass(4, "w", seen(desk, 4), "disc")
    assert on_disk(desk, ClassChange) == []


def test_a_class_changed_in_one_tile_is_changed_in_all_and_fits_there(desk: Desk) -> None:
    """The other tile shows the object at other px."""
    first, second = desk.index.numbers_of(["b#shared"])[-2:].tolist()
    here, there = desk.pictures.row(first), desk.pictures.row(second)
    anchor = replace(Anchor.of(here), annotated=(1.0, 2.0, 3.0, 4.0))
    said = ClassChange(anchor=replace(anchor, tile_id=there["tile_id"]), old="disc", new="square")
    desk.store.apply([Edit(None, said)])
    assert desk.held(second).stale  # it is of another box there
    assert not desk.held(first).stale
    assert desk.held(first).category == "square"
    assert {first, second} <= set(desk.among("reclassed").nonzero()[0].tolist())


def added(desk: Desk, number: int = 4, **changes: Any) -> str:
    """Add a square; returns its id."""
    desk.mender = Grown()  # type: ignore[assignment]
    asked: dict[str, Any] = {"positive": [(100.0, 90.0)], "negative": [], "box": None, **changes}
    desk.add(number, "w", "square", **asked)
    return str(on_disk(desk, Added)[-1].anchor.instance_id)


def test_an_object_is_added_with_its_mask_and_taken_back(desk: Desk) -> None:
    desk.judge(4, "w", seen(desk, 4), "accept", "")
    name = added(desk)
    assert name.startswith("a#new-")
    (record,), (clicks,) = on_disk(desk, Added), on_disk(desk, Clicks)
    assert (record.category, record.anchor.annotated) == ("square", (91, 81, 109, 99))
    assert rle_area(clicks.answer.rle) == 18 * 18
    assert len(on_disk(desk, Verdict)) == 1  # of another mask of the tile
    (here,) = desk.added(5)
    assert (here.category, here.rle) == ("square", clicks.answer.rle)
    assert desk.added(20) == []  # of another tile
    with pytest.raises(ChangedError):
        added(desk)
    desk.remove(4, "w", here.seen)
    assert desk.added(4) == []
    assert on_disk(desk, Clicks) == []
    desk.undo("w")
    assert desk.added(4) == [here]
    desk.undo("w")
    assert len(read_corrections(desk.store.folder)) == 1
    with pytest.raises(ChangedError):
        desk.remove(4, "w", here.seen)


def test_the_box_that_a_person_draws_is_the_annotation(desk: Desk) -> None:
    added(desk, box=(80.0, 70.0, 120.0, 110.5))
    assert on_disk(desk, Added)[0].anchor.annotated == (80, 70, 120, 110.5)
    with pytest.raises(AnnotationError, match="unknown class"):
        desk.add(4, "w", "boat", [(10.0, 10.0)], [], None)
    assert len(on_disk(desk, Added)) == 1


def test_an_added_object_that_is_released_is_renamed_and_has_no_machines_mask(
    desk: Desk, release: Path
) -> None:
    name = added(desk)
    table = pq.read_table(release / "instances-00000.parquet")
    rows = table.to_pylist()
    clicks = on_disk(desk, Clicks)[0]
    box = list(clicks.anchor.annotated)
    rows[9] |= {"instance_id": name, "hbb": box, "hbb_annotated": box, "mask_hbb": box,
                "rle": clicks.answer.rle, "area": 18 * 18, "made_by": "clicked"}  # fmt: skip
    rewrite_rows(release, rows)
    again = Desk(Index(release), Pictures(Index(release)), Store(desk.store.folder))
    held = again.held(9)
    assert (held.added is not None, held.stale, held.made_by) == (True, False, "clicked")
    assert again.added(9) == []
    again.reclass(9, "w", held.seen, "disc")
    assert [r.category for r in on_disk(desk, Added)] == ["disc"]
    assert on_disk(desk, ClassChange) == []
    assert again.held(9).category == "disc"
    with pytest.raises(ParameterError, match="no mask by the machine"):
        again.restore(9, "w", seen(again, 9))


def test_estimates_are_of_the_release_that_is_shown(desk: Desk, tmp_path: Path) -> None:
    """Though another is made in its place while people judge."""
    desk.sample = draw(desk.index.category, desk.index.quality, 4, 7)
    shown = sha256(desk.index.release / "manifest.json")
    for number in desk.sample.numbers:
        desk.held(number)
    (desk.index.release / "manifest.json").write_text("{}")
    told = write_estimates(desk, tmp_path / "m.json", 7)
    assert told["release_sha256"] == shown


def test_a_samples_rows_are_read_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates are made after every change."""
    desk.sample = draw(desk.index.category, desk.index.quality, 12, 7)
    first = estimates(desk)
    monkeypatch.setattr(desk.pictures, "_reader", None)
    monkeypatch.setattr(desk.pictures, "_tiles", None)
    assert estimates(desk) == first


def test_masks_are_filtered_by_what_was_said(desk: Desk) -> None:
    desk.judge(1, "w", seen(desk, 1), "accept", "")
    desk.judge(2, "w", seen(desk, 2), "absent", "")
    desk.draw(3, "w", seen(desk, 3), [SQUARE])
    found = {state: desk.among(state).nonzero()[0].tolist() for state in
             ("accept", "absent", "reject", "mended", "judged")}  # fmt: skip
    assert found == {"accept": [1], "absent": [2], "reject": [], "mended": [3], "judged": [1, 2, 3]}
    assert desk.among("open").sum() == 33
    with pytest.raises(ParameterError, match="unknown verdict, got 'good'"):
        desk.among("good")


def test_a_verdict_of_another_mask_is_seen_to_be_old(desk: Desk) -> None:
    desk.judge(3, "w", seen(desk, 3), "accept", "")
    row = desk.pictures.row(3)
    old = {**row, "rle": desk.pictures.row(4)["rle"]}
    held = desk.held(3)
    assert not held.stale
    assert type(held)(old, held.verdict, None, None, None).stale


def test_a_judged_sample_speaks_for_all(desk: Desk, tmp_path: Path) -> None:
    index = desk.index
    desk.sample = draw(index.category, index.quality, 12, 7)
    nothing = estimates(desk)
    assert (nothing["judged"], nothing["share_good"]) == (0, None)
    for k, number in enumerate(desk.sample.numbers):
        if k == 0:
            desk.judge(number, "w", seen(desk, number), "reject", "")
        elif k < 3:
            x0, y0, x1, y1 = desk.pictures.row(number)["hbb"]
            half = [(x0, y0), ((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1), (x0, y1)]
            desk.draw(number, "w", seen(desk, number), [half])
        else:
            desk.judge(number, "w", seen(desk, number), "accept", "")
    told = write_estimates(desk, tmp_path / "metrics" / "hand.json", 7)
    assert (told["good"], told["mended"], told["rejected"]) == (9, 2, 1)
    assert (told["complete"], told["masks"], told["sampled"]) == (True, 36, 12)
    assert 0.4 < told["share_good"]["low"] < told["share_good"]["value"] < 0.95
    assert 0.8 < told["mean_iou"]["value"] < 1
    assert (tmp_path / "metrics" / "hand.json").read_text().count("share_good") == 1
