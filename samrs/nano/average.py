"""The mean of two of nano's weights, trained one from the other.

    samrs nano average FIRST.safetensors SECOND.safetensors --out samrs/models/nano.safetensors

Weights that share a part of their training lie in one basin, and their mean is often better than
either (Wortsman et al., Model soups, arXiv:2203.05482): here a cycle on more airports had made
planes better and other things a little worse.
"""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file

from samrs.sam.checkpoints import CheckpointError


def average(first: Path, second: Path, out: Path) -> None:
    """Write the mean of two files' tensors, computed in float32, in their own precision.

    Args:
        first: safetensors of nano.
        second: others of the same architecture.

    Raises:
        CheckpointError: they hold different tensors.
    """
    one, other = load_file(first), load_file(second)
    shapes = [{name: tuple(value.shape) for name, value in part.items()} for part in (one, other)]
    if shapes[0] != shapes[1]:
        different = sorted({name for name, _ in shapes[0].items() ^ shapes[1].items()})
        raise CheckpointError(
            f"{second}: other tensors than {first}, got {', '.join(different[:3])} ...; weights of "
            "one architecture are needed; take two of one training"
        )
    mean = {
        name: ((value.float() + other[name].float()) / 2).to(value.dtype).contiguous()
        for name, value in one.items()
    }
    save_file(mean, out, metadata={"format": "pt", "model": "nano"})
    out.chmod(0o644)
