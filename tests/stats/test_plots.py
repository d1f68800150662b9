from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.images import decode_rgb
from samrs.drawing.palette import colour
from samrs.stats.plots import write_plots, write_tables
from samrs.stats.stats import size_histogram


def subset(counts: list[int]) -> dict[str, Any]:
    return {
        "classes": {
            f"class ${i}$": {"category_id": i, "instances": n, "pixels": 90 * n}
            for i, n in enumerate(counts)
        },
        "mask_sizes": size_histogram(np.array([30, 60, 70, 5000])),
    }


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_tables_hold_the_numbers_behind_the_plots(tmp_path):
    two = {"sota": subset([3, 0, 40]), "fast": subset([5])}
    write_tables(two, tmp_path / "classes.csv", tmp_path / "sizes.csv")
    assert table(tmp_path / "classes.csv") == [
        ["subset", "category", "instances", "pixels"],
        ["sota", "class $2$", "40", "3600"],
        ["sota", "class $0$", "3", "270"],
        ["sota", "class $1$", "0", "0"],
        ["fast", "class $0$", "5", "450"],
    ]
    sizes = table(tmp_path / "sizes.csv")
    head = [["subset", "size_bin", "count"], ["sota", "0-50", "1"], ["sota", "50-100", "2"]]
    assert sizes[:3] == head
    assert (len(sizes), sizes[-1]) == (1 + 2 * 41, ["fast", "2000+", "1"])


def test_plots_are_the_same_bytes_each_time(tmp_path):
    for folder in ("a", "b"):
        write_plots({"sota": subset([3, 40])}, tmp_path / folder)
    for name in ("sota-classes.png", "sota-sizes.png"):
        data = (tmp_path / "a" / name).read_bytes()
        assert data == (tmp_path / "b" / name).read_bytes()
        assert b"Software" not in data


def test_plots_of_many_classes_are_small_files(tmp_path):
    write_plots({"fast": subset([int(1.4**i) for i in range(37)])}, tmp_path)
    assert all(p.stat().st_size < 80_000 for p in tmp_path.glob("*.png"))


def test_bars_are_painted_in_the_palette(tmp_path):
    write_plots({"sota": subset([5, 50])}, tmp_path)
    image = decode_rgb((tmp_path / "sota-classes.png").read_bytes(), "plot")
    for label in (0, 1):
        distance = np.abs(image.astype(int) - colour(label)).max(axis=2)
        assert (distance <= 4).sum() > 1000


def test_subset_without_instances_can_be_plotted(tmp_path):
    nothing = {**subset([0, 0]), "mask_sizes": size_histogram(np.array([], dtype=int))}
    write_plots({"sota": nothing}, tmp_path)
    assert len(list(tmp_path.glob("*.png"))) == 2
