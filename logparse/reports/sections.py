"""Analysis in, the charts and tables of a page out, each chart with the table that it draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from logparse.reports import words
from logparse.reports.columns import facts, metrics_of
from logparse.reports.drawing import single, timing
from logparse.reports.drawing.frame import which
from logparse.reports.drawing.sheet import Sheet
from logparse.reports.epochs import Column, Table, epochs_table, runs_table, tags_table
from logparse.reports.safe import shorten, visible

if TYPE_CHECKING:
    from logparse.analysis import Analysis

CHARTS = 12
"""Charts of metrics on one page; more would make it too large to send."""

FEW_POINTS = 1000
"""Points of one line on a page among many: about as many as a page is wide."""

ROWS = 100
"""Rows of a table unless all are asked for: the first, the last, and those with a finding."""

CELL = 200
"""Characters of a message or an excerpt that a cell shows."""


class Chart(NamedTuple):
    """A figure, what it shows in one sentence, and its numbers."""

    title: str
    alt: str
    figure: Sheet
    table: Table


@dataclass(frozen=True, slots=True)
class Section:
    """Charts of one kind, and how to read them."""

    id: str
    title: str
    how: str
    charts: list[Chart]
    more: str = ""


CURVES = (
    "Orange: the numbers in the log, running averages that start afresh in every epoch. "
    "Thin blue: what the batches behind them did, with the band that holds the truth in 95 of 100 "
    "cases. Dark blue: where the network stood at the start and the end of each epoch, as sure. "
    "Purple marks: findings about the metric. Green: validation."
)

TIMES = "Each bar is one epoch, split as far as the log tells what it spent its time on."

STEPS = (
    "The second chart is the time of one step, over each epoch and over the shortest stretches "
    "that the clock of the log allows; the first step and validation are left out."
)


def page_epochs(analysis: Analysis, *, full: bool) -> Table:
    """The table of epochs that a page shows as a whole, and in part under each chart."""
    return epochs_table(analysis, None if full else ROWS, brief=False)


def charts(analysis: Analysis, epochs: Table, points: int) -> list[Section]:
    """The charts of a page, of so many points a line: curves, then time."""
    known = facts(analysis)
    sections = [_curves(analysis, epochs, points)] if known.runs and known.names else []
    if known.epochs.there("seconds").any():
        sections.append(_times(analysis, epochs, points))
    return [section for section in sections if section.charts]


def _curves(analysis: Analysis, table: Table, points: int) -> Section:
    """Each metric of each run, as far as one page holds them."""
    known = facts(analysis)
    wanted = [
        (run, metric.name)
        for run in known.runs
        for metric in metrics_of(analysis)
        if (run, metric.name) in known.series
    ]
    found = []
    for run, metric in wanted[:CHARTS]:
        figure = single.curves(analysis, metric, run=run, points=points)
        if not figure.data:
            continue
        name = shorten(metric, 60)
        title = f"{name}{which(analysis, run)}"
        epochs = words.count(len(known.run(run)), "epoch")
        found.append(
            Chart(
                title=title,
                alt=f"Line chart of {title} over {epochs}: as shown, and as rebuilt. Its numbers "
                "are in the table below.",
                figure=figure,
                table=_part(table, f"{name} of each epoch", group=metric),
            )
        )
    return Section("curves", "Curves", CURVES, found, _more(len(wanted) - CHARTS))


def _times(analysis: Analysis, table: Table, points: int) -> Section:
    """The times of each run, as far as one page holds them."""
    times = _part(table, "Time of each epoch", group="")
    runs = list(facts(analysis).runs)
    found = []
    for run in runs[: CHARTS // 2]:
        name = which(analysis, run)
        bars = timing.times(analysis, run=run)
        if bars.data:
            alt = f"Bar chart of the time of each epoch{name}. Its numbers are in the table below."
            found.append(Chart(f"time of each epoch{name}", alt, bars, times))
        steps = timing.steps(analysis, run=run, points=points)
        if steps.data:
            alt = f"Line chart of the time a step took{name}. Its numbers are in the table below."
            found.append(Chart(f"time a step{name}", alt, steps, times))
    hidden = _more(len(runs) - CHARTS // 2, "more run")
    return Section("time", "Time", f"{TIMES} {STEPS}", found, hidden)


def _more(hidden: int, noun: str = "more chart") -> str:
    """What a page leaves out."""
    if hidden <= 0:
        return ""
    return (
        f"{words.count(hidden, noun)} would make the page too large; the tables hold all numbers."
    )


def _part(table: Table, title: str, group: str) -> Table:
    """The columns of one group of a table, with those that name its rows."""
    keys = table.columns[: table.keys]
    chosen = [c for c in table.columns[table.keys :] if c.group == shorten(group, 32)]
    heads = {column.head for column in chosen}
    legend = [text for text in table.legend if text[0] == "*" or text.partition(":")[0] in heads]
    return replace(table, title=title, columns=[*keys, *chosen], legend=legend)


def log_tables(analysis: Analysis, epochs: Table, *, full: bool) -> Iterator[tuple[Table, bool]]:
    """The tables of a page, and whether each is open at first."""
    most = None if full else ROWS
    if analysis.runs.height > 1:
        yield runs_table(analysis, most), True
    if analysis.epochs.height:
        yield epochs, False
    if analysis.tags.height:
        yield tags_table(analysis, most), not analysis.epochs.height
    for name, title, columns in _PLAIN:
        if analysis.table(name).height:
            yield _plain(analysis, name, title, columns, most), False


_PLAIN = (
    (
        "messages",
        "Messages and notes",
        (("Line", "line"), ("Run", "run"), ("Epoch", "epoch"), ("Kind", "kind"), ("Text", "text")),
    ),
    (
        "layers",
        "Layers of the model",
        (
            ("Model", "model"), ("Layer", "layer"), ("Type", "type"), ("Output", "shape"),
            ("Parameters", "parameters"),
        ),
    ),
    (
        "rejects",
        "What could not be read",
        (("Line", "line"), ("File", "file"), ("From byte", "start"), ("To byte", "end"),
         ("Why", "kind"), ("Text", "excerpt")),
    ),
)  # fmt: skip


def _plain(
    analysis: Analysis, name: str, title: str, names: tuple[tuple[str, str], ...], most: int | None
) -> Table:
    """A table as it is, its first rows."""
    table = analysis.table(name)
    rows = table if most is None else table.head(most)
    columns = []
    for head, key in names:
        if key == "line":
            head = analysis.source.unit.capitalize()
        values = rows[key].to_list()
        left = any(isinstance(value, str) for value in values)
        columns.append(Column(head, [_cell(value) for value in values], left=left))
    hidden = table.height - rows.height
    gaps = [(rows.height, f"... {words.count(hidden, 'row')} hidden; --full shows all")]
    return Table(title, columns, gaps=gaps if hidden else [])


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else shorten(visible(str(value)), CELL)
