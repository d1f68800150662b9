"""Hugging Face's SAM 1 and SAM-HQ answer as transformers' models and processor do."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from transformers import (
    SamConfig,
    SamHQConfig,
    SamHQModel,
    SamHQProcessor,
    SamImageProcessor,
    SamModel,
    SamProcessor,
)

from samrs.sam import checkpoints
from samrs.sam import decoder as decoding
from samrs.sam.hq import Finer, HqSegmenter
from samrs.sam.renamed import TO_SEGMENT_ANYTHING, new_name
from samrs.segmenters.sam import SamSegmenter
from tests.rounding import reordered
from tests.segmenters.family.pairs import (
    KINDS,
    asked,
    assert_equal,
    enliven,
    ours,
    picture,
    prompt,
    rounding,
    theirs,
)

SIDE, WIDTH, TOKEN = 128, 32, 48
HERE = Path("small.safetensors")


def shell() -> Sam:
    """segment_anything's modules at the size of ``config``."""
    grid = SIDE // 16
    return Sam(
        ImageEncoderViT(
            img_size=SIDE, depth=2, embed_dim=TOKEN, num_heads=2, out_chans=WIDTH,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), use_rel_pos=True, window_size=5,
            global_attn_indexes=(1,),
        ),
        PromptEncoder(WIDTH, (grid, grid), (SIDE, SIDE), mask_in_chans=16),
        MaskDecoder(
            transformer_dim=WIDTH, transformer=TwoWayTransformer(2, WIDTH, 4, 64),
            num_multimask_outputs=3, iou_head_hidden_dim=48,
        ),
    ).eval()  # fmt: skip


def config(kind: Any) -> Any:
    decoder = {"hidden_size": WIDTH, "mlp_dim": 64, "num_attention_heads": 4}
    further = {"vit_dim": TOKEN} if kind is SamHQConfig else {}
    return kind(
        vision_config={
            "hidden_size": TOKEN, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": SIDE, "window_size": 5, "global_attn_indexes": [1],
            "output_channels": WIDTH, "num_pos_feats": WIDTH // 2,
        },
        prompt_encoder_config={"hidden_size": WIDTH, "image_size": SIDE},
        mask_decoder_config={**decoder, "iou_head_hidden_dim": 48, **further},
    )  # fmt: skip


def processor(kind: Any) -> Any:
    size = {"height": SIDE, "width": SIDE}
    return kind(SamImageProcessor(size={"longest_edge": SIDE}, pad_size=size))


@pytest.fixture(scope="module")
def hq() -> Any:
    return enliven(SamHQModel(config(SamHQConfig)))


@pytest.fixture(scope="module")
def sam() -> Any:
    return enliven(SamModel(config(SamConfig)))


