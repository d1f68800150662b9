"""What pip installs."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

import samrs
from tests.pipeline.closure import ROOT


def test_the_wheel_holds_every_file_of_the_library(wheel: Path) -> None:
    packed = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    files = (path for path in (ROOT / "samrs").rglob("*") if path.is_file())
    there = {str(path.relative_to(ROOT)) for path in files if path.parent.name != "__pycache__"}
    assert packed == there
    assert {Path(name).suffix for name in packed} > {".py", ".html", ".md", ".json", ".safetensors"}


def test_the_version_is_that_of_the_project_and_the_wheel(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert samrs.__version__ == project["version"]
    assert wheel.name.startswith(f"samrs-{samrs.__version__}-")
