"""Epoch times of a run -> where their level changed, or how they drifted.

Change points come from ruptures (kernel change point detection with a linear kernel, which is
least squares): its dynamic programme with pruning is exact. docs/time.md has how often it errs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from logparse.reading.records import Floats

FEWEST_FOR_CHANGE = 12
"""Epochs after the first, below which no change of level and no drift is judged."""

CHANGED = 0.05
"""A change of level or a drift over the run is at least this fraction of the time."""

SHORTEST = 3
"""Epochs that make a level: fewer are slow epochs."""

GATE = 0.9
"""Share of the penalty's root that a plain test must reach before ruptures, slow to load, is."""

MOST_POINTS = 2000
"""Points given to ruptures, whose cost grows with their square; more are joined by medians."""

CLIPPED = 3.0
"""Standard deviations beyond which an epoch counts no further: it is slow, not another level."""

_WINDOW = 7
"""Epochs whose median tells how far one is off."""

# Penalty of a change point, in variances times log n, that 0.5 % of flat series pass.
_PENALTIES = ((12, 15, 20, 30, 60, 2000), (6.0, 5.5, 5.0, 4.5, 4.0, 4.0))


# Gain in twice the log likelihood, in log n, that a level needs over AR(1) noise: 0.8 % of flat
# series of correlation 0.5 have it.
_GAINS = ((12, 15, 20, 30, 60, 300), (5.6, 5.0, 4.5, 3.7, 2.6, 2.2))


@dataclass(frozen=True, slots=True)
class Change:
    """How a series of epoch times changed."""

    kind: str
    """``level`` or ``drift``."""
    at: int
    """Index of the first epoch at the new level; for a drift 0."""
    before: float
    after: float
    limit: float


def find_changes(seconds: Floats, half: Floats, least: float) -> list[Change]:
    """Changes of level, or one drift, whichever describes the series better.

    Args:
        seconds: times of the epochs after the first.
        half: half the width of their bounds.
        least: seconds below which no change is reported.
    """
    n = len(seconds)
    rounding = 2 * float(np.median(half)) if n else 0.0
    if n < FEWEST_FOR_CHANGE:
        return []
    low, high = float(seconds.min()), float(seconds.max())
    if high - low <= CHANGED * low + rounding:
        # No two levels can differ enough to be reported.
        return []
    # Rounding alone scatters by this much, also where all shown values tie.
    noise = max(_noise(seconds, rounding), rounding / 12**0.5, 1e-6 * abs(low)) or 1.0
    clipped = _clipped(seconds, noise)
    if not _stands_out(clipped, noise):
        return []
    edges = _merged(seconds, _segments(clipped, noise), rounding, least)
    if len(edges) == 2:
        return []
    drift = _drift(seconds, edges, rounding, least)
    if drift is not None:
        return [drift]
    if not _beyond_alike(clipped, edges, noise):
        return []
    return [
        _level(seconds, edges[i - 1], edges[i], edges[i + 1], rounding)
        for i in range(1, len(edges) - 1)
    ]


def _noise(seconds: Floats, rounding: float) -> float:
    """Standard deviation about a level that changes seldom, from differences; rounded or not."""
    steps = np.abs(np.diff(seconds))
    scale = 1.4826 * float(np.median(steps))
    near = steps[steps <= max(5 * scale, rounding)]
    return max(scale, 1.2533 * float(near.mean()) if len(near) else 0.0) / 2**0.5


def _clipped(seconds: Floats, noise: float) -> Floats:
    """The series with single slow epochs brought near the median around them."""
    side = _WINDOW // 2
    padded = np.pad(seconds, side, mode="reflect")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, _WINDOW), axis=1)
    limit = CLIPPED * noise
    clipped: Floats = middle + np.clip(seconds - middle, -limit, limit)
    return clipped


def _penalty(n: int) -> float:
    """What a change point must gain, in variances."""
    return float(np.interp(n, *_PENALTIES) * np.log(n))


def _stands_out(values: Floats, noise: float) -> bool:
    """Whether one change, or one stretch of 3, 6, 12 ... epochs, is nearly worth its penalty."""
    n = len(values)
    sums = np.concatenate([[0.0], np.cumsum(values - values.mean())])
    limit = GATE * _penalty(n) ** 0.5 * noise
    at = np.arange(SHORTEST, n - SHORTEST + 1)
    if float(np.max(np.abs(sums[at]) * (n / (at * (n - at))) ** 0.5)) > limit:
        return True
    width = SHORTEST
    while width < n:
        off = float(np.max(np.abs(sums[width:] - sums[:-width])))
        if off * (n / (width * (n - width))) ** 0.5 > limit:
            return True
        width *= 2
    return False


