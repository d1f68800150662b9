"""A review of a release by one person at a desk, in a browser on the same machine.

    samrs review data/release/sota

Verdicts, clicks and masks go to ``data/corrections/<dataset>`` as they are given; ``release``
applies them. The server listens on loopback alone and lets in who has its token (``guard.py``).
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samrs.core.errors import ParameterError
from samrs.corrections.store import Store
from samrs.review.beside import Beside
from samrs.review.clicks import Mender, loader
from samrs.review.desk import Desk
from samrs.review.estimates import write_estimates
from samrs.review.index import Index
from samrs.review.pictures import Pictures
from samrs.review.sampling import draw

log = logging.getLogger("samrs")


@dataclass(frozen=True)
class Review:
    """A release made ready to be reviewed.

    Args:
        desk: of it.
        beside: other masks, if any.
        metrics: file of what the sample says; None without a sample.
        seed: of the sample.
        writing: held by whoever writes that file.
    """

    desk: Desk
    beside: Beside | None
    metrics: Path | None
    seed: int
    writing: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def write_metrics(self) -> dict[str, Any] | None:
        """Write what the sample says so far, whole, one after the other; None without a sample."""
        if self.metrics is None:
            return None
        with self.writing:
            return write_estimates(self.desk, self.metrics, self.seed)


def open_review(
    release: Path,
    corrections: Path,
    *,
    beside: Path | None,
    sample: int | None,
    seed: int,
    metrics: Path,
    device: str,
) -> Review:
    """Read a release and the corrections of its dataset.

    Args:
        release: the release product.
        corrections: folder of its dataset's corrections; made where it is not there.
        beside: another release or labels of the same dataset, whose masks are shown, too.
        sample: masks to draw at random and judge; None: all are shown.
        metrics: file of what the sample says.
        device: ``auto``, ``cpu`` or ``cuda``: what answers clicks.

    Raises:
        MissingInputError: there is no release.
        ProductError: it is none, or ``beside`` is of another dataset.
        AnnotationError: the corrections are broken.
    """
    index = Index(release)
    pictures = Pictures(index)
    store = Store(corrections, index.categories)
    store.read()
    drawn = None if sample is None else draw(index.category, index.quality, sample, seed)
    other = None if beside is None else Beside(beside, index.manifest["dataset"])
    desk = Desk(index, pictures, store, _mender(index, pictures, device), drawn)
    return Review(desk, other, metrics if sample is not None else None, seed)


def _mender(index: Index, pictures: Pictures, device: str) -> Mender | None:
    try:
        load = loader(index.manifest, device, index.release)
    except ParameterError as error:
        log.warning("%s", error)
        return None
    return Mender(load, pictures.tile_image)
