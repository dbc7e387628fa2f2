"""Times of steady epochs in, their mean and the ratio of two means out, each with a 95 % interval.

docs/compare.md has how often the intervals hold the truth on made series.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from logparse.comparison.constants import DRIFTING, FEWEST, INDEPENDENT, MOST_MORE
from logparse.reading.records import Floats

LEVEL = 0.975
"""Upper end of a two-sided 95 % interval."""

CORRELATIONS = np.concatenate([[0.0], np.linspace(0.05, 0.85, 17), [0.9, 0.95, 0.97, 0.98]])
"""How much neighbours may resemble each other (AR(1))."""

BEFORE = np.concatenate(
    [[INDEPENDENT], np.full(17, (1 - INDEPENDENT - DRIFTING) / 17), np.full(4, DRIFTING / 4)]
)
"""Chance of each of them before looking."""

ALIKE = 0.8
"""Correlation from which intervals of few epochs are too narrow at times."""

WANDERS = 0.4
"""Chance of such a correlation from which the reader is told."""

ROUND_OFF = 1e-12
"""A smaller part of a time is the arithmetic's own rounding."""

SAFE = 0.05
"""Chance taken that epochs differ less than assumed where rounding is said to average out."""


class Mean(NamedTuple):
    """Mean of a side and how far it may be off; all in seconds."""

    value: float
    half: float
    """Half width of the 95 % interval from the differences between epochs; nan if not known."""
    rounding: float
    """How far the rounding of the printed times alone can move it."""
    n: int
    """Values behind it: steady epochs, or runs."""
    sampling: float
    """``half`` of one value's worth: what more values divide by their root; nan if not known."""

    @property
    def known(self) -> bool:
        """There is an interval."""
        return math.isfinite(self.half)

    @property
    def low(self) -> float:
        """Lower end of the interval, nan without one."""
        return max(self.value - self.half - self.rounding, 0.0)

    @property
    def high(self) -> float:
        """Upper end of the interval, nan without one."""
        return self.value + self.half + self.rounding


def mean_of_epochs(seconds: Floats, half: Floats) -> Mean:
    """Mean of consecutive steady epochs of one run.

    Neighbouring epochs resemble each other, by how much is not known and, in a short run, cannot
    be. So the interval is Student's averaged over all correlations of an AR(1) process, each
    weighted by how well it fits the epochs (its restricted likelihood) and by what is likely
    beforehand (``BEFORE``).

    Args:
        seconds: times of the epochs, in order.
        half: half widths of their rounding.
    """
    n = len(seconds)
    value = float(seconds.mean())
    if n < FEWEST:
        return Mean(value, math.nan, float(half.mean()), n, math.nan)
    off = seconds - value
    spread = float(off @ off) / (n - 1)
    weights, errors = _correlated(off, (ROUND_OFF * value) ** 2)
    width = _quantile(weights, errors, n - 1)
    return Mean(value, width, _rounding(float(half.mean()), spread, n), n, width * math.sqrt(n))


def wanders(seconds: Floats) -> bool:
    """Whether consecutive epochs look so much alike that so few tell little of their mean."""
    if len(seconds) < FEWEST:
        return False
    value = float(seconds.mean())
    least = (ROUND_OFF * value) ** 2
    off = seconds - value
    if float(off @ off) <= least:
        return False
    weights, _ = _correlated(off, least)
    return float(weights[CORRELATIONS >= ALIKE].sum()) > WANDERS


def mean_of_runs(means: list[Mean]) -> Mean:
    """Mean over several runs: the run is the unit, so differences between runs count in full."""
    n = len(means)
    values = np.array([mean.value for mean in means])
    width = half_of_independent(values)
    rounding = float(np.mean([mean.rounding for mean in means]))
    return Mean(float(values.mean()), width, rounding, n, width * math.sqrt(n))


def half_of_independent(values: Floats) -> float:
    """Half width of Student's 95 % interval of the mean of two or more independent values."""
    n = len(values)
    return _student(n - 1) * float(values.std(ddof=1)) / math.sqrt(n)


class Ratio(NamedTuple):
    """One mean over another, with its 95 % interval; nan where there is none."""

    value: float
    low: float
    high: float


def ratio(mean: Mean, base: Mean) -> Ratio:
    """``mean`` over ``base``.

    The two intervals are joined on the logarithm (Zou and Donner's MOVER): their relative widths
    add in squares. What rounding can do is added in full.
    """
    value = mean.value / base.value
    width = math.hypot(mean.half / mean.value, base.half / base.value)
    up, down = _rounded(mean, base)
    return Ratio(value, value * math.exp(-width) * down, value * math.exp(width) * up)


