"""Class names are a stranger's: what they may hold, tables and pictures bear."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from samrs.audit.contact_sheet import MOST_CLASSES, most_frequent
from samrs.audit.tables import audit_markdown, audit_text, class_table, fill_block
from samrs.comparison.tables import Measured, class_rows, write_tables
from tests.ablation.frames import paired

SCENES = [f"s{i}" for i in range(8)]


def frame(*names: str) -> pd.DataFrame:
    """Eight instances of eight scenes, of classes in turn."""
    rows = paired({"hbox": [0.5] * 8, "zoom": [0.6] * 8}, SCENES)
    number = rows["instance_id"].astype(int)
    return rows.assign(category=[names[i % len(names)] for i in number])


def written(folder: Path, *names: str) -> Path:
    write_tables(frame(*names), folder, {"images": 8, "model": "nano", "precision": "float32"})
    timing = {"steps": {"ask": 1.0}, "milliseconds": {"encode": 1.0, "recipes": {"hbox": 1.0}}}
    (folder / "timing.json").write_text(json.dumps(timing))
    return folder


def test_names_are_no_markup_in_a_document(tmp_path: Path) -> None:
    names = "![](http://evil/x.png)", "a|b\nc", "<b>", "`x` @you", "<!-- /audit:coco -->", "y" * 300
    lines = audit_markdown(written(tmp_path, *names)).splitlines()
    own = [line for line in lines[-8:-1] if line]
    assert len(own) == len(names) == 6 or len(own) == 7
    spans = [line.split(" | ")[0] for line in lines if line.startswith("| `")]
    assert len(spans) == 6
    assert all(span.endswith("`") and span.count("`") == 2 for span in spans)
    assert max(map(len, spans)) < 100


def test_names_cannot_steer_a_terminal_or_break_its_lines(tmp_path: Path) -> None:
    text = audit_text(written(tmp_path, "\x1b]0;gotcha\x07ship", "a\nb", "z" * 300))
    assert text.replace("\n", "").isprintable()
    assert any(line.startswith("a?b ") for line in text.splitlines())
    assert max(map(len, text.splitlines())) < 200


def test_a_class_named_all_is_not_taken_for_all_classes(tmp_path: Path) -> None:
    rows = [r for r in class_rows(Measured(frame("all", "ship"))) if r["bin"] == "all"]
    counts = {r["category"]: r["count"] for r in rows if r["recipe"] == "hbox"}
    assert counts == {"all": 8, "all (class)": 4, "ship": 4}
    assert [row[0] for row in class_table(written(tmp_path, "all", "ship")).rows] == [
        "all (class)",
        "ship",
        "all",
    ]


def test_sheets_of_very_many_classes_show_the_most_frequent() -> None:
    many = pd.DataFrame({"category": [f"{i:04d}" for i in range(1203)] + ["0700", "0900"]})
    shown = most_frequent(many)
    assert len(shown) == MOST_CLASSES
    assert {"0000", "0700", "0900"} <= set(shown)
    assert shown == sorted(shown)


def test_a_document_keeps_its_ends_of_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes(b"a\r\n<!-- audit:x -->\r\n<!-- /audit:x -->\r\nb\r\n")
    fill_block(page, "x", "one\ntwo\n")
    assert page.read_bytes() == (
        b"a\r\n<!-- audit:x -->\r\n\r\none\r\ntwo\r\n\r\n<!-- /audit:x -->\r\nb\r\n"
    )
