"""How well an estimate of IoU does: order, calibration, and what the worst masks by it hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

from samrs.release.quality import BAD

Floats = NDArray[np.float64]

BINS = 12
"""Bins of equally many masks in the calibration error."""
WORST = 0.05
"""Share of the masks, those of the lowest estimate, in which bad ones are looked for."""


def reliability(estimate: Floats, iou: Floats, bins: int = BINS) -> tuple[Floats, Floats]:
    """Mean estimate and mean IoU (B,) of bins of equally many masks, by rising estimate.

    Args:
        estimate: (N,) in [0, 1]; equal ones stay in the order given.
        iou: (N,) with the true masks.
        bins: at most; fewer where there are fewer masks.
    """
    order = np.argsort(estimate, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    said = np.array([estimate[part].mean() for part in parts])
    return said, np.array([iou[part].mean() for part in parts])


def calibration_error(estimate: Floats, iou: Floats, bins: int = BINS) -> float:
    """Expected calibration error: mean over the bins of |mean estimate - mean IoU|.

    Args:
        iou: (N,) with the true masks, in the estimates' order.
    """
    said, seen = reliability(estimate, iou, bins)
    return float(np.abs(said - seen).mean())


def figures(estimate: Floats, iou: Floats) -> dict[str, Any]:
    """Figures for JSON; correlations are None where one side does not vary.

    Args:
        iou: (N,) with the true masks, in the estimates' order.

    Returns:
        ``masks``; ``mean_estimate``, ``mean_iou``; ``spearman``, ``pearson``; ``ece``;
        ``bad_share`` (of the masks, those of IoU < ``BAD``); ``worst_holds`` (of these, the share
        among the ``WORST`` by estimate; None without bad masks) and ``worst_possible`` (the largest
        such share that any order could reach); ``kept`` and ``mean_iou_kept``: share and mean IoU
        of the masks whose estimate is ``BAD`` or more.
    """
    bad, kept = iou < BAD, estimate >= BAD
    count = int(np.ceil(WORST * len(iou)))
    worst = np.argsort(estimate, kind="stable")[:count]
    varies = min(np.ptp(estimate), np.ptp(iou)) > 0
    return {
        "masks": len(iou),
        "mean_estimate": round(float(estimate.mean()), 4),
        "mean_iou": round(float(iou.mean()), 4),
        "spearman": round(float(spearmanr(estimate, iou).statistic), 4) if varies else None,
        "pearson": round(float(pearsonr(estimate, iou).statistic), 4) if varies else None,
        "ece": round(calibration_error(estimate, iou), 4),
        "bad_share": round(float(bad.mean()), 4),
        "worst_holds": round(float(bad[worst].sum() / bad.sum()), 4) if bad.any() else None,
        "worst_possible": round(min(1.0, count / int(bad.sum())), 4) if bad.any() else None,
        "kept": round(float(kept.mean()), 4),
        "mean_iou_kept": round(float(iou[kept].mean()), 4) if kept.any() else None,
    }
