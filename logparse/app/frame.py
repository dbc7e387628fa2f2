"""The arguments and the session in, the page as a whole out: sidebar, work to do, pages."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

from logparse.app import compare_page, log_page, sidebar, welcome
from logparse.app.store import SESSION_BYTES, Log, Store
from logparse.app.work import Job

HERE = Path(__file__).parent
STYLE = HERE / "style.css"
ICON = str(HERE / "icon.svg")
TICK = 0.1
"""Seconds between two looks at the work."""


def draw() -> None:
    """Draw the app once."""
    st.set_page_config("logparse", page_icon=ICON, layout="wide")
    st.html(STYLE)
    st.logo(ICON, size="large")
    store = _store()
    log = st.Page(_log, title="Log", icon=":material/article:", url_path="log", default=True)
    compare = st.Page(
        _compare, title="Compare", icon=":material/compare_arrows:", url_path="compare"
    )
    chosen = st.navigation([log, compare], position="top")
    _work(store)
    sidebar.draw(store)
    if st.session_state.pop("opened", False) and chosen is not log:
        st.switch_page(log)
    chosen.run()


def _store() -> Store:
    """The store of this visitor; with the paths that the app was started with, at first."""
    if "store" not in st.session_state:
        # One file of the largest size allowed must fit, whatever that is.
        store = Store(max(SESSION_BYTES, st.get_option("server.maxUploadSize") << 20))
        st.session_state["store"] = store
        for path in sys.argv[1:]:
            store.open(path)
    found: Store = st.session_state["store"]
    return found


def _log() -> None:
    store = _store()
    log = sidebar.selected(store)
    if log is None:
        welcome.draw(store)
        return
    store.trim([log])
    log_page.draw(store, log)


def _compare() -> None:
    store = _store()
    logs: list[Log] = store.logs()
    if not logs:
        welcome.draw(store)
        return
    compare_page.draw(logs)


def _work(store: Store) -> None:
    """Read what is not read yet; a thread does it, so that the page can say how far it is."""
    pending = store.pending()
    job: Job | None = st.session_state.get("job")
    if not pending and job is None:
        return
    if job is None:
        job = st.session_state["job"] = Job(pending)
        job.start()
    place = st.empty()
    if not job.wait(TICK):
        with place.container(border=True, key="work"):
            _progress(store, job)
    place.empty()
    st.session_state["job"] = None
    for key, results in job.results.items():
        store.put(key, results)
    if store.pending():  # what came while the work went on
        _work(store)


def _progress(store: Store, job: Job) -> None:
    st.button("Stop reading", on_click=_cancel, args=(store, job), icon=":material/close:")
    bar = st.progress(0.0)
    name = st.empty()
    while not job.wait(TICK):
        # Each of these calls lets a click on the button through.
        bar.progress(job.share())
        name.text(job.said())


def _cancel(store: Store, job: Job) -> None:
    job.cancel()
    job.wait(10)
    for key, results in job.results.items():
        store.put(key, results)
    for key, file in job.files:
        if key not in job.results:
            store.cancelled(key, file)
    st.session_state["job"] = None
