"""What `make env` installs: the package, found from anywhere, and what DVC is slow without."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import ruamel.yaml


def test_a_folder_of_the_same_name_beside_a_script_does_not_hide_the_package(
    tmp_path: Path,
) -> None:
    try:
        distribution("samrs")
    except PackageNotFoundError:
        pytest.skip("samrs is not installed: make env")
    (tmp_path / "samrs").mkdir()
    script = tmp_path / "script.py"
    script.write_text("import samrs.core.records as found; print(found.__file__)")
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = Path(done.stdout.strip())
    assert found.parts[-3:] == ("samrs", "core", "records.py")
    assert tmp_path not in found.parents


def test_dvc_reads_its_lock_with_libyaml() -> None:
    assert ruamel.yaml.__with_libyaml__, "pip install ruamel.yaml.clib"
