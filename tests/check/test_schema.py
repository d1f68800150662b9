"""params.yaml is checked before anything runs, and every fault in it is told at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from samrs.check.schema import KEYS, SECTIONS, Section, faults
from samrs.core.errors import MissingInputError, ParameterError
from tests.pipeline.closure import ROOT

TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
GUARD = r"\nguard:[^\n]*\n(  [^\n]*\n)+"


def found(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """The faults of the project's own params.yaml with some patterns replaced, once each."""
    text = TEXT
    for old, new in changes:
        assert re.search(old, text), old
        text = re.sub(old, new, text, count=1)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    return faults(folder)


def test_the_projects_own_are_valid() -> None:
    assert faults(ROOT) == []
    assert set(KEYS) == set(yaml.safe_load(TEXT))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (r"min_area: 4\b", "min_area: four", r"wrong type, got release\.min_area = 'four'"),
        (r"(dior:\n    tile: null)\n    overlap: 0", r"\1", r"got normalize\.dior without overlap"),
        (r"(dior:\n    tile:) null", r"\1 a", r"got normalize\.dior\.tile = 'a'"),
        (r"\nprompt: \S+", "\nprompt: hbx", r"got 'hbx'; .*did you mean hbox\?"),
        ("- hbox_wide", "- hbox_wiide", r"got 'hbox_wiide'; .*did you mean hbox_wide\?"),
        (r"\norigin: \S+", "\norigin: moon", "unknown name, got origin: 'moon'"),
        (r"\nmodel: \S+", "\nmodel: vit_x", r"unknown name, got model: 'vit_x'.*mean vit_.\?"),
        (r"\nsegmenter: \S+", "\nsegmenter: sma", r"got segmenter: 'sma'; .*did you mean sam\?"),
        (r"\nprecision: \S+", "\nprecision: 16", "wrong or missing parameter, got precision = 16"),
        (r"\nbenchmarks:\n", "\nbenchmarks:\n- coco\n", "unknown name, got benchmarks: 'coco'"),
        ("overlap: smaller_on_top", "overlap: any", r"got release\.overlap: 'any'"),
        (
            "overrides: null",
            "overrides: {dotta: {}}",
            r"got release\.overrides: 'dotta'; .*an dota\?",
        ),
        ("overrides: null", "overrides: {dota: {core: 2}}", r"dota\.core: out of range, got 2"),
        ("overrides: null", "overrides: {dota/a: {x: 2}}", r"dota/a: unknown parameter, got x"),
        ("overrides: null", "overrides: {dota: 1}", r"wrong type, got release\.overrides"),
        (GUARD, "\n", "wrong or missing parameter, got guard = None; a mapping is needed"),
        (r"format: dior", "format: dioor", r"got datasets\.dior\.format: 'dioor'; .*mean dior\?"),
        (r"(format: dior\n    path:) \S+", r"\1 1", r"wrong type, got datasets\.dior\.path = 1"),
        (
            r"format: dior\n",
            "forma: dior\n",
            r"unknown parameter, got datasets\.dior\.forma; .*at\?",
        ),
        ("device: auto", "device: gpu", r"unknown device, got runtime\.device = 'gpu'"),
        (r"(dota:\n    tile:) 1024", r"\1 -1", r"normalize\.dota: .*with tile -1"),
        (
            r"(dota:\n    tile: 1024\n    overlap:) 200",
            r"\1 1024",
            r"normalize\.dota: .*got overlap 1024",
        ),
        (
            "min_visible: 0.7",
            "min_visible: 7.0",
            r"normalize\.dota: min_visible is not a share, got 7\.0",
        ),
        ("min_quality: 0.0", "min_quality: 60.0", r"release\.min_quality: out of range, got 60"),
        ("crop: 96", "crop: 100", r"pretrain\.crop: does not fit .*got 100"),
        (r"    - 0\.5", "    - 5.0", r"finetune\.potsdam\.shares: not a share, got 5\.0"),
        (
            r"    scales:[^\n]*\n    - 1\.0",
            "    scales: []",
            r"finetune\.potsdam\.scales: not sizes",
        ),
        (r"\n  - test\n  - val", "\n  - vall", r"pretrain\.hold_out: unknown use, got 'vall'"),
        (r"warmup: 0", "warmup: 60", r"pretrain\.clip and warmup: out of range, got 5\.0 and 60"),
        (
            r"\nprompt: \S+(.*\n.*\nmodel:) \S+",
            r"\nprompt: auto\1 vit_b",
            r"prompt: auto was chosen for sam nano, got sam vit_b",
        ),
        (r"\nprompt: ", "\npromt: hbox\nprompt: ", r"got promt; .*mean prompt\?"),
        ("executor: local", "executor: lokal", r"got runtime\.executor: 'lokal'.*mean local\?"),
    ],
)
def test_a_wrong_parameter_is_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    (fault,) = found(tmp_path, (old, new))
    assert re.search(said, fault)
    assert fault.startswith("params.yaml: ")
    assert "\n" not in fault


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            r"min_area: 4\b",
            "min_areas: 4",
            [r"unknown parameter, got release\.min_areas; .*did you mean min_area\?"],
        ),
        (
            r"\nprompt: auto",
            "\npromt: hbox",
            [r"unknown parameter, got promt; .*did you mean prompt\?", "got prompt = None"],
        ),
        (
            r"\n  dota:\n    format",
            "\n  dotta:\n    format",
            [r"got normalize: 'dota'; .*mean dotta\?", r"got subsets: 'dota'", "normalize.dotta ="],
        ),
        (
            r"\n  hrsc2016:\n    scenes",
            "\n  hrsc:\n    scenes",
            [r"got download: 'hrsc'; .*did you mean hrsc2016\?"],
        ),
        (r"\ndatasets:\n", "\ndatasets:\n  mine: 1\n", [r"datasets\.mine = 1", r"normalize\.mine"]),
        (r"\nbenchmarks:\n", "\nbenchmarks:\n- 1\n- a: b\n", ["benchmarks: 1", "benchmarks: {'a'"]),
    ],
)
def test_what_follows_from_a_fault_is_told_too(
    tmp_path: Path, old: str, new: str, said: list[str]
) -> None:
    told = found(tmp_path, (old, new))
    assert len(told) == len(said), told
    assert all(re.search(pattern, fault) for pattern, fault in zip(said, told, strict=True)), told


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    changes = (
        (r"\nmodel: \S+", "\nmodel: nanno"),
        ("crop: 128", "crop: wide"),
        ("- zoom", "- zom"),
    )
    assert len(found(tmp_path, *changes)) == 3


