"""The filled rotated box as the mask: the floor for oriented annotations."""

from __future__ import annotations

from samrs.core.rle import polygons_to_rle
from samrs.prompting.abilities import Abilities
from samrs.prompting.floor import Floor, on_cpu
from samrs.weights.checkpoint import Checkpoint

ABILITIES = Abilities(frozenset({"masks"}), only="masks")

device = on_cpu


def load(*, checkpoint: Checkpoint, precision: str, device: str) -> Floor:
    """The segmenter; the arguments are those of every segmenter and change nothing here."""
    return Floor("obb", "mask_polygons", lambda image, obb: polygons_to_rle([obb], image.shape[:2]))
