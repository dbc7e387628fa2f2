"""The table ``metrics`` -> one learning curve a run and metric, and what its shape is.

Curves are judged robustly: levels are medians, the noise comes from second differences, so that a
trend is not taken for noise. docs/learning.md has how often each test errs on made curves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from logparse.findings.jumps import groups, higher_is_better
from logparse.findings.registry import Tables, once
from logparse.reading.records import Floats, Ints

FEWEST_TO_DIVERGE = 5
"""Epochs below which no divergence is judged."""

FEWEST_TO_RISE = 5
"""Epochs below which no overfitting is judged."""

FEWEST_FLAT = 8
"""Epochs below which no plateau is judged."""

FEWEST_FOR_SPIKES = 10
"""Epochs below which no spike is judged."""

FLAT_EPOCHS = 5
"""A plateau lasts at least this long, and a third of the run."""

FLAT = 0.05
"""Share of the run's progress, and of the level, that a plateau may still have brought."""

NEAR_LEVEL = 0.02
"""A plateau begins where the curve comes this near to its final level, as a share of progress."""

RISE = 0.03
"""Fraction of its best by which a validation loss must rise to be called overfitting."""

STEADY_RISE = 0.15
"""The same where it rose in every epoch since its best, whatever the noise."""

LOST = 0.5
"""Share of the progress made that a diverging training loses again."""

SPIKE = 1.5
"""A spike is at least this many times the level around it."""

SPIKE_WIDTH = 3
"""Epochs in a row that may be one spike; more are another level."""

_ALL_PAIRS = 100
"""Epochs up to which a slope is the median over all pairs of them."""

_WINDOW = 7
"""Epochs whose median is the level around a spike."""

_SURE = 1.645
"""Standard errors that a change is allowed for: it is larger in 5 % of cases at the limit."""

# How many times its noise a change must be, from made curves: short ones do not tell their noise.
_CHANGE_LIMITS = ((5, 6, 8, 12, 20, 50), (14.0, 10.0, 7.0, 5.5, 5.0, 4.5))
_SPIKE_LIMITS = ((10, 20, 50, 1000, 10_000), (7.0, 6.0, 5.5, 5.5, 6.0))

