"""Epoch times of a run -> which of them are slow, and whether in step with a period.

The rounding of the printed times is part of the noise. docs/time.md has how often each test
errs on made series.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from logparse.findings.registry import Tables, once
from logparse.reading.records import Floats, Ints

if TYPE_CHECKING:
    import polars as pl

Bools = NDArray[np.bool_]

FEWEST = 5
"""Epochs to compare with, below which no epoch is called slow."""

SLOWER = 1.05
"""A slow epoch is at least this many times its baseline: less is not worth a look."""

FEW = 8
"""Epochs below which a slow one must be ``FEW_SLOWER`` times its baseline: rounded times tie."""

FEW_SLOWER = 1.25
"""See ``FEW``."""

SECOND = 1.0
"""Keras prints whole seconds; an epoch slower by less is not reported."""

WINDOW = 11
"""Epochs whose median is an epoch's baseline in a run of ``LONG`` or more."""

LONG = 20
"""Epochs from which the baseline is local, so that a trend or a level is no outlier."""

# Largest z of r or more outliers among n flat Gaussian epochs, 0.8 % of runs over all r together
# (300,000 runs each; a one-sided form of Rosner's generalised ESD test).
_LIMITS: dict[int, tuple[float, ...]] = {
    5: (9.8,),
    6: (7.3,),
    7: (7.2, 7.2),
    8: (6.4, 5.8),
    9: (5.9, 5.1),
    10: (5.6, 4.7),
    11: (5.3, 4.4),
    12: (5.4, 4.4, 4.2),
    13: (5.3, 4.3, 4.0),
    14: (5.1, 4.1, 3.8),
    15: (5.0, 4.0, 3.7),
    16: (5.0, 4.0, 3.7, 3.5),
    17: (4.9, 4.0, 3.6, 3.4),
    18: (4.9, 3.9, 3.6, 3.4),
    19: (4.8, 3.9, 3.5, 3.3),
}
# The same for the residuals from a local median, in units of 1.4826 MAD.
_LONG_LIMITS = ((20, 50, 1000, 10_000, 100_000), (5.5, 5.1, 5.2, 5.6, 6.2))


@dataclass(frozen=True, slots=True)
class Series:
    """Complete, comparable epochs of one run, in order; times in seconds, nan where unknown."""

    run: int
    epoch: Ints
    line: Ints
    steps: Floats
    seconds: Floats
    half: Floats
    """Half the width of the bounds of ``seconds``."""
    step: Floats
    first_step: Floats
    validation: Floats
    late_step: Floats
    starts: bool
    """The first of them is the first epoch of the run."""

    def after_first(self) -> slice:
        """The epochs that a warm-up does not touch."""
        return slice(1 if self.starts else 0, None)


@once
def all_series(tables: Tables) -> list[Series]:
    """Runs as series of epochs. Epochs of another length than most of their run are left out."""
    frame = tables.epochs
    runs: dict[int, list[int]] = {}
    for i, run in enumerate(frame["run"].to_list()):
        runs.setdefault(run, []).append(i)
    numbers = {name: _floats(frame, name) for name in _NUMBERS}
    complete = np.array([bool(one) for one in frame["complete"].to_list()], np.bool_)
    timed = complete & np.isfinite(numbers["seconds"])
    length = np.nan_to_num(numbers["of"])
    epoch, line = frame["epoch"].to_numpy(), frame["last_line"].to_numpy()
    found: list[Series] = []
    for run, rows in runs.items():
        all_of_it = np.array(rows)
        lengths = Counter(length[all_of_it][timed[all_of_it]].tolist())
        if not lengths:
            continue
        usual = min(lengths, key=lambda one: (-lengths[one], one))
        at = all_of_it[timed[all_of_it] & (length[all_of_it] == usual)]
        part = {name: column[at] for name, column in numbers.items()}
        seconds, low, high = part["seconds"], part["seconds_low"], part["seconds_high"]
        low = np.where(np.isfinite(low), low, seconds)
        # Without a bound from above (TF 2.2 and 2.3) the one from below serves for both.
        high = np.where(np.isfinite(high), high, 2 * seconds - low)
        found.append(
            Series(
                run=run,
                epoch=epoch[at],
                line=line[at],
                steps=part["steps"],
                seconds=seconds,
                half=0.5 * (high - low),
                step=part["step_seconds"],
                first_step=part["first_step_seconds"],
                validation=part["validation_seconds"],
                late_step=part["late_step_seconds"],
                starts=bool(epoch[at[0]] == epoch[rows[0]]),
            )
        )
    return found


_NUMBERS = (
    "of", "steps", "seconds", "seconds_low", "seconds_high", "step_seconds", "first_step_seconds",
    "validation_seconds", "late_step_seconds",
)  # fmt: skip


def _floats(part: pl.DataFrame, name: str) -> Floats:
    """A column, nan where null or where there is none."""
    if name not in part.columns:
        return np.full(len(part), np.nan)
    return np.array(part[name].to_numpy(), np.float64)  # null becomes nan


