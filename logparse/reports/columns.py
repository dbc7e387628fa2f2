"""The small tables of an analysis in, their columns as lists and arrays out, each made once.

A report looks at few rows many times: a call of polars takes longer than a look at all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools

if TYPE_CHECKING:
    import polars as pl

    from logparse.analysis import Analysis


class Columns:
    """The columns of one table of n rows."""

    def __init__(self, table: pl.DataFrame) -> None:
        self._height = table.height
        self._series = {series.name: series for series in table.get_columns()}
        self._lists: dict[str, list[Any]] = {}
        self._floats: dict[str, Floats] = {}

    def __len__(self) -> int:
        return self._height

    def list(self, name: str) -> list[Any]:
        """[n] as Python has them, None for null."""
        found = self._lists.get(name)
        if found is None:
            found = self._lists[name] = self._series[name].to_list()
        return found

    def floats(self, name: str) -> Floats:
        """[n] as numbers, nan for null; nan throughout where the table lacks the column."""
        found = self._floats.get(name)
        if found is None:
            if name in self._series:
                # polars makes a null of a column of numbers nan.
                found = np.asarray(self._series[name].to_numpy(), np.float64)
            else:
                found = np.full(len(self), np.nan)
            self._floats[name] = found
        return found

    def there(self, name: str) -> Bools:
        """[n] not null: a printed nan is."""
        return np.array([value is not None for value in self.list(name)], np.bool_)


@dataclass(frozen=True, slots=True)
class Picked:
    """Some rows of a table, in order."""

    columns: Columns
    rows: Ints

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> Floats:
        """A column as numbers, nan for null."""
        return self.columns.floats(name)[self.rows]

    def list(self, name: str) -> list[Any]:
        """A column as Python has it, None for null."""
        column = self.columns.list(name)
        return [column[row] for row in self.rows.tolist()]

    def there(self, name: str) -> Bools:
        """Which of the rows are not null in a column."""
        return self.columns.there(name)[self.rows]

    def take(self, which: Ints | Bools) -> Picked:
        """Some of the rows."""
        return Picked(self.columns, self.rows[which])


@dataclass(slots=True)
class Facts:
    """The tables that most of a report is made of."""

    epochs: Columns
    metrics: Columns
    findings: list[dict[str, Any]]
    """The rows of that table."""
    names: list[str]
    """Of metrics, as the log shows them first."""
    runs: dict[int, Ints]
    """By run that has an epoch, its rows of ``epochs``."""
    series: dict[tuple[int, str], Ints]
    """By run and metric, its rows of ``metrics``."""

    def metric(self, run: int, name: str) -> Picked:
        """The epochs of one metric of a run; none where the run has no such metric."""
        return Picked(self.metrics, self.series.get((run, name), _NONE))

    def run(self, number: int) -> Picked:
        """The epochs of a run."""
        return Picked(self.epochs, self.runs.get(number, _NONE))


_NONE = np.zeros(0, np.int64)

_kept: WeakKeyDictionary[Analysis, Facts] = WeakKeyDictionary()


def facts(analysis: Analysis) -> Facts:
    """The tables of an analysis as columns, and which rows belong together; made once."""
    found = _kept.get(analysis)
    if found is None:
        epochs, metrics = Columns(analysis.epochs), Columns(analysis.metrics)
        found = _kept[analysis] = Facts(
            epochs=epochs,
            metrics=metrics,
            findings=analysis.findings.rows(named=True),
            names=list(dict.fromkeys(metrics.list("metric"))),
            runs=_places(epochs.list("run")),
            series=_places(zip(metrics.list("run"), metrics.list("metric"), strict=True)),
        )
    return found


def _places(keys: Any) -> dict[Any, Ints]:
    """Where each key stands."""
    found: dict[Any, list[int]] = {}
    for i, key in enumerate(keys):
        found.setdefault(key, []).append(i)
    return {key: np.array(places, np.int64) for key, places in found.items()}


class Metric(NamedTuple):
    """A metric and the one of its validation; either may be missing."""

    name: str
    validation: str | None


def metrics_of(analysis: Analysis) -> list[Metric]:
    """The metrics of a log in its order, each with its validation."""
    names = facts(analysis).names
    known = set(names)
    return [
        Metric(name, f"val_{name}" if f"val_{name}" in known else None)
        for name in names
        if not (name.startswith("val_") and name[4:] in known)
    ]
