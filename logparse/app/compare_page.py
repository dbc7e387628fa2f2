"""Several logs in, their runs over one another out, aligned and smoothed."""

from __future__ import annotations

import streamlit as st

from logparse.app import drawing
from logparse.app.sidebar import titles
from logparse.app.store import Log
from logparse.errors import UsageError
from logparse.reports import figures
from logparse.reports.safe import shorten, visible

MOST = 12
"""Logs drawn over one another."""

SMOOTHING = (None, 1, 5, 20, 100, 500, 2000)
"""Batches averaged; None for what suits the length of the runs."""


def draw(logs: list[Log]) -> None:
    """Draw the page that compares."""
    st.header("Compare", anchor=False)
    by_id = {log.id: log for log in logs}
    names = titles(logs)
    chosen = st.multiselect(
        "Logs",
        list(by_id),
        default=list(by_id)[:MOST],
        max_selections=MOST,
        format_func=lambda id: shorten(names[id], 60),
        key="compared",
        persist_state="session",
    )
    picked = [by_id[id] for id in chosen]
    if not picked:
        st.text("Choose the logs to lay over one another; more can be added in the sidebar.")
        return
    if len(picked) == 1:
        st.text("One log so far; with a second one, two trainings can be compared.")
    shared = _metrics(picked)
    if not shared:
        st.text("These logs show no metric.")
        return
    metric, align, smoothing = _controls(picked, shared)
    try:
        figure = figures.compared(
            [log.analysis for log in picked],
            metric,
            align=align,
            smoothing=smoothing,
            names=[names[log.id] for log in picked],
            theme=drawing.theme(),
        )
    except UsageError as error:
        st.text(visible(str(error)))
        return
    drawing.show(
        figure, key="compared-figure", alt=f"{shorten(metric, 60)} of the chosen logs", height=520
    )


def _controls(logs: list[Log], metrics: list[str]) -> tuple[str, figures.Align, int | None]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = st.selectbox(
            "Metric",
            metrics,
            format_func=lambda n: shorten(n, 60),
            key="metric",
            bind="query-params",
        )
        align = st.selectbox(
            "Align by",
            _alignments(logs),
            format_func=drawing.alignment_name,
            key="align",
            bind="query-params",
        )
        smoothing = st.select_slider(
            "Smoothing",
            SMOOTHING,
            format_func=_smoothing_name,
            key="smoothing",
            bind="query-params",
            width=320,
        )
    return metric, align, smoothing


def _smoothing_name(batches: int | None) -> str:
    if batches is None:
        return "automatic"
    return "none" if batches == 1 else f"{batches:,} batches"


def _metrics(logs: list[Log]) -> list[str]:
    """Metrics of any of the logs, those of most logs first."""
    counts: dict[str, int] = {}
    for log in logs:
        for metric in figures.metrics_of(log.analysis):
            counts[metric.name] = counts.get(metric.name, 0) + 1
    return sorted(counts, key=lambda name: -counts[name])


def _alignments(logs: list[Log]) -> list[figures.Align]:
    """Axes that all of the logs tell enough for."""
    found = [set(figures.alignments(log.analysis)) for log in logs]
    return [align for align in figures.ALIGNMENTS if all(align in one for one in found)]
