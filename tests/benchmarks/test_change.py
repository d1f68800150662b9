"""What a change costs is measured with the pipeline's own commands."""

from __future__ import annotations

from ruamel.yaml import YAML

from benchmarks.change import STAGES
from tests.conftest import ROOT


def test_each_stage_is_given_as_much_as_in_the_pipeline() -> None:
    said = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    commands = [str(stage.get("do", stage)["cmd"]).split() for stage in said.values()]
    given = {words[2]: words[3:] for words in commands}
    for stage, arguments in STAGES.items():
        assert len(arguments) == len(given[stage]), stage
