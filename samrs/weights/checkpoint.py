"""A segmenter's checkpoint: which file, and which bytes it must have.

The stage ``weights`` writes one as the product ``data/weights``: the file, or none where the
segmenter has no weights, and a manifest. What reads it needs no code that fetches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from samrs.core.errors import ParameterError, ProductError
from samrs.core.shards import read_manifest, sha256


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one model of a segmenter.

    Args:
        segmenter: a file of ``samrs/segmenters``.
        model: its name in params.yaml; segmenters without weights ignore it.
        path: the file; None where the segmenter has no weights.
        sha256: hex digest that the file must have; None where there is none.
    """

    segmenter: str
    model: str
    path: Path | None = None
    sha256: str | None = None

    @property
    def about(self) -> dict[str, str]:
        """Segmenter and model, as products name what made them."""
        return {"segmenter": self.segmenter, "model": self.model}

    def verified(self) -> Path:
        """The file, read once to compare its digest.

        Raises:
            ParameterError: the segmenter has no weights.
            ProductError: the file is missing or has other bytes.
        """
        if self.path is None:
            raise ParameterError(
                f"segmenter {self.segmenter}: needs weights, got none for the model {self.model}; "
                "a checkpoint is needed; run the stage weights, or name a segmenter without weights"
            )
        found = sha256(self.path) if self.path.is_file() else "no file"
        if found != self.sha256:
            raise ProductError(
                f"{self.path}: not the checkpoint of {self.segmenter} {self.model}, got {found}; "
                f"sha256 {self.sha256} is allowed; remove it and run again"
            )
        return self.path


def read_checkpoint(product: Path) -> Checkpoint:
    """The checkpoint in a folder that the stage ``weights`` wrote; its bytes are not read.

    Raises:
        MissingInputError: there is no manifest.
        ProductError: the manifest is not one of weights.
    """
    manifest = read_manifest(product)
    match manifest:
        case {"segmenter": str(segmenter), "model": str(model), "file": None}:
            return Checkpoint(segmenter, model)
        case {
            "segmenter": str(segmenter),
            "model": str(model),
            "file": str(file),
            "sha256": str(digest),
        } if Path(file).name == file:
            return Checkpoint(segmenter, model, product / file, digest)
    raise ProductError(
        f"{product / 'manifest.json'}: no manifest of weights, got {str(manifest)[:200]}; what "
        "the stage weights writes is allowed; run it again"
    )
