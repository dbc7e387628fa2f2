"""Normal deviates to deviates of Student's distribution of the same probability, and back."""

from __future__ import annotations

import numpy as np

from logparse.reading.records import Floats

Z95 = 1.959964
"""Two-sided 95 % point of the normal distribution."""

FEWEST = 3.0
"""Least degrees of freedom: with two and fewer there is no variance."""

_LARGEST = 700.0
_MANY = 1e9
"""Degrees of freedom from which nothing changes any more."""


def student(z: Floats | float, freedom: Floats | float) -> Floats:
    """Student's deviate of the probability of a normal one above 0; ``freedom`` may be infinite.

    D. Wallace, Bounds on normal approximations to Student's and the chi-square distributions,
    Annals of Mathematical Statistics 30, 1959. Tables have 2.776 for the example.

    >>> round(float(student(1.959964, 4.0)), 2)
    2.76
    """
    f = np.minimum(freedom, _MANY)
    power = (np.asarray(z) * (8 * f + 3) / (8 * f + 1)) ** 2 / f
    deviate = np.sqrt(f * np.expm1(np.minimum(power, _LARGEST)))
    return np.where(np.isinf(freedom), z, deviate)


def normal(t: Floats | float, freedom: Floats | float) -> Floats:
    """The inverse of ``student``, above 0 for a ``t`` of either sign."""
    f = np.minimum(freedom, _MANY)
    deviate = (8 * f + 1) / (8 * f + 3) * np.sqrt(f * np.log1p(np.asarray(t) ** 2 / f))
    return np.where(np.isinf(freedom), np.abs(t), deviate)


def half_band(var: Floats, freedom: Floats) -> Floats:
    """Half width of the 95 % band of Student's distribution with this variance.

    Args:
        var: variance, the uncertainty of itself counted in.
        freedom: degrees of freedom, at least ``FEWEST``.
    """
    return np.asarray(student(Z95, freedom) * np.sqrt(var * (freedom - 2) / freedom))
