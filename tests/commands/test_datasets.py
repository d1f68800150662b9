"""``samrs datasets`` lists what is read, and every official file when asked."""

from __future__ import annotations

import pytest

from samrs.core import axis
from samrs.fetch.source import Source
from tests.commands.calls import call, misused

NAMES = axis.names("samrs.datasets")


def test_every_dataset_has_a_line_with_classes_origin_and_terms() -> None:
    head, *lines = call("datasets").stdout.splitlines()
    found = {line.split()[0]: line for line in lines if not line.startswith(" ")}
    assert head.split()[0] == "format"
    assert tuple(found) == NAMES
    assert found["dota"].split()[1:5] == ["18", "SOTA", "yes", "captain-whu.github.io"]
    assert "academic use only" in found["dota"]
    assert found["hrsc2016"].split()[1:4] == ["1", "-", "yes"]
    assert found["voc"].split()[1:5] == ["yours", "-", "no", "yours"]
    assert "as the owner of the data says" in found["yolo"]


def test_other_editions_stand_below_their_dataset() -> None:
    lines = call("datasets").stdout.splitlines()
    names = [line.split()[0] for line in lines]
    assert lines[names.index("nwpu_vhr10")].startswith("  ")
    assert names.index("nwpu_vhr10") == names.index("coco") + 1
    assert names.index("dota_v1") == names.index("dota") + 1


def test_sizes_are_told_as_far_as_they_are_published(monkeypatch: pytest.MonkeyPatch) -> None:
    def source(size: int | None) -> Source:
        return Source("a.zip", (), None, "", "https://page.test/x", size)

    sources = axis.load("samrs.datasets", "hrsc2016", "sources")
    for files, told in (
        ((None,), "1, sizes not published"),
        ((1000, 234), "2, 1,234 bytes"),
        ((1000, None), "2, 1 of them 1,000 bytes"),
    ):
        monkeypatch.setattr(sources, "SOURCES", tuple(source(size) for size in files))
        (line,) = (s for s in call("datasets").stdout.splitlines() if s.startswith("hrsc2016"))
        assert " page.test  " in line
        assert f"  {told}  " in line


def test_a_named_dataset_lists_its_files_with_checksums() -> None:
    said = call("datasets", "dota", "yolo").stdout
    assert "363b472dc3c71e7fa2f4a60223b437ea" in said
    assert "dota_v1: DOTA-v1.0: academic use only" in said
    assert "yolo: Any set in Ultralytics" in said
    assert "no official files: any folder of yours" in said


def test_an_unknown_dataset_is_wrong_usage() -> None:
    assert "'dotta' is not one of 'coco', " in misused(call("datasets", "dotta"))
