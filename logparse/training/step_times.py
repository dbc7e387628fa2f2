"""Closed epochs of a run -> how long single steps took in some of them, where the log tells.

All rows of an epoch are looked at, so only a few epochs are: at most ``KEPT``, evenly spread
however long the run, the same ones however the log came in blocks.
"""

from __future__ import annotations

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
        while self._next < end:
            place = self._next
            if len(self._looked) >= KEPT:
                self._stride *= 2
                self._looked = [one for one in self._looked if one % self._stride == 0]
                self.found = [pair for pair in self.found if pair[0] % self._stride == 0]
            if place % self._stride == 0:
                self._looked.append(place)
                i = place - self._seen
                rows = int(epochs.starts[i + 1] - epochs.starts[i])
                times = step_times(epochs.part(i, i + 1), laws) if rows > FEWEST_STEPS else None
                if times is not None:
                    self.found.append((place, times))
            self._next += self._stride - place % self._stride
        self._seen = end


def step_times(epoch: Epochs, laws: int) -> StepTimes | None:
    """How long the steps of one epoch took; None where too few of them are known."""
    steps, seconds = _intervals(epoch, laws)
    if len(seconds) < FEWEST_STEPS:
        return None
    median = float(np.median(seconds))
    low, high = (float(x) for x in np.quantile(seconds, (0.1, 0.9)))
    spread = 1.4826 * float(np.median(np.abs(seconds - median)))
    slow = seconds > max(SLOW * median, median + OUTLYING * spread)
    slow_median = float(np.median(seconds[slow])) if slow.any() else np.nan
    third = (slow_median - median) / 3
    between = int(((seconds > median + third) & (seconds < slow_median - third)).sum())
    return StepTimes(
        int(epoch.epoch[0]),
        len(seconds),
        median,
        low,
        high,
        int(slow.sum()),
        slow_median,
        between,
        _period(steps, slow),
    )


def _intervals(epoch: Epochs, laws: int) -> tuple[Ints, Floats]:
    """Last step of each interval that is known, and seconds a step over it."""
    inner = np.flatnonzero(~epoch.final)[:ROWS]
    step, stamp = epoch.step[inner], epoch.clock[inner]
    if np.isfinite(stamp).all() and (stamp % 1).any():
        at, half = stamp, np.zeros(len(stamp))
    else:
        times = clock.elapsed(epoch, clock.clock_laws(epoch, laws))
        at = 0.5 * (times.low + times.high)[inner]
        half = 0.5 * (times.high - times.low)[inner]
    count = np.diff(step).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        seconds = np.diff(at) / count
        unsure = 2 * (half[1:] + half[:-1]) / count
        good = (count > 0) & (seconds >= 0) & np.isfinite(seconds) & (np.arange(len(count)) >= WARM)
        if not good.any():
            return step[:0], seconds[:0]
        good &= unsure <= SHARP * float(np.median(seconds[good]))
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
