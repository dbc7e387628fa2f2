"""Times of epochs -> which of them stand out upwards from the others, and from which time on.

The rounding of the printed times is part of the noise. The limits were found by simulation of
flat runs with Gaussian noise of 3 to 30 % and with Student's t of 3 degrees; docs/rules.md has how
often the test errs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from logparse.reading.records import Floats

Bools = NDArray[np.bool_]

FEWEST = 3
"""Like epochs, the judged one among them, below which none is called slow."""

SLOWER = 1.05
"""A slow epoch is at least this many times its baseline: less is not worth a look."""

SECOND = 1.0
"""Keras prints whole seconds; an epoch slower by less is not reported."""

ROUNDED = 7
"""Like epochs from which rounded times that are the same tell that the true ones are alike."""

CLEAR = 1.36
"""From this many times its baseline an epoch needs less proof, if the others are alike."""

CLEAR_LONG = 1.38
"""The same in a long run, where the slowest of many epochs is farther away by chance."""

ALIKE = 0.066
"""Standard deviation of the others of a long run, as a share of the baseline, up to which they are
alike."""

WARM = 1.3
"""The first epoch is one of the others unless it takes this many times their median."""

WINDOW = 11
"""Epochs whose median is an epoch's baseline in a run of ``LONG`` or more."""

LONG = 15
"""Epochs from which the baseline is local, so that a trend or a level is no outlier."""

DRIFTING = 20
"""Epochs from which a drift is told from a change of level, and taken off the baseline."""

INNER = 4.0
"""Robust standard deviations beyond which a residual is left out of the spread."""

SEVERAL = 3
"""Clear epochs that heavy tails do not make."""

ASIDE = 3
"""Slowest epochs of a short run that are set aside at most, where one may hide another."""

TWICE = 2.0
"""From this many times the rest an epoch is slow where it was set aside together with others."""

ENOUGH = 5000
"""Ranks of a longer run that tell its tails."""

FAR = 0.0007
"""Share of flat runs with heavy tails in which an epoch may stand out by its distance alone."""

NEAR = 0.037
"""The same for an epoch that is clear, of a long run."""

MOST = 50.0
"""Log likelihood beyond which it is sure which noise it is."""


class Clear(NamedTuple):
    """When an epoch of a short run is clearly slow; standard deviations are those of the others."""

    factor: float
    """Times the mean of the others that it takes at least."""
    one: float
    """Standard deviations from them, if it is the only one."""
    several: float
    """The same of each of several."""
    alike: float
    """Standard deviation, as a share of their mean, up to which the others are alike."""


# By number of like epochs.
_CLEAR = {
    3: Clear(1.39, 0.0, np.inf, 0.011),
    4: Clear(1.42, 9.0, np.inf, 0.039),
    5: Clear(CLEAR, 7.0, np.inf, 0.062),
    6: Clear(CLEAR, 5.5, np.inf, 0.077),
    7: Clear(CLEAR, 5.5, 10.2, 0.085),
    8: Clear(CLEAR, 5.5, 7.7, 0.0825),
    9: Clear(CLEAR, 5.5, 6.5, 0.08),
    10: Clear(CLEAR, 5.5, 5.8, 0.08),
    11: Clear(CLEAR, 6.0, 6.0, 0.08),
    12: Clear(CLEAR, 6.0, 6.0, 0.08),
    13: Clear(CLEAR, 6.0, 6.0, 0.075),
    14: Clear(CLEAR, 6.0, 6.0, 0.0725),
    15: Clear(CLEAR, 6.0, 6.0, 0.0725),
}
# The same for one, two and three slow epochs by their distance alone, from heavy tails.
_FAR: dict[int, tuple[float, ...]] = {
    4: (47.0,),
    5: (24.0,),
    6: (20.0,),
    7: (18.0, 13.4),
    8: (17.0, 10.4),
    9: (17.0, 9.4),
    10: (17.0, 8.7),
    11: (17.0, 8.4),
    12: (17.0, 8.0, 6.4),
    13: (17.0, 7.7, 5.9),
    14: (17.0, 7.7, 5.7),
}
# Residuals from a local median, in standard deviations, that 0.5 % of flat Gaussian runs pass.
_LONG_LIMITS = ((15, 20, 50, 300, 1000, 10_000, 100_000), (5.4, 4.9, 4.5, 4.6, 4.9, 5.4, 6.0))
# Trial scales of Student's t of 3 degrees, in standard deviations of a sample.
_SCALES = np.geomspace(0.2, 1.2, 14)


@dataclass(frozen=True, slots=True)
class Slow:
    """Epochs against their baseline; one value an epoch."""

    slow: Bools
    baseline: Floats
    limit: Floats
    """Seconds from which the epoch counts as slow."""


