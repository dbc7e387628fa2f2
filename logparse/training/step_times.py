"""Closed epochs of a run -> how long single steps took in some of them, where the log tells.

All rows of an epoch are looked at, so only a few epochs are: at most ``KEPT``, evenly spread
however long the run, the same ones however the log came in blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training import clock
from logparse.training.epochs import Epochs

KEPT = 16
"""Epochs looked at in a run."""

ROWS = 4096
"""Updates of an epoch looked at: its first ones."""

FEWEST_STEPS = 40
"""Intervals whose time is known, below which an epoch tells nothing."""

WARM = 3
"""Intervals at the beginning of an epoch that are left out: buffers fill there."""

SHARP = 0.25
"""An interval is known where its bounds are this fraction of the usual one apart."""

SLOW = 1.5
"""A slow step takes this many times the median."""

OUTLYING = 6.0
"""And is this many robust standard deviations above it."""


class StepTimes(NamedTuple):
    """Step times of one epoch; the columns of the table ``step_times``. Times in seconds."""

    epoch: int
    n: int
    """Intervals between updates."""
    median: float
    """A step."""
    low: float
    """A tenth of the steps took less."""
    high: float
    """A tenth took more."""
    slow: int
    """Slow ones."""
    slow_median: float
    """What they took, nan where there are none."""
    between: int
    """Steps in the middle third between the median and that: few where the two are apart."""
    period: int
    """Every so many steps one is slow, 0 if in no step with anything."""


class StepSample:
    """Step times of evenly spread epochs of one run, of a number that is not known before."""

    def __init__(self) -> None:
        self.found: list[tuple[int, StepTimes]] = []
        self._looked: list[int] = []
        """Places of the epochs looked at, whether they told anything or not."""
        self._stride = 1
        self._next = self._seen = 0

    def look(self, epochs: Epochs, laws: int) -> None:
        """Take over what the next closed epochs tell.

        Args:
            epochs: closed epochs, all their rows.
            laws: laws of the clock that are possible, as in ``clock.clock_laws``.
        """
        end = self._seen + len(epochs)
        places: list[int] = []
        while self._next < end:
            place = self._next
            if len(self._looked) >= KEPT:
                self._stride *= 2
                self._looked = [one for one in self._looked if one % self._stride == 0]
            if place % self._stride == 0:
                self._looked.append(place)
                places.append(place)
            self._next += self._stride - place % self._stride
        places = [place for place in places if place % self._stride == 0]
        self.found = [pair for pair in self.found if pair[0] % self._stride == 0]
        some = epochs.chosen([place - self._seen for place in places])
        told = zip(places, step_times(some, laws), strict=True)
        self.found += [(place, times) for place, times in told if times is not None]
        self._seen = end


def step_times(epochs: Epochs, laws: int) -> list[StepTimes | None]:
    """How long the steps of some epochs took; None where too few of them are known."""
    found: list[StepTimes | None] = []
    for number, (steps, seconds) in zip(
        epochs.epoch.tolist(), _intervals(epochs, laws), strict=True
    ):
        if len(seconds) < FEWEST_STEPS:
            found.append(None)
            continue
        low, median, high = _quantiles(np.sort(seconds), (0.1, 0.5, 0.9))
        spread = 1.4826 * _median(np.abs(seconds - median))
        slow = seconds > max(SLOW * median, median + OUTLYING * spread)
        slow_median, between, period = np.nan, 0, 0
        if slow.any():
            slow_median = _median(seconds[slow])
            third = (slow_median - median) / 3
            between = int(((seconds > median + third) & (seconds < slow_median - third)).sum())
            period = _period(steps, slow)
        counts = len(seconds), int(slow.sum())
        found.append(
            StepTimes(number, counts[0], median, low, high, counts[1], slow_median, between, period)
        )
    return found


def _median(values: Floats) -> float:
    return _quantiles(np.sort(values), (0.5,))[0]


def _quantiles(ranked: Floats, shares: Sequence[float]) -> list[float]:
    """Quantiles of sorted values, between two of them in proportion: what ``np.quantile`` gives."""
    found = []
    for share in shares:
        place = share * (len(ranked) - 1)
        i = int(place)
        low, high = float(ranked[i]), float(ranked[min(i + 1, len(ranked) - 1)])
        found.append(low + (high - low) * (place - i))
    return found


def _intervals(epochs: Epochs, laws: int) -> Iterator[tuple[Ints, Floats]]:
    """Of each epoch the last step of each interval that is known, and seconds a step over it."""
    spans = list(pairwise(epochs.starts.tolist()))
    many = np.diff(epochs.starts) > FEWEST_STEPS
    unstamped = [
        i
        for i, (begin, end) in enumerate(spans)
        if many[i] and not _is_stamped(epochs.clock[begin:end][~epochs.final[begin:end]])
    ]
    timed = epochs.chosen(unstamped)
    times = clock.clocked(timed, laws, "steps", alone=True).times if unstamped else None
    at = dict(zip(unstamped, pairwise(timed.starts.tolist()), strict=True))
    for i, (begin, end) in enumerate(spans):
        if not many[i]:
            yield epochs.step[:0], epochs.clock[:0]
            continue
        inner = np.flatnonzero(~epochs.final[begin:end])[:ROWS]
        step = epochs.step[begin:end][inner]
        if times is None or i not in at:
            stamp = epochs.clock[begin:end][inner]
            yield _sharp(step, stamp, np.zeros(len(stamp)))
        else:
            rows = slice(*at[i])
            low, high = times.low[rows][inner], times.high[rows][inner]
            yield _sharp(step, 0.5 * (low + high), 0.5 * (high - low))


def _is_stamped(stamp: Floats) -> bool:
    """Whether updates have stamps finer than a second."""
    stamp = stamp[:ROWS]
    return bool(np.isfinite(stamp).all() and (stamp % 1).any())


def _sharp(step: Ints, at: Floats, half: Floats) -> tuple[Ints, Floats]:
    """Intervals whose time is known well, from the middle and half width of each row's time."""
    count = np.diff(step).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        seconds = np.diff(at) / count
        unsure = 2 * (half[1:] + half[:-1]) / count
        good = (count > 0) & (seconds >= 0) & np.isfinite(seconds)
        good[:WARM] = False
        if not good.any():
            return step[:0], seconds[:0]
        good &= unsure <= SHARP * _median(seconds[good])
    return step[1:][good], seconds[good]


def _period(steps: Ints, slow: np.typing.NDArray[np.bool_]) -> int:
    """Spacing in steps at which slow ones recur: on four in five, and four in five of its beats.

    Only where every step was shown: else nothing is known of those between.
    """
    if (np.diff(steps) != 1).any() or slow.sum() < 5:
        return 0
    at = steps[slow]
    period = int(np.median(np.diff(at)))
    if period < 2:
        return 0
    beats = np.bincount(at % period, minlength=period)
    phase = int(beats.argmax())
    on = int(beats[phase])
    expected = int((steps % period == phase).sum())
    return period if on >= 0.8 * len(at) and on >= 0.8 * expected else 0
