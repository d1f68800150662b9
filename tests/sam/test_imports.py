"""SAM's networks start without the half of segment_anything that they do not need."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

SCRIPT = """
import sys
import samrs.segmenters.sam
assert not {"torchvision", "torch._dynamo", "transformers"} & sys.modules.keys()
import segment_anything
from segment_anything import SamPredictor, sam_model_registry
assert segment_anything.SamPredictor is SamPredictor is segment_anything.predictor.SamPredictor
assert not hasattr(segment_anything, "SamNoPredictor")
"""


def test_no_torchvision_before_somebody_asks_segment_anything_for_its_own_names() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
