"""Python processes in which some packages cannot be imported, as if they were not installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

EXTRAS = (
    "antimeridian", "defusedxml", "dvc", "dvc_data", "filelock", "lightning", "matplotlib",
    "pyogrio", "pyproj", "pystac",
    "rasterio", "ray",
    "requests", "safetensors", "scipy", "segment_anything",
    "segmentation_models_pytorch", "shapely", "sklearn", "starlette",
    "threadpoolctl", "timm", "torch", "torchmetrics", "torchvision", "transformers", "urllib3",
    "uvicorn",
)  # fmt: skip
"""Modules that come with extras, all of them."""


def run(
    code: str, *arguments: str | Path, without: Iterable[str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own.

    Args:
        code: sees ``arguments`` as ``sys.argv[1:]``.
        without: top-level modules that are hidden.
        folder: where it runs.
    """
    hide = f"import sys\nsys.modules.update(dict.fromkeys({tuple(without)!r}))\n"
    command = [sys.executable, "-c", hide + code, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def command(
    *words: str | Path, without: Iterable[str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """``samrs WORDS`` in a process of its own."""
    code = "from samrs.commands.group import samrs\nsamrs(prog_name='samrs')\n"
    return run(code, *words, without=without, folder=folder)
