"""Where a release's corrections lie, and what people say of a sample of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from samrs.core.names import safe_name
from samrs.core.shards import read_manifest


@dataclass(frozen=True)
class Places:
    """Usual places of what people make.

    Args:
        corrections: folder of the dataset's.
        metrics: file of what a sample says.
    """

    corrections: Path
    metrics: Path


def places(release: Path) -> Places:
    """The usual places beside a release: those of the pipeline in a checkout, and of samrs label.

    Args:
        release: ``<top>/release/<name>``; corrections lie in ``<top>/corrections``.

    Raises:
        MissingInputError: there is no release.
    """
    dataset = safe_name(str(read_manifest(release).get("dataset")))
    top = release.resolve().parents[1]
    project = top.parent if top.name == "data" and (top.parent / "params.yaml").is_file() else top
    return Places(top / "corrections" / dataset, project / "metrics" / "review" / f"{dataset}.json")
