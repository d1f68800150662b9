"""Parts that were sound are not checked again, unless what their checks look at changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from samrs.core.records import RELEASED, TILES
from samrs.core.shards import read_table, sha256
from samrs.verify import verify as module
from samrs.verify.parts import Part
from samrs.verify.verify import Verification, verify
from samrs.work import fingerprint
from tests.products_by_hand import Thing, write
from tests.released import write_release
from tests.verify.test_tampering import SCENES, THINGS
from tests.verify.test_verify import rewrite, set_in


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables whose rows were checked."""
    tables: list[str] = []
    original = module.check_part

    def counted(part: Part) -> Any:
        tables.append(part.table)
        return original(part)

    monkeypatch.setattr(module, "check_part", counted)
    return tables


def made(root: Path, scenes: list[str] = SCENES, things: list[Thing] = THINGS) -> Path:
    normalized, labelled = write(root / "products", scenes, things)
    shutil.rmtree(root / "sota", ignore_errors=True)
    return write_release(normalized, labelled, root / "sota")


def test_a_second_run_checks_no_row_and_says_the_same(tmp_path: Path, checked: list[str]) -> None:
    release, kept = made(tmp_path), tmp_path / "kept"
    first = Verification(release, kept=kept)
    assert first.run().lines() == []
    assert set(checked) == {"tiles", "released", "semantic", "scenes", "joined"}
    checked.clear()
    second = Verification(release, kept=kept)
    assert second.run().lines() == []
    assert checked == []
    assert second.summary() == first.summary()
    assert (second._totals.label_pixels == first._totals.label_pixels).all()
    assert (second._totals.quality == first._totals.quality).all()
    assert second._totals.mask_pixels == first._totals.mask_pixels


def test_counts_are_compared_with_what_was_found_before(tmp_path: Path) -> None:
    release, kept = made(tmp_path), tmp_path / "kept"
    assert not verify(release, kept=kept)
    path = release / "manifest.json"
    path.write_text(path.read_text().replace('"overpainted_pixels": ', '"overpainted_pixels": 9'))
    assert verify(release, kept=kept).counts == verify(release).counts == {"counts": 1}


def test_a_file_of_other_bytes_is_found_and_its_rows_are_checked(
    tmp_path: Path, checked: list[str]
) -> None:
    release, kept = made(tmp_path), tmp_path / "kept"
    verify(release, kept=kept)
    checked.clear()
    path = release / "instances-00000.parquet"
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    findings = verify(release, kept=kept)
    assert "checksum" in findings.counts
    assert checked == ["released"]


def test_rows_are_checked_again_where_the_tiles_that_they_name_changed(
    tmp_path: Path, checked: list[str]
) -> None:
    """Other tables stay, but for label maps, which are compared with masks, and joined ones."""
    release, kept = made(tmp_path), tmp_path / "kept"
    verify(release, kept=kept)
    checked.clear()
    rewrite(release, "tiles", TILES, set_in(0, width=33))
    assert verify(release, kept=kept).counts == verify(release).counts
    assert {"tiles", "released", "semantic"} <= set(checked)


def test_masks_of_other_sums_have_label_maps_checked_again(
    tmp_path: Path, checked: list[str]
) -> None:
    release, kept = made(tmp_path), tmp_path / "kept"
    verify(release, kept=kept)
    before = sha256(release / "semantic-00000.parquet")
    area = read_table(release, "instances")["area"][0].as_py()
    rewrite(release, "instances", RELEASED, set_in(0, area=area - 1))
    checked.clear()
    findings = verify(release, kept=kept)
    assert findings.counts == verify(release).counts
    assert "label_map" in findings.counts
    assert "semantic" in checked
    assert sha256(release / "semantic-00000.parquet") == before


def test_what_is_wrong_is_not_kept(tmp_path: Path, checked: list[str]) -> None:
    release, kept = made(tmp_path), tmp_path / "kept"
    rewrite(release, "instances", RELEASED, set_in(0, predicted_iou=7.0))
    found = [verify(release, kept=kept).counts for _ in range(2)]
    assert found[0] == found[1] == {"score": 1}
    assert checked.count("released") == 2


@pytest.mark.parametrize("damage", ["changed", "cut short"])
def test_a_damaged_file_of_kept_checks_counts_as_none(
    damage: str, tmp_path: Path, checked: list[str]
) -> None:
    release, kept = made(tmp_path), tmp_path / "kept"
    verify(release, kept=kept)
    number = len(checked)
    (path,) = kept.iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data if damage == "changed" else data[:40])
    checked.clear()
    assert not verify(release, kept=kept)
    assert len(checked) == number


def test_other_code_checks_everything(
    tmp_path: Path, checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    release, kept = made(tmp_path), tmp_path / "kept"
    verify(release, kept=kept)
    number = len(checked)
    shutil.copytree(
        fingerprint.ROOT / "samrs", tmp_path / "samrs", ignore=shutil.ignore_patterns("*.pyc")
    )
    edited = tmp_path / "samrs/verify/mask_checks.py"
    edited.write_text(edited.read_text() + "\n# edited\n")
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    checked.clear()
    assert not verify(release, kept=kept)
    assert len(checked) == number
    assert len(list(kept.iterdir())) == 1, "the last run's are kept and no others"
