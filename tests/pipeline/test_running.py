"""What a stage says when it cannot go on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from samrs.core.errors import SamrsError
from samrs.core.shards import write_csv, write_json
from stages.stage import running

FULL = Path("/dev/full")
ROOT = Path(__file__).parents[2]
ASKED = """
import runpy, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("samrs", "numpy", "torch"):
            import ctypes
            asked = ctypes.c_int()
            ctypes.CDLL(None).prctl(2, ctypes.byref(asked))  # PR_GET_PDEATHSIG
            print(name, asked.value)
            raise SystemExit
sys.meta_path.insert(0, Watch())
runpy.run_module("stages.{}", run_name="__main__")
"""
SCRIPTS = sorted(
    p.stem for p in (ROOT / "stages").glob("*.py") if p.stem not in ("__init__", "stage")
)


def by_python() -> None:
    FULL.write_text("much", encoding="utf-8")


def by_arrow() -> None:
    with FULL.open("wb") as file:
        pq.write_table(pa.table({"a": [1]}), file)


@pytest.mark.skipif(not FULL.exists(), reason="Linux has a device that is always full")
@pytest.mark.parametrize(
    "write",
    [
        lambda: write_csv(FULL, ["a"], [["b"]]),
        lambda: write_json(FULL, {"a": 1}),
    ],
)
def test_the_sentence_names_the_file(write: Callable[[], None]) -> None:
    with pytest.raises(SystemExit, match=r"^error: /dev/full: cannot be written"), running():
        write()


@pytest.mark.skipif(not FULL.exists(), reason="Linux has a device that is always full")
@pytest.mark.parametrize("write", [by_python, by_arrow])
def test_a_full_disk_is_one_sentence(write: Callable[[], None]) -> None:
    said = r"^error: .*cannot be written, got.*No space left.*run again"
    with pytest.raises(SystemExit, match=said), running():
        write()


def test_an_error_for_the_user_is_one_sentence() -> None:
    with pytest.raises(SystemExit, match=r"^error: a: is wrong"), running():
        raise SamrsError("a: is wrong")


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(FileNotFoundError), running():
        Path("not there").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
@pytest.mark.parametrize("stage", SCRIPTS)
@pytest.mark.parametrize(("by", "signal"), [({"DVC_STAGE": "a"}, 15), ({}, 0)], ids=["dvc", "hand"])
def test_a_stage_asks_to_die_with_dvc_before_it_imports_anything(
    stage: str, by: dict[str, str], signal: int
) -> None:
    outside = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"}
    done = subprocess.run(
        [sys.executable, "-c", ASKED.format(stage)],
        cwd=ROOT, env=outside | by, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [done.stdout.split()[0], str(signal)]
