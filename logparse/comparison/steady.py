"""The epochs of a side in, which of them are warm-up, steady or single slow ones out.

The rule, also told by ``STEADY_RULE``: the first epoch of a run is warm-up wherever another
follows, since it builds graphs and fills caches. In runs of at least ``LONG_ENOUGH`` later epochs,
warm-up goes on for as long as epochs are slower than the second half of the run, beyond its spread
and rounding, but at most to the middle. Single epochs that LP201 calls slow are left out as well
and told apart; stalls that recur on a beat (LP205) stay in, since they belong to the pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from logparse.findings.durations import period_of
from logparse.findings.outliers import SLOWER, Bools, find_slow
from logparse.reading.records import Floats, Ints

if TYPE_CHECKING:
    import polars as pl

LONG_ENOUGH = 8
"""Epochs after the first from which a longer warm-up can be told from noise."""

SPREADS = 3.0
"""A later warm-up epoch is this many robust standard deviations above the second half."""

STEADY_RULE = (
    "Steady: without the first epoch of each run, further epochs at its start that are slower "
    "than its second half, and single slow epochs (LP201)."
)

USES = ("steady", "warm-up", "slow", "other length", "cut short", "no time")
"""What an epoch counts as."""


@dataclass(frozen=True, slots=True)
class Run:
    """The timed epochs of one run that are of its side's usual length."""

    log: str
    run: int
    seconds: Floats
    half: Floats
    """Half widths of the bounds of ``seconds``."""
    warmup: int
    """Leading epochs that are warm-up."""
    steady: Bools
    slow: Bools
    first: bool
    """The first of them is the first epoch of the run in the log."""
    alone: bool
    """Its one epoch is taken for steady, since there is no other."""


def runs_of(epochs: pl.DataFrame) -> tuple[list[Run], list[str]]:
    """The runs of a side, and for each row of its raw epochs one of ``USES``."""
    # An epoch of no time at all is one whose time is not known.
    timed = (epochs["complete"] & (epochs["seconds"] > 0).fill_null(False)).to_numpy()
    length = epochs["of"].fill_null(0).to_numpy()
    usual = _usual(length[timed])
    uses = np.where(timed, "other length", "no time").astype(object)
    uses[~epochs["complete"].to_numpy()] = "cut short"
    logs, numbers = epochs["log"].to_numpy(), epochs["run"].to_numpy()
    seconds, half = _times(epochs)
    runs = []
    for start, end in _stretches(logs, numbers):
        rows = start + np.flatnonzero(timed[start:end] & (length[start:end] == usual))
        if not len(rows):
            continue
        run = run_of(
            str(logs[start]), int(numbers[start]), seconds[rows], half[rows], rows[0] == start
        )
        runs.append(run)
        uses[rows] = "warm-up"
        uses[rows[run.steady]] = "steady"
        uses[rows[run.slow]] = "slow"
    return runs, [str(use) for use in uses]


def run_of(log: str, number: int, seconds: Floats, half: Floats, first: bool) -> Run:
    """One run of these epochs; ``first``: they begin with the first of the run."""
    warmup = warm_up(seconds, half, first=first)
    steady = np.arange(len(seconds)) >= warmup
    slow = np.zeros(len(seconds), np.bool_)
    found = find_slow(seconds[warmup:], half[warmup:])
    if found is not None and period_of(found.slow) is None:
        slow[warmup:] = found.slow
    alone = first and len(seconds) == 1
    return Run(log, number, seconds, half, warmup, steady & ~slow, slow, first, alone)


def warm_up(seconds: Floats, half: Floats, *, first: bool) -> int:
    """How many leading epochs are warm-up; ``first``: they begin with the first of the run.

    The only epoch there is counts as steady.
    """
    n = len(seconds)
    done = 1 if first and n > 1 else 0
    if n - done < LONG_ENOUGH:
        return done
    later = seconds[n - n // 2 :]
    middle = float(np.median(later))
    spread = 1.4826 * float(np.median(np.abs(later - middle)))
    unit = float(np.median(half))
    while done < n // 2:
        limit = middle + max(SPREADS * spread, (SLOWER - 1) * middle) + half[done] + unit
        if seconds[done] <= limit:
            break
        done += 1
    return done


def _usual(lengths: Ints) -> int:
    """The most frequent length, the shortest of several such; 0 stands for unknown."""
    values, counts = np.unique(lengths, return_counts=True)
    return int(values[counts.argmax()]) if len(values) else 0


def _stretches(logs: NDArray[np.object_], runs: Ints) -> Iterator[tuple[int, int]]:
    """First and last row but one of each run."""
    if len(logs):
        new = 1 + np.flatnonzero((logs[1:] != logs[:-1]) | (runs[1:] != runs[:-1]))
        yield from pairwise([0, *(int(row) for row in new), len(logs)])


def _times(epochs: pl.DataFrame) -> tuple[Floats, Floats]:
    """Seconds and half widths of their bounds; nan where no time is shown."""
    seconds, low, high = (
        epochs[name].cast(float).fill_null(np.nan).to_numpy()
        for name in ("seconds", "seconds_low", "seconds_high")
    )
    low = np.where(np.isfinite(low), low, seconds)
    # Without a bound from above (TF 2.2 and 2.3) the one from below serves for both.
    high = np.where(np.isfinite(high), high, 2 * seconds - low)
    return seconds, 0.5 * np.maximum(high - low, 0.0)
