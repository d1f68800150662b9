"""What a labelling run says of itself: the log's lines, the table, unreadable tiles counted."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import ImageError
from samrs.core.records import TILES
from samrs.core.shards import read_table, write_table
from tests.label.hand_made import many_tiles, write_product
from tests.label.test_label import labelled


def lines(out: Path) -> list[dict[str, Any]]:
    log = out.parent / f"work of {out.name}" / "log.jsonl"
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def test_the_log_has_a_line_for_every_tile_and_the_table_says_it_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    product = write_product(tmp_path / "hand")
    with caplog.at_level(logging.INFO, logger="samrs"):
        metrics = labelled(product, tmp_path / "out")
    begin, *tiles, end = lines(tmp_path / "out")
    assert (begin["event"], begin["recipe"], begin["device"]) == ("begin", "hbox", "cpu")
    assert [(line["tile_id"], line["masks"], line["kept"]) for line in tiles] == [
        ("a__0_0", 3, False), ("c__0_0", 2, False),
    ]  # fmt: skip
    assert end["how"] == "complete"
    assert metrics.items() <= {**end, **begin}.items()
    table = caplog.records[-1].getMessage().splitlines()
    assert table[0] == "sam-label hand"
    assert table[1].split() == ["tiles", "3,", "1", "of", "them", "without", "instances"]
    assert table[5].split()[:5] == ["masks", "5,", "5", "of", "them"]
    labelled(product, tmp_path / "out")
    assert [line["kept"] for line in lines(tmp_path / "out")[1:-1]] == [True, True]


def test_unreadable_tiles_are_counted_and_named_and_do_not_stop_the_others(tmp_path: Path) -> None:
    product = many_tiles(tmp_path / "many", write_product(tmp_path / "hand"), 9)
    rows = read_table(product, "tiles").to_pylist()
    for number in (1, 4, 5, 7):
        rows[number]["image"]["bytes"] = b"no image"
    write_table(product, "tiles", TILES, rows)
    with pytest.raises(ImageError, match=r"got 4 unreadable \(.*t01.*t04.*t05.*\); the others are"):
        labelled(product, tmp_path / "out")
    said = lines(tmp_path / "out")
    failed = [line["tile_id"] for line in said if line["event"] == "failure"]
    assert failed == ["t01", "t04", "t05", "t07"]
    done = [line["tile_id"] for line in said if line["event"] == "tile"]
    assert done == ["t00", "t02", "t03", "t06", "t08"]
    assert said[-1]["how"] == "ImageError"
