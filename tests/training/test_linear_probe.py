"""A linear probe tells what features are worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from samrs.core.errors import ProductError
from samrs.core.records import IGNORE
from samrs.training.blocks import packed
from samrs.training.linear_probe import (
    CELLS,
    WINDOW,
    WINDOWS,
    Features,
    cell_counts,
    colour_features,
    confusions,
    fit,
    frozen,
    learning_window,
    network_features,
    sample,
    sample_tile,
    sums,
)
from samrs.training.networks import MultiHeadNetwork
from tests.training.conftest import ENCODER


def stripes(side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Red, green and blue stripes of whole cells, labelled 0, 1 and 2."""
    labels = (np.arange(side) // 8 % 3).astype(np.uint8)[None].repeat(side, axis=0)
    return (np.eye(3)[labels] * 200).astype(np.uint8), labels


def test_colours_are_told_apart_by_colour() -> None:
    image, labels = stripes()
    features = colour_features(image[None])
    found = sample(features, labels[None], np.random.default_rng(0))
    probe = fit(sums(found.features["rgb"], found.labels, 3))
    (matrix,) = confusions(features.scores("rgb", [probe])[0], cell_counts(labels, 3))
    assert matrix.tolist() == np.diag(np.bincount(labels.ravel())).tolist()


def test_the_probe_is_the_minimum_of_its_loss() -> None:
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(200, 5, generator=rng, dtype=torch.float64) * 3 + 1
    labels = torch.randint(3, (200,), generator=rng)
    weights, offsets = fit(sums(features, labels, 3))
    spread = features.std(0, correction=0)

    def loss(w: torch.Tensor, b: torch.Tensor) -> float:
        wanted = torch.nn.functional.one_hot(labels, 3).double()
        error = ((features @ w + b - wanted) ** 2).sum(dim=1).mean()
        return float(error + ((w * spread[:, None]) ** 2).sum())

    best = loss(weights, offsets)
    for _ in range(20):
        step = torch.randn(5, 3, generator=rng, dtype=torch.float64) * 0.01
        shift = torch.randn(3, generator=rng, dtype=torch.float64) * 0.01
        assert loss(weights + step, offsets + shift) > best


def test_sums_of_tiles_are_those_of_all_their_cells() -> None:
    rng = torch.Generator().manual_seed(1)
    features, labels = torch.randn(90, 4, generator=rng), torch.randint(3, (90,), generator=rng)
    total = sums(features[:20], labels[:20], 3)
    total += sums(features[20:], labels[20:], 3)
    weights, offsets = fit(total)
    at_once, with_them = fit(sums(features, labels, 3))
    torch.testing.assert_close(weights, at_once, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(offsets, with_them, rtol=1e-9, atol=1e-12)


def test_every_labelled_pixel_of_an_odd_tile_is_counted_once() -> None:
    labels = np.random.default_rng(1).integers(0, 3, (37, 50)).astype(np.uint8)
    labels[:5] = IGNORE
    counts = cell_counts(labels, 3)
    assert counts.shape == (3, 10 * 13)
    assert counts.sum(dim=1).tolist() == np.bincount(labels[5:].ravel()).tolist()


def test_features_of_a_network_lie_on_the_cells_of_the_tile_and_leave_it_as_it_is() -> None:
    network = MultiHeadNetwork(**ENCODER, heads={"benchmark": 3}, seed=0).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    image = np.random.default_rng(0).integers(0, 256, (70, 50, 3), dtype=np.uint8)
    features = network_features(network, image[None])
    found = {name: features.cells(name) for name in features.levels}
    assert {each.shape[:2] for each in found.values()} == {(1, 18 * 13)}
    assert all(torch.isfinite(each).all() for each in found.values())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_cells_of_a_sample_bear_the_label_and_the_features_of_their_place() -> None:
    image, labels = stripes()
    labels = labels.copy()
    labels[:, 32:] = IGNORE
    found = sample(colour_features(image[None]), labels[None], np.random.default_rng(0))
    assert len(found.labels) == 16 * 8
    assert (found.features["rgb"].argmax(dim=1) == found.labels).all()


def test_answers_of_levels_are_those_of_the_features_of_each_cell() -> None:
    network = frozen(MultiHeadNetwork(**ENCODER, heads={"benchmark": 3}, seed=0))
    image = np.random.default_rng(0).integers(0, 256, (70, 50, 3), dtype=np.uint8)
    features = network_features(network, image[None])
    rng = torch.Generator().manual_seed(0)
    for name in features.levels:
        cells = features.cells(name).double()
        weights = torch.randn(2, cells.shape[2], 3, generator=rng, dtype=torch.float64)
        offsets = torch.randn(2, 3, generator=rng, dtype=torch.float64)
        scores = features.scores(name, list(zip(weights, offsets, strict=True)))
        wanted = torch.einsum("inc,pck->inpk", cells, weights) + offsets
        torch.testing.assert_close(scores, wanted, rtol=1e-5, atol=1e-5)


def test_images_that_are_asked_about_together_do_not_change_each_other() -> None:
    network = frozen(MultiHeadNetwork(**ENCODER, heads={"benchmark": 3}, seed=0))
    images = np.random.default_rng(0).integers(0, 256, (3, 70, 50, 3), dtype=np.uint8)
    labels = np.random.default_rng(1).integers(0, 3, (3, 70, 50), dtype=np.uint8)
    labels[1], labels[2, :30] = IGNORE, IGNORE
    together = network_features(network, images)
    apart = [network_features(network, image[None]) for image in images]
    for name in together.levels:
        alone = torch.cat([each.cells(name) for each in apart])
        torch.testing.assert_close(together.cells(name), alone, rtol=1e-4, atol=1e-4)
    found, rng = sample(together, labels, np.random.default_rng(2)), np.random.default_rng(2)
    parts = [sample(one, each[None], rng) for one, each in zip(apart, labels, strict=True)]
    assert [len(part.labels) for part in parts] == [CELLS, 0, 10 * 12]
    assert torch.equal(found.labels, torch.cat([part.labels for part in parts]))
    for name in together.levels:
        alone = torch.cat([part.features[name] for part in parts])
        torch.testing.assert_close(found.features[name], alone, rtol=1e-4, atol=1e-4)


def test_what_is_learned_from_a_tile_holds_a_labelled_pixel() -> None:
    image, labels = stripes(WINDOW + 100)
    only = np.full_like(labels, IGNORE)
    only[3, 200] = 1
    rng = np.random.default_rng(0)
    for _ in range(20):
        window = learning_window(packed(image, only), rng)
        assert (window.width, window.height) == (WINDOW, WINDOW)
        assert window.y0 <= 3
        assert window.x0 > 200 - WINDOW
    assert len({learning_window(packed(image, labels), rng)[:2] for _ in range(50)}) > 40
    small = learning_window(packed(image[:40], labels[:40]), rng)
    assert (small.y0, small.width, small.height) == (0, WINDOW, 40)
    nothing = learning_window(packed(image, np.full_like(labels, IGNORE)), rng)
    assert (nothing.width, nothing.height) == (WINDOW, WINDOW)


def test_a_tile_is_learned_from_in_windows_with_the_labels_of_their_places() -> None:
    labels = (np.arange(4 * WINDOW) // (2 * WINDOW)).astype(np.uint8)[None].repeat(400, axis=0)
    image, seen = (np.eye(3)[labels] * 200).astype(np.uint8), []

    def ask(parts: np.ndarray) -> Features:
        seen.append(parts.shape)
        return colour_features(parts)

    found = sample_tile(packed(image, labels), ask, np.random.default_rng(0))
    assert seen == [(WINDOWS, WINDOW, WINDOW, 3)]
    assert len(found.labels) == WINDOWS * CELLS
    assert set(found.labels.tolist()) == {0, 1}
    right = found.features["rgb"].argmax(dim=1) == found.labels
    assert right.float().mean() > 0.95  # a cell may lie across the border


def test_tiles_without_a_labelled_pixel_are_refused() -> None:
    image, labels = stripes()
    unlabelled = np.full_like(labels, IGNORE)[None]
    nothing = sample(colour_features(image[None]), unlabelled, np.random.default_rng(0))
    with pytest.raises(ProductError, match="probe: nothing to learn from, got tiles without"):
        fit(sums(nothing.features["rgb"], nothing.labels, 3))
