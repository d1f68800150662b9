"""What the docs say of pre-training is what metrics/ says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.docs.measured import filled, gains


def interval(mean: float, low: float, high: float) -> dict[str, dict[str, float]]:
    return {"0.5": {"mean": mean, "low": low, "high": high}}


def test_gains_are_told_with_their_intervals_and_full_fine_tuning_is_not(tmp_path: Path) -> None:
    miou = {"scratch": interval(0.28, 0.27, 0.29), "pretrain": interval(0.32, 0.3, 0.34)}
    probed = {
        "mode": "probe",
        "draws": 10,
        "tested": 16,
        "miou": {"encoder": miou},
        "gain": {"encoder": {"pretrain": interval(0.04, 0.02, 0.06)}},
    }
    (tmp_path / "here.json").write_text(json.dumps(probed), encoding="utf-8")
    (tmp_path / "there.json").write_text(json.dumps({"mode": "full"}), encoding="utf-8")
    text = gains(tmp_path)
    assert "**here**, 16 tested tiles. Pre-training helps in encoder at 50% of the labels." in text
    assert (
        "| encoder | 50% | pretrain | 0.320 (0.300 to 0.340) | +0.040 (+0.020 to +0.060) |" in text
    )
    assert "there" not in text


def test_a_page_keeps_what_stands_around_its_place() -> None:
    page = "a\n<!-- measured:gains -->\nold\n<!-- /measured:gains -->\nb\n"
    told = "a\n<!-- measured:gains -->\n\nnew\n\n<!-- /measured:gains -->\nb\n"
    assert filled(page, "new") == filled(told, "new") == told
    with pytest.raises(ValueError, match=r"no place .* add them"):
        filled("a", "new")
