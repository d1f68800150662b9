"""MobileSAM answers as SamPredictor with its encoder, and takes its authors' file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor
from segment_anything.modeling import Sam

from samrs.sam import checkpoints
from samrs.sam.mobile import build_mobile
from samrs.segmenters.sam import SamSegmenter
from tests.segmenters.family.pairs import COUNT, assert_same_masks, picture, prompt, rounding
from tests.segmenters.official import predicted

NAMES = Path(__file__).parent / "authors_mobile_sam.json"
"""Names and shapes of the tensors in the authors' file, as their own code makes them."""


@pytest.fixture(scope="module")
def sam() -> Sam:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = build_mobile(128)
        for name, value in made.mask_decoder.named_parameters():
            if name.endswith("weight") and value.ndim > 1:
                value.data *= 2.5
    return made


@pytest.mark.parametrize("kind", ["boxes", "points", "both"])
def test_answers_are_those_of_the_predictor(sam: Sam, kind: str) -> None:
    engine, predictor = SamSegmenter(sam, "float32"), SamPredictor(sam)
    image, question = picture((100, 160)), prompt((100, 160), kind)
    predictor.set_image(image)
    theirs, scores = predicted(predictor, question, multimask=False)
    found = engine.decode(engine.encode(image), question)
    share = rounding(sam)
    assert_same_masks(found.rles, theirs[:, 0].numpy(), share)
    np.testing.assert_allclose(found.predicted_iou, scores[:, 0].numpy(), rtol=0, atol=share)
    assert len(found.rles) == COUNT


def test_a_part_of_a_picture_is_embedded_alone(sam: Sam) -> None:
    engine = SamSegmenter(sam, "float32")
    image = picture((128, 128))
    assert engine.encode_corner(image, (64, 128)).embedding.shape == (1, 256, 8, 8)


def test_the_authors_names_are_the_models() -> None:
    named = json.loads(NAMES.read_text(encoding="utf-8"))
    tensors = {name: torch.empty(shape, device="meta") for name, shape in named.items()}
    found, _ = checkpoints._by_segment_anything(tensors)
    with torch.device("meta"):
        wanted = build_mobile().state_dict()
    assert {n: t.shape for n, t in found.items()} == {n: t.shape for n, t in wanted.items()}
