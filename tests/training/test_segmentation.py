from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback

from samrs.core.errors import ParameterError
from samrs.core.records import IGNORE
from samrs.training.networks import MultiHeadNetwork, cross_entropy
from samrs.training.segmentation import Trained, history_rows, train_network
from samrs.training.settings import Settings
from samrs.training.tiles import SemanticTiles
from tests.training.conftest import ENCODER, RUNTIME, SEED, SETTINGS
from tests.training.kill import Kill, status_of


def train(
    releases: dict[str, Path],
    work: Path,
    *callbacks: Callback,
    tensorboard: bool = False,
    **chosen: Any,
) -> tuple[MultiHeadNetwork, Trained]:
    tiles = {name: SemanticTiles(path, work / name) for name, path in releases.items()}
    indices = {name: list(range(len(found))) for name, found in tiles.items()}
    network = MultiHeadNetwork(**ENCODER, heads={"sota": 2, "fast": 3}, seed=0)
    settings = Settings(**{**SETTINGS, "steps": 10, **chosen})
    options: dict[str, Any] = {
        "settings": settings,
        "seed": SEED,
        "desc": "test",
        "runtime": {**RUNTIME, "tensorboard": tensorboard},
    }
    found = train_network(network, tiles, indices, work / "run", callbacks=callbacks, **options)
    return network, found


def test_a_killed_run_goes_on_and_ends_with_the_same_weights(
    releases: dict[str, Path], tmp_path: Path
) -> None:
    straight, trained = train(releases, tmp_path / "straight")
    work = tmp_path / "killed"
    statuses, checkpoints = [], []
    for kill in (Kill(5, signal.SIGKILL), Kill(7, signal.SIGTERM)):
        statuses.append(status_of(train, releases, work, kill))
        checkpoints.append(max(path.name for path in (work / "run").glob("*.ckpt")))
    assert statuses == [-signal.SIGKILL, 128 + signal.SIGTERM]
    assert checkpoints == ["step=0000004.ckpt", "step=0000006.ckpt"]
    resumed, again = train(releases, work)
    assert again.losses == trained.losses
    assert len(trained.losses) == 10
    for name, weight in straight.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_an_unlabelled_batch_part_costs_nothing() -> None:
    logits = torch.randn(2, 4, 8, 8, requires_grad=True)
    loss = cross_entropy(logits, torch.full((2, 8, 8), IGNORE, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_the_loss_is_the_mean_cross_entropy_of_labelled_pixels() -> None:
    logits = torch.randn(2, 4, 8, 8)
    labels = torch.randint(0, 4, (2, 8, 8))
    labels[:, :3] = IGNORE
    torch.testing.assert_close(
        cross_entropy(logits, labels.byte()), F.cross_entropy(logits, labels, ignore_index=IGNORE)
    )


def test_long_histories_are_thinned_to_means() -> None:
    assert history_rows([1.0, 2.0]) == [(1, 1.0), (2, 2.0)]
    rows = history_rows([float(i % 2) for i in range(2001)])
    assert len(rows) == 401
    assert rows[-1] == (2001, 0.0)
    assert rows[0] == (5, 0.4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"crop": 100}, "crop: .*got 100; multiples of 32"),
        ({"precision": "half"}, "precision: .*got 'half'; 32-true, bf16-mixed"),
        ({"steps": 0}, "steps: .*got 0; at least 1"),
    ],
)
def test_a_settings_out_of_range_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Settings(**{**SETTINGS, **wrong})
