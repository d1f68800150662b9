"""SAM's image encoder and mask decoder on tensors, for one tile at a time or several together.

What a batch holds depends on which threads ask when, but not what comes out: every batch has one
shape, filled up with zeros, and no number of a tile is ever added to one of another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import MaskDecoder
from torch.nn import functional

from samrs.sam import decoder as decoding
from samrs.sam.batching import Together
from samrs.sam.mask_prompts import Marks

log = logging.getLogger("samrs")
T = TypeVar("T")
R = TypeVar("R")
Embed = Callable[[torch.Tensor], torch.Tensor]
Decoded = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Logits (B, M, h, w) of the whole frame and predicted IoUs (B, M)."""

NO_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "_STATUS_ALLOC_FAILED")
"""What torch's CPU allocator, CUDA, and cuBLAS or cuDNN say."""


@dataclass(frozen=True)
class Prompts:
    """B prompts of one tile.

    Args:
        image: (1, C, h, w) the tile's embedding, as without mask prompts.
        sparse: (B, T, C) tokens of boxes and points.
        marks: of mask prompts, if any.
        places: (1, C, h, w) of the image's tokens.
        which: of the decoder's mask tokens, from and to.
    """

    image: torch.Tensor
    sparse: torch.Tensor
    marks: Marks | None
    places: torch.Tensor
    which: tuple[int, int | None]


class Networks(Protocol):
    """What a segmenter asks.

    Attributes:
        chunk: prompts worth giving at once.
    """

    chunk: int

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """The embedding (1, C, h, w) of preprocessed pixels (1, 3, H, W)."""

    def decode(self, prompts: Prompts) -> Decoded:
        """The masks of prompts."""


class Alone:
    """Each tile by itself, in the thread that asks.

    Args:
        embed: gives the embedding of preprocessed pixels.
        decoder: SAM's.
        chunk: prompts worth giving at once.
    """

    def __init__(self, embed: Embed, decoder: MaskDecoder, chunk: int) -> None:
        self.chunk = chunk
        self._embed, self._decoder = embed, decoder

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """The embedding (1, C, h, w) of preprocessed pixels (1, 3, H, W)."""
        return self._embed(pixels)

    @torch.inference_mode()
    def decode(self, prompts: Prompts) -> Decoded:
        """The masks of prompts."""
        return _decoded(self._decoder, prompts.image, prompts)


class Several:
    """Tiles of several threads together.

    Args:
        embed: gives the embedding of preprocessed pixels.
        decoder: SAM's.
        tiles: images in an encoder pass.
        slots: of a decoder pass; each holds prompts of one tile.
        prompts: of a slot.
    """

    def __init__(
        self, embed: Embed, decoder: MaskDecoder, *, tiles: int, slots: int, prompts: int
    ) -> None:
        self.chunk = slots * prompts
        self._embed, self._decoder, self._prompts = embed, decoder, prompts
        self._encoder_pass = Together(self._encode, tiles)
        self._decoder_pass = Together(self._decode, slots)

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """The embedding (1, C, h, w) of preprocessed pixels (1, 3, H, W)."""
        (embedding,) = self._encoder_pass.ask([pixels], pixels.shape)
        return embedding

    def decode(self, prompts: Prompts) -> Decoded:
        """The masks of prompts."""
        parts = self._parts(prompts)
        kind = (prompts.sparse.shape[1], prompts.marks is None, prompts.which)
        low_res, ious = zip(*self._decoder_pass.ask(parts, kind), strict=True)
        count = len(prompts.sparse)
        return np.concatenate(low_res)[:count], np.concatenate(ious)[:count]

    def _parts(self, prompts: Prompts) -> list[Prompts]:
        """A slot each, filled up."""
        parts = []
        for start in range(0, len(prompts.sparse), self._prompts):
            own = slice(start, start + self._prompts)
            marks = prompts.marks and replace(
                prompts.marks, maps=self._filled(prompts.marks.maps[own])
            )
            parts.append(replace(prompts, sparse=self._filled(prompts.sparse[own]), marks=marks))
        return parts

    def _filled(self, rows: torch.Tensor) -> torch.Tensor:
        missing = self._prompts - len(rows)
        return functional.pad(rows, (0, 0) * (rows.ndim - 1) + (0, missing)) if missing else rows

    @torch.inference_mode()
    def _encode(self, pixels: list[torch.Tensor]) -> list[torch.Tensor]:
        def work(some: Sequence[torch.Tensor]) -> list[torch.Tensor]:
            out = self._embed(torch.cat(list(some)))
            if out.is_cuda:  # what is asked meanwhile shall wait until the GPU is done
                torch.cuda.current_stream(out.device).synchronize()
            return list(torch.split(out, 1))

        none = torch.zeros_like(pixels[0])
        return _in_halves(work, pixels, none, self._encoder_pass.room, "tiles")

    @torch.inference_mode()
    def _decode(self, parts: list[Prompts]) -> list[Decoded]:
        first = parts[0]

        def work(some: Sequence[Prompts]) -> list[Decoded]:
            together = replace(first, sparse=torch.cat([part.sparse for part in some]))
            if first.marks:
                maps = torch.cat([part.marks.maps for part in some if part.marks])
                together = replace(together, marks=replace(first.marks, maps=maps))
            image = torch.cat([part.image for part in some])
            low_res, ious = _decoded(self._decoder, image, together)
            return list(zip(np.split(low_res, len(some)), np.split(ious, len(some)), strict=True))

        none = replace(
            first, image=torch.zeros_like(first.image), sparse=torch.zeros_like(first.sparse)
        )
        if first.marks:
            maps = torch.zeros_like(first.marks.maps)
            none = replace(none, marks=replace(first.marks, maps=maps))
        return _in_halves(work, parts, none, self._decoder_pass.room, "parts of tiles")


def _decoded(decoder: MaskDecoder, image: torch.Tensor, prompts: Prompts) -> Decoded:
    low_res, ious = decoding.decode(
        decoder, image, prompts.places, prompts.sparse, slice(*prompts.which), prompts.marks
    )
    return low_res.cpu().numpy(), ious.cpu().numpy()


def _in_halves(
    work: Callable[[Sequence[T]], list[R]], given: Sequence[T], none: T, room: int, what: str
) -> list[R]:
    """The answers to what is given, filled up with ``none``; halves at a time where memory does not
    do for all."""

    def answers(some: Sequence[T]) -> list[R]:
        try:
            return work(some)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or len(some) == 1:
                raise
        half = len(some) // 2
        log.warning("segmenter sam: out of memory with %d %s, now %d", len(some), what, half)
        return answers(some[:half]) + answers(some[half:])

    return answers([*given, *[none] * (room - len(given))])[: len(given)]


def out_of_memory(error: BaseException) -> bool:
    """Whether memory was short; torch has a class of its own for its GPU allocator only."""
    named = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return named or any(phrase in str(error) for phrase in NO_MEMORY)
