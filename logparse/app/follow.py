"""A path that was named at the start in, a page that grows with it out."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from logparse.again import text_again
from logparse.analysis import options_of
from logparse.app.store import File, Given, Log, Store
from logparse.errors import LogparseError
from logparse.pipeline import Options
from logparse.reading.archives import printable
from logparse.reading.detect import EVENTS
from logparse.reading.follow import GOES_ON, News
from logparse.reading.source import expand
from logparse.reports import words
from logparse.watch import Source, TextSource

SECONDS = 2
"""Between two looks at the file."""

COST = 10
"""Times that an analysis took which must pass before the next."""


@dataclass(slots=True)
class Tail:
    """A log that is read on from where it was left."""

    id: str
    given: Given
    source: Source
    due: float = 0.0
    """When it may be analysed next."""
    dirty: bool = False
    """Something came since the last analysis."""


def follow(store: Store, log: Log) -> None:
    """A switch to follow the log; only for paths that the one who started the app named."""
    if log.file.path is None:
        return
    if st.toggle("Follow this log as it grows", key="follow", bind="query-params"):
        _watch(store, log)
    else:
        st.session_state.pop("tail", None)


@st.fragment(run_every=SECONDS)
def _watch(store: Store, log: Log) -> None:
    """Look whether there is more than at the last look, and show it."""
    found = _look(log.file)
    tail = _tail(store, log) if found else None
    if tail:
        if _read_on(store, log.file, tail):
            st.rerun()
    elif found and found != store.version(log.file):
        store.changed(log.file, found)
        st.rerun()
    size, _, when = found.partition("@")
    if when:
        clock = datetime.fromtimestamp(float(when)).strftime("%H:%M:%S")
        st.caption(f"{words.count(int(size), 'byte')}, last written at {clock}")
    else:
        st.caption("The log is not there at the moment.")


def _tail(store: Store, log: Log) -> Tail | None:
    """What reads on where it left off; None for archives and folders of logs, read as a whole."""
    path, given = log.file.path, store.given.get(log.file.id, ())
    assert path is not None
    kept: Tail | None = st.session_state.get("tail")
    if kept and kept.id == log.file.id and kept.given == given:
        return kept
    st.session_state.pop("tail", None)
    source = _source(path, log, options_of(**dict(given)))
    if source is None:
        return None
    tail = Tail(log.file.id, given, source)
    with st.spinner("Reading up to its end"):
        _poll(tail)
        if source.analysis() is None:  # not a plain text
            return None
    tail.dirty = source.size != log.analysis.source.size
    st.session_state["tail"] = tail
    return tail


def _source(path: str, log: Log, options: Options) -> Source | None:
    if log.analysis.source.reader == EVENTS:
        from logparse.live_events import LiveEvents

        # A folder of several runs is read as a whole.
        return LiveEvents(path, options) if log.name == printable(path) else None
    if not os.path.isfile(path):
        return None
    return TextSource(path, options, log.name, lambda: text_again(path, log.name, options))


def _poll(tail: Tail) -> bool:
    """Read what is new; False if the file is another one now."""
    for item in tail.source.poll():
        if isinstance(item, News) and item.kind not in GOES_ON:
            return False
        tail.dirty = True
    return True


def _read_on(store: Store, file: File, tail: Tail) -> bool:
    """Whether there is something new to show; a file that began anew is read anew."""
    try:
        goes_on = _poll(tail)
    except LogparseError:
        goes_on = False
    if not goes_on:
        st.session_state.pop("tail", None)
        store.again(file)
        return True
    if not tail.dirty or time.monotonic() < tail.due:
        return False
    begun = time.monotonic()
    found = tail.source.analysis()
    tail.due = time.monotonic() + COST * (time.monotonic() - begun)
    tail.dirty = False
    if found is None:
        return False
    store.put(store.key(file), [found])
    return True


def _look(file: File) -> str:
    """Size and time of the last change of all that a path holds; empty if it is gone."""
    assert file.path is not None
    try:
        found = [os.stat(path) for path in expand([file.path])]
    except (LogparseError, OSError):
        return ""
    size = sum(one.st_size for one in found)
    return f"{size}@{max(one.st_mtime for one in found)}"
