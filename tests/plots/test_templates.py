"""What ``dvc plots show`` draws: real dvc, and Vega itself for the bars (vl-convert)."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import vl_convert
import yaml

from samrs.comparison.tables import write_tables as write_comparison
from samrs.measures.groups import ALL, BINS
from samrs.stats.plots import write_tables
from tests.ablation.frames import paired
from tests.pipeline.closure import ROOT
from tests.pipeline.graph import stages
from tests.pipeline.stand_in import run
from tests.stats.test_plots import subset

COMPARISON = "metrics/compare_prompts"
TEMPLATES = ROOT / ".dvc" / "plots"

Panel = list[dict[str, Any]]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's graph and templates beside tables of a made ablation and made subsets."""
    root = tmp_path_factory.mktemp("plots") / "repo"
    for name in ("dvc.yaml", "params.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    run(root, "dvc", "init", "-q", "--no-scm")
    for kept in ("plots", "config"):
        source = ROOT / ".dvc" / kept
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, root / ".dvc" / kept)
    rng = np.random.default_rng(0)
    ious = {name: list(rng.uniform(0.2, 1, 60)) for name in ("hbox", "rbox", "soft_rbox+zoom")}
    frame = paired(ious, [f"s{i:02d}" for i in range(20) for _ in range(3)])
    for column, kinds in (("true_area", [100, 500, 5000, 20_000]), ("category", ["ship", "plane"])):
        frame[column] = np.tile(np.resize(kinds, len(frame) // len(ious)), len(ious))
    write_comparison(frame, root / COMPARISON)
    measured = {"sota": subset([3, 0, 40]), "fast": subset([5, 9])}
    classes, sizes = (root / f"metrics/stats_{kind}.csv" for kind in ("classes", "sizes"))
    write_tables(measured, classes, sizes)
    return root


def drawn(repo: Path, *arguments: str) -> dict[str, Any]:
    """The Vega-Lite specification of a plot."""
    spec: dict[str, Any] = json.loads(run(repo, "dvc", "plots", "show", "--show-vega", *arguments))
    return spec


def panels(spec: dict[str, Any]) -> list[Panel]:
    """The bars of each panel as Vega draws them: ``x``, ``width`` and what their label says."""

    def bars(node: Any) -> Iterator[Panel]:
        if isinstance(node, dict):
            if (node.get("marktype"), node.get("role")) == ("rect", "mark"):
                yield [
                    {"x": item.get("x", 0), "width": item["width"], **told(item["description"])}
                    for item in node["items"]
                ]
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                yield from bars(child)

    def told(label: str) -> dict[str, str]:
        return dict(part.split(": ", 1) for part in label.split("; "))

    return list(bars(vl_convert.vegalite_to_scenegraph(spec)))


def faults(found: list[Panel], value: str) -> list[str]:
    """Bars that do not begin at nothing, or are not as long as their value says."""
    wrong = []
    for panel in found:
        most = max(panel, key=lambda bar: float(bar[value]))
        scale = most["width"] / float(most[value])
        for bar in panel:
            if bar["x"] != 0 or abs(bar["width"] - scale * float(bar[value])) > 0.01:
                wrong.append(str(bar))
    return wrong


def bar_plots() -> dict[str, dict[str, str]]:
    """Plots of dvc.yaml that have a template of ours, with their options."""
    entries = [entry for stage in stages().values() for entry in stage.get("plots", [])]
    pairs = [next(iter(entry.items())) for entry in entries]
    return {path: options for path, options in pairs if "template" in options}


@pytest.mark.parametrize("path", bar_plots())
def test_every_bar_begins_at_nothing_and_is_as_long_as_its_value(repo: Path, path: str) -> None:
    x, y = bar_plots()[path]["x"], bar_plots()[path]["y"]
    rows = pd.read_csv(repo / path)
    if "category" in rows and "bin" in rows:
        rows = rows[rows["bin"] == ALL]
    found = panels(drawn(repo, path))
    assert faults(found, x) == []
    bars = sorted((bar[y], float(bar[x])) for panel in found for bar in panel)
    assert bars == sorted(zip(rows[y].astype(str), rows[x].astype(float), strict=True))
    for panel in found:
        assert len({bar[y] for bar in panel}) == len(panel)


def test_the_template_of_dvc_stacks_the_bins_of_a_recipe(repo: Path) -> None:
    """Why there are templates here; and the check above can fail."""
    spec = drawn(repo, "--template", "bar_horizontal", f"{COMPARISON}/table.csv")
    assert faults(panels(spec), "miou_i")


def test_bins_stand_in_their_order_in_the_template() -> None:
    facet = json.loads((TEMPLATES / "bars_by_bin.json").read_text(encoding="utf-8"))["facet"]
    assert facet["sort"] == [ALL, *BINS]


def test_every_template_is_used() -> None:
    assert {f"{o['template']}.json" for o in bar_plots().values()} == {
        path.name for path in TEMPLATES.glob("*.json")
    }


def test_the_page_asks_no_server_where_the_environment_has_vega(repo: Path) -> None:
    run(repo, "dvc", "plots", "show", "-o", "dvc_plots", f"{COMPARISON}/table.csv")
    page = (repo / "dvc_plots" / "index.html").read_text(encoding="utf-8")
    without = re.sub(r"<template.*?</template>", "", page, flags=re.S)
    assert "cdn.jsdelivr.net" in page
    assert re.findall(r'src="([^"]*)"', without) == ["../.venv/vega.js"]
    assert "vegaEmbed('#" in without
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "> .venv/vega.js" in makefile
    bundle = vl_convert.javascript_bundle()
    assert "window.vegaEmbed=" in bundle
    assert not re.search(r"""\bfrom\s*["']https?:""", bundle)


def test_the_graph_names_no_subset_in_its_plots() -> None:
    """A subset that is taken out of params.yaml leaves no plot behind."""
    subsets = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["subsets"]
    assert not any(name in path for path in bar_plots() for name in subsets.values())
