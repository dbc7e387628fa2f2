"""Tables of an analysis in, the columns of text that a person reads out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from logparse.reports import words
from logparse.reports.columns import Facts, Picked, facts, metrics_of
from logparse.reports.safe import shorten, visible

if TYPE_CHECKING:
    from logparse.analysis import Analysis

NAME = 32
"""Characters of a metric's name above its columns."""

SEVERITIES = ("error", "warning", "info")
"""Worst first."""

LEGEND = {
    "shown": "shown: the epoch's last line, as printed.",
    "true mean": "true mean: the epoch's real average, which the last line misses.",
    "really at end": "really at end: where the network stood when the epoch ended (95 % sure).",
}


EVENT_LEGEND = {"shown": "shown: the epoch's value, as Keras wrote it."}
"""The same where there are no lines."""


class Column(NamedTuple):
    """Cells of one column; ``group`` is the heading over several columns."""

    head: str
    cells: list[str]
    group: str = ""
    style: str = ""
    left: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length. The first ``keys`` columns name the row."""

    title: str
    columns: list[Column]
    keys: int = 1
    gaps: list[tuple[int, str]] = field(default_factory=list)
    """Rows left out: before which row, and the line to say so."""
    legend: list[str] = field(default_factory=list)


def runs_table(analysis: Analysis, limit: int | None) -> Table:
    """One row a run: where it is, how long, who printed it."""
    table = analysis.runs
    rows = table.head(table.height if limit is None else limit).rows(named=True)
    unit = f"{analysis.source.unit.capitalize()}s"
    columns = [
        Column("Run", [str(row["run"]) for row in rows]),
        Column(
            unit,
            [f"{row['first_line']:,}-{row['last_line']:,}" for row in rows],
        ),
        Column("Epochs", [_of(row["epochs"], row["of"]) for row in rows]),
        Column("Steps", [_count(row["steps_per_epoch"]) for row in rows]),
        Column("Time", [words.duration(_seconds(analysis, row["run"])) for row in rows]),
        Column("Keras", [visible(row["keras"] or "-") for row in rows], left=True),
        Column("Averages", [visible(row["law"] or "undecided") for row in rows], left=True),
    ]
    if table["channel"].null_count() < table.height:
        cells = [shorten(row["channel"] or "-", NAME) for row in rows]
        columns.append(Column("Worker", cells, left=True))
    hidden = table.height - len(rows)
    gaps = [(len(rows), f"{words.count(hidden, 'more run')}; --full lists them")] if hidden else []
    return Table("Runs", columns, gaps=gaps)


def _seconds(analysis: Analysis, run: int) -> float | None:
    """What the epochs of a run took, if all of it is known."""
    epochs = facts(analysis).run(run)
    known = len(epochs) and epochs.there("seconds").all()
    return float(epochs["seconds"].sum()) if known else None


def tags_table(analysis: Analysis, limit: int | None) -> Table:
    """One row a scalar of TensorBoard events; ``limit`` rows, None for all."""
    tags = analysis.tags
    rows = tags.head(tags.height if limit is None else limit).rows(named=True)
    columns = [
        Column("Scalar", [shorten(row["tag"], NAME) for row in rows], left=True),
        Column("Values", [f"{row['n']:,}" for row in rows]),
        Column("Steps", [f"{row['first_step']:,}-{row['last_step']:,}" for row in rows]),
    ]
    for head, name in (
        ("first", "first"), ("last", "last"), ("least", "least"), ("greatest", "greatest")
    ):  # fmt: skip
        columns.append(Column(head, [words.shown(row[name]) for row in rows]))
    if tags["not_finite"].sum():
        columns.append(Column("nan or inf", [f"{row['not_finite']:,}" for row in rows]))
    if tags["part"].n_unique() > 1:
        columns.insert(0, Column("Part", [row["part"] or "-" for row in rows], left=True))
    hidden = tags.height - len(rows)
    gaps = [(len(rows), f"{words.count(hidden, 'more name')}; --full lists them")] if hidden else []
    return Table("Scalars", columns, gaps=gaps)


def epochs_table(analysis: Analysis, limit: int | None, *, brief: bool | None = None) -> Table:
    """One row an epoch: time, and each metric as shown and as rebuilt.

    Args:
        analysis: the analysis.
        limit: rows to show: the first, the last and those with a finding; None for all.
        brief: only the most important times; by default where rows are left out.
    """
    known = facts(analysis)
    worst = _worst(known.findings)
    every = list(zip(known.epochs.list("run"), known.epochs.list("epoch"), strict=True))
    keep = _chosen([worst.get(key) for key in every], limit)
    gaps = _gaps(keep, len(every))
    epochs, keys = Picked(known.epochs, np.array(keep, int)), [every[i] for i in keep]
    stars = ["*" if key in worst else "" for key in keys]
    columns = _key_columns(epochs, stars, many=analysis.runs.height > 1)
    fixed = len(columns)
    columns += _time_columns(epochs, brief=limit is not None if brief is None else brief)
    for name, validation in metrics_of(analysis):
        for part in (name, validation) if validation else (name,):
            columns += _metric_columns(part, _Cells(known, part, keys), group=name)
    heads = {column.head for column in columns}
    known_heads = LEGEND | EVENT_LEGEND if analysis.source.unit == "scalar" else LEGEND
    legend = [text for head, text in known_heads.items() if head in heads]
    if any(stars):
        legend.append("*: see the findings.")
    return Table("Epochs", columns, keys=fixed, gaps=gaps, legend=legend)


def _worst(findings: list[dict[str, Any]]) -> dict[tuple[int, int], int]:
    """Rank of the worst finding by run and epoch, 0 for an error."""
    worst: dict[tuple[int, int], int] = {}
    for row in findings:
        key, rank = (row["run"], row["epoch"]), SEVERITIES.index(row["severity"])
        worst[key] = min(rank, worst.get(key, rank))
    return worst


def _chosen(ranks: list[int | None], limit: int | None) -> list[int]:
    """Rows to show: some from either end, then those with the worst findings, then the first."""
    n = len(ranks)
    if limit is None or n <= limit:
        return list(range(n))
    ends = max(limit // 4, 1)
    keep = {*range(ends), *range(n - ends, n)}
    flagged = sorted((rank, i) for i, rank in enumerate(ranks) if rank is not None)
    for i in (*(i for _, i in flagged), *range(n)):
        if len(keep) >= limit:
            break
        keep.add(i)
    return sorted(keep)


def _gaps(keep: list[int], n: int) -> list[tuple[int, str]]:
    gaps = []
    for row, (before, after) in enumerate(pairwise([*keep, n]), start=1):
        if after - before > 1:
            gaps.append((row, f"... {words.count(after - before - 1, 'epoch')} hidden"))
    if gaps:
        gaps[-1] = (gaps[-1][0], gaps[-1][1] + "; --full shows all")
    return gaps


def _key_columns(epochs: Picked, stars: list[str], *, many: bool) -> list[Column]:
    columns = [Column("Run", [str(run) for run in epochs.list("run")])] if many else []
    numbers = epochs.list("epoch")
    marked = [f"{number}{star}" for number, star in zip(numbers, stars, strict=True)]
    # The star hangs over the edge, so that the numbers stay aligned.
    edge = any(stars)
    cells = [text if not edge or text.endswith("*") else f"{text} " for text in marked]
    columns.append(Column("Epoch", cells))
    labels = epochs.list("label")
    # A label that repeats the number, or is always 1/1 in an outer loop, is noise.
    if len(set(labels)) > 1 and any(
        label is not None and label.partition("/")[0] != str(number)
        for label, number in zip(labels, numbers, strict=True)
    ):
        columns.append(Column("Printed", [shorten(label or "-", NAME) for label in labels]))
    return columns


BRIEF = ("Time", "A step")
"""Times in a short table; the findings tell of the others where they matter."""


def _time_columns(epochs: Picked, *, brief: bool) -> list[Column]:
    columns = []
    steps, of = epochs.list("steps"), epochs.list("of")
    if len(set(steps)) > 1 or not all(epochs.list("complete")):
        cells = [_of(done, whole) for done, whole in zip(steps, of, strict=True)]
        columns.append(Column("Steps", cells))
    for head, name in (
        ("Time", "seconds"),
        ("A step", "step_seconds"),
        ("Step 1", "first_step_seconds"),
        ("Validation", "validation_seconds"),
    ):
        if brief and head not in BRIEF:
            continue
        values = epochs.list(name)
        if any(value is not None for value in values):
            if name == "seconds":
                bounds = zip(epochs.list("seconds_low"), epochs.list("seconds_high"), strict=True)
                pairs = zip(values, bounds, strict=True)
                cells = [words.duration(value, *pair) for value, pair in pairs]
            else:
                cells = [words.duration(value) for value in values]
            columns.append(Column(head, cells))
    return columns


class _Cells:
    """The rows of one metric beside those of some epochs, None where an epoch lacks it."""

    def __init__(self, known: Facts, metric: str, keys: list[tuple[int, int]]) -> None:
        self._columns = known.metrics
        number = known.metrics.list("epoch")
        runs = dict.fromkeys(run for run, _ in keys)
        rows = {
            (run, number[row]): row
            for run in runs
            for row in known.metric(run, metric).rows.tolist()
        }
        self._rows = [rows.get(key) for key in keys]

    def __getitem__(self, name: str) -> list[Any]:
        column = self._columns.list(name)
        return [None if row is None else column[row] for row in self._rows]

    def bounds(self, name: str) -> zip[tuple[Any, Any, Any]]:
        """Value, lower and upper bound of each."""
        return zip(self[name], self[f"{name}_low"], self[f"{name}_high"], strict=True)


def _metric_columns(name: str, rows: _Cells, group: str) -> list[Column]:
    head = "shown" if name == group else shorten(name, NAME)
    group = shorten(group, NAME)
    shown = rows["shown"]
    columns = [Column(head, [words.shown(value) for value in shown], group)]
    # With the events beside the text, the mean is known to more digits than were printed.
    if any(
        _off(printed, low, high) and words.shown(printed) != words.shown(mean)
        for printed, (mean, low, high) in zip(shown, rows.bounds("mean"), strict=True)
    ):
        means = [words.estimate(*mean) for mean in rows.bounds("mean")]
        columns.append(Column("true mean", means, group, "rebuilt"))
    ends = zip(rows.bounds("end"), shown, strict=True)
    levels = [_told(*end, number) for end, number in ends]
    # A level without any width was not rebuilt: it repeats what is shown.
    if any(None not in level and level[2] > level[1] for level in levels):
        cells = [words.estimate(*level) for level in levels]
        columns.append(Column("really at end", cells, group, "rebuilt"))
    return columns


def _told(value: Any, low: Any, high: Any, shown: Any) -> tuple[Any, Any, Any]:
    """A level with its band; none where the band is wider than the number shown is large."""
    wide = None not in (low, high, shown) and high - low > abs(shown)
    return (None, None, None) if wide else (value, low, high)


def _off(value: float | None, low: float | None, high: float | None) -> bool:
    """Whether a finite value lies outside of its bounds, as far as there are any."""
    if value is None or not math.isfinite(value):
        return False
    return (low is not None and value < low) or (high is not None and value > high)


def _of(done: int, whole: int | None) -> str:
    return f"{done:,}/{whole:,}" if whole else f"{done:,}"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