def _segments(values: Floats, noise: float) -> list[int]:
    """Edges of the stretches of one level, 0 and the length included."""
    import ruptures

    n = len(values)
    size = -(-n // MOST_POINTS)
    points = values
    if size > 1:
        whole = n // size * size
        points = np.median(values[:whole].reshape(-1, size), axis=1)
        noise = noise * (1.5708 / size) ** 0.5
    search = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST)
    found = search.fit(points[:, None] / noise).predict(pen=_penalty(len(points)))[:-1]
    return [0, *(_refined(values, at * size, size) for at in found), n]


def _refined(values: Floats, at: int, size: int) -> int:
    """The edge within joined points: where the two levels on its sides fit best."""
    if size == 1:
        return at
    low, high = max(at - 2 * size, SHORTEST), min(at + 2 * size, len(values) - SHORTEST)
    before = float(np.median(values[max(low - 4 * size, 0) : low]))
    after = float(np.median(values[high : high + 4 * size]))
    part = values[low:high]
    gain = np.abs(part - after) - np.abs(part - before)
    return low + int(np.argmax(np.concatenate([[0.0], np.cumsum(gain)])))


def _beyond_alike(values: Floats, edges: list[int], noise: float) -> bool:
    """Whether levels describe the series better than neighbours that are alike.

    On a busy machine the load of an epoch is much like that of the one before (AR(1)), which makes
    stretches that look like levels. Each level must gain in log likelihood over such noise alone.
    """
    n = len(values)
    rest = values.copy()
    for a, b in pairwise(edges):
        rest[a:b] -= rest[a:b].mean()
    gain = _surprise(values - values.mean(), noise) - _surprise(rest, noise)
    return gain > (len(edges) - 2) * float(np.interp(n, *_GAINS)) * float(np.log(n))


def _surprise(rest: Floats, noise: float) -> float:
    """Twice the negative log likelihood under AR(1), but for a constant."""
    before, after = rest[:-1], rest[1:]
    squares = float(before @ before)
    rho = min(max(float(before @ after) / squares, 0.0), 0.95) if squares else 0.0
    news = np.append(after - rho * before, rest[0] * (1 - rho**2) ** 0.5)
    return len(rest) * float(np.log(np.mean(news**2) + (1e-3 * noise) ** 2))


def _merged(seconds: Floats, edges: list[int], rounding: float, least: float) -> list[int]:
    """Edges between levels that differ enough to report; the least change goes first."""
    edges = list(edges)
    levels = [float(np.median(seconds[a:b])) for a, b in pairwise(edges)]
    while len(edges) > 2:
        size = [abs(b - a) for a, b in pairwise(levels)]
        enough = [
            change > CHANGED * min(a, b) + rounding and change + rounding >= least
            for change, a, b in zip(size, levels[:-1], levels[1:], strict=True)
        ]
        weakest = int(np.argmin(np.where(enough, np.inf, size)))
        if enough[weakest]:
            break
        del edges[weakest + 1]
        joined = seconds[edges[weakest] : edges[weakest + 1]]
        levels[weakest : weakest + 2] = [float(np.median(joined))]
    return edges


def _level(seconds: Floats, start: int, at: int, stop: int, rounding: float) -> Change:
    before, after = float(np.median(seconds[start:at])), float(np.median(seconds[at:stop]))
    smallest = CHANGED * min(before, after) + rounding
    return Change("level", at, before, after, before + (smallest if after > before else -smallest))


def _drift(seconds: Floats, edges: list[int], rounding: float, least: float) -> Change | None:
    """A straight drift, if it describes the series better than the levels do.

    Sums of absolute residuals, each parameter costing log n / 2 as in the Bayesian criterion.
    """
    n = len(seconds)
    lag = n // 2
    slope = float(np.median(seconds[lag:] - seconds[: n - lag])) / lag
    line = slope * np.arange(n)
    middle = float(np.median(seconds - line))
    straight = float(np.abs(seconds - line - middle).sum())
    stairs = sum(
        float(np.abs(seconds[a:b] - np.median(seconds[a:b])).sum()) for a, b in pairwise(edges)
    )
    floor = max(rounding, 1e-9)
    cost = 0.5 * np.log(n)
    fewer = n * np.log(max(straight / n, floor)) + 2 * cost
    if fewer >= n * np.log(max(stairs / n, floor)) + (2 * len(edges) - 3) * cost:
        return None
    before, after = middle, middle + slope * (n - 1)
    smallest = CHANGED * min(before, after) + rounding
    if abs(after - before) <= smallest or abs(after - before) + rounding < least:
        return None
    return Change("drift", 0, before, after, before + (smallest if after > before else -smallest))
