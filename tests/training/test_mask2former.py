"""Mask2Former as decoder: scores, losses, what is shared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from samrs.core.records import IGNORE
from samrs.finetune.finetune import finetune
from samrs.pretrain import pretrain
from samrs.training.mask2former import MaskDecoder, MaskHead, Masks
from samrs.training.networks import MultiHeadNetwork
from samrs.training.settings import Settings
from tests.training.conftest import HELD_OUT, PROTOCOL, RUNTIME, SEED, SETTINGS

QUERIES, LAYERS, SIDE = 4, 2, 8


def said(classes: list[int], head: MaskHead, *, split: int = SIDE // 2) -> Masks:
    """Queries of which the first two are sure: what is left of ``split`` is one class, the rest
    another."""
    logits = torch.full((QUERIES, head.classes.out_features), -20.0)
    for query in range(QUERIES):
        logits[query, classes[query] if query < len(classes) else -1] = 20.0
    weight = head.classes.weight
    queries = torch.linalg.lstsq(weight.detach(), (logits - head.classes.bias.detach()).T).solution
    masks = torch.full((QUERIES, SIDE, SIDE), -20.0)
    masks[0, :, :split], masks[1, :, split:] = 20.0, 20.0
    return Masks(
        torch.zeros(1, 256, SIDE, SIDE),
        queries.T.expand(1, LAYERS, -1, -1).clone().requires_grad_(),
        masks.expand(1, LAYERS, -1, -1, -1).clone().requires_grad_(),
    )


def halves(left: int, right: int) -> torch.Tensor:
    labels = torch.full((1, 4 * SIDE, 4 * SIDE), left, dtype=torch.uint8)
    labels[:, :, 2 * SIDE :] = right
    return labels


def test_a_pixel_has_the_class_of_the_query_whose_mask_covers_it() -> None:
    torch.manual_seed(0)
    head = MaskHead(3)
    found = head(said([2, 0], head)).argmax(dim=1)
    assert torch.equal(found, halves(2, 0).long())


def test_right_masks_and_classes_cost_nothing_and_wrong_ones_much() -> None:
    torch.manual_seed(0)
    head = MaskHead(3)
    whole, half = said([2], head, split=SIDE), said([2], head)
    right = head.loss(whole, halves(2, 2))
    wrong_class, wrong_mask = head.loss(whole, halves(1, 1)), head.loss(half, halves(2, 2))
    # Not 0: masks are sampled between pixels, and beside the image's edge there are none.
    assert right < 0.1 * min(wrong_class, wrong_mask)
    wrong_mask.backward()
    assert half.masks.grad is not None
    assert half.masks.grad.abs().max() > 0


def test_an_image_without_labels_costs_nothing() -> None:
    torch.manual_seed(0)
    head = MaskHead(3)
    decoded, labels = said([2], head, split=SIDE), halves(IGNORE, IGNORE)
    loss = head.loss(decoded, labels)
    loss.backward()
    assert loss == 0
    both = Masks(*(torch.cat([field, field]) for field in decoded))
    one = head.loss(both, torch.cat([labels, halves(1, 1)]))
    # The points at which masks are compared are drawn anew.
    torch.testing.assert_close(one, head.loss(decoded, halves(1, 1)), rtol=0.01, atol=0)


def test_the_decoder_takes_any_encoders_last_four_levels() -> None:
    levels = [
        torch.randn(2, c, 64 // s, 64 // s)
        for c, s in ((3, 1), (8, 4), (16, 8), (24, 16), (32, 32))
    ]
    found = MaskDecoder([3, 8, 16, 24, 32]).eval()(levels)
    assert found.masks.shape == (2, 10, 100, 16, 16)
    assert found.queries.shape == (2, 10, 100, 256)


OPTIONS: dict[str, Any] = {
    "encoder": "tu-mobilenetv3_small_050",
    "encoder_weights": None,
    "decoder": "mask2former",
}


@pytest.mark.slow
def test_it_is_pre_trained_with_many_heads_and_fine_tuned(
    releases: dict[str, Path], benchmark: Path, tmp_path: Path
) -> None:
    settings = Settings(**{**SETTINGS, "steps": 2})
    told = pretrain(
        releases,
        tmp_path / "p",
        tmp_path / "w",
        **OPTIONS,
        hold_out=HELD_OUT,
        seed=SEED,
        settings=settings,
        runtime=RUNTIME,
    )
    assert set(told["miou"]) == {"sota", "fast"}
    for mode, shares in (("full", [1.0]), ("probe", [0.4])):
        told = finetune(
            benchmark,
            tmp_path / "p",
            tmp_path / mode,
            tmp_path / "w",
            mode=mode,
            inits=["pretrain"],
            shares=shares,
            draws=3,
            seeds=[1],
            settings=settings,
            protocol=PROTOCOL,
            runtime=RUNTIME,
        )
        assert told["tested"] == 2


@pytest.mark.slow
def test_its_loss_falls() -> None:
    network = MultiHeadNetwork(**OPTIONS, heads={"a": 2}, seed=0).train()
    images = torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8)
    labels = torch.zeros(2, 64, 64, dtype=torch.uint8)
    labels[:, :, 32:] = 1
    images[:, 0, :, 32:] = 255
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-4)
    losses = []
    for _ in range(20):
        loss = network.loss(images, labels, {"a": 2})
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
