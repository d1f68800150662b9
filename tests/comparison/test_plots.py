"""Plots of an ablation: real pictures, equal bytes, as many as there is to show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samrs.comparison.plots import write_ablation_plots
from samrs.comparison.tables import Measured, to_rows
from samrs.core.images import decode_rgb
from tests.ablation.frames import paired

SCENES = [f"s{i:02d}" for i in range(10) for _ in range(3)]


def test_equal_tables_give_equal_plots(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ious = {name: list(rng.uniform(0, 1, 30)) for name in ("hbox", "rbox", "$point$")}
    rows = to_rows(Measured(paired(ious, SCENES)))
    for name in ("one", "two"):
        names = write_ablation_plots(rows, tmp_path / name)
    assert names == ["plot.png", "differences.png", "precision_recall.png"]
    for name in names:
        data = (tmp_path / "one" / name).read_bytes()
        assert data == (tmp_path / "two" / name).read_bytes()
        assert b"Software" not in data
        assert b"Date" not in data
        assert decode_rgb(data, name).std() > 5


@pytest.mark.parametrize("count", [1, 12])
def test_plots_grow_with_the_recipes(tmp_path: Path, count: int) -> None:
    ious = {f"r{i}": [0.5, 0.6] * 15 for i in range(count)}
    write_ablation_plots(to_rows(Measured(paired(ious, SCENES))), tmp_path)
    assert decode_rgb((tmp_path / "plot.png").read_bytes(), "plot").shape[0] == pytest.approx(
        115 + 27 * count, abs=2
    )


def test_without_hbox_the_plot_of_differences_says_so(tmp_path: Path) -> None:
    rows = to_rows(Measured(paired({"rbox": [0.5, 0.6] * 15, "point": [0.4] * 30}, SCENES)))
    write_ablation_plots(rows, tmp_path)
    height = decode_rgb((tmp_path / "differences.png").read_bytes(), "note").shape[0]
    assert height == 60
