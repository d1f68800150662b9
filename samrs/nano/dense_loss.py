"""What every cell of a crop shows, asked of nano's image encoder beside the prompts.

A prompt teaches about one instance, this about all of them at once: is the cell an instance's, does
an outline cross it, and where are the sides of its instance's box (as FCOS regresses them, Tian et
al. 2019, arXiv:1904.01355). The answers are read from the image embedding by one linear layer that
is thrown away after training; SAM itself has no such loss, but sees a million times more masks.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from samrs.sam.nano import MASK_STRIDE, PROMPT_WIDTH, TOKEN

CHANNELS = 6
"""Instance, outline, and the distances to the four sides of the box."""
PRIORS = (-1.4, -2.8, 1.3, 1.3, 1.3, 1.3)
"""What the head says first: about the means over crops, or it learns them through the encoder."""
FAR = 0.05
CELLS = TOKEN // MASK_STRIDE


def dense_targets(ids: NDArray[np.int32]) -> NDArray[np.float32]:
    """(7, n / 4, n / 4) of a crop's (n, n) instance ids, 0 for none: the share of the cell that is
    some instance's, whether it holds more than one id, log(1 + d / 4) of the distances in px
    from the cell's middle to the left, upper, right and lower side of its instance's box (0 where
    the middle is no instance's), and the cell's weight: the smaller the instance in it or near it,
    the more, or buildings would drown ships."""
    low = ids.shape[0] // MASK_STRIDE
    cells = [ids[i::MASK_STRIDE, j::MASK_STRIDE] for i, j in np.ndindex(MASK_STRIDE, MASK_STRIDE)]
    out = np.zeros((CHANNELS + 1, low, low), np.float32)
    for cell in cells:
        out[0] += (cell > 0) / np.float32(len(cells))
        out[1] += cell != cells[0]
    out[1] = out[1] > 0
    y, x = np.nonzero(ids)
    own = ids[y, x]
    count = int(own.max(initial=0)) + 1
    x0, y0 = np.full(count, ids.shape[1]), np.full(count, ids.shape[0])
    x1, y1 = np.zeros(count, int), np.zeros(count, int)
    for side, at in ((x0, x), (y0, y)):
        np.minimum.at(side, own, at)
    for side, at in ((x1, x + 1), (y1, y + 1)):
        np.maximum.at(side, own, at)
    middle = ids[MASK_STRIDE // 2 :: MASK_STRIDE, MASK_STRIDE // 2 :: MASK_STRIDE]
    row, column = np.nonzero(middle)
    at_x, at_y = (column + 0.5) * MASK_STRIDE, (row + 0.5) * MASK_STRIDE
    one = middle[row, column]
    sides = np.stack([at_x - x0[one], at_y - y0[one], x1[one] - at_x, y1[one] - at_y])
    out[2:-1, row, column] = np.log1p(sides.clip(0) / MASK_STRIDE)
    box = np.sqrt((x1 - x0)[one] * (y1 - y0)[one])
    out[-1, row, column] = np.minimum(TOKEN / box, 2)
    out[-1] = cv2.dilate(out[-1], np.ones((5, 5), np.uint8)).clip(FAR)
    return out


class DenseHead(nn.Module):
    """One linear layer on the image embedding, and its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(PROMPT_WIDTH, CHANNELS * CELLS**2)
        with torch.no_grad():
            self.layer.weight.mul_(0.3)
            self.layer.bias.copy_(torch.tensor(PRIORS).repeat_interleave(CELLS**2))

    def forward(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        """The loss of (B, C, g, g) embeddings against (B, 7, 4 g, 4 g) `dense_targets`.

        Args:
            targets: as ``dense_targets`` gives them.
        """
        said = F.pixel_shuffle(self.layer(embeddings.movedim(1, 3)).movedim(3, 1), CELLS)
        truth, weight = targets[:, :CHANNELS], targets[:, CHANNELS:]
        cross = F.binary_cross_entropy_with_logits(said[:, :2], truth[:, :2], reduction="none")
        loss = (cross * weight).sum() / (2 * weight.sum())
        inside = weight * (truth[:, 2:].amax(1, keepdim=True) > 0)
        sides = F.smooth_l1_loss(said[:, 2:], truth[:, 2:], reduction="none")
        return loss + 0.5 * (sides * inside).sum() / (4 * inside.sum()).clamp(min=1)
