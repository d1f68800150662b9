"""What decides a training besides its data; without Lightning, whose import takes seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from samrs.core.errors import ParameterError

Precision = Literal["32-true", "bf16-mixed"]
PRECISIONS = get_args(Precision)
SELECTED = ("last", "best")
LIBRARIES = (
    "torch",
    "numpy",
    "opencv-python-headless",
    "lightning",
    "segmentation-models-pytorch",
    "timm",
    "torchvision",
    "transformers",
)
"""Their versions may change weights or scores."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides a training besides its data; the hyper-parameters of a section of params.yaml.

    Args:
        steps: of the whole training, a batch each.
        crop: side of a training crop in px, divisible by 32.
        batch_size: crops a step, over all subsets.
        lr: AdamW's learning rate after the warm-up.
        weight_decay: AdamW's; norms, biases and tables of positions have none.
        encoder_rate: learning rate of the encoder, as a share of that of decoder and heads.
        layer_decay: share of a layer's learning rate that the layer before it has, for plain vision
            transformers (the paper: 0.9); None: all the same.
        warmup: steps in which the rate rises from 0.
        floor: share of the rate that is left at the end of the cosine.
        drop_path: largest share of an encoder's branches left out at random, for networks of timm
            that have such.
        clip: largest norm of a step's gradient (the paper: 5).
        validate: share of the training tiles that is set aside and validated on; 0: none.
        validate_every: steps between two validations; there is one after the last step as well.
        select: of ``SELECTED``: the weights of the last step, or the best validated ones.
        precision: one of ``PRECISIONS``; ``bf16-mixed`` is 2.4 times as fast where the CPU has AMX,
            and takes ten times as long and more where it must emulate bfloat16.
    """

    steps: int
    crop: int
    batch_size: int
    lr: float
    weight_decay: float
    encoder_rate: float
    layer_decay: float | None
    warmup: int
    floor: float
    drop_path: float
    clip: float
    validate: float
    validate_every: int
    select: str
    precision: str

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ParameterError(
                f"precision: unknown value, got {self.precision!r}; {', '.join(PRECISIONS)} are "
                "allowed; use one of these"
            )
        if self.crop < 32 or self.crop % 32:
            raise ParameterError(
                f"crop: does not fit the encoder's strides, got {self.crop}; multiples of 32 are "
                "allowed; use the next one"
            )
        if self.select not in SELECTED or (self.select == "best" and not self.validate):
            raise ParameterError(
                f"select: not weights to take, got {self.select!r} with validate {self.validate}; "
                f"{', '.join(SELECTED)} are allowed, best where validate is above 0; correct it"
            )
        if self.validate_every < 1 or not 0 <= self.validate < 1:
            raise ParameterError(
                f"validate and validate_every: out of range, got {self.validate} and "
                f"{self.validate_every}; 0 to below 1, and at least 1, are allowed; correct them"
            )
        for name in ("encoder_rate", "floor", "drop_path", "layer_decay"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ParameterError(
                    f"{name}: not a share, got {value}; 0 to 1 are allowed; correct it"
                )
        if self.clip <= 0 or not 0 <= self.warmup < max(self.steps, 1):
            raise ParameterError(
                f"clip and warmup: out of range, got {self.clip} and {self.warmup}; above 0, and 0 "
                f"to less than the {self.steps} steps, are allowed; correct them"
            )
        if self.steps < 1:
            raise ParameterError(
                f"steps: nothing to train, got {self.steps}; at least 1 is allowed; raise it"
            )


def device_of(runtime: Mapping[str, Any]) -> torch.device:
    """The device that ``runtime.device`` means: auto takes a GPU where there is one."""
    name = runtime["device"]
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
