"""``samrs verify`` prints a line for a sound product, findings with the status 1 for others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from samrs.core.parallel import num_workers
from samrs.core.records import MASKS, RELEASED
from samrs.core.rle import hbb_to_rle
from tests.commands.calls import call, misused
from tests.products_by_hand import write
from tests.released import write_release
from tests.verify.test_verify import THINGS, TILES_IDS, rewrite, set_in


@pytest.fixture
def products(tmp_path: Path) -> tuple[Path, Path]:
    """Products of ``normalize`` and ``sam_label``."""
    return write(tmp_path, TILES_IDS, THINGS)


@pytest.fixture
def normalized(products: tuple[Path, Path]) -> Path:
    return products[0]


@pytest.fixture
def released(tmp_path: Path, products: tuple[Path, Path]) -> Path:
    return write_release(*products, tmp_path / "release" / "sota")


def test_sound_products_have_a_line_each(released: Path, normalized: Path) -> None:
    done = call("verify", released, normalized)
    assert (done.exit_code, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert (
        first
        == f"{released}: sound: 5 shards, 3 instances, 3 joined, 3 scenes, 3 semantic, 3 tiles"
    )
    assert second.startswith(f"{normalized}: sound: ")


def test_findings_are_counted_and_named(released: Path, normalized: Path) -> None:
    rewrite(released, "instances", RELEASED, set_in(0, area=401))
    program = Path(sys.prefix) / "bin" / "samrs"  # `make env` puts it there
    command = [program, "verify", released, normalized]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"{released}: 2 findings\n  area: 1 (" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"{normalized}: sound: ")


def test_masks_are_checked_against_the_tiles_that_are_named(products: tuple[Path, Path]) -> None:
    normalized, labelled = products
    other = hbb_to_rle((0, 0, 20, 20), (32, 32))
    rewrite(labelled, "masks", MASKS, set_in(0, rle=other))
    assert call("verify", labelled).exit_code == 0
    done = call("verify", labelled, "--tiles", normalized)
    assert done.exit_code == 1
    assert "size [32, 32], [64, 64] needed" in done.stdout


def test_threads_limit_the_processes(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        "samrs.verify.verify.Verification.run", lambda self: seen.append(num_workers()) or {}
    )
    call("verify", released, "--threads", "3")
    assert seen == [3]


def test_no_product_is_wrong_usage() -> None:
    assert "Missing argument 'PRODUCTS...'" in misused(call("verify"))
