"""What a release consists of: the artifacts that dvc.yaml declares, and their figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from samrs.core.parameters import load_yaml
from samrs.core.shards import sha256
from samrs.publish.repository import PublishError

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Artifact:
    """One entry of ``artifacts`` in dvc.yaml; ``path`` is relative to the repository."""

    name: str
    path: str
    type: str


@dataclass(frozen=True)
class Figures:
    """What lies at an artifact's path.

    Args:
        files: number of files.
        size: bytes of all of them.
        sha256: of the manifest for a folder, which holds those of its shards; else of the file.
    """

    files: int
    size: int
    sha256: str


def read_artifacts(root: Path) -> list[Artifact]:
    """The artifacts in the order of dvc.yaml.

    Raises:
        PublishError: dvc.yaml declares none.
    """
    graph = load_yaml((root / "dvc.yaml").read_bytes())
    declared = graph.get("artifacts") or {}
    if not declared:
        raise PublishError(
            f"{root}/dvc.yaml: no artifacts, got none; at least one is needed; declare what is "
            "published under `artifacts`"
        )
    return [Artifact(n, a["path"], a.get("type") or "file") for n, a in declared.items()]


def figures(root: Path, artifact: Artifact) -> Figures:
    """Count and weigh an artifact.

    Raises:
        PublishError: nothing lies at its path, or a folder without a manifest.
    """
    path = root / artifact.path
    named = path if path.is_file() else path / MANIFEST
    if not named.is_file():
        raise PublishError(
            f"{path}: artifact {artifact.name} is not there, got no {named.name}; a file or a "
            "folder with a manifest is allowed; make it (dvc repro) and run the release again"
        )
    files = [path] if path.is_file() else [p for p in sorted(path.rglob("*")) if p.is_file()]
    return Figures(len(files), sum(p.stat().st_size for p in files), sha256(named))


def products(root: Path) -> Iterator[Path]:
    """Folders below ``data/`` that have a manifest, sorted by path."""
    for manifest in sorted((root / "data").rglob(MANIFEST)):
        yield manifest.parent
