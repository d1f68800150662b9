"""More than 8 bits to 8: each band's percentiles become 0 and 255.

Satellites deliver 10 to 16 bits of which a scene uses a part; scaling the whole range would show
it black. Both ends are cut by the same percentage, as QGIS and ``rio color`` do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Number = np.generic

NARROWEST = 255 / np.finfo(np.float64).max
"""A range below this is of one value: 255 of it is no number."""


def percentile_range(
    bands: NDArray[Number], percent: float, valid: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Low and high value (B, 2) of each band of (B, h, w), ``percent`` cut at either end.

    A band without a single valid value has the range (0, 0).

    Args:
        bands: values as the file has them.
        valid: (B, h, w), which of them are measurements.
    """
    found = []
    for band, good in zip(bands, valid, strict=True):
        values = band[good]
        cut = [percent, 100 - percent]
        found.append(np.percentile(values, cut) if values.size else np.zeros(2))
    return np.asarray(found, dtype=np.float64)


def stretch_bands(
    bands: NDArray[Number], ranges: NDArray[np.float64], valid: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Bands (B, h, w) of any number type as uint8: ``ranges`` (B, 2) become 0 and 255.

    Values beyond are clipped; px without a measurement, and bands of one value, are 0.

    Args:
        valid: (B, h, w), which values are measurements.
    """
    out = np.zeros(bands.shape, dtype=np.uint8)
    with np.errstate(over="ignore"):
        spans = ranges[:, 1] - ranges[:, 0]
    for number, (band, low, span) in enumerate(zip(bands, ranges[:, 0], spans, strict=True)):
        if NARROWEST < span < np.inf:
            measured = np.where(valid[number], band, low).astype(np.float64)
            out[number] = np.rint(((measured - low) * (255 / span)).clip(0, 255))
    return out
