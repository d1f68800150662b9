"""How far float32 results may lie apart that were summed in another order."""

from __future__ import annotations

EPSILON = 2.0**-23


def reordered(longest: int, largest: float = 1.0) -> float:
    """Most that two results may differ: each is off by at most ``longest`` half epsilons.

    That is Higham's bound for one sum (Accuracy and Stability of Numerical Algorithms, 3.1).
    Rounding is random, so a sum is off by about the root of its length only: what is left bears the
    layers behind it. No machine's own figure: which order a CPU sums in depends on its vectors.

    Args:
        longest: products in the longest sum.
        largest: size of what is summed; layer norms keep a network's values near 1.
    """
    return longest * EPSILON * largest
