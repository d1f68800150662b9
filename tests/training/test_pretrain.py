from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import MissingInputError, ParameterError
from samrs.core.shards import read_manifest, sha256
from samrs.pretrain import held_tiles, pretrain
from samrs.training.settings import Settings
from tests.training.conftest import ENCODER, HELD_OUT, RUNTIME, SEED, SETTINGS

OPTIONS: dict[str, Any] = {
    **ENCODER,
    "hold_out": HELD_OUT,
    "seed": SEED,
    "settings": Settings(**SETTINGS),
    "runtime": RUNTIME,
}


def test_pretraining_writes_weights_history_and_numbers(
    releases: dict[str, Path], tmp_path: Path
) -> None:
    out, work = tmp_path / "pretrain", tmp_path / "work"
    (work / ("0" * 16)).mkdir(parents=True)  # of a run of other parameters, which was killed
    metrics = pretrain(
        releases,
        out,
        work,
        **ENCODER,
        hold_out=HELD_OUT,
        seed=SEED,
        settings=Settings(**SETTINGS),
        runtime=RUNTIME,
    )
    assert metrics["steps"] == 5
    assert metrics["samples"] == {"sota": 10, "fast": 15}
    assert metrics["epochs"] == 2.5
    assert set(metrics["miou"]) == {"sota", "fast"}
    assert len((out / "history.csv").read_text().splitlines()) == 6
    manifest = read_manifest(out)
    assert manifest["encoder"] == ENCODER["encoder"]
    assert manifest["categories"]["fast"] == ["red", "green", "blue"]
    assert set(manifest["files"]) == {
        "encoder.md",
        "encoder.safetensors",
        "encoder_decoder.safetensors",
        "heads.safetensors",
        "history.csv",
    }
    assert all(sha256(out / name) == digest for name, digest in manifest["files"].items())
    assert sorted(path.name for path in work.iterdir()) == ["logs", "tiles"]
    (log,) = work.glob("logs/*/log.csv")
    assert [row.split(",")[0] for row in log.read_text().splitlines()] == ["step", *"12345"]

    again = pretrain(
        releases,
        tmp_path / "again",
        work,
        **ENCODER,
        hold_out=HELD_OUT,
        seed=SEED,
        settings=Settings(**SETTINGS),
        runtime=RUNTIME,
    )
    assert again == metrics
    assert read_manifest(tmp_path / "again") == manifest


def test_the_uses_that_are_asked_for_are_held_out_and_else_every_tenth_tile() -> None:
    assert held_tiles(["train", "val", "test"], ["test", "val"]) == {1, 2}
    assert held_tiles(["train", "val", "test"], ["test"]) == {2}
    assert held_tiles(["train", "val"] * 10, ["test"]) == {9, 19}
    assert held_tiles(["train", "val"] * 10, []) == {9, 19}


def test_a_split_is_held_out_for_what_its_name_says() -> None:
    assert held_tiles(["train2017", "testing", "test-dev"], HELD_OUT) == {1, 2}
    assert held_tiles(["trainval", "Validation"], HELD_OUT) == {1}


def test_an_unknown_use_is_refused() -> None:
    with pytest.raises(ParameterError, match="hold_out: unknown use, got 'train'; test, val are"):
        held_tiles(["train"], ["train"])


def test_no_subset_and_a_missing_product_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no subset to train on"):
        pretrain({}, tmp_path / "out", tmp_path / "work", **OPTIONS)
    with pytest.raises(MissingInputError, match="no manifest"):
        pretrain({"sota": tmp_path / "sota"}, tmp_path / "out", tmp_path / "work", **OPTIONS)
