"""Tables of an analysis in, the columns of text that a person reads out."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from logparse.reports import words
from logparse.reports.safe import shorten, visible

if TYPE_CHECKING:
    import polars as pl

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
    import polars as pl

    times = analysis.epochs.group_by("run", maintain_order=True).agg(
        pl.when(pl.col("seconds").null_count() == 0).then(pl.col("seconds").sum()).alias("time")
    )
    runs = analysis.runs.join(times, on="run", how="left", maintain_order="left")
    rows = runs.head(runs.height if limit is None else limit).rows(named=True)
    unit = f"{analysis.source.unit.capitalize()}s"
    columns = [
        Column("Run", [str(row["run"]) for row in rows]),
        Column(
            unit,
            [f"{row['first_line']:,}-{row['last_line']:,}" for row in rows],
        ),
        Column("Epochs", [_of(row["epochs"], row["of"]) for row in rows]),
        Column("Steps", [_count(row["steps_per_epoch"]) for row in rows]),
        Column("Time", [words.duration(row["time"]) for row in rows]),
        Column("Keras", [visible(row["keras"] or "-") for row in rows], left=True),
        Column("Averages", [visible(row["law"] or "undecided") for row in rows], left=True),
    ]
    if analysis.runs["channel"].null_count() < analysis.runs.height:
        cells = [shorten(row["channel"] or "-", NAME) for row in rows]
        columns.append(Column("Worker", cells, left=True))
    hidden = runs.height - len(rows)
    gaps = [(len(rows), f"{words.count(hidden, 'more run')}; --full lists them")] if hidden else []
    return Table("Runs", columns, gaps=gaps)


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
    import polars as pl

    epochs = analysis.epochs
    worst = _worst(analysis)
    keep = _chosen([worst.get(key) for key in epochs.select("run", "epoch").rows()], limit)
    gaps = _gaps(keep, epochs.height)
    if len(keep) < epochs.height:
        epochs = epochs[keep]
    keys = epochs.select("run", "epoch")
    stars = ["*" if key in worst else "" for key in keys.rows()]
    columns = _key_columns(epochs, stars, many=analysis.runs.height > 1)
    fixed = len(columns)
    columns += _time_columns(epochs, brief=limit is not None if brief is None else brief)
    names: list[str] = analysis.metrics["metric"].unique(maintain_order=True).to_list()
    for name in names:
        if name.startswith("val_") and name[4:] in names:
            continue
        for part in (name, f"val_{name}") if f"val_{name}" in names else (name,):
            one = analysis.metrics.filter(pl.col("metric") == part)
            one = keys.join(one, on=("run", "epoch"), how="left", maintain_order="left")
            columns += _metric_columns(part, one, group=name)
    heads = {column.head for column in columns}
    legend = [text for head, text in LEGEND.items() if head in heads]
    if any(stars):
        legend.append("*: see the findings.")
    return Table("Epochs", columns, keys=fixed, gaps=gaps, legend=legend)


def _worst(analysis: Analysis) -> dict[tuple[int, int], int]:
    """Rank of the worst finding by run and epoch, 0 for an error."""
    worst: dict[tuple[int, int], int] = {}
    for run, epoch, severity in analysis.findings.select("run", "epoch", "severity").rows():
        rank = SEVERITIES.index(severity)
        worst[run, epoch] = min(rank, worst.get((run, epoch), rank))
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


def _key_columns(epochs: pl.DataFrame, stars: list[str], *, many: bool) -> list[Column]:
    columns = [Column("Run", [str(run) for run in epochs["run"]])] if many else []
    numbers = epochs["epoch"].to_list()
    marked = [f"{number}{star}" for number, star in zip(numbers, stars, strict=True)]
    # The star hangs over the edge, so that the numbers stay aligned.
    edge = any(stars)
    cells = [text if not edge or text.endswith("*") else f"{text} " for text in marked]
    columns.append(Column("Epoch", cells))
    labels = epochs["label"].to_list()
    # A label that repeats the number, or is always 1/1 in an outer loop, is noise.
    if len(set(labels)) > 1 and any(
        label is not None and label.partition("/")[0] != str(number)
        for label, number in zip(labels, numbers, strict=True)
    ):
        columns.append(Column("Printed", [shorten(label or "-", NAME) for label in labels]))
    return columns


BRIEF = ("Time", "A step")
"""Times in a short table; the findings tell of the others where they matter."""


def _time_columns(epochs: pl.DataFrame, *, brief: bool) -> list[Column]:
    columns = []
    steps, of = epochs["steps"].to_list(), epochs["of"].to_list()
    if len(set(steps)) > 1 or not epochs["complete"].all():
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
        if epochs[name].null_count() < epochs.height:
            bounds = epochs.select("seconds_low", "seconds_high").rows()
            known = name == "seconds"
            cells = [
                words.duration(value, *(pair if known else ()))
                for value, pair in zip(epochs[name].to_list(), bounds, strict=True)
            ]
            columns.append(Column(head, cells))
    return columns


def _metric_columns(name: str, rows: pl.DataFrame, group: str) -> list[Column]:
    head = "shown" if name == group else shorten(name, NAME)
    group = shorten(group, NAME)
    columns = [Column(head, [words.shown(value) for value in rows["shown"].to_list()], group)]
    low, high, shown = rows["mean_low"], rows["mean_high"], rows["shown"]
    off = (shown.is_finite() & ((shown < low) | (shown > high))).fill_null(value=False)
    apart = rows.filter(off).select("shown", "mean").rows()
    # With the events beside the text, the mean is known to more digits than were printed.
    if any(words.shown(printed) != words.shown(mean) for printed, mean in apart):
        columns.append(Column("true mean", _estimates(rows, "mean"), group, "rebuilt"))
    # A level without any width was not rebuilt: it repeats what is shown.
    if (rows["end"].is_not_null() & (rows["end_high"] > rows["end_low"])).any():
        columns.append(Column("really at end", _estimates(rows, "end"), group, "rebuilt"))
    return columns


def _estimates(rows: pl.DataFrame, of: str) -> list[str]:
    bounds = rows.select(of, f"{of}_low", f"{of}_high").rows()
    return [words.estimate(value, low, high) for value, low, high in bounds]


def _of(done: int, whole: int | None) -> str:
    return f"{done:,}/{whole:,}" if whole else f"{done:,}"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
