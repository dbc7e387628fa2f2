"""What a user names as one side of a comparison in, its runs as two raw tables out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from logparse.comparison.tables import RAW_EPOCHS, RAW_METRICS, from_rows
from logparse.errors import LogparseError, SourceError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from logparse.analysis import Analysis, Failure

RATES = ("lr", "learning_rate")
"""Metrics that are settings, not outcomes."""


@dataclass(frozen=True, slots=True)
class Side:
    """The runs of one side, as read or as a baseline file kept them."""

    name: str
    epochs: pl.DataFrame
    """Columns of ``tables.RAW_EPOCHS``, sorted by log, run and epoch."""
    metrics: pl.DataFrame
    """Columns of ``tables.RAW_METRICS``."""
    notes: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    """Logs of it that could not be read."""


Given = "str | os.PathLike[str] | Analysis | Side | Sequence[str | os.PathLike[str] | Analysis]"


def side_of(given: Any, options: dict[str, Any] | None = None) -> Side:
    """One side: a log, a folder or glob of logs, a baseline file, analyses, or a list of these.

    Args:
        given: what the user named.
        options: as in ``analyze``.

    Raises:
        SourceError: none of its logs could be read.
        UsageError: there is nothing to compare in it.
    """
    if isinstance(given, Side):
        return given
    from logparse.analysis import Analysis

    parts = [given] if isinstance(given, str | os.PathLike | Analysis) else list(given)
    if not parts:
        raise UsageError("a side of a comparison is empty")
    if len(parts) == 1 and not isinstance(parts[0], Analysis):
        from logparse.comparison.baseline import load_baseline

        if (side := load_baseline(os.fspath(parts[0]))) is not None:
            return side
    logs: list[Analysis] = []
    failures: list[Failure] = []
    for found in _analyses(parts, options or {}):
        if isinstance(found, Analysis):
            logs.append(found)
        elif not found.skipped:
            failures.append(found)
    name = ", ".join(_name(part) for part in parts[:3]) + (", ..." if len(parts) > 3 else "")
    if not logs:
        raise _nothing(name, failures)
    return from_logs(name, logs, failures)


def from_logs(name: str, logs: list[Analysis], failures: Sequence[Failure] = ()) -> Side:
    """A side of these analyses."""
    import polars as pl

    notes: list[str] = []
    epochs, metrics = [], []
    for log in _apart(logs):
        kept, note = _runs_of(log)
        notes += note
        epochs.append(_epochs(log, kept))
        metrics.append(_metrics(log, kept))
    return Side(name, pl.concat(epochs), pl.concat(metrics), notes, list(failures))


def _analyses(parts: list[Any], options: dict[str, Any]) -> Iterator[Analysis | Failure]:
    from logparse.analysis import Analysis, analyze_many

    for part in parts:
        if isinstance(part, Analysis):
            yield part
        else:
            yield from analyze_many([part], **({"sha256": False} | options))


def _name(part: Any) -> str:
    return os.fspath(part) if isinstance(part, str | os.PathLike) else str(part.source.name)


def _nothing(name: str, failures: list[Failure]) -> LogparseError:
    if not failures:
        return SourceError(f"{name}: no log in it")
    first = failures[0]
    more = f" (and {len(failures) - 1} more logs of this side)" if len(failures) > 1 else ""
    return type(first.error)(f"{first.error}{more}")


def _apart(logs: list[Analysis]) -> Iterable[Analysis]:
    """The logs; two of one name would be taken for one run.

    Raises:
        UsageError: a log is named twice.
    """
    names: set[str] = set()
    for log in logs:
        if log.source.name in names:
            raise UsageError(f"{log.source.name}: is given twice on one side")
        names.add(log.source.name)
    return logs


def _runs_of(log: Analysis) -> tuple[list[int], list[str]]:
    """Numbers of the runs to compare, and what was left out.

    Workers that print into one log train one model in step: the first stands for all.
    """
    runs = log.runs
    marked = runs.filter(runs["channel"].is_not_null())
    if marked.height < 2 or marked["channel"].n_unique() < 2:
        return runs["run"].to_list(), []
    first = marked["channel"][0]
    kept = runs.filter(runs["channel"].eq_missing(first))["run"].to_list()
    others = marked["channel"].n_unique() - 1
    return kept, [
        f"{log.source.name}: {others} other worker{'s' if others > 1 else ''} of the same training "
        f"left out; worker {first} stands for all"
    ]


def _epochs(log: Analysis, runs: list[int]) -> pl.DataFrame:
    import polars as pl

    table: pl.DataFrame = log.epochs.filter(pl.col("run").is_in(runs))
    name = pl.lit(log.source.name).alias("log")
    return table.select(name, *(c.name for c in RAW_EPOCHS if c.name != "log"))


def _metrics(log: Analysis, runs: list[int]) -> pl.DataFrame:
    """The value of each epoch and metric: as printed, or rebuilt where the printed one is wrong."""
    import polars as pl

    shown, low, high = pl.col("shown"), pl.col("mean_low"), pl.col("mean_high")
    wrong = (shown.is_finite() & ((shown < low) | (shown > high))).fill_null(False)
    value = pl.when(wrong).then(pl.col("mean")).otherwise(shown)
    table: pl.DataFrame = log.metrics.filter(
        pl.col("run").is_in(runs) & pl.col("shown").is_not_null() & ~pl.col("metric").is_in(RATES)
    ).select(
        pl.lit(log.source.name).alias("log"),
        "run",
        "epoch",
        "metric",
        pl.when(value.is_finite()).then(value).alias("value"),
        wrong.alias("rebuilt"),
    )
    return table if table.height else from_rows(RAW_METRICS, [])
