"""Analysis in, the thinned series that figures draw out: shown and rebuilt values, step times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from logparse.reading.records import Floats
from logparse.reports.columns import Picked, facts
from logparse.reports.drawing.step_times import step_times
from logparse.reports.drawing.thinning import Points, Thinner
from logparse.training.epochs import Bools

if TYPE_CHECKING:
    from logparse.again import Seen
    from logparse.analysis import Analysis

POINTS = 2000
"""Points of one line: as many as a screen is wide."""

ALL_POINTS = 400_000
"""Points of all lines of a log: one with hundreds of metrics gets fewer for each."""

REBUILT = 60_000
"""Updates that batch values are rebuilt from for a drawing; of longer logs some are left out."""

QUICK = 300
"""The same of each run, where a figure of fewer points is asked for: a page among many."""

LEAST = 32
"""Updates of an epoch below which its noise could not be told."""

BINS = 1000
"""Stretches of a run over which batch values are averaged."""


class Series(NamedTuple):
    """One metric of one run."""

    shown: Points | None
    """``epoch``, ``step``, ``y``: as displayed."""
    rebuilt: Points | None
    """The fields of ``traces.Stairs``: the batch values and their 95 % band; the hard bounds where
    nothing was smoothed."""
    sums: Floats
    """[BINS] sum of the rebuilt batches in each stretch of the run."""
    lengths: Floats
    """[BINS] batches in each."""

    def thinned(self, most: int) -> Series:
        """With about ``most`` points a line."""
        return self._replace(
            shown=self.shown and self.shown.thinned(most),
            rebuilt=self.rebuilt and self.rebuilt.thinned(most),
        )


@dataclass(slots=True)
class Drawn:
    """Everything of an analysis that is drawn from its large tables."""

    series: dict[tuple[int, str], Series]
    """By run and metric."""
    clock: dict[int, Thinner]
    """By run: ``epoch``, ``step``, ``y``: seconds since the epoch began."""
    step_times: dict[int, Points]
    """By run: the columns of ``step_times``."""
    passed_over: bool
    """The rebuilt values are means over several updates."""
    most: int
    """Points of a line."""


_kept: WeakKeyDictionary[Analysis, Drawn] = WeakKeyDictionary()


def drawn(analysis: Analysis, most: int = POINTS) -> Drawn:
    """The series of an analysis, made once: of a long log this reads it once more.

    Args:
        analysis: the analysis.
        most: points of a line, about. Where finer lines are kept already, those are it.
    """
    found = _kept.get(analysis)
    if found is None or found.most < most:
        found = _Collector(analysis, most).collect()
        _kept[analysis] = found
    return found


@dataclass(slots=True)
class _Parts:
    """What is kept of one run and metric while the log goes by."""

    shown: Thinner
    rebuilt: Thinner
    sums: Floats = field(default_factory=lambda: np.zeros(BINS))
    lengths: Floats = field(default_factory=lambda: np.zeros(BINS))

    def series(self) -> Series:
        """What to draw."""
        shown, rebuilt = (one.points() if len(one) else None for one in (self.shown, self.rebuilt))
        return Series(shown, rebuilt, self.sums, self.lengths)


class _Collector:
    def __init__(self, analysis: Analysis, most: int) -> None:
        self.analysis, self.asked = analysis, most
        known = facts(analysis)
        self.offsets = {run: _offsets(known.run(run)) for run in known.runs}
        self.updates = {run: int(known.run(run)["updates"].sum()) for run in known.runs}
        n = max(1, len(known.runs) * len(known.names))
        self.most = max(100, min(most, ALL_POINTS // n))
        self.parts: dict[tuple[int, str], _Parts] = {}
        self.clocks: dict[int, Thinner] = {}
        self.step_times: dict[int, Thinner] = {}

    def collect(self) -> Drawn:
        updates = facts(self.analysis).epochs.floats("updates")
        budget = REBUILT if self.asked >= POINTS else QUICK * len(self.updates)
        most = _share(updates, budget)
        for part in self.analysis.parts(most):
            if part.seen:
                self._seen(part.run, part.seen)
            for metric, columns in part.batches.items():
                self._batches(part.run, metric, columns)
        return Drawn(
            {key: parts.series() for key, parts in self.parts.items()},
            self.clocks,
            {run: times.points() for run, times in self.step_times.items()},
            passed_over=bool((updates > most).any()),
            most=self.asked,
        )

    def _of(self, run: int, metric: str) -> _Parts:
        parts = self.parts.get((run, metric))
        if parts is None:
            total = self.updates[run]
            parts = _Parts(Thinner(total, self.most), Thinner(min(total, REBUILT), self.most))
            self.parts[run, metric] = parts
        return parts

    def _seen(self, run: int, seen: Seen) -> None:
        places = {"epoch": seen.epoch.astype(float), "step": seen.step.astype(float)}
        for metric, (rows, y) in seen.shown.items():
            shown = places
            if len(rows) < len(seen.step):
                shown = {name: column[rows] for name, column in places.items()}
            self._of(run, metric).shown.add(shown | {"y": y})
        times = seen.times
        if np.isfinite(times.elapsed).any():
            columns = {"elapsed": times.elapsed, "elapsed_low": times.low}
            columns |= {"elapsed_high": times.high}
            self._times(run, places | columns, seen.final)

    def _times(self, run: int, columns: dict[str, Floats], final: Bools) -> None:
        clock = self.clocks.setdefault(run, Thinner(self.updates[run], self.most))
        clock.add({key: columns[key] for key in ("epoch", "step")} | {"y": columns["elapsed"]})
        epochs = len(self.offsets[run][0])
        most = next((n for n in (16, 8, 4, 2) if n * epochs <= POINTS), 1)
        found = step_times(columns, final, most)
        if len(found["y"]):
            known = self.step_times.setdefault(run, Thinner(most * epochs, self.most))
            known.add(found)

    def _batches(self, run: int, metric: str, found: dict[str, Any]) -> None:
        known = np.isfinite(found["estimate"])
        y = np.where(known, found["estimate"], found["value"])
        there = np.isfinite(y)
        if not there.any():
            return
        columns: dict[str, Floats] = {
            "epoch": found["epoch"].astype(float),
            "first": found["first_step"] - 1.0,
            "step": found["step"].astype(float),
            "y": y,
            "low": np.where(known, found["estimate_low"], found["low"]),
            "high": np.where(known, found["estimate_high"], found["high"]),
        }
        parts = self._of(run, metric)
        if not there.all():
            columns = {name: column[there] for name, column in columns.items()}
        parts.rebuilt.add(columns)
        self._mean(parts, run, columns)

    def _mean(self, parts: _Parts, run: int, columns: dict[str, Floats]) -> None:
        """Add the intervals to the stretches of the run that their middles lie in."""
        epochs, starts, total = self.offsets[run]
        begin = starts[np.searchsorted(epochs, columns["epoch"])]
        middle = begin + (columns["first"] + 1 + columns["step"]) / 2
        at = np.minimum((middle * BINS / max(total, 1)).astype(np.int64), BINS - 1)
        length = columns["step"] - columns["first"]
        parts.sums += np.bincount(at, columns["y"] * length, BINS)
        parts.lengths += np.bincount(at, length, BINS)


def _offsets(epochs: Picked) -> tuple[Floats, Floats, float]:
    """Numbers of the epochs, batches done before each, and in all."""
    steps = epochs["steps"]
    return epochs["epoch"], np.cumsum(steps) - steps, float(steps.sum())


def _share(updates: Floats, budget: int) -> int:
    """Updates of an epoch at most, so that all epochs together have about ``budget``."""
    rising = np.sort(updates)
    # What the shorter epochs leave is for those at least as long as this one.
    left = (budget - np.cumsum(rising) + rising) / np.arange(len(rising), 0, -1)
    longer = np.flatnonzero(rising > left)
    return max(LEAST, int(left[longer[0]])) if len(longer) else int(rising.max(initial=LEAST))
