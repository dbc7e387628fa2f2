"""Times of epochs -> which of them stand out upwards from the others, and from which time on.

The rounding of the printed times is part of the noise. The limits were found by simulation of
flat runs with Gaussian noise of 3 to 30 % and with Student's t of 3 degrees; docs/rules.md has how
often the test errs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logparse.reading.records import Floats

Bools = NDArray[np.bool_]

FEWEST = 4
"""Like epochs, the judged one among them, below which none is called slow."""

SLOWER = 1.05
"""A slow epoch is at least this many times its baseline: less is not worth a look."""

SECOND = 1.0
"""Keras prints whole seconds; an epoch slower by less is not reported."""

CLEAR = 1.36
"""From this many times its baseline an epoch needs less proof, if the others are alike."""

ALIKE = 0.1
"""Standard deviation of the others, as a share of their mean, up to which they are alike."""

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

ENOUGH = 5000
"""Ranks of a longer run that tell its tails."""

FAR = 0.001
"""Share of flat runs with heavy tails in which an epoch may stand out by its distance alone."""

# By number of like epochs, standard deviations of the others: for one slow epoch that is clear,
# for each of several, and the standard deviation up to which the others are alike.
_CLEAR: dict[int, tuple[float, float, float]] = {
    4: (12.0, np.inf, 0.04),
    5: (8.0, np.inf, 0.07),
    6: (6.1, np.inf, 0.08),
    7: (5.7, 10.2, ALIKE),
    8: (5.5, 7.7, ALIKE),
    9: (5.2, 6.5, ALIKE),
    10: (5.0, 5.8, ALIKE),
    11: (4.9, 5.3, ALIKE),
    12: (4.8, 5.0, ALIKE),
    13: (4.6, 4.7, ALIKE),
    14: (4.5, 4.5, ALIKE),
    15: (4.5, 4.2, ALIKE),
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
# Log likelihood by which noise may look more like heavy tails than Gaussian, and still be alike.
_NOT_HEAVY = ((12, 20, 30, 50, 100, 200), (-1.4, -1.0, -0.9, -0.7, 0.0, 2.0))
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
    ``CLEAR`` times the baseline on, where the others are alike and beyond Gaussian noise. Three or
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
    return np.full(n, chosen[0]), np.full(n, chosen[1])


def _margin(ranked: Floats, r: int, half: float, first: float) -> tuple[float, float]:
    """Median of all but the ``r`` slowest, and the seconds above it from which these are slow."""
    n = len(ranked)
    others, least = ranked[: n - r], float(ranked[n - r])
    middle = float(np.median(others))
    far, near = np.inf, np.inf
    coarse = half / 3**0.5
    if n >= FEWEST:
        spread = max(float(others.std(ddof=1)), coarse)
        far = float(others.mean()) + _FAR[n][r - 1] * spread + 2 * half
    if first <= WARM * middle:
        others, n = np.append(others, first), n + 1
    if n >= FEWEST:
        # Rounding is noise, of which a deviation of the others has its part, or it is certain.
        spread = float(others.std(ddof=1))
        near = min(
            _clear(others, n, r, max(spread, coarse)),
            _clear(others, n, r, spread) + 2 * half,
        )
    if near < least <= far and _heavy(others, 2 * half):
        near = np.inf
    return middle, min(far, near) - middle


def _clear(others: Floats, n: int, r: int, spread: float) -> float:
    """Seconds from which each of ``r`` among ``n`` epochs is clearly slow; inf where none is."""
    mean = float(others.mean())
    one, several, alike = _CLEAR[n]
    if spread > alike * mean:
        return np.inf
    return max(CLEAR * mean, mean + (one if r == 1 else several) * spread)


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
    # The tail of Student's t of 3 degrees is 1.1 / t^3. Noise that has it looks like Gaussian noise
    # by a factor of x in at most one of x runs, so these may be judged more freely.
    share = min(FAR * math.exp(min(max(excess, 0.0), 50.0)), 1.0)
    far = (1.1 * n / share) ** (1 / 3) * scale + unit
    near = (CLEAR - 1) * baseline
    clear = (rest > near) & (float(rest[inner].std()) < ALIKE * baseline)
    # Several clear ones are no tail, and what lies between them and the others is theirs.
    others = inner if clear.sum() >= SEVERAL else ~clear
    if clear.any() and _heavy(level[others], unit):
        clear[:] = False
    near = np.where(clear, near, np.inf)
    limit: Floats = np.maximum(margin, np.minimum(far, near))
    return limit


def _heavy(others: Floats, unit: float) -> bool:
    """Whether the others look drawn from heavy tails; a few never do."""
    n = len(others) + 1
    if n < _NOT_HEAVY[0][0]:
        return False
    excess, _ = _gaussian_over_heavy(others - float(np.median(others)), unit)
    return excess < float(np.interp(n, *_NOT_HEAVY))


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