def find_slow(seconds: Floats, half: Floats, first: float = np.nan) -> Slow | None:
    """Outliers upwards in a series of epoch times.

    Epochs stand out by their distance alone, far enough that no heavy tail explains it; or, from
    ``CLEAR`` times the baseline on, where the others are alike and beyond Gaussian noise; in a
    short run also from ``TWICE`` on, where epochs that are slower than the rest hide it. Three or
    more slow epochs in a row are a change of level, and no slow epochs.

    Args:
        seconds: times, in order.
        half: half the width of their bounds.
        first: time of an epoch before them that is not judged but may tell how much epochs differ.

    Returns:
        None where there are too few to judge.
    """
    n = len(seconds)
    if like_epochs(seconds, first) < FEWEST:
        return None
    unit = float(np.median(half))
    if n < LONG:
        baseline, margin = _against_others(seconds, unit, first)
    else:
        line = _drift(seconds) if n >= DRIFTING else np.zeros(n)
        baseline = _local_median(seconds - line) + line
        margin = _beyond_residuals(seconds - baseline, seconds - line, baseline, 2 * unit)
    rounding = half + unit
    limit = baseline + np.maximum(margin, (SLOWER - 1) * baseline + rounding)
    slow = (seconds > limit) & (seconds - baseline + rounding >= SECOND)
    return Slow(slow & ~_in_long_stretch(slow), baseline, limit)


def like_epochs(seconds: Floats, first: float = np.nan) -> int:
    """Number of epochs that tell how much epochs differ, with the ``first`` if it is like them."""
    n = len(seconds)
    return n + (n > 1 and first <= WARM * float(np.median(np.sort(seconds)[: n - 1])))


