"""Ablation frames written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from samrs.ablation.ablation import ablate
from samrs.weights.checkpoint import Checkpoint


def scores(*rows: tuple[str, str, int, int]) -> pd.DataFrame:
    """One instance a row, each of its own, given as recipe, kind, intersection and union in px.

    True areas are the intersections; odd instances are ships, even ones planes.
    """
    return pd.DataFrame(
        [
            {
                "tile_id": "t",
                "instance_id": f"{i:04d}",
                "category": "ship" if i % 2 else "plane",
                "kind": kind,
                "recipe": recipe,
                "iou": inter / union,
                "intersection": inter,
                "union": union,
                "true_area": inter,
            }
            for i, (recipe, kind, inter, union) in enumerate(rows)
        ]
    )


def paired(ious: Mapping[str, Sequence[float]], scene_of: Sequence[str]) -> pd.DataFrame:
    """Recipes asked for the same instances of 100 true px, given by their IoU; one tile a scene."""
    return pd.DataFrame(
        [
            {
                "scene_id": scene,
                "tile_id": f"{scene}__0_0",
                "instance_id": f"{i:04d}",
                "category": "ship",
                "kind": "recipe",
                "recipe": recipe,
                "iou": iou,
                "intersection": round(100 * iou),
                "union": 100,
                "true_area": 100,
                "precision": 1.0,
                "recall": iou,
                "boundary_f": iou / 2,
            }
            for recipe, column in ious.items()
            for i, (iou, scene) in enumerate(zip(column, scene_of, strict=True))
        ]
    )


def measured(product: Path) -> pd.DataFrame:
    """What the ablation measures on a product, with rotated boxes for masks: quick."""
    return ablate(
        product,
        recipes=["hbox_mask", "rbox"],
        floors=["box"],
        checkpoint=Checkpoint("obb", "nano"),
        precision="float32",
        runtime={"executor": "local", "device": "cpu", "threads": 1},
    )