_LOSS = re.compile(r"loss(_\d+)?$|(^|_)(mse|mae|mean_(squared|absolute)_error)$", re.IGNORECASE)
_ACCURACY = re.compile(r"(^|_)acc(uracy)?(_\d+)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric of one run, an epoch a value; epochs without a finite value are left out."""

    run: int
    metric: str
    epoch: Ints
    values: Floats
    """True means of training metrics where they are known, else the numbers shown."""

    @property
    def validation(self) -> bool:
        """Whether it comes from validation."""
        return self.metric.startswith("val_")

    @property
    def loss(self) -> bool:
        """Whether it is a loss or an error."""
        return bool(_LOSS.search(self.metric))

    @property
    def accuracy(self) -> bool:
        """Whether it is a share of right answers."""
        return bool(_ACCURACY.search(self.metric))

    @property
    def costs(self) -> Floats:
        """The values, turned so that less is better."""
        return -self.values if higher_is_better(self.metric) else self.values


@once
def all_curves(tables: Tables) -> dict[tuple[int, str], Curve]:
    """Curves by run and metric, in the order of the log."""
    found: dict[tuple[int, str], Curve] = {}
    for group in groups(tables):
        mean, shown = group["mean"], group["shown"]
        values = np.where(np.isfinite(mean) & np.isfinite(shown), mean, shown)
        if group.metric.startswith("val_"):
            values = shown
        known = np.isfinite(values)
        found[group.run, group.metric] = Curve(
            group.run, group.metric, group.epoch[known], values[known]
        )
    return found


def pairs(tables: Tables) -> Iterator[tuple[Curve, Curve]]:
    """Each training metric with its validation twin, over the epochs that show both."""
    curves = all_curves(tables)
    for (run, metric), curve in curves.items():
        twin = curves.get((run, f"val_{metric}"))
        if twin is None:
            continue
        _, mine, other = np.intersect1d(curve.epoch, twin.epoch, return_indices=True)
        yield (
            Curve(run, metric, curve.epoch[mine], curve.values[mine]),
            Curve(run, twin.metric, twin.epoch[other], twin.values[other]),
        )


def noise_of(values: Floats) -> float:
    """Standard deviation of the values about their trend, from second differences.

    The median of their sizes, or their mean without outliers where it is larger: rounded values
    tie. 0 for fewer than three values.
    """
    if len(values) < 3:
        return 0.0
    bends = np.abs(np.diff(values, 2)) / 6**0.5
    scale = 1.4826 * float(np.median(bends))
    near = bends[bends <= 5 * scale]
    return max(scale, 1.2533 * float(near.mean()) if len(near) else 0.0)


def smoothed(values: Floats) -> Floats:
    """Running median of three, the ends as they are."""
    if len(values) < 3:
        return values
    middle = np.median(np.lib.stride_tricks.sliding_window_view(values, 3), axis=1)
    return np.concatenate([values[:1], middle, values[-1:]])


def slope(values: Floats) -> float:
    """Median change an epoch over all pairs (Theil and Sen); of long curves over pairs apart."""
    n = len(values)
    if n > _ALL_PAIRS:
        lag = n // 2
        return float(np.median(values[lag:] - values[:-lag])) / lag
    one, two = np.triu_indices(n, 1)
    return float(np.median((values[two] - values[one]) / (two - one)))


@dataclass(frozen=True, slots=True)
class Turn:
    """A curve that got worse after its best."""

    best: int
    """Index of the best epoch."""
    level: float
    """Cost there."""
    last: float
    """Cost at the end: the median of the last three epochs."""
    limit: float
    """Cost that the end had to pass."""


def _lowest(costs: Floats, near: int) -> int:
    """Index of the lowest of three neighbours: a running median blurs where that is."""
    first = max(near - 1, 0)
    return first + int(np.argmin(costs[first : near + 2]))


def rise(costs: Floats) -> Turn | None:
    """Whether costs end above their best, beyond noise, and went up on the way.

    Either by ``RISE`` and several times the noise, with all of the last three epochs above that
    and three quarters of the pairs half the tail apart rising; or by ``STEADY_RISE`` in an
    unbroken climb of half the run.
    """
    n = len(costs)
    if n < FEWEST_TO_RISE:
        return None
    level = smoothed(costs) if n >= 2 * _WINDOW else costs
    best = int(np.argmin(level))
    tail = costs[best:]
    if len(tail) < 4:
        return None
    low = float(level[best])
    last, lag = float(np.median(costs[-3:])), len(tail) // 2
    steady = low + STEADY_RISE * abs(low)
    if len(tail) > n // 2 and (np.diff(tail) > 0).all() and tail[-1] > steady:
        return Turn(_lowest(costs, best), low, float(tail[-1]), steady)
    noise = float(np.interp(n, *_CHANGE_LIMITS)) * noise_of(costs)
    limit = low + max(RISE * abs(low), noise)
    climbs = float(np.mean(tail[lag:] > tail[:-lag]))
    if float(costs[-3:].min()) <= limit or climbs < 0.75:
        return None
    return Turn(_lowest(costs, best), low, last, limit)


def divergence(costs: Floats) -> Turn | None:
    """Whether costs rose at the end and lost ``LOST`` of the progress made, beyond noise."""
    n = len(costs)
    if n < FEWEST_TO_DIVERGE:
        return None
    level = smoothed(costs)
    best = int(np.argmin(level))
    progress = float(costs[0] - level[best])
    noise = float(np.interp(n, *_CHANGE_LIMITS)) * noise_of(costs)
    limit = float(level[best]) + max(LOST * progress, 0.2 * abs(float(level[best])), noise)
    if n - best < 3 or float(costs[-3:].min()) <= limit:
        return None
    return Turn(_lowest(costs, best), float(level[best]), float(np.median(costs[-3:])), limit)


@dataclass(frozen=True, slots=True)
class Plateau:
    """The end of a curve that no longer improves."""

    start: int
    """Index of its first epoch."""
    progress: float
    """Cost by which the run improved on the level of its last third."""
    change: float
    """Trend over the plateau."""
    limit: float
    """Trend and error together had to stay below this."""


def plateau(curve: Curve) -> Plateau | None:
    """The longest end of a curve over which it surely changed by less than ``FLAT``.

    Of the progress from the first epoch to the level of the plateau, and of that level itself;
    for an accuracy also of what it lacks. Noise too large to tell is no plateau.
    """
    costs = curve.costs
    n = len(costs)
    shortest = max(FLAT_EPOCHS, -(-n // 3))
    if n < max(FEWEST_FLAT, shortest):
        return None
    level = float(np.median(costs[n - shortest :]))
    progress = max(float(costs[0]) - level, 0.0)
    noise = noise_of(costs)
    seen = progress if progress > 3 * noise else np.inf
    lacks = abs(1 + level) if curve.accuracy else np.inf
    limit = FLAT * min(seen, abs(level), lacks)
    near = np.flatnonzero(smoothed(costs) <= level + max(NEAR_LEVEL * progress, noise))
    first = int(near[0]) if len(near) else n
    step = max((n - shortest - first) // 32, 1)
    for start in range(first, n - shortest + 1, step):
        tail = costs[start:]
        error = (3.5 if len(tail) <= _ALL_PAIRS else 5.0) * noise / len(tail) ** 0.5
        change = slope(tail) * len(tail)
        if abs(change) + _SURE * error <= limit:
            return Plateau(start, progress, change, limit)
    return None


@dataclass(frozen=True, slots=True)
class Spike:
    """Epochs far above those around them, after which the curve came back."""

    at: int
    """Index of its highest epoch."""
    first: int
    last: int
    level: float
    """Median of the epochs around it."""
    limit: float


def spikes(costs: Floats) -> list[Spike]:
    """Single epochs, or up to ``SPIKE_WIDTH`` in a row, that stand out upwards; not at the end.

    Judged on a log scale: a loss varies by fractions of itself. The steep first epochs and the
    last one are not judged.
    """
    n = len(costs)
    if n < FEWEST_FOR_SPIKES or not (costs > 0).all():
        return []
    logs = np.log(costs)
    side = _WINDOW // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(logs, side, mode="edge"), _WINDOW)
    level = np.median(windows, axis=1)
    rest = logs - level
    scale = max(1.4826 * float(np.median(np.abs(rest))), noise_of(logs))
    limit = max(float(np.log(SPIKE)), float(np.interp(n, *_SPIKE_LIMITS)) * scale)
    high = rest > limit
    high[:2] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[False], high, [False]])))
    found = []
    for first, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if stop - first <= SPIKE_WIDTH and stop < n:
            at = first + int(np.argmax(costs[first:stop]))
            base = float(np.exp(level[at]))
            found.append(Spike(at, first, stop - 1, base, base * float(np.exp(limit))))
    return found