def _against_others(seconds: Floats, half: float, first: float) -> tuple[Floats, Floats]:
    """Median of the epochs that are no outliers, and the margin an outlier must pass."""
    n = len(seconds)
    ranked = np.sort(seconds)
    chosen = _margin(ranked, 1, half, first)
    for r in range(2, len(_FAR.get(n, (0,))) + 1):
        middle, margin = _margin(ranked, r, half, first)
        if ranked[n - r] - middle > margin:
            chosen = middle, margin
    if ranked[-1] - chosen[0] <= chosen[1]:
        for r in range(2, min(ASIDE, (n - 1) // 2) + 1):
            middle, margin = _hidden(ranked, r, half, first)
            if ranked[-1] - middle > margin:
                chosen = middle, margin
    return np.full(n, chosen[0]), np.full(n, chosen[1])


def _hidden(ranked: Floats, r: int, half: float, first: float) -> tuple[float, float]:
    """Median of all but the ``r`` slowest, and seconds above it from which one of these is slow.

    An epoch that is a little slower makes the others look less alike than they are, and so hides
    one that is far off, without being slow itself. Both are set aside, and the far one is tested
    against the rest. These look more alike than they are, being the fastest: hence ``TWICE``.
    """
    n = len(ranked)
    others = ranked[: n - r]
    middle = float(np.median(others))
    if first <= WARM * middle:
        others = np.append(others, first)
    mean, coarse = float(others.mean()), half / 3**0.5
    spread = max(float(others.std(ddof=1)), coarse)
    if spread > math.hypot(_CLEAR[len(others) + r].alike * mean, coarse):
        return middle, np.inf
    limit = max(TWICE * mean, mean + _FAR[n][0] * spread) + 2 * half
    # Epochs set aside that are not slow may be a level, of which the slowest is no outlier.
    rest = float(ranked[ranked <= limit].max())
    return middle, max(limit, CLEAR * rest) - middle


def _margin(ranked: Floats, r: int, half: float, first: float) -> tuple[float, float]:
    """Median of all but the ``r`` slowest, and the seconds above it from which these are slow."""
    n = len(ranked)
    others = ranked[: n - r]
    middle = float(np.median(others))
    far, near = np.inf, np.inf
    coarse = half / 3**0.5
    if n in _FAR:
        spread = max(float(others.std(ddof=1)), coarse)
        far = float(others.mean()) + _FAR[n][r - 1] * spread + 2 * half
    if first <= WARM * middle:
        others, n = np.append(others, first), n + 1
    if n >= FEWEST:
        # Rounding is noise, of which a deviation of the others has its part, or it is certain.
        spread = float(others.std(ddof=1))
        near = _clear(others, n, r, max(spread, coarse))
        if n >= ROUNDED:
            near = min(
                _clear(others, n, r, max(spread, coarse), coarse),
                _clear(others, n, r, spread) + 2 * half,
            )
    return middle, min(far, near) - middle


def _clear(others: Floats, n: int, r: int, spread: float, coarse: float = 0.0) -> float:
    """Seconds from which each of ``r`` among ``n`` epochs is clearly slow; inf where none is.

    Args:
        others: the epochs that are not slow.
        n: number of epochs.
        r: number of slow ones.
        spread: standard deviation of the others.
        coarse: part of it that is the rounding of their times.
    """
    mean = float(others.mean())
    clear = _CLEAR[n]
    if spread > math.hypot(clear.alike * mean, coarse):
        return np.inf
    return max(clear.factor * mean, mean + (clear.one if r == 1 else clear.several) * spread)


def _beyond_residuals(rest: Floats, level: Floats, baseline: Floats, unit: float) -> Floats:
    """Seconds above its baseline that each epoch of a long run must pass.

    Args:
        rest: what its baseline leaves of each epoch.
        level: the epochs without their drift. Running medians meet some epochs exactly, so what
            they leave looks like heavy tails; this does not.
        baseline: of each epoch.
        unit: of the printed times.
    """
    n = len(rest)
    margin = np.full(n, float(np.interp(n, *_LONG_LIMITS)) * _spread(rest, unit))
    inner = rest <= margin
    if inner.all():
        return margin
    excess, _ = _gaussian_over_heavy(level[inner] - float(np.median(level[inner])), unit)
    _, scale = _gaussian_over_heavy(rest[inner], unit)
    # Noise with heavy tails looks Gaussian by a factor of x in at most one of x runs, so runs that
    # do may be judged more freely.
    far = _beyond_tail(n, min(FAR * math.exp(min(max(excess, 0.0), MOST)), 1.0), scale) + unit
    surely = (CLEAR_LONG - 1) * baseline
    clear = rest > np.maximum(margin, surely)
    # The epochs are rounded, and so is their baseline.
    alike = float(rest[inner].var()) < (ALIKE * baseline) ** 2 + unit**2 / 6
    # Several clear ones are no tail, and what lies between them and the others is theirs.
    others = level[inner if clear.sum() >= SEVERAL else ~clear]
    excess, scale = _gaussian_over_heavy(others - float(np.median(others)), unit)
    near = _beyond_tail(n, NEAR * math.exp(min(max(excess, -MOST), MOST)), scale)
    proven = np.where(alike, np.maximum(surely, near), np.inf)
    limit: Floats = np.maximum(margin, np.minimum(far, proven))
    return limit


def _beyond_tail(n: int, share: float, scale: float) -> float:
    """Distance that some of ``n`` epochs passes in this share of runs with heavy tails.

    The tail of Student's t of 3 degrees is 1.1 / t^3.
    """
    return float((1.1 * n / share) ** (1 / 3) * scale)


def _gaussian_over_heavy(rest: Floats, unit: float) -> tuple[float, float]:
    """Log likelihood of Gaussian noise over that of Student's t of 3 degrees, and its scale.

    Both at their most likely scale; times that are all the same count as Gaussian.
    """
    ranked = _unrounded(rest, unit)[:: max(len(rest) // ENOUGH, 1)]
    n = len(ranked)
    own = float(ranked.std())
    if own < 1e-9 * float(np.abs(ranked).max(initial=1e-9)):
        return np.inf, 0.0
    scales = own * _SCALES
    heavy = -2 * np.log1p((ranked / scales[:, None]) ** 2 / 3).sum(axis=1)
    heavy += n * (np.log(2 / (np.pi * 3**0.5)) - np.log(scales))
    best = int(heavy.argmax())
    gaussian = -n * (np.log(own) + 0.5 + 0.5 * np.log(2 * np.pi))
    return float(gaussian - heavy[best]), float(scales[best])


def _spread(rest: Floats, unit: float) -> float:
    """Standard deviation of residuals of times known to ``unit``, without the outliers."""
    off = np.abs(_unrounded(rest, unit))
    inner = off[off <= INNER * 1.4826 * float(np.median(off))]
    return math.sqrt(float(np.mean(inner**2)))


def _unrounded(values: Floats, unit: float) -> Floats:
    """Values in order; those printed alike spread evenly over their ``unit``."""
    ranked = np.sort(values)
    if unit:
        begin, end = (np.searchsorted(ranked, ranked, side) for side in ("left", "right"))
        ranked += ((np.arange(len(ranked)) - begin + 0.5) / (end - begin) - 0.5) * unit
    return ranked


def _drift(seconds: Floats) -> Floats:
    """A straight drift, its slope the median one over half the run."""
    n, lag = len(seconds), len(seconds) // 2
    slope = float(np.median(seconds[lag:] - seconds[: n - lag])) / lag
    line: Floats = slope * np.arange(n, dtype=float)
    return line


def _local_median(level: Floats) -> Floats:
    """Median of the ``WINDOW`` epochs around each."""
    windows = np.lib.stride_tricks.sliding_window_view(level, WINDOW)
    middle: Floats = np.pad(np.median(windows, axis=1), WINDOW // 2, mode="edge")
    return middle


def _in_long_stretch(slow: Bools) -> Bools:
    """Where at least three neighbours in a row are slow."""
    padded = np.concatenate(([False, False], slow, [False, False]))
    three = padded[:-2] & padded[1:-1] & padded[2:]
    n = len(slow)
    return three[:n] | three[1 : n + 1] | three[2 : n + 2]
