"""The engine's operations on a GPU that is not there: torch's fake tensors tell where each is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from segment_anything.modeling import Sam
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from samrs.sam.decoder import decode
from samrs.sam.encoder import encode
from samrs.sam.mask_prompts import marks
from samrs.sam.nano import FRAME, PROMPT_WIDTH, build_nano

GPU = torch.device("cuda", 0)
GRID = FRAME // 16


class Elsewhere(TorchDispatchMode):
    """Collects operations that touch the CPU, for which a GPU would have to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(
        self, operation: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        out = operation(*given, **(named or {}))
        tensors = [t for t in tree_leaves((given, named, out)) if isinstance(t, torch.Tensor)]
        if any(t.device != GPU for t in tensors):
            self.names.append(str(operation))
        return out


@contextmanager
def pretended() -> Iterator[Elsewhere]:
    with FakeTensorMode(), torch.inference_mode(), Elsewhere() as elsewhere:
        yield elsewhere


def nano_on_gpu() -> Sam:
    with GPU:
        return build_nano()


@pytest.mark.parametrize("width", [FRAME, FRAME // 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_an_image_is_encoded_without_waiting_for_the_cpu(dtype: torch.dtype, width: int) -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with pretended() as elsewhere:
            encoder = nano_on_gpu().image_encoder
            elsewhere.names.clear()
            embedding = encode(encoder, torch.zeros(2, 3, FRAME, width, device=GPU))
            assert elsewhere.names == []
    finally:
        torch.set_default_dtype(before)
    assert (embedding.device, embedding.dtype) == (GPU, dtype)
    assert embedding.shape == (2, PROMPT_WIDTH, GRID, width // 16)


@pytest.mark.parametrize("tiles", [1, 8])
@pytest.mark.parametrize("masked", [False, True], ids=["boxes", "boxes and masks"])
def test_prompts_are_decoded_without_waiting_for_the_cpu(masked: bool, tiles: int) -> None:
    with pretended() as elsewhere:
        sam = nano_on_gpu()
        elsewhere.names.clear()
        embedding = torch.zeros(tiles, PROMPT_WIDTH, GRID, GRID, device=GPU)
        boxes = torch.zeros(64, 4, device=GPU)
        sparse, dense = sam.prompt_encoder(points=None, boxes=boxes, masks=None)
        masks = torch.zeros(64, 1, 4 * GRID, 4 * GRID, device=GPU)
        given = torch.zeros(64, dtype=torch.bool, device=GPU)
        own = marks(sam.prompt_encoder, masks, given) if masked else None
        image, places = embedding + dense[:1], sam.prompt_encoder.get_dense_pe()
        logits, ious = decode(sam.mask_decoder, image, places, sparse, slice(1, 4), own)
        assert elsewhere.names == []
    assert logits.device == ious.device == GPU
    assert (logits.shape, ious.shape) == ((64, 3, 4 * GRID, 4 * GRID), (64, 3))
