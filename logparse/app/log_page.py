"""One log in, its page out: the verdict first, then findings, curves, times and tables."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from logparse.app import downloads, drawing, evidence, reading_tab, tables_tab
from logparse.app.follow import follow
from logparse.app.store import Log, Store, short_name
from logparse.app.text import plain
from logparse.errors import UsageError
from logparse.reports import figures
from logparse.reports.epochs import epochs_table
from logparse.reports.safe import shorten, visible
from logparse.reports.view import View, view

CARDS = 4
"""Metrics that have a card."""

NAME = 120
"""Characters of a log's name in the title."""


def draw(store: Store, log: Log) -> None:
    """Draw the page of a log."""
    shown = view(log.analysis, full=True)
    title, save = st.columns([4, 1], vertical_alignment="bottom", gap="small")
    with title:
        st.header(plain(short_name(log), NAME), anchor=False)
    with save:
        downloads.menu(log)
    if short_name(log) != log.name:
        st.text(visible(log.name))
    follow(store, log)
    with st.container(key="verdict"):
        st.text(shown.verdict[0])
    for paragraph in shown.verdict[1:]:
        st.text(paragraph)
    _cards(log)
    _tabs(store, log, shown)


def _tabs(store: Store, log: Log, shown: View) -> None:
    """What is not looked at is not drawn."""
    tabs = st.tabs(
        ["Findings", "Curves", "Time", "Tables", "Reading"], key="tab", bind="query-params"
    )
    pages: tuple[Callable[[], None], ...] = (
        lambda: evidence.findings(log, shown),
        lambda: _curves(log),
        lambda: _times(log),
        lambda: tables_tab.draw(log),
        lambda: reading_tab.draw(store, log, shown),
    )
    for tab, page in zip(tabs, pages, strict=True):
        if tab.open:
            with tab:
                page()


def _cards(log: Log) -> None:
    """The last epoch at a glance: each metric as shown and as it really was."""
    table = epochs_table(log.analysis, None)
    if not table.columns or not table.columns[0].cells:
        return
    last: dict[str, dict[str, str]] = {}
    for column in table.columns:
        if column.group:
            last.setdefault(column.group, {})[column.head] = column.cells[-1]
    cards = [(name, cells) for name, cells in last.items() if cells.get("shown", "-") != "-"]
    if not cards:
        return
    cards = cards[:CARDS]
    for place, (name, cells) in zip(st.columns(len(cards)), cards, strict=True):
        real = next(
            (cells[head] for head in ("really at end", "true mean") if cells.get(head, "-") != "-"),
            None,
        )
        place.metric(
            f"{plain(name, 30)}, last epoch",
            plain(real or cells["shown"]),
            f"shown as {cells['shown']}" if real else "as shown",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )


def run_of(log: Log, place: str) -> int | None:
    """Which run of a log to look at; asked only where there are several."""
    runs = log.analysis.epochs["run"].unique(maintain_order=True).to_list()
    if len(runs) < 2:
        return None
    found: int = st.selectbox("Run", runs, key=f"{place}-run", bind="query-params")
    return found


def _curves(log: Log) -> None:
    """One metric over the run."""
    metrics = figures.metrics_of(log.analysis)
    if not metrics:
        st.text("This log shows no metric.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = [metric.name for metric in metrics]
        metric = st.selectbox(
            "Metric", names, format_func=lambda n: shorten(n, 60), key="metric", bind="query-params"
        )
        align = st.selectbox(
            "Horizontal axis",
            figures.alignments(log.analysis),
            format_func=drawing.alignment_name,
            key="axis",
            bind="query-params",
        )
        run = run_of(log, "curve")
    try:
        with st.spinner(drawing.WAIT):
            figure = figures.curves(
                log.analysis, metric, run=run, align=align, theme=drawing.theme()
            )
    except UsageError as error:
        st.text(shorten(str(error), 400))
        return
    drawing.show(figure, key="curve", alt=f"Curve of {shorten(metric, 60)}, described in the text")
    st.caption(
        "What Keras showed is an average that runs behind. Rebuilt batches are the means of the "
        "batches between two shown values, with the band in which they lie 95 times in 100. "
        "Drag to zoom, double-click to see all; the legend switches lines on and off."
    )


def _times(log: Log) -> None:
    """Where the time went."""
    if log.analysis.epochs["seconds"].null_count() == log.analysis.epochs.height:
        st.text("This log shows no times.")
        return
    run = run_of(log, "time")
    theme = drawing.theme()
    drawing.show(
        figures.times(log.analysis, run=run, theme=theme),
        key="times",
        alt="Time of each epoch; the table of epochs holds the numbers",
        height=380,
    )
    drawing.show(
        figures.steps(log.analysis, run=run, theme=theme),
        key="steps",
        alt="Time a step takes over the run; the table of epochs holds the numbers",
        height=380,
    )
    tables_tab.text_table(epochs_table(log.analysis, None, brief=False))
