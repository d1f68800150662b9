"""The dense targets say of every cell what the ids show; the head's loss knows right from wrong."""

from __future__ import annotations

import numpy as np
import torch

from samrs.nano.dense_loss import CHANNELS, FAR, DenseHead, dense_targets
from samrs.sam.nano import PROMPT_WIDTH


def ids_with_a_box() -> np.ndarray:
    ids = np.zeros((64, 64), np.int32)
    ids[8:24, 16:28] = 5
    return ids


def test_a_cell_knows_its_share_its_outline_and_the_sides_of_its_box() -> None:
    out = dense_targets(ids_with_a_box())
    assert out.shape == (CHANNELS + 1, 16, 16)
    assert out[0].sum() == 4 * 3
    # whole cells: no cell holds both
    assert not out[1].any()
    row, column = 3, 5
    x, y = 4 * column + 2, 4 * row + 2
    distances = np.expm1(out[2:-1, row, column]) * 4
    assert np.allclose(distances, [x - 16, y - 8, 28 - x, 24 - y], atol=1e-4)
    assert not out[2:-1, 0, 0].any()


def test_cells_of_small_instances_weigh_more() -> None:
    ids = ids_with_a_box()
    ids[40:44, 40:44] = 2
    weight = dense_targets(ids)[-1]
    assert weight[10, 10] == 2
    assert np.isclose(weight[3, 5], 16 / np.sqrt(16 * 12))
    assert weight[0, 15] == np.float32(FAR)


def test_an_outline_is_where_two_ids_meet() -> None:
    ids = ids_with_a_box()
    ids[8:24, 22:28] = 7
    out = dense_targets(ids)
    assert np.argwhere(out[1]).tolist() == [[row, 5] for row in (2, 3, 4, 5)]


def test_ids_of_nothing_give_zeros() -> None:
    assert not dense_targets(np.zeros((64, 64), np.int32))[:-1].any()


def test_the_loss_falls_to_nothing_for_the_right_answer() -> None:
    target = torch.from_numpy(dense_targets(ids_with_a_box()))[None]
    head = DenseHead()
    with torch.no_grad():
        head.layer.weight.zero_()
        head.layer.bias.zero_()
    embedding = torch.zeros(1, PROMPT_WIDTH, 4, 4)
    ignorant = head(embedding, target)
    said = target[:, :CHANNELS].clone()
    said[:, :2] = (said[:, :2] - 0.5) * 40
    answers = torch.nn.functional.pixel_unshuffle(said, 4)
    # an embedding that holds the first channels' answers, read by an identity
    with torch.no_grad():
        head.layer.weight[:96, :96] = torch.eye(96)
    embedding[:, :96] = answers
    assert head(embedding, target) < 0.01 < ignorant