def test_without_parameters_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"params\.yaml: missing.*in the project's folder"):
        faults(tmp_path)
    (tmp_path / "params.yaml").write_text("- 1")
    with pytest.raises(ParameterError, match="no parameters, got list"):
        faults(tmp_path)
    (tmp_path / "params.yaml").write_text("{}")
    assert len(faults(tmp_path)) == len(KEYS)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.stage)
def test_sections_are_what_the_stage_scripts_read(section: Section) -> None:
    """Each script calls ``section(function, declared(), path, *top, given=...)`` once."""
    source = (ROOT / "stages" / f"{section.stage}.py").read_text(encoding="utf-8")
    assert f"from {section.module} import " in source
    assert source.count(" section(") == 1
    assert f" section({section.function}, " in source
    words = {word for text in re.findall(r'"([^"]*)"', source) for word in text.split()}
    assert {*section.top, *section.given} <= words
    each = {f"{section.stage}.{{dataset}}", f"{section.stage}.{{benchmark}}"}
    assert section.stage in words or each & words or not section.own


def test_a_released_dataset_has_a_folder_for_what_people_correct(tmp_path: Path) -> None:
    for name in ("dota", "dior"):
        (tmp_path / "data/corrections" / name).mkdir(parents=True)
    (fault,) = found(tmp_path)
    assert fault.startswith("data/corrections/fair1m: no such folder")
