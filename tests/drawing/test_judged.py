"""What people said of a sample, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from samrs.card import card
from samrs.core.errors import ProductError
from samrs.core.shards import sha256, write_json
from samrs.drawing.judged import judged_sentence, read_judged
from samrs.report.report import judged_note
from tests.export.releases import write_release

TOLD: dict[str, Any] = {
    "release_sha256": "aa",
    "seed": 7,
    "masks": 24231,
    "sampled": 200,
    "judged": 200,
    "good": 166,
    "mended": 28,
    "rejected": 6,
    "share_good": {"value": 0.831, "low": 0.775, "high": 0.879},
    "mean_iou": {"value": 0.934, "low": 0.912, "high": 0.956},
}


def test_the_estimates_are_told_with_their_intervals() -> None:
    said = judged_sentence(TOLD, "aa")
    assert "200 of 200 masks drawn at random (seed 7) from 24,231:" in said
    assert "166 good as they are, 28 mended, 6 rejected" in said
    assert "83.1 % of all masks are good (95 % interval 77.5 % to 87.9 %)" in said
    assert "is 0.934 (95 % interval 0.912 to 0.956)." in said
    assert "of an earlier release" in judged_sentence(TOLD, "bb")


def test_a_sample_that_says_nothing_yet_claims_nothing() -> None:
    said = judged_sentence({**TOLD, "judged": 3, "share_good": None, "mean_iou": None}, "aa")
    assert "3 of 200" in said
    assert "interval" not in said


def test_card_and_report_tell_it_of_the_release(tmp_path: Path) -> None:
    release = write_release(tmp_path / "release" / "hand")
    path = tmp_path / "metrics" / "review" / "dota.json"
    assert "Nobody judged" in judged_note(path, release)
    assert "judged" not in card(release, judged=path).split("## Quality")[1][:200]
    write_json(path, {**TOLD, "release_sha256": sha256(release / "manifest.json")})
    assert "77.5 % to 87.9 %" in judged_note(path, release)
    assert "A person judged 200 of 200 masks" in card(release, judged=path)


def test_another_file_is_refused(tmp_path: Path) -> None:
    assert read_judged(tmp_path / "none.json") is None
    for text in ("{", "[]", '{"seed": 7}'):
        (tmp_path / "a.json").write_text(text, encoding="utf-8")
        with pytest.raises(ProductError, match="not what samrs review writes"):
            read_judged(tmp_path / "a.json")
