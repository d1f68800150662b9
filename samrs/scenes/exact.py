"""Functions that give the same bits on every CPU.

IEEE 754 says how +, -, *, / and square roots round, and Python and NumPy take them one by one. How
sines, exponentials and matrix products round is left to libraries, and they choose their code by
the CPU: those of a scene are made here of the five. Error: below 4e-16 of the result's scale.
"""

from __future__ import annotations

import math
from typing import TypeVar, overload

import numpy as np

Array = np.ndarray
_Number = TypeVar("_Number", float, Array)

LN_2 = 0.6931471805599453

_SINE = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(9))
_COSINE = tuple((-1) ** k / math.factorial(2 * k) for k in range(9))
_EXP = tuple(1 / math.factorial(k) for k in range(15))
_HALF_PI, _HALF_PI_REST = 1.5707963267341256, 6.077100506506192e-11
_LN_2, _LN_2_REST = 0.6931471803691238, 1.9082149292705877e-10
"""Each a sum of two, the first with so few digits that a small whole multiple is exact."""


@overload
def sin(x: float) -> float: ...
@overload
def sin(x: Array) -> Array: ...
def sin(x: float | Array) -> float | Array:
    """Sine of radians, a number's or an array's in its precision.

    Args:
        x: at most some thousand turns.
    """
    return _sine(x, 0)


@overload
def cos(x: float) -> float: ...
@overload
def cos(x: Array) -> Array: ...
def cos(x: float | Array) -> float | Array:
    """Cosine of radians, see ``sin``.

    Args:
        x: at most some thousand turns.
    """
    return _sine(x, 1)


def _sine(x: float | Array, quarters: int) -> float | Array:
    """Sine of x and so many quarters of a turn."""
    if isinstance(x, np.ndarray):
        turns = np.rint(x * (2 / math.pi))
        rest = (x - turns * _HALF_PI) - turns * _HALF_PI_REST
        quarter = turns.astype(np.int32) + quarters
        square = rest * rest
        value = np.where(quarter & 1, _sum(_COSINE, square), rest * _sum(_SINE, square))
        return np.where(quarter & 2, -value, value)
    x = float(x)
    turn = round(x * (2 / math.pi))
    angle = (x - turn * _HALF_PI) - turn * _HALF_PI_REST
    turn += quarters
    total = _sum(_COSINE, angle * angle) if turn & 1 else angle * _sum(_SINE, angle * angle)
    return -total if turn & 2 else total


@overload
def exp(x: float) -> float: ...
@overload
def exp(x: Array) -> Array: ...
def exp(x: float | Array) -> float | Array:
    """e to the power of x, a number's or an array's in its precision.

    Args:
        x: taken as -80 below that and as 80 above.
    """
    if isinstance(x, np.ndarray):
        x = np.clip(x, -80, 80)
        powers = np.rint(x * (1 / LN_2))
        rest = (x - powers * _LN_2) - powers * _LN_2_REST
        return np.asarray(np.ldexp(_sum(_EXP, rest), powers.astype(np.int32)))
    x = min(max(float(x), -80.0), 80.0)
    power = round(x * (1 / LN_2))
    return math.ldexp(_sum(_EXP, (x - power * _LN_2) - power * _LN_2_REST), power)


@overload
def log(x: float) -> float: ...
@overload
def log(x: Array) -> Array: ...
def log(x: float | Array) -> float | Array:
    """Natural logarithm of a number or an array of float64.

    Args:
        x: above 0.
    """
    if isinstance(x, np.ndarray):
        mantissa, power = np.frexp(x)
        return np.asarray(_log(mantissa, power.astype(float)))
    return _log(*math.frexp(x))


def _log(mantissa: _Number, power: _Number) -> _Number:
    """Logarithm of a number of 0.5 to 1 times a power of two."""
    # log m = 2 artanh s, of m times the root of two, which lies about 1.
    s = (mantissa * math.sqrt(2) - 1) / (mantissa * math.sqrt(2) + 1)
    square = s * s
    total = 0 * s
    for odd in range(25, 0, -2):
        total = total * square + 1 / odd
    return 2 * s * total + (power - 0.5) * LN_2


@overload
def power(x: float, exponent: float) -> float: ...
@overload
def power(x: Array, exponent: float) -> Array: ...
def power(x: float | Array, exponent: float) -> float | Array:
    """x to an exponent, 0 where x is 0.

    Args:
        x: at least 0, float64.
        exponent: above 0.
    """
    if isinstance(x, np.ndarray):
        return np.where(x > 0, exp(exponent * log(np.where(x > 0, x, 1.0))), 0.0)
    return exp(exponent * log(x)) if x > 0 else 0.0


def direction(along: Array) -> float:
    """Radians from the x axis to a vector, clockwise on screen, in -pi to pi.

    Args:
        along: (2,) the vector.
    """
    x, y = float(along[0]), float(along[1])
    wide, narrow = max(abs(x), abs(y)), min(abs(x), abs(y))
    if wide == 0:
        return 0.0
    tangent = narrow / wide
    for _ in range(2):  # half the angle twice, for a short series
        tangent /= 1 + math.sqrt(1 + tangent * tangent)
    square = tangent * tangent
    total = 0.0
    for k in range(12, -1, -1):
        total = (1 - 2 * (k & 1)) / (2 * k + 1) + square * total
    angle = 4 * tangent * total
    angle = math.pi / 2 - angle if abs(y) > abs(x) else angle
    angle = math.pi - angle if x < 0 else angle
    return -angle if y < 0 else angle


def unit(angle: float) -> Array:
    """(2,) vector of length 1 at an angle from the x axis, radians clockwise on screen."""
    return np.array([cos(angle), sin(angle)])


def dot(a: Array, b: Array) -> float:
    """Scalar product of the vectors ``a`` and ``b``, (2,) each."""
    return float(a[0] * b[0] + a[1] * b[1])


def length(vector: Array) -> float:
    """Length of a vector (2,)."""
    return math.sqrt(dot(vector, vector))


def lengths(vectors: Array) -> Array:
    """(N,) lengths of vectors (N, 2)."""
    x, y = vectors[:, 0], vectors[:, 1]
    return np.asarray(np.sqrt(x * x + y * y))


def spaced(start: float, stop: float, step: float) -> list[float]:
    """Numbers from start in steps, below stop.

    ``np.arange`` may round a product and a sum at once.

    Args:
        step: above 0.
    """
    count = max(0, math.ceil((stop - start) / step))
    return [start + step * k for k in range(count)]


def _sum(coefficients: tuple[float, ...], x: _Number) -> _Number:
    """Sum of coefficients times powers of x, by Horner's rule."""
    total = 0 * x + coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total
