"""Seconds of a step of pre-training in float32 on a CPU, as stages compute it: a JSON line a shape.

    python -m benchmarks.step
    python -m benchmarks.step --encoder resnet50 --crops 4x128 --threads 2 --rounds 5

``steady`` is the product: channels apart and convolutions whose sums follow neither caches nor
threads. ``torch`` is torch's own, channels side by side. They run in turn, each round both; the
best of the rounds counts. ``step`` is forward, backward and AdamW; ``forward`` has no gradients.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple
from unittest.mock import patch

from samrs.arithmetic import instructions

if __name__ == "__main__":
    instructions.begin(instructions.TRAINED)  # before torch is imported, as stages do

import torch
from torch import Tensor

from samrs.training import networks

OUTPUTS = 18


class Side(NamedTuple):
    """A network and what its steps need."""

    network: networks.MultiHeadNetwork
    optimizer: torch.optim.Optimizer
    images: Tensor
    labels: Tensor

    def step(self) -> None:
        """Forward, backward, AdamW."""
        parts = {"sota": len(self.images)}
        self.optimizer.zero_grad()
        self.network.loss(self.images, self.labels, parts).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def forward(self) -> None:
        """Without gradients."""
        with torch.no_grad():
            self.network(self.images, {"sota": len(self.images)})


def made(encoder: str, count: int, side: int, *, steady: bool) -> Side:
    """A UNet with random weights and a batch of noise.

    Args:
        encoder: as pre-training takes it.
        count: images of a batch.
        side: of an image, px.
        steady: as the product computes, or as torch does by itself.
    """
    build = partial(networks.MultiHeadNetwork, encoder, None, "unet", {"sota": OUTPUTS}, seed=0)
    if steady:
        network = build()
        network.lay_out(torch.device("cpu"), instructions.TRAINED)
    else:
        with patch.object(networks, "steady", lambda network: None):
            network = build()
        network.layout = torch.channels_last
        network.to(memory_format=torch.channels_last)
    drawn = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 3, side, side), generator=drawn, dtype=torch.uint8)
    labels = torch.randint(OUTPUTS, (count, side, side), generator=drawn)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    return Side(network.train(), optimizer, images, labels)


def best(rounds: int, *runs: Callable[[], None]) -> list[float]:
    """Seconds of each, in turn; the first round is not counted."""
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds + 1):
        for run, into in zip(runs, seconds, strict=True):
            begun = time.perf_counter()
            run()
            into.append(time.perf_counter() - begun)
    return [round(min(times[1:]), 4) for times in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--crops", nargs="+", default=["12x96", "1x512", "4x128"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for crops in args.crops:
        count, side = map(int, crops.split("x"))
        sides = [made(args.encoder, count, side, steady=steady) for steady in (True, False)]
        told: dict[str, object] = {"encoder": args.encoder, "crops": crops, "threads": args.threads}
        for name in ("step", "forward"):
            ours, torchs = best(args.rounds, *(getattr(one, name) for one in sides))
            told[name] = {"steady": ours, "torch": torchs, "ratio": round(ours / torchs, 2)}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
