"""Findings in, cards out; each leads to its place in the curve and to the lines of the log."""

from __future__ import annotations

import streamlit as st

from logparse.app import drawing
from logparse.app.store import Log
from logparse.app.text import plain
from logparse.errors import LogparseError
from logparse.findings.registry import RULES
from logparse.reading.excerpt import Line, excerpt
from logparse.reports import figures
from logparse.reports.safe import shorten, visible
from logparse.reports.view import Group, View

PLACES = 5
"""Findings of one rule that are shown until all are asked for."""

AROUND = 4
"""Lines of the log before and after the one looked at."""

WIDE = 400
"""Characters of a line of the log; the rest is cut."""

EVENTS = "tfevents"
"""The reader whose lines are records, which cannot be read by eye."""


def findings(log: Log, shown: View) -> None:
    """All findings, the worst first; the one asked for in the URL, or the first, is open."""
    if not shown.groups:
        st.text("No rule fired: nothing in this log is out of the ordinary.")
        return
    known = {_id(group, i) for group in shown.groups for i in range(len(group))}
    if st.session_state.get("finding", "") not in known | {"-"}:
        asked = st.query_params.get("finding")
        st.session_state["finding"] = asked if asked in known else _id(shown.groups[0], 0)
    for group in shown.groups:
        _card(log, group)


def _id(group: Group, i: int) -> str:
    return f"{group.code}.{i + 1}"


def _open(id: str) -> None:
    st.session_state["finding"] = id
    if id == "-":
        st.query_params.pop("finding", None)
    else:
        st.query_params["finding"] = id


def _card(log: Log, group: Group) -> None:
    """One rule: what it means, where it fired, what to do."""
    with st.container(border=True, key=f"card-{group.code}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            drawing.severity(group.severity)
            st.markdown(f"**{plain(group.code)}** {plain(group.title)}", width="content")
        everything = st.session_state.get(f"all-{group.code}", False)
        opened = st.session_state["finding"]
        for i in range(len(group) if everything else min(PLACES, len(group))):
            _place(log, group, i, opened=opened == _id(group, i))
        if len(group) > PLACES:
            if not everything:
                st.text(f"Also {group.others(PLACES)}.")
            st.toggle(f"Show all {len(group):,} places", key=f"all-{group.code}")
        if group.advice:
            st.text(f"What to do: {group.advice}")
        _explained(group)


def _place(log: Log, group: Group, i: int, *, opened: bool) -> None:
    """One finding with its arithmetic, and what it leads to."""
    id = _id(group, i)
    st.text(f"{group.where(i)}: {group.message(i)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Hide" if opened else "Show where",
            key=f"show-{id}",
            icon=":material/visibility_off:" if opened else ":material/my_location:",
            on_click=_open,
            args=("-" if opened else id,),
        )
        if arithmetic := group.arithmetic(i):
            st.caption(plain(arithmetic, 300), width="content")
    if opened:
        _evidence(log, group, i)


def _explained(group: Group) -> None:
    rule = RULES.get(group.code)
    if rule is None:
        return
    with st.popover("How this is computed, and when it is wrong", type="tertiary"):
        st.text(rule.summary)
        st.text(f"How: {rule.computed}")
        st.text(f"When it is wrong: {rule.wrong_when}")


def _evidence(log: Log, group: Group, i: int) -> None:
    row = group.rows[i]
    try:
        with st.spinner(drawing.WAIT):
            _figure(log, group, i)
    except LogparseError as error:
        st.text(visible(str(error)))
    if row["line"] is not None:
        lines(log, int(row["line"]))


def _figure(log: Log, group: Group, i: int) -> None:
    """The figure that shows a finding, at its place."""
    row = group.rows[i]
    key, theme = f"evidence-{_id(group, i)}", drawing.theme()
    where, epoch = group.where(i), row["epoch"]
    if row["metric"] is not None:
        name = row["metric"]
        known = [metric.name for metric in figures.metrics_of(log.analysis)]
        if name.startswith("val_") and name not in known:
            name = name[4:]
        figure = figures.curves(log.analysis, name, run=row["run"], theme=theme)
        if epoch is not None:
            drawing.focus_curve(figure, int(epoch))
    elif group.code.startswith(("LP2", "LP4")) and row["run"] is not None:
        figure = figures.times(log.analysis, run=row["run"], theme=theme)
        if epoch is not None:
            drawing.focus_bar(figure, int(epoch))
    else:
        return
    drawing.show(figure, key=key, alt=f"The place of this finding: {where}", height=340)


def lines(log: Log, line: int) -> None:
    """The lines of the log about one of them, with their numbers; an event file has none."""
    if log.analysis.source.reader == EVENTS:
        st.caption(f"Scalar {line:,} of the training's event files, in order of time")
        return
    found = excerpt(log.file.spec, log.name, max(line - AROUND, 1), line + AROUND)
    if not found:
        return
    st.caption(f"The log about line {line:,}")
    width = len(f"{found[-1].number:,}")
    text = "\n".join(row for one in found for row in _rows(one, width, mark=one.number == line))
    with st.container(key=f"log-lines-{line}"):
        st.code(text, language=None, wrap_lines=True)


def _rows(line: Line, width: int, *, mark: bool) -> list[str]:
    """A line of the log as one to three rows: where it was redrawn, its first and last look."""
    number = f"{'>' if mark else ' '} {line.number:>{width},}"
    texts = [shorten(text, WIDE) for text in line.texts] or [""]
    if line.redraws:
        texts.insert(1, f"... drawn {line.redraws:,} more times in this place ...")
    blank = " " * len(number)
    return [f"{number if i == 0 else blank} | {text}" for i, text in enumerate(texts)]
