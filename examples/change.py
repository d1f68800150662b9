"""Change detection: two dates, one pre-trained encoder for both, a decoder for what differs.

    python -m examples.change data/pretrain change.png --steps 200

The two dates are one rendered scene, before and after half of its objects were taken away: their
pixels, painted with the scene's median colour and noise, are the change. It is a toy that shows the
way, not a benchmark. Levels of the encoder are subtracted, as in FC-Siam-diff (Daudt
et al., ICIP 2018), and decoded by a new decoder. The picture shows both dates, the truth and the
answer for a scene that was not trained on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.io import write_png

from samrs.scenes.render import render_scene
from samrs.training.networks import MEAN_RGB, STD_RGB

Image = NDArray[np.uint8]


class ChangeNetwork(nn.Module):
    """An encoder for both dates, a U-Net's decoder for the differences, one logit a pixel.

    Args:
        pretrained: product ``pretrain`` with an encoder of segmentation-models-pytorch.
    """

    def __init__(self, pretrained: Path) -> None:
        super().__init__()
        name = json.loads((pretrained / "manifest.json").read_text())["encoder"]
        network = smp.Unet(name, encoder_weights=None, classes=1)
        network.encoder.load_state_dict(load_file(pretrained / "encoder.safetensors"))
        self.encoder, self.decoder = network.encoder, network.decoder
        self.head = network.segmentation_head
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(STD_RGB).view(3, 1, 1))

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Logits (B, H, W) of change; images are (B, 3, H, W) uint8, sides divisible by 32."""
        both = (torch.cat([before, after]) - self.mean) / self.std
        levels = [level.chunk(2) for level in self.encoder(both)]
        differences = [(one - other).abs() for one, other in levels]
        found: Tensor = self.head(self.decoder(differences))[:, 0]
        return found


def two_dates(seed: int, side: int) -> tuple[Image, Image, NDArray[np.bool_]]:
    """Before and after (side, side, 3), and what changed (side, side).

    Args:
        seed: of the scene.
        side: in px.
    """
    scene = render_scene(seed, size_hw=(side, side))
    empty = np.median(scene.image.reshape(-1, 3), axis=0).astype(np.uint8)
    rng = np.random.default_rng(seed)
    after, changed = scene.image.copy(), np.zeros((side, side), bool)
    for item in scene.objects:
        if rng.random() < 0.5:
            x0, y0, x1, y1 = item.box
            changed[y0:y1, x0:x1] |= item.mask
    noise = rng.integers(-8, 9, (side, side, 3))
    ground = np.clip(empty + noise, 0, 255).astype(np.uint8)
    after[changed] = ground[changed]
    return scene.image, after, changed


def train(network: ChangeNetwork, *, steps: int, side: int, scenes: int = 16) -> list[float]:
    """Losses of so many steps on one pair of dates each.

    Args:
        network: trained in place.
        steps: of the training.
        side: of the images in px.
        scenes: how many there are.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.001)
    pairs = [two_dates(seed, side) for seed in range(min(scenes, steps))]
    network.train()
    losses = []
    for step in range(steps):
        before, after, changed = pairs[step % len(pairs)]
        logits = network(as_batch(before), as_batch(after))
        loss = F.binary_cross_entropy_with_logits(logits[0], torch.from_numpy(changed).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def as_batch(image: Image) -> Tensor:
    """(H, W, 3) as (1, 3, H, W)."""
    return torch.from_numpy(image).permute(2, 0, 1)[None]


def picture(network: ChangeNetwork, seed: int, side: int) -> Tensor:
    """Before, after, truth and answer side by side (3, side, 4 side) uint8.

    Args:
        network: trained.
        seed: of a scene.
        side: in px.
    """
    before, after, changed = two_dates(seed, side)
    network.eval()
    with torch.inference_mode():
        found = network(as_batch(before), as_batch(after))[0] > 0
    maps = [torch.from_numpy(changed), found]
    shown = [m[None].expand(3, -1, -1).to(torch.uint8) * 255 for m in maps]
    return torch.cat([as_batch(before)[0], as_batch(after)[0], *shown], dim=2)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.change")
    parser.add_argument("pretrained", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--side", type=int, default=256)
    given = parser.parse_args()
    torch.manual_seed(0)
    network = ChangeNetwork(given.pretrained)
    losses = train(network, steps=given.steps, side=given.side)
    write_png(picture(network, 1_000, given.side), str(given.picture))
    print(f"loss {losses[0]:.3f} at first, {losses[-1]:.3f} at last; {given.picture}")


if __name__ == "__main__":
    main()