def excess(series: Series, at: int, others: Bools) -> dict[str, float]:
    """Seconds by which the parts of an epoch exceed those of others; nan where unknown.

    Where the others do not tell a part, it is taken to be the whole of them: the excess is then
    a lower bound.
    """
    whole = float(np.median(series.seconds[others]))

    def over(column: Floats) -> float:
        known = column[others & np.isfinite(column)]
        return float(column[at]) - (float(np.median(known)) if len(known) else whole)

    steps = series.step * np.maximum(series.steps - 1, 0.0)
    return {
        "first": over(series.first_step),
        "steps": over(steps),
        "validation": over(series.validation),
    }


@dataclass(frozen=True, slots=True)
class Slow:
    """Epochs against their baseline; one value an epoch after the first."""

    slow: Bools
    baseline: Floats
    limit: Floats
    """Seconds from which the epoch counts as slow."""


def find_slow(seconds: Floats, half: Floats) -> Slow | None:
    """Outliers upwards in a series of epoch times.

    Up to ``LONG`` epochs: a one-sided generalised ESD test, so that several slow epochs do not
    hide each other. From there on: residuals from a running median, after the drift is taken
    off, in units of their MAD. The rounding of both sides counts against the epoch. Three or
    more slow epochs in a row are a change of level, and no slow epochs.

    Returns:
        None for fewer than ``FEWEST`` epochs.
    """
    n = len(seconds)
    if n < FEWEST:
        return None
    if n < LONG:
        baseline, margin = _against_others(seconds)
    else:
        baseline = _local_median(seconds)
        spread = _spread(seconds - baseline, 2 * float(np.median(half)))
        margin = np.full(n, float(np.interp(n, *_LONG_LIMITS)) * spread)
    rounding = half + float(np.median(half))
    slower = (FEW_SLOWER if n < FEW else SLOWER) - 1
    limit = baseline + np.maximum(margin, slower * baseline) + rounding
    slow = (seconds > limit) & (seconds - baseline + rounding >= SECOND)
    return Slow(slow & ~_in_long_stretch(slow), baseline, limit)


def _against_others(seconds: Floats) -> tuple[Floats, Floats]:
    """Median of the epochs that are no outliers, and the margin an outlier must pass."""
    n = len(seconds)
    ranked = np.sort(seconds)
    outliers, limits = 0, _LIMITS[n]
    for r, limit in enumerate(limits, start=1):
        others = ranked[: n - r]
        if ranked[n - r] > others.mean() + limit * others.std(ddof=1):
            outliers = r
    others = ranked[: n - max(outliers, 1)]
    margin = limits[max(outliers, 1) - 1] * float(others.std(ddof=1))
    middle = float(np.median(others))
    # The test is against the mean, the baseline shown is the median.
    return np.full(n, middle), np.full(n, margin + max(float(others.mean()) - middle, 0.0))


def _spread(rest: Floats, unit: float) -> float:
    """Robust standard deviation of residuals of times known to ``unit``.

    The MAD, or the mean deviation without outliers where it is larger: with times in whole
    seconds the MAD alone is 0 or a whole second by chance.
    """
    off = np.abs(rest)
    scale = 1.4826 * float(np.median(off))
    near = off[off <= max(5 * scale, 2 * unit)]
    return max(scale, 1.2533 * float(near.mean()))


def _local_median(seconds: Floats) -> Floats:
    """Median of the ``WINDOW`` epochs around each, after a straight drift is taken off."""
    n, side, lag = len(seconds), WINDOW // 2, len(seconds) // 2
    slope = float(np.median(seconds[lag:] - seconds[: n - lag])) / lag
    line = slope * np.arange(n)
    windows = np.lib.stride_tricks.sliding_window_view(seconds - line, WINDOW)
    middle: Floats = np.pad(np.median(windows, axis=1), side, mode="edge") + line
    return middle


def _in_long_stretch(slow: Bools) -> Bools:
    """Where at least three neighbours in a row are slow."""
    padded = np.concatenate(([False, False], slow, [False, False]))
    three = padded[:-2] & padded[1:-1] & padded[2:]
    n = len(slow)
    return three[:n] | three[1 : n + 1] | three[2 : n + 2]


def period_of(slow: Bools) -> int | None:
    """Spacing of slow epochs that recur regularly, at least three times and at least 2 apart.

    One in five may be off the beat, and three in ten of the beats may be missed.
    """
    at = np.flatnonzero(slow)
    if len(at) < 3:
        return None
    period = int(np.quantile(np.diff(at), 0.5, method="lower"))
    if period < 2:
        return None
    beats = np.bincount(at % period, minlength=period)
    phase = int(beats.argmax())
    on, expected = int(beats[phase]), len(range(phase, len(slow), period))
    regular = on >= 3 and on >= 0.8 * len(at) and on >= 0.7 * expected
    return period if regular else None
