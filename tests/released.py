"""Releases of products written by hand, with the project's own thresholds unless told otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.pipeline.closure import ROOT
from tests.products_by_hand import release


def write_release(normalized: Path, labelled: Path, out: Path, **changes: Any) -> Path:
    """Write the release of two products and return its folder."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    quality = ROOT / "samrs" / "models" / "quality.json"
    release(
        normalized,
        labelled,
        out,
        quality,
        **{**params["release"], "min_area": 0, **changes},
    )
    return out
