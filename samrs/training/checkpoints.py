"""Lightning's checkpoints as kept files: on the disk before they count, checked when they are read.

torch reads a checkpoint's weights without looking at their checksums, so a flipped bit would train
on unseen.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from samrs.core.errors import MissingInputError
from samrs.work.kept import keep, kept


class KeptCheckpoints(TorchCheckpointIO):
    """Writes sealed checkpoints (``work/kept.py``) and reads these only."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint, whole or not at all.

        Args:
            storage_options: Lightning's; not used.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        keep(Path(path), content.getvalue())

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint; tensors only, whatever is asked.

        Args:
            map_location: where tensors go; None: the CPU.
            weights_only: Lightning's; it always is.

        Raises:
            MissingInputError: it is gone or damaged since ``last_checkpoint`` found it.
        """
        content = kept(Path(path))
        if content is None:
            raise MissingInputError(
                f"{path}: no checkpoint, got a missing or damaged file; a whole one is needed; run "
                "again, which begins without it"
            )
        found: dict[str, Any] = torch.load(
            io.BytesIO(content), map_location=map_location or "cpu", weights_only=True
        )
        return found


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where a training's checkpoint after so many steps stands; names sort by step."""
    return folder / f"step={step:07d}.ckpt"


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of a training's folder; damaged ones are removed."""
    for path in sorted(folder.glob("*.ckpt"), key=lambda p: p.name, reverse=True):
        if kept(path) is not None:
            return path
    return None
