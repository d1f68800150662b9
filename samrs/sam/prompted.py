"""Prompts in px of a tile as a model's prompt encoder takes them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import PromptEncoder

from samrs.core.rle import polygons_to_rle, rle_to_mask
from samrs.prompting.types import Answer, Floats, Prompt
from samrs.sam.chunked import Chunked
from samrs.sam.computing import CHUNK
from samrs.sam.frame import Logits
from samrs.sam.mask_prompts import Marks, marks
from samrs.sam.square import Square


class State(Protocol):
    """What is known of a tile.

    Attributes:
        size_hw: the tile's, px.
    """

    @property
    def size_hw(self) -> tuple[int, int]:
        """The tile's size in px."""


class Prompted(Chunked):
    """A segmenter with SAM's prompt encoder.

    Args:
        square: how a tile lies in what the model sees.
        prompts: the prompt encoder, as it is asked.

    Attributes:
        encodes_parts: whether ``encode_corner`` costs what it shows, and not a whole image.
    """

    encodes_parts = False

    def __init__(self, square: Square, prompts: PromptEncoder) -> None:
        self.square, self.prompts = square, prompts

    @property
    def device(self) -> torch.device:
        """Where it is computed."""
        return torch.device(self.prompts.no_mask_embed.weight.device)

    @property
    def chunk(self) -> int:
        """Prompts worth giving at once."""
        return CHUNK[self.device.type]

    @abstractmethod
    def encode(self, image: NDArray[np.uint8]) -> Any:
        """What can be known of an image (H, W, 3) uint8 RGB before any prompt."""

    def encode_corner(self, image: NDArray[np.uint8], shown_hw: tuple[int, int]) -> Any:
        """Embed a square image (S, S, 3) that shows nothing beyond its first rows and columns, at
        the cost of the whole where tokens see all others early.

        Args:
            shown_hw: rows and columns.
        """
        return self.encode(image)

    def answer(self, low_res: Logits, iou: np.float32, state: State) -> Answer:
        """One soft mask, brought to the tile's px.

        Args:
            low_res: (h, w) logits of the whole frame.
            iou: what the model predicts of the mask.
            state: of the tile.
        """
        crop, x0, y0 = self.square.crop(low_res, state.size_hw)
        return Answer(logits=crop, x0=x0, y0=y0, predicted_iou=float(iou), frame_logits=low_res)

    def _points(
        self, prompt: Prompt, size_hw: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        if prompt.points_xy is None or prompt.point_labels is None:
            return None
        coordinates = self.square.points(prompt.points_xy, size_hw)
        labels = torch.as_tensor(prompt.point_labels, dtype=torch.int, device=self.device)
        return self._tensor(coordinates), labels

    def _boxes(self, prompt: Prompt, size_hw: tuple[int, int]) -> torch.Tensor | None:
        if prompt.boxes_xyxy is None:
            return None
        corners = self.square.points(prompt.boxes_xyxy.reshape(-1, 2, 2), size_hw)
        return self._tensor(corners.reshape(-1, 4))

    def _marks(self, prompt: Prompt, size_hw: tuple[int, int]) -> Marks | None:
        masks = self._masks(prompt, size_hw)
        if masks is None:
            return None
        given = np.full(len(prompt), True)
        if prompt.mask_slopes is not None:
            given = ~np.isnan(prompt.mask_slopes)
        return marks(self.prompts, masks, torch.from_numpy(given).to(self.device))

    def _masks(self, prompt: Prompt, size_hw: tuple[int, int]) -> torch.Tensor | None:
        if prompt.mask_logits is not None:
            return torch.from_numpy(prompt.mask_logits)[:, None].to(self.device)
        if prompt.mask_polygons is None:
            return None
        shape = self.prompts.mask_input_size
        if prompt.mask_slopes is not None:
            masks = [
                self.square.soft_mask(polygon, float(np.nan_to_num(slope)), size_hw, shape)
                for polygon, slope in zip(prompt.mask_polygons, prompt.mask_slopes, strict=True)
            ]
        else:
            masks = [
                self.square.mask(rle_to_mask(polygons_to_rle([p], size_hw)), shape)
                for p in prompt.mask_polygons
            ]
        return torch.stack(masks).to(self.device)

    def _tensor(self, values: Floats) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float, device=self.device)
