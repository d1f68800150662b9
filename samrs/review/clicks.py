"""Clicks are answered by the segmenter that the release was made with.

A tile is encoded before anybody clicks: when one of its masks is opened, and, while nobody waits
for pictures, when one is likely to be opened next. What was encoded last is kept: a click then
costs the decoder alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from samrs.arithmetic.instructions import PORTABLE
from samrs.core import axis
from samrs.core.errors import ParameterError, ProductError, SamrsError
from samrs.core.rle import Rle, rle_area
from samrs.corrections.records import Box
from samrs.prompting.types import POINT_INSIDE, POINT_OUTSIDE, Prompt, Segmenter
from samrs.review.kept import Kept
from samrs.weights.weights import find_checkpoint

log = logging.getLogger("samrs")
STATES = 24
"""Encoded tiles that are kept: 2 MB each with nano, 4 MB with SAM's."""

WARM_AFTER, QUIET = 3.0, 0.3
"""Seconds after the page is first asked for, and without a picture, until what is only likely to be
needed is computed."""
ENDING = 5.0
"""Seconds that what is being encoded is given to end."""

Point: TypeAlias = tuple[float, float]
Load = Callable[[], Segmenter]


@dataclass(frozen=True)
class Answered:
    """A mask that answers clicks.

    Args:
        predicted_iou: the segmenter's estimate of its IoU; None where it has none.
        stability_score: SAM's; None where the segmenter has none.
    """

    rle: Rle
    predicted_iou: float | None
    stability_score: float | None


def loader(manifest: Mapping[str, Any], device: str, where: Path) -> Load:
    """Loads the segmenter that a release was made with, once it is asked for.

    Args:
        manifest: of the release.
        device: ``auto``, ``cpu`` or ``cuda``.
        where: the release, for errors.

    Returns:
        What loads it, and raises a SamrsError where its checkpoint is not the release's.

    Raises:
        ParameterError: the masks were made by none that takes points.
    """
    name, model = str(manifest.get("segmenter")), str(manifest.get("model"))
    if name not in axis.names("samrs.segmenters") or not manifest.get("model_sha256"):
        raise ParameterError(
            f"{where}: no segmenter to answer clicks, got {name} {model}; a release made by a "
            "network that takes points is needed; draw masks instead, or label with one"
        )

    def load() -> Segmenter:
        checkpoint = find_checkpoint(name, model)
        if checkpoint.sha256 != manifest["model_sha256"]:
            raise ProductError(
                f"{where}: made with another checkpoint of {model}, got sha256 "
                f"{manifest['model_sha256']}; {checkpoint.sha256} is the one here; draw masks "
                "instead, or label again"
            )
        from samrs.sam.computing import device as known  # torch, which takes seconds

        made: Segmenter = axis.load("samrs.segmenters", name).load(
            checkpoint=checkpoint,
            precision=str(manifest.get("precision", PORTABLE)),
            device=known({"device": device}),
        )
        return made

    return load


