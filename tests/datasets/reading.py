"""Reading a dataset in a test: its scenes and what was set aside."""

from __future__ import annotations

from pathlib import Path

from samrs.core import axis
from samrs.core.records import Annotation, Quarantine, SceneRecord


def read(name: str, root: Path) -> tuple[list[SceneRecord], Quarantine]:
    """All scenes that a dataset's reader finds, and its quarantine.

    Args:
        name: of the reader.
    """
    quarantine = Quarantine()
    module = axis.load("samrs.datasets", name, "read")
    return list(module.read_scenes(root, quarantine)), quarantine


def boxes(scene: SceneRecord) -> list[tuple[str, list[float]]]:
    """Category and box of each annotation."""
    return [(a.category, a.hbb.tolist()) for a in scene.annotations]


def details(quarantine: Quarantine) -> str:
    return "\n".join(str(row["detail"]) for row in quarantine.rows)


def only(scenes: list[SceneRecord]) -> Annotation:
    """The one annotation of all scenes."""
    (annotation,) = (a for scene in scenes for a in scene.annotations)
    return annotation
