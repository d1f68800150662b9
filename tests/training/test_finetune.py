from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import ParameterError, ProductError
from samrs.core.shards import read_manifest, sha256, write_manifest
from samrs.finetune.benchmark import Benchmark, split_tiles
from samrs.finetune.finetune import finetune
from samrs.finetune.full import compare, nested_share
from samrs.training.bfloat16 import multiplies_bfloat16
from samrs.training.networks import MultiHeadNetwork, save_network
from samrs.training.settings import Settings
from samrs.work import fingerprint
from samrs.work.lock import locked
from tests.training.conftest import ENCODER, PROTOCOL, RUNTIME, SEED, SETTINGS

MIXED = "bf16-mixed" if multiplies_bfloat16() else "32-true"
"""Emulated bfloat16 takes minutes."""
OPTIONS: dict[str, Any] = {
    "mode": "full",
    "inits": ["scratch", "pretrain"],
    "draws": 3,
    "seeds": [SEED],
    "shares": [0.05, 1.0],
    "settings": Settings(
        **{**SETTINGS, "steps": 2, "batch_size": 2, "precision": MIXED},
    ),
    "protocol": PROTOCOL,
    "runtime": RUNTIME,
}


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    """The product ``pretrain`` of a network that was not trained."""
    folder = tmp_path / "pretrain"
    folder.mkdir()
    shared, _ = save_network(MultiHeadNetwork(**ENCODER, heads={"sota": 2}, seed=9), folder)
    write_manifest(folder, {**ENCODER, "files": {shared.name: sha256(shared)}})
    return folder


def test_every_init_and_share_is_trained_and_tested(
    benchmark: Path, pretrained: Path, tmp_path: Path
) -> None:
    out, work = tmp_path / "finetune", tmp_path / "work"
    for earlier in ("0" * 16, "1" * 16, "logs"):
        (work / earlier).mkdir(parents=True)
    with locked(work / ("1" * 16), "trains with other parameters", None):
        metrics = finetune(benchmark, pretrained, out, work, **OPTIONS)
    assert [(work / name).exists() for name in ("0" * 16, "1" * 16, "logs")] == [False, True, True]
    assert metrics["tested"] == 2
    runs = [
        run
        for shares in metrics["runs"].values()
        for seeds in shares.values()
        for run in seeds.values()
    ]
    tiles = {"0.05": 1, "1": 5}
    for init in ("scratch", "pretrain"):
        assert {s: seeds["7"]["tiles"] for s, seeds in metrics["runs"][init].items()} == tiles
    assert "[" not in json.dumps(metrics)  # dvc metrics show leaves lists out
    for run in runs:
        assert 0 <= run["miou"] <= run["mf1"] <= 1
        assert "background" not in run["iou"]
    assert metrics["gain"] == {}  # one seed has no spread
    assert set(metrics["miou"]["pretrain"]["1"]) == {"mean"}
    assert read_manifest(out)["dataset"] == "isaid"
    assert len((out / "history.csv").read_text().splitlines()) == 1 + 4 * 2
    assert len(list(work.glob("*/run.json"))) == 4
    assert not list(work.rglob("*.ckpt"))


@pytest.mark.parametrize("edited", [False, True])
def test_finished_runs_are_repeated_after_a_failure_only_if_the_code_was_edited(
    benchmark: Path,
    pretrained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    edited: bool,
) -> None:
    started: list[str] = []

    def counting(_: Benchmark, init: str, *rest: Any) -> MultiHeadNetwork:
        started.append(init)
        if len(started) == 2:
            raise RuntimeError("out of memory")
        return MultiHeadNetwork(**ENCODER, heads={"benchmark": 3}, seed=0)

    monkeypatch.setattr(Benchmark, "start", counting)
    options = {**OPTIONS, "shares": [1.0]}
    with pytest.raises(RuntimeError, match="out of memory"):
        finetune(benchmark, pretrained, tmp_path / "out", tmp_path / "work", **options)
    if edited:
        code = tmp_path / "code"
        shutil.copytree(fingerprint.ROOT / "samrs", code / "samrs")
        with (code / "samrs" / "training" / "evaluation.py").open("a") as file:
            file.write("# edited")
        monkeypatch.setattr(fingerprint, "ROOT", code)
    metrics = finetune(benchmark, pretrained, tmp_path / "out", tmp_path / "work", **options)
    repeated = ["scratch"] if edited else []
    assert started == ["scratch", "pretrain", *repeated, "pretrain"]
    assert list(metrics["runs"]) == ["scratch", "pretrain"]


