"""Several processes train as one does; what they cannot is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from samrs.core.errors import ParameterError, TrainingError
from samrs.training.crops import Crops
from samrs.training.networks import MultiHeadNetwork
from samrs.training.ranks import trainer_options
from samrs.training.sampling import Draws, split_batch
from samrs.training.segmentation import train_network
from samrs.training.settings import Settings
from samrs.training.tiles import SemanticTiles
from tests.training.conftest import ENCODER, RUNTIME, SEED, SETTINGS
from tests.training.together import trained

PARTS = {"sota": 2, "fast": 3}


def crops(releases: dict[str, Path], store: Path) -> Crops:
    tiles = {name: SemanticTiles(path, store) for name, path in releases.items()}
    indices = {name: range(len(found)) for name, found in tiles.items()}
    sizes = {name: len(found) for name, found in indices.items()}
    draws = Draws(sizes, split_batch(sizes, 5), seed=SEED)
    return Crops(tiles, indices, draws, crop=32, seed=SEED)


def test_processes_draw_the_parts_of_one_batch(releases: dict[str, Path], tmp_path: Path) -> None:
    whole = crops(releases, tmp_path)
    for step in range(3):
        batch, parts = whole[step], [whole.part(rank, 2)[step] for rank in range(2)]
        assert [len(part["images"]) for part in parts] == [3, 2]
        for rank, part in enumerate(parts):
            assert torch.equal(part["images"], batch["images"][rank::2])
            assert torch.equal(part["labels"], batch["labels"][rank::2])
        assert torch.equal(parts[0]["parts"] + parts[1]["parts"], batch["parts"])


def test_more_processes_than_crops_are_refused(releases: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="too small for 6 processes, got 5; at least 6"):
        crops(releases, tmp_path).part(0, 6)


@pytest.mark.parametrize("ranks", [2, 5])
def test_losses_of_parts_add_up_to_that_of_the_batch(
    releases: dict[str, Path], tmp_path: Path, ranks: int
) -> None:
    whole = crops(releases, tmp_path)
    network = MultiHeadNetwork(**ENCODER, heads=PARTS, seed=0).eval()
    batch = whole[0]
    labels = torch.split(batch["labels"], batch["parts"].tolist())
    units = torch.stack([(each != 255).sum() for each in labels]).double()
    parts = [whole.part(rank, ranks)[0] for rank in range(ranks)]
    found = sum(
        network.loss(
            p["images"],
            p["labels"],
            dict(zip(PARTS, p["parts"].tolist(), strict=True)),
            lambda _: units,
        )
        for p in parts
    )
    split = dict(zip(PARTS, batch["parts"].tolist(), strict=True))
    assert isinstance(found, torch.Tensor)
    torch.testing.assert_close(found, network.loss(batch["images"], batch["labels"], split))


def test_batch_norms_over_processes_on_cpus_are_refused(
    releases: dict[str, Path], tmp_path: Path
) -> None:
    tiles = {"sota": SemanticTiles(releases["sota"], tmp_path)}
    with pytest.raises(ParameterError, match="batch norms over several processes need GPUs"):
        train_network(
            MultiHeadNetwork(**ENCODER, heads={"sota": 2}, seed=0),
            tiles,
            {"sota": [0, 1]},
            tmp_path / "run",
            settings=Settings(**SETTINGS),
            seed=SEED,
            desc="test",
            runtime={**RUNTIME, "devices": 2},
        )


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ParameterError, match=r"got runtime\.devices = 4; up to 2 are allowed"):
        trainer_options({"device": "auto", "devices": 4})
    assert trainer_options({"device": "auto", "devices": 2})["sync_batchnorm"]
    assert trainer_options({"device": "auto", "devices": 1}) == {"devices": 1}


@pytest.mark.slow
def test_two_processes_train_as_one(releases: dict[str, Path], tmp_path: Path) -> None:

    product = releases["sota"].parent
    one, losses = trained(product, tmp_path)
    two, again = trained(product, tmp_path, devices=2)
    # Sums of some thousand float32 terms in another order: 6e-8 each, less for what cancels.
    assert again == pytest.approx(losses, rel=1e-5)
    weights = two.state_dict()
    for name, weight in one.state_dict().items():
        torch.testing.assert_close(weights[name], weight, rtol=1e-4, atol=1e-5, msg=name)
    longer, losses = trained(product, tmp_path, devices=2, steps=6)  # goes on
    assert losses[:4] == again
    assert len(losses) == 6
    assert any(not torch.equal(w, weights[name]) for name, w in longer.state_dict().items())
    with pytest.raises(TrainingError, match=r"^step 7: the loss is no number, got nan"):
        trained(product, tmp_path, devices=2, steps=9, clip=float("nan"))


@pytest.mark.slow
def test_torchrun_trains_as_one(releases: dict[str, Path], tmp_path: Path) -> None:

    product, out = releases["sota"].parent, tmp_path / "losses.json"
    _, losses = trained(product, tmp_path / "one")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m"]
    command += ["tests.training.together", product, tmp_path / "two", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert json.loads(out.read_text()) == pytest.approx(losses, rel=1e-5)
