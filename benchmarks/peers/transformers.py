"""transformers' SamModel, a picture encoded once: (N, h, w)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import SamConfig, SamImageProcessor, SamModel, SamProcessor

from benchmarks.peers.parts import parts
from samrs.sam.renamed import TO_SEGMENT_ANYTHING, new_name

PACKAGES = ("transformers",)
PLACES = "shared_image_embedding.positional_embedding"


def load(weights: Path, precision: str) -> Callable[[Path, NDArray[np.float64]], NDArray[np.bool_]]:
    """The model with segment_anything's tensors, in float32."""
    assert not precision
    model: Any = SamModel(SamConfig())
    model.eval()
    given = torch.load(weights, weights_only=True)
    of_places = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    model.load_state_dict({
        name: given[of_places if name == PLACES else new_name(name, TO_SEGMENT_ANYTHING)]
        for name in model.state_dict()
    })  # fmt: skip
    pictures: Any = SamImageProcessor
    prompted: Any = SamProcessor
    processor = prompted(pictures())

    @torch.inference_mode()
    def label(path: Path, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        picture = Image.open(path).convert("RGB")
        seen = processor(picture, return_tensors="pt")
        embedding = model.get_image_embeddings(seen["pixel_values"])
        found = []
        for some in parts(boxes):
            asked = processor(picture, input_boxes=[some.tolist()], return_tensors="pt")
            said = model(
                image_embeddings=embedding, input_boxes=asked["input_boxes"], multimask_output=False
            )
            answer = processor.image_processor.post_process_masks(
                said.pred_masks, asked["original_sizes"], asked["reshaped_input_sizes"]
            )
            found.append(answer[0][:, 0].numpy())
        return np.concatenate(found)

    return label


def masks(found: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """As they are."""
    return list(found)
