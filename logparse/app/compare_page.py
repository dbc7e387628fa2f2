"""Several logs in, what differs between them out: verdicts, curves over one another, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import streamlit as st

from logparse.app import drawing
from logparse.app.sidebar import titles
from logparse.app.store import Log
from logparse.app.tables_tab import text_table
from logparse.app.text import plain
from logparse.comparison.compare import Comparison, compare
from logparse.errors import LogparseError, UsageError
from logparse.reports import figures
from logparse.reports.comparison import View, markdown_report, view
from logparse.reports.comparison_json import csv_report, json_report
from logparse.reports.safe import shorten, visible

MOST = 12
"""Logs drawn over one another."""

SMOOTHING = (None, 1, 5, 20, 100, 500, 2000)
"""Batches averaged; None for what suits the length of the runs."""

Report = Callable[[Comparison], Iterator[str]]

FORMS: dict[str, tuple[str, Report]] = {
    "md": ("Markdown", markdown_report),
    "json": ("JSON", json_report),
    "csv": ("CSV", csv_report),
}
"""What a comparison can be saved as."""


def draw(logs: list[Log]) -> None:
    """Draw the page that compares."""
    title, save = st.columns([4, 1], vertical_alignment="bottom")
    title.header("Compare", anchor=False)
    picked = _pick(logs)
    if not picked:
        st.text("Choose the logs to lay over one another; more can be added in the sidebar.")
        return
    found = None
    if len(picked) == 1:
        st.text("One log so far; with a second one, two trainings can be compared.")
    else:
        found = _compared(picked)
    shown = view(found, full=True) if found else None
    if shown:
        _verdicts(shown)
    _curves(picked, titles(logs))
    if found and shown:
        for table in shown.tables:
            st.subheader(plain(table.title), anchor=False)
            text_table(table)
        for note in shown.notes:
            st.text(note)
        with save:
            _save(found)


def _pick(logs: list[Log]) -> list[Log]:
    """The logs to compare, the baseline first."""
    by_id = {log.id: log for log in logs}
    names = titles(logs)
    which, base = st.columns([3, 1])
    chosen = which.multiselect(
        "Logs",
        list(by_id),
        default=list(by_id)[:MOST],
        max_selections=MOST,
        format_func=lambda id: shorten(names[id], 60),
        key="compared",
        persist_state="session",
    )
    first = base.selectbox(
        "Baseline",
        chosen,
        format_func=lambda id: shorten(names[id], 60),
        key="baseline",
        persist_state="session",
        help="What the others are measured against.",
    )
    return [by_id[id] for id in sorted(chosen, key=lambda id: id != first)]


def _compared(picked: list[Log]) -> Comparison | None:
    """The comparison; kept while the same logs are compared."""
    analyses = [log.analysis for log in picked]
    before, found = st.session_state.get("comparison", ([], None))
    if len(before) == len(analyses) and all(a is b for a, b in zip(before, analyses, strict=True)):
        kept: Comparison | None = found
        return kept
    try:
        with st.spinner("Comparing"):
            made = compare(*analyses)
    except LogparseError as error:
        st.text(visible(str(error)))
        return None
    st.session_state["comparison"] = (analyses, made)
    return made


def _verdicts(shown: View) -> None:
    """Which is faster and how sure, one card a side."""
    st.text(shown.baseline)
    for one in shown.verdicts:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                if one.severity:
                    drawing.severity(one.severity)
                st.markdown(f"**{one.label}** {plain(one.name)}", width="content")
            st.text(f"{one.code} {one.text}".strip())
            if one.advice:
                st.text(f"What to do: {one.advice}")


def _curves(picked: list[Log], names: dict[str, str]) -> None:
    """One metric of all of them in one figure."""
    shared = _metrics(picked)
    if not shared:
        st.text("These logs show no metric.")
        return
    metric, align, smoothing = _controls(picked, shared)
    try:
        with st.spinner(drawing.WAIT):
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


def _save(found: Comparison) -> None:
    """The comparison as files."""
    with st.popover("Report", icon=":material/download:", width="stretch"):
        for form, (title, report) in FORMS.items():
            st.download_button(
                title,
                partial(_joined, report, found),
                f"comparison.{form}",
                key=f"comparison-{form}",
                on_click="ignore",
                width="stretch",
            )


def _joined(report: Report, found: Comparison) -> bytes:
    return "".join(report(found)).encode()