class Mender:
    """Answers clicks on tiles.

    Args:
        load: gives the segmenter; called once, when it is first needed.
        image: gives the image (H, W, 3) RGB of a tile by its number.
        kept: encoded tiles that are kept.
    """

    def __init__(
        self, load: Load, image: Callable[[int], NDArray[np.uint8]], kept: int = STATES
    ) -> None:
        self._load, self._image = load, image
        self._segmenter: Segmenter | None = None
        self._loading = threading.Lock()
        self._states: Kept[Any] = Kept(self._encode, lambda _: 1, kept)
        self._waiting = threading.Condition()
        self._opened: int | None = None
        self._next: list[int] = []
        self._drawing, self._drawn_at = 0, 0.0
        self._warmed = self._closed = False
        self._worker: threading.Thread | None = None

    def segmenter(self) -> Segmenter:
        """The segmenter, loaded.

        Raises:
            SamrsError: it cannot be had.
        """
        with self._loading:
            if self._segmenter is None:
                self._segmenter = self._load()
                with self._waiting:
                    self._waiting.notify()
            return self._segmenter

    def warm(self) -> None:
        """Load the segmenter in the background, a little after it is first asked for: the first
        pictures of the wall do not wait for torch's import."""
        if not self._warmed:
            self._warmed = True
            later = threading.Timer(WARM_AFTER, self._loaded)
            later.daemon = True
            later.start()

    def _loaded(self) -> None:
        try:
            self.segmenter()
        except SamrsError as error:
            log.warning("review: clicks are not answered: %s", error)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While somebody waits for a picture or a mask: nothing is begun that nobody asked for."""
        with self._waiting:
            self._drawing += 1
        try:
            yield
        finally:
            with self._waiting:
                self._drawing -= 1
                self._drawn_at = time.monotonic()

    def _encode(self, tile: Any) -> Any:
        return self.segmenter().encode(self._image(tile))

    def prepare(self, tile: int) -> None:
        """Encode the tile of a mask that is opened, in the background; an earlier one that still
        waits for its turn is forgotten.

        Args:
            tile: its number.
        """
        with self._waiting:
            self._opened = tile
            self._begin()

    def ahead(self, tiles: Sequence[int]) -> None:
        """Encode tiles of masks that are likely to be opened next, once the segmenter is there and
        no picture is made; earlier ones that still wait are forgotten.

        Args:
            tiles: their numbers, the likeliest first.
        """
        with self._waiting:
            self._next = list(tiles)
            self._begin()

    def _begin(self) -> None:
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="encode", daemon=True)
            self._worker.start()
        self._waiting.notify()

    def _work(self) -> None:
        while (tile := self._taken()) is not None:
            try:
                self._states.get(tile)
            except SamrsError as error:  # told again to whoever clicks
                log.debug("review: tile %d is not encoded: %s", tile, error)

    def _taken(self) -> int | None:
        """The tile that is encoded next, once there is one; None: the review ends."""
        with self._waiting:
            while not self._closed:
                if self._opened is not None:
                    tile, self._opened = self._opened, None
                    return tile
                wait = None
                if self._next and self._segmenter is not None:
                    quiet = time.monotonic() - self._drawn_at
                    if not self._drawing and quiet >= QUIET:
                        return self._next.pop(0)
                    wait = max(0.05, QUIET - quiet)
                self._waiting.wait(wait)
        return None

    def ask(
        self, tile: int, positive: list[Point], negative: list[Point], box: Box | None
    ) -> Answered | None:  # fmt: skip
        """The mask that a segmenter answers with; None where it sees nothing there.

        Args:
            tile: its number.
            positive: points (x, y) on the object, px.
            negative: points (x, y) beside it.
            box: xyxy around it; None: points alone.

        Raises:
            SamrsError: there is no segmenter to ask.
        """
        points = [*positive, *negative]
        labels = [POINT_INSIDE] * len(positive) + [POINT_OUTSIDE] * len(negative)
        prompt = Prompt(
            fallback=np.zeros(1, dtype=bool),
            boxes_xyxy=None if box is None else np.array([box], dtype=np.float64),
            points_xy=np.array([points], dtype=np.float64) if points else None,
            point_labels=np.array([labels], dtype=np.int64) if points else None,
        )
        with self.busy():
            found = self.segmenter().decode(self._states.get(tile), prompt)
        if not rle_area(found.rles[0]):
            return None
        return Answered(
            found.rles[0], _known(found.predicted_iou[0]), _known(found.stability_score[0])
        )

    def close(self) -> None:
        """Begin nothing more."""
        with self._waiting:
            self._closed = True
            self._waiting.notify()
        if self._worker is not None:
            self._worker.join(ENDING)


def _known(score: float) -> float | None:
    return None if np.isnan(score) else round(float(score), 6)
