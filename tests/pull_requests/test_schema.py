"""params.yaml is checked before anything runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from samrs.core.errors import SamrsError
from samrs.review.schema import SECTIONS, Section, check
from tests.pull_requests.changes import ROOT


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's parameters and metrics."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "metrics", root / "metrics")
    return root


def test_the_projects_own_are_valid(project: Path) -> None:
    shutil.copy(ROOT / "params.yaml", project / "params.yaml")
    assert check(project) >= 10


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (r"min_area: 4\b", "min_areas: 4", r"unknown parameter, got release\.min_areas"),
        (r"min_area: 4\b", "min_area: four", r"wrong type, got release\.min_area = 'four'"),
        (r"(dior:\n    tile: null)\n    overlap: 0", r"\1", r"got normalize\.dior without overlap"),
        (r"\nprompt: \S+", "\nprompt: hbx", "got 'hbx'"),
        (r"\norigin: \S+", "\norigin: moon", "unknown name, got origin: 'moon'"),
        (r"\nmodel: \S+", "\nmodel: vit_x", "unknown name, got model: 'vit_x'"),
        (r"\nprecision: \S+", "\nprecision: 16", "wrong or missing parameter, got precision = 16"),
        (r"\n- dota\n", "\n- dotta\n", "got download without dotta|dotta = None"),
        (r"\n- hrsc2016\n", "\n- hrsc2016\n- voc\n", "voc = None"),
        (r"\nbenchmarks:\n", "\nbenchmarks:\n- coco\n", "unknown name, got benchmarks: 'coco'"),
        (r"overlap: smaller_on_top", "overlap: any", r"got release\.overlap: 'any'"),
        (r"miou_i: 0\.01", "miou_x: 0.01", r"unknown metric, got guard: .*miou_x"),
        (r"miou_i: 0\.01", "miou_i: a", "wrong tolerance"),
    ],
)
def test_a_wrong_parameter_is_named(project: Path, old: str, new: str, said: str) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert re.search(old, text), old
    (project / "params.yaml").write_text(re.sub(old, new, text, count=1), encoding="utf-8")
    with pytest.raises(SamrsError, match=said):
        check(project)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.stage)
def test_sections_are_what_the_stage_scripts_read(section: Section) -> None:
    """Each script calls ``section(function, declared(), path, *top, given=...)`` once."""
    source = (ROOT / "stages" / f"{section.stage}.py").read_text(encoding="utf-8")
    assert f"from {section.module} import " in source
    assert source.count(" section(") == 1
    assert f" section({section.function}, " in source
    words = {word for text in re.findall(r'"([^"]*)"', source) for word in text.split()}
    assert {*section.top, *section.given} <= words
    assert section.stage in words or f"{section.stage}.{{dataset}}" in words or not section.own
