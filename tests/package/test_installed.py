"""The wheel in an empty environment, used from an empty folder: what a user of pip has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from samrs.core import axis
from tests.pipeline.closure import ROOT

pytestmark = pytest.mark.slow
FORMATS = sorted(
    set(axis.names("samrs.export.formats")) - {"geojson", "geoparquet", "geotiff", "gpkg", "stac"}
)
NO_NETWORK = ("error sending request", "dns error", "network is unreachable", "failed to fetch")
ENV = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(word) for word in words]
    return subprocess.run(command, cwd=folder, env=ENV, capture_output=True, text=True, check=False)


def installed(wheel: Path, folder: Path, extras: str = "") -> Path:
    """The folder of programs of a new environment with the wheel and nothing else of ours."""
    uv = (sys.executable, "-m", "uv")
    done = run(ROOT, *uv, "venv", "--quiet", "--python", sys.executable, folder)
    assert done.returncode == 0, done.stderr
    into = ("pip", "install", "--quiet", "--python", folder / "bin" / "python")
    what = (f"samrs{extras} @ {wheel.as_uri()}", "--constraint", ROOT / "requirements.lock")
    done = run(ROOT, *uv, *into, "--offline", *what)
    if done.returncode:  # the cache lacks something
        done = run(ROOT, *uv, *into, *what)
    if any(sign in done.stderr.lower() for sign in NO_NETWORK):
        pytest.skip("packages are neither in uv's cache nor to be had over a network")
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(wheel, tmp_path_factory.mktemp("light") / "env")


def test_the_base_is_light(light: Path) -> None:
    there = {path.name for path in light.parent.glob("lib*/python*/site-packages/*")}
    assert "samrs" in there
    assert not there & {"torch", "dvc", "matplotlib", "scipy", "sklearn", "rasterio"}


def test_a_release_is_checked_described_and_exported(
    light: Path, released: Path, tmp_path: Path
) -> None:
    done = run(tmp_path, light / "samrs", "verify", released)
    assert done.stdout.startswith(f"{released}: sound: "), done.stderr
    done = run(tmp_path, light / "samrs", "card", released)
    assert "# SOTA" in done.stdout, done.stderr
    done = run(tmp_path, light / "samrs", "preview", released, "--out", "page.html")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").is_file()
    for name in FORMATS:
        done = run(tmp_path, light / "samrs", "export", name, released, f"out/{name}")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "out" / name / "README.md").is_file()


def test_tables_are_read_and_what_needs_torch_says_so(
    light: Path, released: Path, tmp_path: Path
) -> None:
    code = (
        "import samrs\nfrom samrs.data import ReleaseReader\n"
        f"print(samrs.__version__, ReleaseReader({str(released)!r}).read(0).tile_id)\n"
        "from samrs.data import ReleaseTiles\n"
    )
    done = run(tmp_path, light / "python", "-c", code)
    assert done.stdout.endswith(" a__0_0\n")
    assert done.stderr.rstrip().endswith("run pip install 'samrs[label]'")
    done = run(tmp_path, light / "samrs", "audit", "coco", tmp_path, "--out", "out")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.endswith("run pip install 'samrs[label]'\n")


def test_with_label_own_boxes_become_masks_masks_are_audited_and_releases_torch_datasets(
    wheel: Path, released: Path, tmp_path: Path
) -> None:
    programs = installed(wheel, tmp_path / "env", "[label]")
    folder, work = tmp_path / "mine", tmp_path / "work"
    work.mkdir()
    axis.load("samrs.datasets", "coco", "demo").write(folder, scenes=2, seed=0)
    words = ("audit", "coco", folder, "--limit", "1", "--recipes", "hbox", "--out", "out")
    done = run(work, programs / "samrs", *words)
    assert done.returncode == 0, done.stderr
    assert (work / "out" / "audit.html").is_file()
    words = ("label", "coco", folder, "--export", "yolo_seg", "--name", "mine", "--out", "masks")
    done = run(work, programs / "samrs", *words)
    assert done.returncode == 0, done.stderr
    assert (work / "masks" / "yolo_seg" / "data.yaml").is_file()
    done = run(work, programs / "samrs", "verify", "masks/release/mine")
    assert "masks/release/mine: sound: " in done.stdout, done.stderr
    code = f"from samrs.data import ReleaseTiles\nprint(len(ReleaseTiles({str(released)!r})))\n"
    done = run(work, programs / "python", "-c", code)
    assert done.stdout == "3\n", done.stderr
