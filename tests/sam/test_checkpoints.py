"""Checkpoints are read as tensors only, and refused in one sentence when they do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from samrs.core.errors import SamrsError
from samrs.sam.checkpoints import BUILDERS, CheckpointError, build_sam, read_tensors
from samrs.sam.nano import build_nano
from samrs.weights.checkpoints.sam import NANO


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this would run",)


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return build_nano().state_dict()


def refuses(path: Path, match: str, model: str = "nano") -> None:
    with pytest.raises(CheckpointError, match=match) as caught:
        build_sam(model, path, device="cpu")
    assert len(str(caught.value).splitlines()) == 1


def test_the_error_is_one_of_the_projects() -> None:
    assert issubclass(CheckpointError, SamrsError)


@pytest.mark.parametrize("write", [torch.save, save_file], ids=["torch.save", "safetensors"])
def test_a_checkpoint_gives_the_weights_it_holds(
    tmp_path: Path, weights: dict[str, torch.Tensor], write: object
) -> None:
    assert callable(write)
    path = tmp_path / "any.name"
    write(weights, path)
    loaded = build_sam("nano", path, device="cpu").state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)


def test_a_vit_b_checkpoint_fits_metas_builder(tmp_path: Path) -> None:
    sam = BUILDERS["vit_b"]()
    path = tmp_path / "b.pth"
    torch.save(sam.state_dict(), path)
    again = build_sam("vit_b", path, device="cpu")
    assert again.image_encoder.pos_embed.device.type == "cpu"
    assert torch.equal(again.pixel_mean, sam.pixel_mean)
    assert torch.equal(again.image_encoder.pos_embed, sam.image_encoder.pos_embed)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(
        CheckpointError, match=r"got 'vit_x'; allowed are nano, vit_b, vit_l, vit_h"
    ):
        build_sam("vit_x", NANO, device="cpu")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refuses(tmp_path / "none.pth", "none.pth: there is no such checkpoint, got no file")


def test_a_truncated_real_checkpoint_is_refused(real: Path) -> None:
    path = real / "mobile_sam" / "mobile_sam_TRUNCATED.pt"
    if not path.is_file():
        pytest.skip(f"{path} is not there (research-only, not in the project)")
    refuses(path, r"TRUNCATED.pt: the checkpoint cannot be read, got 1,835,008 bytes .*truncated")


@pytest.mark.parametrize("write", [torch.save, save_file], ids=["torch.save", "safetensors"])
def test_a_file_cut_anywhere_is_refused(
    tmp_path: Path, weights: dict[str, torch.Tensor], write: object
) -> None:
    assert callable(write)
    path = tmp_path / "whole"
    write(weights, path)
    whole = path.read_bytes()
    for share in (0.01, 0.5, 0.999):
        cut = tmp_path / f"cut-{share}"
        cut.write_bytes(whole[: int(share * len(whole))])
        refuses(cut, "cannot be read, got .* bytes")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\xff\xd8\xff\xe0 a photograph"])
def test_another_type_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sam.pth"
    path.write_bytes(content)
    refuses(path, r"sam.pth: not a checkpoint, got \d+ bytes")


def test_a_pickle_that_would_run_code_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "evil.pth"
    torch.save({"weight": Harmful()}, path)
    refuses(path, "evil.pth: the checkpoint cannot be read")
    assert "this would run" not in capsys.readouterr().out


def test_things_that_are_not_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch.save({"model": {"weight": torch.zeros(1)}, "step": 3}, path)
    refuses(path, "state.pt: not a model's weights, got dict of other things")


def test_missing_unknown_and_misshapen_tensors_are_named(
    tmp_path: Path, weights: dict[str, torch.Tensor]
) -> None:
    del weights["mask_decoder.iou_token.weight"]
    weights["odd.bias"] = torch.zeros(3)
    weights["prompt_encoder.no_mask_embed.weight"] = torch.zeros(1, 256)
    path = tmp_path / "odd.safetensors"
    save_file(weights, path)
    refuses(
        path,
        r"1 missing \(first: mask_decoder.iou_token.weight\), 1 unknown \(first: odd.bias\), "
        r"1 misshapen \(first: prompt_encoder.no_mask_embed.weight of \(1, 256\) for \(1, 128\)\)",
    )


def test_another_models_checkpoint_is_refused() -> None:
    refuses(NANO, "the checkpoint is not vit_b's, got .* give vit_b's checkpoint", "vit_b")


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_file({"weight": torch.ones(2, dtype=torch.float16)}, path)
    assert read_tensors(path)["weight"].dtype == torch.float32
