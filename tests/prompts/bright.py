"""A segmenter whose answers are known: what is bright in the box asked about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from samrs.prompting.mosaic import EMPTY
from samrs.prompting.soft_masks import to_prediction
from samrs.prompting.types import Answer, Prediction, Prompt


class BrightSegmenter:
    """Logits rise with brightness; everything asked is noted in ``asked``, images in ``encoded``
    and the shares of them that show something in ``shown``."""

    encodes_parts = True

    def __init__(self) -> None:
        self.encoded: list[Any] = []
        self.shown: list[float] = []
        self.asked: list[Prompt] = []

    def encode(self, image: Any) -> Any:
        self.encoded.append(image)
        self.shown.append(1.0)
        return image

    def encode_corner(self, image: Any, shown_hw: tuple[int, int]) -> Any:
        height, width = shown_hw
        assert image.shape[0] == image.shape[1]
        assert (image[height:] == EMPTY).all()
        assert (image[:, width:] == EMPTY).all()
        self.encoded.append(image)
        self.shown.append(height * width / image.shape[0] ** 2)
        return image

    def decode(self, state: Any, prompt: Prompt) -> Prediction:
        return to_prediction(self.answers(state, prompt), state.shape[:2])

    def answers(self, state: Any, prompt: Prompt) -> Iterator[Answer]:
        self.asked.append(prompt)
        assert prompt.boxes_xyxy is not None
        for box in prompt.boxes_xyxy:
            x0, y0 = np.floor(box[:2]).astype(int)
            x1, y1 = np.ceil(box[2:]).astype(int)
            grey = state[y0:y1, x0:x1].astype(np.float32).mean(axis=2)
            yield Answer(
                logits=(grey - 128) / 16,
                x0=int(x0),
                y0=int(y0),
                predicted_iou=0.5,
                frame_logits=np.full((8, 8), box[0], "f4"),
            )

    def candidates(self, state: Any, prompt: Prompt) -> Iterator[list[Answer]]:
        for answer in self.answers(state, prompt):
            whole = np.full_like(answer.logits, 5)
            yield [
                Answer(
                    logits=logits,
                    x0=answer.x0,
                    y0=answer.y0,
                    predicted_iou=iou,
                    frame_logits=answer.frame_logits,
                )
                for logits, iou in ((whole, 0.9), (answer.logits, 0.5), (-whole, 0.1))
            ]
