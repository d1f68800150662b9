"""The filled upright box as the mask: the floor any segmenter must beat."""

from __future__ import annotations

from samrs.core.rle import hbb_to_rle
from samrs.prompting.abilities import Abilities
from samrs.prompting.floor import Floor, on_cpu
from samrs.weights.checkpoint import Checkpoint

ABILITIES = Abilities(frozenset({"boxes"}), only="boxes")

device = on_cpu


def load(*, checkpoint: Checkpoint, precision: str, device: str) -> Floor:
    """The segmenter; the arguments are those of every segmenter and change nothing here."""
    return Floor("box", "boxes_xyxy", lambda image, box: hbb_to_rle(box, image.shape[:2]))
