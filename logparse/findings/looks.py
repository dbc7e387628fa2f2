"""Probabilities of many tests in, the largest of them that counts out.

Of a thousand boundaries without a change a few look like one. So the more are looked at, the rarer
by chance one must be to count; where many do, the rest may be more common again. Between the two,
"nothing changes" and "every boundary is a step", the data decide: the adaptive linear step-up
procedure of Y. Benjamini, A. Krieger and D. Yekutieli, Biometrika 93, 2006, section 3.2, built on
Y. Benjamini and Y. Hochberg, Journal of the Royal Statistical Society B 57, 1995.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from logparse.reading.records import Floats


def probability(deviate: float) -> float:
    """Two-sided probability of a normal deviate."""
    return math.erfc(abs(deviate) / math.sqrt(2))


def deviate(chance: float) -> float:
    """The normal deviate of a two-sided probability above 0."""
    return -NormalDist().inv_cdf(chance / 2)


def largest(chances: Floats, rate: float) -> float:
    """Probability at and below which a test counts among all that were made.

    Where nothing is there, one or more count in a share ``rate`` of cases at most; where something
    is, at most that share of those that count do so by chance, on average.

    Args:
        chances: [n] probability of each test's result if nothing were there.
        rate: as above.

    Returns:
        At most 1: where all but a few count, these are no longer held to many looks.

    >>> largest(np.array([0.002, 0.3, 0.4, 0.5, 0.6]), 0.005)  # one of five: 0.005 / 5
    0.000995...
    >>> largest(np.array([0.002, 0.001, 0.001, 0.003, 0.02]), 0.005)  # one of five is left
    0.0248...
    """
    rate /= 1 + rate
    chances = np.sort(chances)
    n = len(chances)
    bound, count = _step_up(chances, rate)
    return bound if count == n else _step_up(chances, rate * n / (n - count))[0]


def _step_up(chances: Floats, rate: float) -> tuple[float, int]:
    """Benjamini and Hochberg's bound for sorted probabilities, and how many are within it."""
    n = len(chances)
    within = np.flatnonzero(chances <= rate * np.arange(1, n + 1) / n)
    count = int(within[-1]) + 1 if len(within) else 0
    return min(rate * max(count, 1) / max(n, 1), 1.0), count