def more_to_settle(mean: Mean, base: Mean, limit: float) -> int | None:
    """About how many more values on each side bring the ratio's interval clear of ``limit``.

    Taken that the ratio and the spread stay as they are.

    Returns:
        None if ``MOST_MORE`` would not do: the ratio is too close to the limit, or the printed
        times are too coarse.
    """
    if not (mean.known and base.known):
        return None
    up, down = _rounded(mean, base)
    value = mean.value / base.value
    far = value * down / limit if value > limit else limit / (value * up)

    def settles(more: int) -> bool:
        widths = [_width_with(side, more) / side.value for side in (mean, base)]
        return math.exp(math.hypot(*widths)) < far

    if far <= 1 or not settles(MOST_MORE):
        return None
    few, enough = 0, MOST_MORE
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if settles(middle) else (middle, enough)
    return enough


def slower_share(times: Floats, base: Floats) -> float:
    """Vargha and Delaney's A: the chance that a value of ``times`` is above one of ``base``."""
    ranked = np.sort(base)
    below = np.searchsorted(ranked, times, "left") + np.searchsorted(ranked, times, "right")
    return float(below.mean()) / (2 * len(base))


def hedges_g(times: Floats, base: Floats) -> float | None:
    """Difference of the means in pooled standard deviations, small samples corrected."""
    free = len(times) + len(base) - 2
    if min(len(times), len(base)) < 2:
        return None
    squares = float(times.var() * len(times) + base.var() * len(base))
    if squares <= (ROUND_OFF * float(base.mean())) ** 2:
        return None
    correction = 1 - 3 / (4 * free - 1)
    return float(correction * (times.mean() - base.mean()) / math.sqrt(squares / free))


def _correlated(off: Floats, least: float) -> tuple[Floats, Floats]:
    """For each of ``CORRELATIONS`` its weight, and the standard error of the mean under it."""
    n, rho = len(off), CORRELATIONS
    precision = ((n - 2) * (1 - rho) + 2) / (1 + rho)
    ends = float(off[0] + off[-1])
    squares = float(off @ off) * (1 + rho**2) - 2 * rho * float(off[1:] @ off[:-1])
    squares = (squares - rho**2 * float(off[0] ** 2 + off[-1] ** 2)) / (1 - rho**2)
    squares = np.maximum(squares - (rho / (1 + rho) * ends) ** 2 / precision, least)
    fit = -0.5 * ((n - 1) * np.log((1 - rho**2) * squares) + np.log(precision))
    weights = BEFORE * np.exp(fit - fit.max())
    return weights / weights.sum(), np.sqrt(squares / (n - 1) / precision)


def _quantile(weights: Floats, errors: Floats, free: int) -> float:
    """``LEVEL`` quantile of the weighted mixture of Student's t with these standard errors."""
    from scipy.special import stdtr

    low, high = 0.0, float(errors.max()) * _student(free)
    for _ in range(40):
        middle = 0.5 * (low + high)
        if middle <= 0 or float(weights @ stdtr(free, middle / errors)) < LEVEL:
            low = middle
        else:
            high = middle
    return high


def _student(free: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(free, LEVEL))


def _rounding(half: float, spread: float, n: int) -> float:
    """How far rounding by up to ``half`` can move the mean of ``n`` values.

    Where the values differ by more than a unit, rounding averages out: with a standard deviation
    of s units the mean is off by at most exp(-2 pi^2 s^2) units (the first term of the Fourier
    series of the rounding error). s is taken as small as the sample allows.
    """
    if half <= 0:
        return 0.0
    from scipy.special import chdtri

    units = min(math.sqrt(spread) / (2 * half), 100.0)  # beyond, nothing is left of it
    surely = units**2 * (n - 1) / float(chdtri(n - 1, SAFE)) - 1 / 12
    return half * math.exp(-2 * math.pi**2 * max(surely, 0.0))


def _rounded(mean: Mean, base: Mean) -> tuple[float, float]:
    """Factors by which rounding alone can raise and lower the ratio; inf if the base may be 0."""
    one, two = mean.rounding / mean.value, base.rounding / base.value
    up = (1 + one) / (1 - two) if two < 1 - ROUND_OFF else math.inf
    return up, max(1 - one, 0.0) / (1 + two)


def _width_with(side: Mean, more: int) -> float:
    """Half width of the interval with that many more values."""
    shrunk = _student(side.n + more - 1) / _student(side.n - 1)
    return side.sampling * shrunk / math.sqrt(side.n + more)
