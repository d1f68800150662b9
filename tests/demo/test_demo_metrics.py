"""What the metrics in git say of the demo that made them."""

from __future__ import annotations

import json

import pytest

from samrs.core.parameters import read_parameters
from tests.pipeline.closure import ROOT

PARAMETERS = read_parameters(ROOT)


def test_every_class_that_pre_training_is_tested_on_was_trained() -> None:
    told = json.loads((ROOT / "metrics" / "pretrain.json").read_text(encoding="utf-8"))
    subsets = PARAMETERS["subsets"].values()
    assert told["classes_without_training_pixel"] == dict.fromkeys(sorted(subsets), 0)


@pytest.mark.parametrize("benchmark", PARAMETERS["benchmarks"])
def test_every_class_that_a_benchmark_is_tested_on_was_trained(benchmark: str) -> None:
    path = ROOT / "metrics" / "finetune" / f"{benchmark}.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["tested"] > 0
    assert told["classes_without_training_pixel"] == 0
