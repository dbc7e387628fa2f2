"""A log in, its reports as files to save out; each is made when it is asked for."""

from __future__ import annotations

from functools import partial

import streamlit as st

from logparse.app.store import Log
from logparse.app.text import file_name
from logparse.reports.output import FORMATS, make_report

NAMES = {"html": "Web page", "md": "Markdown", "json": "JSON"}
"""Formats that can be saved, and what to call them."""


def menu(log: Log) -> None:
    """The reports of a log."""
    with st.popover("Report", icon=":material/download:", width="stretch"):
        for form, title in NAMES.items():
            st.download_button(
                title,
                partial(_report, log, form),
                file_name(log.name, FORMATS[form]),
                key=f"report-{form}",
                on_click="ignore",
                width="stretch",
            )


def _report(log: Log, form: str) -> bytes:
    """The report that ``logparse analyze -o`` writes."""
    report = make_report(form, None, color="never", full=False)
    pieces = [*report.start(), *report.log(log.analysis), *report.end()]
    return "".join(pieces).encode()
