"""A path that was named at the start in, a page that grows with it out."""

from __future__ import annotations

import os
from datetime import datetime

import streamlit as st

from logparse.app.store import File, Log, Store
from logparse.errors import LogparseError
from logparse.reading.source import expand
from logparse.reports import words

SECONDS = 2
"""Between two looks at the file."""


def follow(store: Store, log: Log) -> None:
    """A switch to follow the log; only for paths that the one who started the app named."""
    if log.file.path is None:
        return
    if st.toggle("Follow this log as it grows", key="follow", bind="query-params"):
        _watch(store, log.file)


@st.fragment(run_every=SECONDS)
def _watch(store: Store, file: File) -> None:
    """Look whether the files are other than at the last look; then read them again."""
    found = _look(file)
    if found != store.version(file):
        first = not store.version(file)
        store.changed(file, found)
        if not first:
            st.rerun()
    size, _, changed = found.partition("@")
    if changed:
        when = datetime.fromtimestamp(float(changed)).strftime("%H:%M:%S")
        st.caption(f"{words.count(int(size), 'byte')}, last written at {when}")


def _look(file: File) -> str:
    """Size and time of the last change of all that a path holds."""
    assert file.path is not None
    try:
        found = [os.stat(path) for path in expand([file.path])]
    except (LogparseError, OSError):
        return ""
    size = sum(one.st_size for one in found)
    return f"{size}@{max(one.st_mtime for one in found)}"
