"""How a log was read in, that in words out; and the form to have it read another way."""

from __future__ import annotations

from typing import Any

import streamlit as st

from logparse.app.evidence import EVENTS, lines
from logparse.app.store import Log, Store
from logparse.app.tables_tab import text_table
from logparse.errors import UsageError
from logparse.reports.safe import visible
from logparse.reports.view import View, account_table
from logparse.training.versions import SHOWN_LAWS, law_of_keras

BY_ITSELF = "decided from the log"


def draw(store: Store, log: Log, shown: View) -> None:
    """The account of the bytes, the law and its reason, what was printed between the lines."""
    for name, text in shown.notes:
        with st.container(horizontal=True, vertical_alignment="top"):
            st.markdown(f"**{name}**", width=110)
            st.text(text, width="stretch")
    account = account_table(log.analysis)
    with st.expander(account.title):
        text_table(account)
    _form(store, log)
    _lines(log)


def _form(store: Store, log: Log) -> None:
    given = dict(store.given.get(log.file.id, ()))
    st.subheader("Read it another way", anchor=False)
    with st.form("options", border=True):
        law_column, keras_column, batch_column = st.columns(3)
        choices = [BY_ITSELF, *SHOWN_LAWS]
        law = law_column.selectbox(
            "How Keras averaged", choices, index=choices.index(given.get("law", BY_ITSELF))
        )
        keras = keras_column.text_input(
            "Keras version that wrote it", given.get("keras", ""), placeholder="like 3.10"
        )
        batch = batch_column.number_input(
            "Samples in a batch", min_value=1, value=given.get("batch_size"), placeholder="unknown"
        )
        sent = st.form_submit_button("Read again")
    if not sent:
        return
    asked: dict[str, Any] = {}
    if law != BY_ITSELF:
        asked["law"] = law
    if keras.strip():
        asked["keras"] = keras.strip()
    if batch:
        asked["batch_size"] = int(batch)
    try:
        if "keras" in asked:
            law_of_keras(asked["keras"])
    except UsageError as error:
        st.text(visible(str(error)))
        return
    store.read_as(log.file.id, tuple(sorted(asked.items())))
    st.rerun()


def _lines(log: Log) -> None:
    if log.analysis.source.reader == EVENTS or not log.analysis.source.lines:
        return
    st.subheader("Lines of the log", anchor=False)
    most = max(log.analysis.source.lines, 1)
    line = st.number_input("Line", min_value=1, max_value=most, value=1, key="line")
    lines(log, int(line))
