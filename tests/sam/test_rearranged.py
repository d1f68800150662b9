"""Encoder and decoder as rearranged give what segment_anything's own modules give."""

from __future__ import annotations

import copy

import pytest
import torch
from segment_anything import sam_model_registry
from segment_anything.modeling import Sam
from segment_anything.modeling.image_encoder import get_rel_pos

from samrs.sam import attention
from samrs.sam import encoder as encoding
from samrs.sam.checkpoints import build_sam
from samrs.sam.decoder import decode
from samrs.sam.encoder import encode
from samrs.weights.checkpoints.sam import NANO
from tests.rounding import reordered
from tests.segmenters.tiny_sam import tiny_sam


def relative(mine: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((mine - theirs).abs().max() / theirs.abs().max())


def shaken(sam: Sam, seed: int = 0) -> Sam:
    """Relative positions start as zeros, biases too: random ones, or they would prove nothing."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in sam.named_parameters():
        if "rel_pos" in name or name.endswith("bias"):
            value.data.add_(0.2 * torch.randn(value.shape, generator=generator))
    return sam


@pytest.fixture(scope="module", params=["tiny", "nano"])
def sam(request: pytest.FixtureRequest) -> Sam:
    return shaken(tiny_sam() if request.param == "tiny" else build_sam("nano", NANO, device="cpu"))


@torch.inference_mode()
def test_the_encoder_gives_the_official_embedding(sam: Sam) -> None:
    side = sam.image_encoder.img_size
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    assert relative(encode(sam.image_encoder, pixels), sam.image_encoder(pixels)) < 1e-4


@pytest.mark.parametrize("by_hand", [True, False], ids=["by hand", "fused"])
@torch.inference_mode()
def test_in_bfloat16_the_embedding_is_the_official_one_but_for_rounding(
    sam: Sam, by_hand: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "BFLOAT16_BY_HAND", by_hand)
    side = sam.image_encoder.img_size
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    half = copy.deepcopy(sam.image_encoder).bfloat16()
    assert relative(encode(half, pixels.bfloat16()).float(), sam.image_encoder(pixels)) < 0.03


@pytest.mark.parametrize(("size", "rows"), [(14, 27), (64, 27), (64, 127), (70, 127)])
def test_offsets_are_the_official_ones_to_the_bit(size: int, rows: int) -> None:
    table = torch.randn(rows, 8, generator=torch.Generator().manual_seed(size))
    assert torch.equal(encoding._offsets(table, size), get_rel_pos(size, size, table))


@pytest.mark.parametrize("size", [1, 5, 32])
def test_offsets_in_a_part_of_the_frame_are_those_in_the_frame(size: int) -> None:
    table = torch.randn(127, 8, generator=torch.Generator().manual_seed(size))
    whole = get_rel_pos(64, 64, table)
    assert torch.equal(encoding._offsets(table, size), whole[:size, :size])


@torch.inference_mode()
@pytest.mark.parametrize("size_hw", [(128, 128), (128, 256), (32, 96)])
def test_a_part_of_the_frame_is_embedded_as_by_an_encoder_of_its_size(
    size_hw: tuple[int, int],
) -> None:
    """segment_anything's own: positions of the part, of tokens and of their offsets."""
    encoder = shaken(tiny_sam()).image_encoder
    assert encoder.pos_embed is not None
    pixels = torch.randn(1, 3, *size_hw, generator=torch.Generator().manual_seed(1))
    small = copy.deepcopy(encoder)
    height, width = (side // 16 for side in size_hw)
    small.pos_embed = torch.nn.Parameter(encoder.pos_embed[:, :height, :width])
    for block in small.blocks:
        if block.window_size == 0:
            for name, size in (("rel_pos_h", height), ("rel_pos_w", width)):
                table = getattr(block.attn, name)
                middle = table[len(table) // 2 + 1 - size : len(table) // 2 + size]
                setattr(block.attn, name, torch.nn.Parameter(middle))
    assert relative(encode(encoder, pixels), small(pixels)) < 1e-4


@torch.inference_mode()
def test_pieces_of_any_size_give_the_same_attention(
    sam: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = sam.image_encoder.img_size
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    whole = encode(sam.image_encoder, pixels)
    monkeypatch.setattr(attention, "PIECE", 3000)
    longest = max(3 * 16**2, (side // 16) ** 2)  # a patch's values, an image's tokens
    assert relative(encode(sam.image_encoder, pixels), whole) < reordered(longest)


@torch.inference_mode()
def test_longer_queries_give_the_same_attention(sam: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    """What GPUs do in float32."""
    side = sam.image_encoder.img_size
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(attention, "_in_float32", attention._fused)
    assert relative(encode(sam.image_encoder, pixels), sam.image_encoder(pixels)) < 1e-4


@torch.inference_mode()
def test_a_block_of_vit_b_gives_the_official_one() -> None:
    """14 px windows pad the grid of 64, and there are absolute positions: not so in nano."""
    encoder = shaken(sam_model_registry["vit_b"]()).eval().image_encoder
    # one window block and one global block, or the test would take a minute
    encoder.blocks = torch.nn.ModuleList([encoder.blocks[0], encoder.blocks[2]])
    encoder.pos_embed.data.normal_(generator=torch.Generator().manual_seed(2))
    pixels = torch.randn(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(1))
    assert relative(encode(encoder, pixels), encoder(pixels)) < 1e-3


@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("kind", ["box", "points", "box+points", "mask", "box+mask"])
@torch.inference_mode()
def test_the_decoder_gives_the_official_logits(sam: Sam, kind: str, multimask: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    encoder, count = sam.prompt_encoder, 3
    side = encoder.input_image_size[0]
    corners = torch.rand(count, 2, 2, generator=generator).sort(1).values * side
    boxes = corners.flatten(1) if "box" in kind else None
    points = (corners, torch.tensor([[1, 0]] * count)) if "points" in kind else None
    low = encoder.mask_input_size
    masks = torch.randn(count, 1, *low, generator=generator) if "mask" in kind else None
    image = torch.randn(1, encoder.embed_dim, *encoder.image_embedding_size, generator=generator)
    sparse, dense = encoder(points, boxes, masks)
    places = encoder.get_dense_pe()
    theirs = sam.mask_decoder(image, places, sparse, dense, multimask)
    shared = dense if masks is not None else dense[:1]
    which = slice(1, None) if multimask else slice(0, 1)
    mine = decode(sam.mask_decoder, image + shared, places, sparse, which)
    for ours, official in zip(mine, theirs, strict=True):
        assert ours.shape == official.shape
        assert relative(ours, official) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
@torch.inference_mode()
def test_published_sizes_give_the_official_logits(name: str) -> None:
    """Random weights; minutes each."""
    torch.manual_seed(0)
    sam = shaken(sam_model_registry[name]()).eval()
    pixels = torch.randn(1, 3, 1024, 1024)
    official, mine = sam.image_encoder(pixels), encode(sam.image_encoder, pixels)
    corners = (torch.rand(8, 2, 2) * 1024).sort(1).values
    sparse, dense = sam.prompt_encoder(None, corners.flatten(1), None)
    places = sam.prompt_encoder.get_dense_pe()
    theirs, scores = sam.mask_decoder(official, places, sparse, dense, False)
    ours, said = decode(sam.mask_decoder, mine + dense[:1], places, sparse, slice(0, 1))
    assert relative(ours, theirs) < 1e-3
    assert relative(said, scores) < 1e-3
