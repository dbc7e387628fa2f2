"""Analysis in, the thinned series that figures draw out: shown and rebuilt values, step times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from logparse.reading.records import Floats
from logparse.reports.drawing.step_times import step_times
from logparse.reports.drawing.thinning import Points, Thinner
from logparse.tables import TABLES
from logparse.training.epochs import Bools

if TYPE_CHECKING:
    import polars as pl

    from logparse.analysis import Analysis

POINTS = 2000
"""Points of one line: as many as a screen is wide."""

ALL_POINTS = 400_000
"""Points of all lines of a log: one with hundreds of metrics gets fewer for each."""

REBUILT = 60_000
"""Updates that batch values are rebuilt from for a drawing; of longer logs some are left out."""

BINS = 1000
"""Stretches of a run over which batch values are averaged."""

_SHOWN = {column.name for column in TABLES["updates"]}
_REBUILT = ("first_step", "value", "low", "high", "estimate", "estimate_low", "estimate_high")


class Series(NamedTuple):
    """One metric of one run."""

    shown: Points | None
    """``epoch``, ``step``, ``y``: as displayed."""
    rebuilt: Points | None
    """``epoch``, ``step``, ``y`` and the columns of the table ``batches``."""
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
    clock: dict[int, Points]
    """By run: ``epoch``, ``step``, ``y``: seconds since the epoch began."""
    step_times: dict[int, Points]
    """By run: the columns of ``step_times``."""
    passed_over: bool
    """The rebuilt values are means over several updates."""


class Metric(NamedTuple):
    """A metric and the one of its validation; either may be missing."""

    name: str
    validation: str | None


def metrics_of(analysis: Analysis) -> list[Metric]:
    """The metrics of a log in its order, each with its validation."""
    names: list[str] = analysis.metrics["metric"].unique(maintain_order=True).to_list()
    known = set(names)
    return [
        Metric(name, f"val_{name}" if f"val_{name}" in known else None)
        for name in names
        if not (name.startswith("val_") and name[4:] in known)
    ]


_kept: WeakKeyDictionary[Analysis, Drawn] = WeakKeyDictionary()


def drawn(analysis: Analysis) -> Drawn:
    """The series of an analysis, made once: of a long log this reads it once more."""
    found = _kept.get(analysis)
    if found is None:
        found = _Collector(analysis).collect()
        _kept[analysis] = found
    return found


@dataclass(slots=True)
class _Parts:
    """What is kept of one run and metric while the log goes by."""

    shown: Thinner
    rebuilt: Thinner
    sums: Floats = field(default_factory=lambda: np.zeros(BINS))
    lengths: Floats = field(default_factory=lambda: np.zeros(BINS))
    any_shown: bool = False
    any_rebuilt: bool = False


class _Collector:
    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        runs = analysis.epochs["run"].unique(maintain_order=True).to_list()
        epochs = {
            key[0]: part for key, part in analysis.epochs.partition_by("run", as_dict=True).items()
        }
        self.updates = {run: int(epochs[run]["updates"].sum()) for run in runs}
        self.offsets = {run: _offsets(epochs[run]) for run in runs}
        n = max(1, len(runs) * analysis.metrics["metric"].n_unique())
        self.most = max(100, min(POINTS, ALL_POINTS // n))
        self.parts: dict[tuple[int, str], _Parts] = {}
        self.clocks: dict[int, Thinner] = {}
        self.step_times: dict[int, Thinner] = {}

    def collect(self) -> Drawn:
        total = sum(self.updates.values())
        every = total <= REBUILT
        most = total + 1 if every else max(32, REBUILT // max(1, self.analysis.epochs.height))
        for updates, batches in self.analysis.side_by_side(most):
            for part in _by_run(updates):
                self._updates(part)
            if batches.height:
                for part in batches.partition_by("run", "metric", maintain_order=True):
                    self._batches(part)
        return Drawn(
            {key: _series(parts) for key, parts in self.parts.items()},
            {run: clock.points() for run, clock in self.clocks.items()},
            {run: times.points() for run, times in self.step_times.items()},
            passed_over=not every,
        )

    def _of(self, run: int, metric: str) -> _Parts:
        parts = self.parts.get((run, metric))
        if parts is None:
            total = self.updates[run]
            parts = _Parts(Thinner(total, self.most), Thinner(min(total, REBUILT), self.most))
            self.parts[run, metric] = parts
        return parts

    def _updates(self, part: pl.DataFrame) -> None:
        run = int(part["run"][0])
        epoch = part["epoch"].to_numpy().astype(np.float64)
        step = part["step"].to_numpy().astype(np.float64)
        for name in part.columns:
            if name in _SHOWN:
                continue
            there = part[name].is_not_null().to_numpy()
            if there.any():
                parts = self._of(run, name.removeprefix("metric ") if name[7:] in _SHOWN else name)
                parts.any_shown = True
                y = part[name].to_numpy()[there]
                parts.shown.add({"epoch": epoch[there], "step": step[there], "y": y})
        times = {
            name: part[name].cast(float).to_numpy()
            for name in ("elapsed", "elapsed_low", "elapsed_high")
        }
        if np.isfinite(times["elapsed"]).any():
            columns = {"epoch": epoch, "step": step} | times
            self._times(run, columns, part["final"].to_numpy())

    def _times(self, run: int, columns: dict[str, Floats], final: Bools) -> None:
        clock = self.clocks.setdefault(run, Thinner(self.updates[run], self.most))
        clock.add({key: columns[key] for key in ("epoch", "step")} | {"y": columns["elapsed"]})
        epochs = len(self.offsets[run][0])
        most = next((n for n in (16, 8, 4, 2) if n * epochs <= POINTS), 1)
        found = step_times(columns, final, most)
        if len(found["y"]):
            known = self.step_times.setdefault(run, Thinner(most * epochs, self.most))
            known.add(found)

    def _batches(self, part: pl.DataFrame) -> None:
        parts = self._of(int(part["run"][0]), part["metric"][0])
        columns = {name: part[name].cast(float).to_numpy() for name in ("epoch", "step", *_REBUILT)}
        known = np.isfinite(columns["estimate"])
        y = np.where(known, columns["estimate"], columns["value"])
        there = np.isfinite(y)
        if not there.any():
            return
        parts.any_rebuilt = True
        parts.rebuilt.add({name: column[there] for name, column in (columns | {"y": y}).items()})
        self._mean(parts, int(part["run"][0]), columns, np.where(there, y, 0), there)

    def _mean(
        self, parts: _Parts, run: int, columns: dict[str, Floats], y: Floats, there: Bools
    ) -> None:
        """Add the intervals to the stretches of the run that their middles lie in."""
        epochs, starts, total = self.offsets[run]
        begin = starts[np.searchsorted(epochs, columns["epoch"])]
        middle = begin + (columns["first_step"] + columns["step"]) / 2
        at = np.minimum((middle * BINS / max(total, 1)).astype(np.int64), BINS - 1)
        length = np.where(there, columns["step"] - columns["first_step"] + 1, 0)
        parts.sums += np.bincount(at, y * length, BINS)
        parts.lengths += np.bincount(at, length, BINS)


def _by_run(table: pl.DataFrame) -> list[pl.DataFrame]:
    """The rows of each run; nearly always there is one."""
    if not table.height or (table["run"] == table["run"][0]).all():
        return [table] if table.height else []
    return table.partition_by("run", maintain_order=True)


def _offsets(epochs: pl.DataFrame) -> tuple[Floats, Floats, float]:
    """Numbers of the epochs, batches done before each, and in all."""
    steps = epochs["steps"].to_numpy().astype(np.float64)
    number = epochs["epoch"].to_numpy().astype(np.float64)
    return number, np.cumsum(steps) - steps, float(steps.sum())


def _series(parts: _Parts) -> Series:
    return Series(
        parts.shown.points() if parts.any_shown else None,
        parts.rebuilt.points() if parts.any_rebuilt else None,
        parts.sums,
        parts.lengths,
    )
