"""What QGIS's own processing makes of the exports, where it is installed (Debian: ``qgis``)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from samrs.export.export import export
from tests.export.releases import instance, masks, tile, write_release

geopandas = pytest.importorskip("geopandas")
BINARY = next(filter(None, map(shutil.which, ("qgis_process.bin", "qgis_process"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BINARY is None, reason="QGIS is not installed: apt-get install qgis"),
]


def process(algorithm: str, home: Path, **parameters: str) -> str:
    """Run an algorithm of QGIS's processing; returns what it tells."""
    words = [f"{name}={value}" for name, value in parameters.items()]
    home.mkdir(mode=0o700, exist_ok=True)
    environment = {"PATH": os.defpath, "HOME": str(home), "XDG_RUNTIME_DIR": str(home),
                   "QT_QPA_PLATFORM": "offscreen"}  # fmt: skip
    done = subprocess.run([str(BINARY), "run", algorithm, "--", *words], env=environment,
                          capture_output=True, text=True, timeout=300, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("qgis")
    kinds = masks()
    apart = ("box", "parts", "corner")
    rows = [instance(name, "a__0_0", i, kinds[name]) for i, name in enumerate(apart)]
    release = write_release(folder / "sota", tiles=[tile("a__0_0", "train")], rows=rows)
    for format in ("gpkg", "geoparquet", "geotiff", "png"):
        export(format, release, folder / format)
    return folder


def test_polygons_are_valid_to_qgis(exported, tmp_path):
    outputs = {f"{kind}_OUTPUT": str(tmp_path / f"{kind}.gpkg") for kind in ("VALID", "INVALID")}
    told = process("qgis:checkvalidity", tmp_path / "home", METHOD="2", **outputs,
                   INPUT_LAYER=f"{exported / 'gpkg' / 'sota.gpkg'}|layername=sota",
                   ERROR_OUTPUT=str(tmp_path / "errors.gpkg"))  # fmt: skip
    assert "INVALID_COUNT:\t0" in told
    assert "VALID_COUNT:\t3" in told


@pytest.mark.parametrize("raster", ["geotiff/train/a.tif", "png/semantic/train/a__0_0.png"])
def test_qgis_counts_the_px_of_each_polygon_on_the_map(raster, exported, tmp_path):
    """The polygons lie on their px, and these have their labels."""
    out = tmp_path / "counted.gpkg"
    process("native:zonalhistogram", tmp_path / "home", INPUT_RASTER=str(exported / raster),
            RASTER_BAND="1", INPUT_VECTOR=f"{exported / 'gpkg' / 'sota.gpkg'}|layername=sota",
            COLUMN_PREFIX="px_", OUTPUT=str(out))  # fmt: skip
    rows = geopandas.read_file(out)
    assert len(rows) == 3
    for _, row in rows.iterrows():
        counts = [int(row[f"px_{label}"]) for label in range(3)]
        assert counts == [row["area_px"] if i == row["label"] else 0 for i in range(3)]


def test_qgis_measures_the_area_that_the_mask_has(exported, tmp_path):
    out = tmp_path / "measured.gpkg"
    process("native:fieldcalculator", tmp_path / "home", FIELD_NAME="measured", FIELD_TYPE="0",
            INPUT=f"{exported / 'gpkg' / 'sota.gpkg'}|layername=sota", FORMULA="area($geometry)",
            OUTPUT=str(out))  # fmt: skip
    rows = geopandas.read_file(out)
    assert np.allclose(rows["measured"], rows["area_px"] * 0.25, rtol=1e-6)