def test_a_damaged_result_of_a_finished_run_is_made_again(
    benchmark: Path, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    original = Benchmark.start

    def counting(benchmark: Benchmark, init: str, *rest: Any) -> MultiHeadNetwork:
        started.append(init)
        if len(started) == 2:
            raise RuntimeError("out of memory")
        return original(benchmark, init, *rest)

    options = {**OPTIONS, "shares": [1.0]}
    right = finetune(benchmark, pretrained, tmp_path / "right", tmp_path / "other", **options)
    monkeypatch.setattr(Benchmark, "start", counting)
    with pytest.raises(RuntimeError, match="out of memory"):
        finetune(benchmark, pretrained, tmp_path / "out", tmp_path / "work", **options)
    (path,) = (tmp_path / "work").rglob("run.json")
    data = bytearray(path.read_bytes())
    data[data.index(b'"miou": 0.') + 10] ^= 1  # another digit, JSON all the same
    path.write_bytes(data)
    found = finetune(benchmark, pretrained, tmp_path / "out", tmp_path / "work", **options)
    assert started == ["scratch", "pretrain", "scratch", "pretrain"]
    assert found == right


def test_what_is_added_leaves_finished_units_as_they_are(
    benchmark: Path, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    original = Benchmark.start

    def counting(benchmark: Benchmark, init: str, *rest: Any) -> MultiHeadNetwork:
        started.append(init)
        return original(benchmark, init, *rest)

    monkeypatch.setattr(Benchmark, "start", counting)
    few = {**OPTIONS, "shares": [1.0], "inits": ["scratch"]}
    first = finetune(benchmark, pretrained, tmp_path / "out", tmp_path / "work", **few)
    assert started == ["scratch"]
    more = {**few, "inits": ["scratch", "pretrain"]}
    second = finetune(benchmark, pretrained, tmp_path / "out", tmp_path / "work", **more)
    assert started == ["scratch", "pretrain"]
    assert second["runs"]["scratch"] == first["runs"]["scratch"]
    other = tmp_path / "other"
    other.mkdir()
    shared, _ = save_network(MultiHeadNetwork(**ENCODER, heads={"sota": 2}, seed=8), other)
    write_manifest(other, {**ENCODER, "files": {shared.name: sha256(shared)}})
    finetune(benchmark, other, tmp_path / "out", tmp_path / "work", **more)
    assert started == ["scratch", "pretrain", "pretrain"]  # scratch owes nothing to the weights


def test_smaller_shares_are_part_of_larger_ones_and_never_empty() -> None:
    indices = list(range(40))
    chosen = [set(nested_share(indices, share, 5)) for share in (0.01, 0.05, 0.5, 1.0)]
    assert [len(part) for part in chosen] == [1, 2, 20, 40]
    assert chosen[0] < chosen[1] < chosen[2] < chosen[3]


def test_the_test_split_is_tested_and_val_where_there_is_none() -> None:
    assert split_tiles(["train", "val", "test"], Path("p")) == ([0], [2])
    assert split_tiles(["train", "val"], Path("p")) == ([0], [1])
    assert split_tiles(["trainval", "valid", "test_set"], Path("p")) == ([0], [2])
    with pytest.raises(ProductError, match="nothing to test on, got tiles of the splits"):
        split_tiles(["train"], Path("p"))


def test_the_gain_is_that_of_pairs_of_a_seed_with_its_interval() -> None:
    runs = [
        {"init": init, "share": 0.05, "seed": seed, "miou": value + seed}
        for init, value in (("scratch", 0.2), ("imagenet", 0.3), ("pretrain", 0.4))
        for seed in (1, 2, 3)
    ]
    found = compare(runs)
    assert found["gain"]["scratch"] == {"0.05": {"mean": 0.2, "low": 0.2, "high": 0.2}}
    assert found["gain"]["imagenet"] == {"0.05": {"mean": 0.1, "low": 0.1, "high": 0.1}}
    # Student's t for 2 degrees of freedom is 4.303, the standard error of 1, 2, 3 is 0.5774.
    assert found["miou"]["scratch"]["0.05"] == {"mean": 2.2, "low": -0.2841, "high": 4.6841}


def test_of_two_seeds_no_gain_is_told() -> None:
    runs = [
        {"init": init, "share": 1.0, "seed": seed, "miou": 0.5}
        for init in ("scratch", "pretrain")
        for seed in (1, 2)
    ]
    assert compare(runs) == {
        "miou": {init: {"1": {"mean": 0.5}} for init in ("scratch", "pretrain")},
        "gain": {},
    }


def test_seeds_differ_in_the_tiles_they_label_and_are_the_same_for_every_init(
    benchmark: Path, pretrained: Path, tmp_path: Path
) -> None:
    options = {**OPTIONS, "shares": [0.4], "seeds": [1, 2, 3], "inits": ["scratch", "pretrain"]}
    told = finetune(benchmark, pretrained, tmp_path / "out", tmp_path / "work", **options)
    assert set(told["runs"]["scratch"]["0.4"]) == {"1", "2", "3"}
    assert set(told["gain"]["scratch"]["0.4"]) == {"mean", "low", "high"}
    assert len({tuple(nested_share(range(20), 0.4, seed)) for seed in (1, 2, 3)}) == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"inits": ["imagnet"]}, "finetune.inits: unknown name, got 'imagnet'"),
        ({"mode": "prob"}, "finetune.mode: unknown name, got 'prob'; probe, full are allowed"),
        ({"draws": 2}, "finetune.draws: too few for an interval, got 2; at least 3"),
        ({"mode": "probe", "shares": [1.0]}, "finetune.shares: all tiles can be drawn in one way"),
        ({"seeds": []}, "finetune.seeds: not a list of seeds, got "),
        ({"seeds": [3, 3]}, "finetune.seeds: not a list of seeds, got .3, 3.; .*none twice"),
        ({"shares": [0.0]}, "finetune.shares: not a share, got 0.0"),
    ],
)
def test_unknown_inits_and_shares_out_of_range_are_refused(
    wrong: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match=message):
        finetune(tmp_path, tmp_path, tmp_path, tmp_path, **{**OPTIONS, **wrong})
