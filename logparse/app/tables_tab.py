"""The tables of a log in, each as a table of the page out, with its file to save."""

from __future__ import annotations

import io
from functools import partial

import polars as pl
import streamlit as st

from logparse.app.store import Log
from logparse.app.text import file_name, plain
from logparse.reports.epochs import Table
from logparse.reports.export import safe_cells, write_table
from logparse.reports.view import tables
from logparse.tables import LARGE, TABLES

MOST = 2_000_000
"""Updates up to which the large tables are made for the page."""

FORMS = ("csv", "parquet", "json")
"""What a table can be saved as."""

READ_OUT = "As in the report"


def draw(log: Log) -> None:
    """The tables, one at a time."""
    updates = int(log.analysis.epochs["updates"].sum())
    name = st.selectbox("Table", [READ_OUT, *TABLES], key="table", bind="query-params")
    if name == READ_OUT:
        for table in tables(log.analysis, None):
            text_table(table)
        return
    if name in LARGE and updates > MOST:
        st.text(
            f"{updates:,} updates are more than this page can hold. "
            f"Write them to a file: logparse export PATH --table {name} -o {name}.parquet"
        )
        return
    if name in LARGE:
        with st.spinner("Making the table"):
            found = log.analysis.table(name)
    else:
        found = log.analysis.table(name)
    config = {
        column.name: st.column_config.Column(
            column.name + (f" ({column.unit})" if column.unit else ""), help=column.meaning
        )
        for column in TABLES[name]
    }
    st.dataframe(
        safe_cells(found), hide_index=True, column_config=config, key=f"table-{name}", alt=name
    )
    with st.container(horizontal=True):
        for form in FORMS:
            st.download_button(
                f"Save as {form.upper() if form != 'parquet' else 'Parquet'}",
                partial(_file, log, name, form),
                file_name(log.name, f"-{name}.{form}"),
                key=f"save-{name}-{form}",
                on_click="ignore",
                icon=":material/download:",
            )


def _file(log: Log, name: str, form: str) -> bytes:
    """A table as a file."""
    file = io.BytesIO()
    write_table(log.analysis.table(name), file, form)
    return file.getvalue()


def text_table(table: Table) -> None:
    """A table as the reports print it."""
    title = table.title
    columns: dict[str, list[str]] = {}
    for column in table.columns:
        head = f"{column.group}, {column.head}" if column.group else column.head
        columns[head if head not in columns else f"{head} ({len(columns) + 1})"] = column.cells
    right = st.column_config.Column(alignment="right")
    config = {
        head: right for head, column in zip(columns, table.columns, strict=True) if not column.left
    }
    st.dataframe(
        pl.DataFrame(columns), hide_index=True, column_config=config, key=f"text-{title}", alt=title
    )
    if table.legend:
        st.caption("  \n".join(map(plain, table.legend)))