def tensors(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def of_hq(model: Any) -> HqSegmenter:
    found = checkpoints.hq_of(tensors(model), shell, HERE, "small", "cpu")
    return HqSegmenter(*found, "float32")


@pytest.fixture
def as_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers' decoder of SAM-HQ (5.24) drops the image that its transformer gives back, and
    makes masks of the one that went in, rows and columns swapped; the authors' does not, and
    neither do we."""
    asked = decoding.asked

    def dropped(decoder: Any, image: Any, *given: Any) -> Any:
        said, seen = asked(decoder, image, *given)
        return said, image.mT.flatten(2).mT.contiguous().expand_as(seen)

    monkeypatch.setattr(decoding, "asked", dropped)


@pytest.mark.parametrize("size_hw", [(128, 128), (100, 160), (211, 150)])
@pytest.mark.usefixtures("as_transformers")
def test_sam_hq_answers_as_transformers_but_for_its_flaw(hq: Any, size_hw: tuple[int, int]) -> None:
    engine, their = of_hq(hq), processor(SamHQProcessor)
    seen = their(images=picture(size_hw), return_tensors="pt")["pixel_values"]
    # a value is divided, shifted by its mean and divided again: three roundings, of a half each
    most = float((255 / engine.sam.pixel_std).max())
    torch.testing.assert_close(
        engine.pixels(picture(size_hw)), seen, rtol=0, atol=reordered(3, most)
    )
    assert_equal(engine, hq, their, size_hw)


@torch.inference_mode()
def by_authors(sam: Sam, finer: Finer, pixels: Any, tokens: Any) -> Any:
    """(N, 1, h, w) as the authors' ``MaskDecoderHQ`` has it, of modules only.

    Args:
        tokens: (N, T, C) of prompts.
    """
    decoder = sam.mask_decoder
    first = []
    hook = sam.image_encoder.blocks[-1].register_forward_hook(lambda *said: first.append(said[2]))
    image = sam.image_encoder(pixels)
    hook.remove()
    details = finer.embedding_encoder(image)
    details = details + finer.compress_vit_feat(first[0].permute(0, 3, 1, 2))
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight, finer.hf_token.weight])
    tokens = torch.cat([own.expand(len(tokens), -1, -1), tokens], 1)
    dense = sam.prompt_encoder.no_mask_embed.weight.view(1, -1, 1, 1)
    places = sam.prompt_encoder.get_dense_pe()
    source = (image + dense).expand(len(tokens), -1, -1, -1)
    said, seen = decoder.transformer(source, places.expand_as(source), tokens)
    up = decoder.output_upscaling(seen.mT.reshape(source.shape))
    fine = finer.embedding_maskfeature(up) + details
    plain = decoder.output_hypernetworks_mlps[0](said[:, 1])
    further = finer.hf_mlp(said[:, 5])
    one, other = (
        torch.einsum("bc,bchw->bhw", vector, maps)[:, None]
        for vector, maps in ((plain, up), (further, fine))
    )
    return one + other


def test_sam_hq_answers_as_its_authors_decoder(hq: Any) -> None:
    engine = of_hq(hq)
    image, question = picture((100, 160)), prompt((100, 160), "boxes")
    sparse, _ = engine.sam.prompt_encoder(None, engine._boxes(question, (100, 160)), None)
    wanted = by_authors(engine.sam, engine.finer, engine.pixels(image), sparse).numpy()
    found, _ = ours(engine, engine.encode(image), question, several=False)
    assert np.abs(found - wanted).max() < rounding(hq) * np.ptp(wanted)


def test_the_authors_names_of_sam_hq_are_taken(hq: Any) -> None:
    """The masks differ by the layer norms' epsilon alone."""
    named, _ = checkpoints._by_segment_anything(tensors(hq))
    assert "mask_decoder.hf_token.weight" in named
    found = checkpoints.hq_of(named, shell, HERE, "small", "cpu")
    engine = HqSegmenter(*found, "float32")
    image, question = picture((128, 128)), prompt((128, 128), "boxes")
    a, b = (ours(one, one.encode(image), question, several=False)[0] for one in (engine, of_hq(hq)))
    assert 0 < np.abs(a - b).max() < 1e-3 * np.ptp(b)


def test_every_layer_norm_has_the_epsilon_that_transformers_has(
    sam: Any, hq: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the decoder's layers and the one behind them differ there."""
    for model, found in (
        (sam, of_sam(sam, tmp_path, monkeypatch).sam.mask_decoder),
        (hq, of_hq(hq).sam.mask_decoder),
    ):
        wanted = {
            new_name(f"{name}.", TO_SEGMENT_ANYTHING)[:-1]: module.eps
            for name, module in model.mask_decoder.named_modules()
            if isinstance(module, torch.nn.LayerNorm) and name.startswith("transformer.")
        }
        assert set(wanted.values()) == {1e-5, 1e-6}
        assert wanted == {
            name: module.eps
            for name, module in found.named_modules()
            if isinstance(module, torch.nn.LayerNorm)
        }


def of_sam(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SamSegmenter:
    """Through a file, as a user's."""
    monkeypatch.setitem(checkpoints.BUILDERS, "sam-vit-base", shell)
    path = tmp_path / "model.safetensors"
    save_file(tensors(model), path)
    return SamSegmenter(checkpoints.build_sam("sam-vit-base", path, device="cpu"), "float32")


def test_sam_1_of_hugging_face_answers_as_transformers(
    sam: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = of_sam(sam, tmp_path, monkeypatch)
    assert_equal(engine, sam, processor(SamProcessor), (SIDE, SIDE))


@pytest.mark.parametrize("size_hw", [(100, 160), (211, 150)])
def test_resized_pictures_differ_from_transformers_by_two_levels_at_most(
    sam: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_hw: tuple[int, int]
) -> None:
    """segment_anything resizes by Pillow, transformers by torchvision: both antialias, and round
    otherwise. With their pixels the answers are theirs."""
    engine, their = of_sam(sam, tmp_path, monkeypatch), processor(SamProcessor)
    image = picture(size_hw)
    own = engine._pixels(image)
    given = asked(their, image, prompt(size_hw, "boxes"))
    levels = (own - given["pixel_values"]).abs() * engine.sam.pixel_std
    assert levels.max() < 2.01
    assert levels.mean() < 0.1
    monkeypatch.setattr(engine, "_pixels", lambda image: given["pixel_values"])
    assert_equal(engine, sam, their, size_hw)


def test_every_kind_of_prompt_of_hq_differs_from_sams(hq: Any) -> None:
    engine = of_hq(hq)
    state = engine.encode(picture((90, 128)))
    for kind in KINDS:
        given = asked(processor(SamHQProcessor), picture((90, 128)), prompt((90, 128), kind))
        plain, _ = theirs(hq, {**given, "hq_token_only": True}, several=False)
        both, _ = ours(engine, state, prompt((90, 128), kind), several=False)
        assert np.abs(both - plain.numpy()).max() > 0
