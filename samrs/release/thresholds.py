"""Which masks are released: thresholds on their scores, many rows at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samrs.core.errors import ParameterError

DROP_REASONS = (
    "empty_mask",
    "difficult",
    "min_area",
    "min_predicted_iou",
    "min_stability",
    "max_outside",
    "min_quality",
)


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What a mask must be to be released; the fields are those of ``release``."""

    min_area: int
    min_predicted_iou: float
    min_stability: float
    max_outside: float
    min_quality: float
    keep_difficult: bool

    def __post_init__(self) -> None:
        if self.min_area < 0:
            raise ParameterError(
                f"release.min_area: out of range, got {self.min_area}; 0 px or more is allowed; "
                "raise it"
            )
        for name in ("min_predicted_iou", "min_stability", "max_outside", "min_quality"):
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(
                    f"release.{name}: out of range, got {getattr(self, name)}; 0 to 1 is allowed; "
                    "correct it"
                )

    def drop_reasons(self, rows: pa.Table) -> NDArray[np.int64]:
        """(N,) the place in DROP_REASONS of the first that applies to each row, or their number.

        A score that is null or NaN (the segmenter has none) fails no threshold.
        """
        area = rows["area"].to_numpy()
        failed = np.stack(
            [
                area == 0,
                ~np.bool_(self.keep_difficult) & pc.fill_null(rows["difficult"], False).to_numpy(),
                area < self.min_area,
                rows["predicted_iou"].to_numpy() < self.min_predicted_iou,
                rows["stability_score"].to_numpy() < self.min_stability,
                rows["outside"].to_numpy() > self.max_outside,
                rows["quality"].to_numpy() < self.min_quality,
                np.ones(len(rows), dtype=bool),
            ]
        )
        return np.asarray(np.argmax(failed, axis=0))
