"""What is loaded in, the sidebar out: add files, choose a log, see what could not be read."""

from __future__ import annotations

import streamlit as st

from logparse.app import drawing
from logparse.app.store import File, Log, Store, packed, short_name
from logparse.app.text import plain
from logparse.reports import words
from logparse.reports.epochs import SEVERITIES
from logparse.reports.safe import shorten, visible

LISTED = 12
"""Logs up to which all are listed; more go into a box to search in."""

FAILURES = 20
"""Failures shown one by one."""

NAME = 60
"""Characters of a log's name in the list."""


def draw(store: Store) -> None:
    """Draw the sidebar."""
    if not store.files:
        return
    with st.sidebar:
        logs = store.logs()
        _choose(logs)
        if logs:  # else the page itself has all this
            with st.expander("Add logs", icon=":material/upload_file:"):
                uploader(store, "side")
            _failures(store)
            notices(store)
        with st.expander("Remove", icon=":material/delete:"):
            _remove(store)


def selected(store: Store) -> Log | None:
    """The log that is looked at, None if there is none."""
    logs = {log.id: log for log in store.logs()}
    return logs.get(st.session_state.get("log", ""))


def uploader(store: Store, place: str) -> None:
    """Take files or a folder; what was taken leaves the widget, so that it can take more."""
    whole = st.segmented_control(
        "What to add",
        ["Files", "Folder"],
        default="Files",
        required=True,
        key=f"{place}-kind",
        label_visibility="collapsed",
    )
    turn = st.session_state.setdefault("turn", 0)
    key = f"{place}-{whole}-{turn}"
    st.file_uploader(
        "Training logs, event files, or archives of them"
        if whole == "Files"
        else "A folder of logs or of TensorBoard events",
        accept_multiple_files=True if whole == "Files" else "directory",
        key=key,
        on_change=_receive,
        args=(store, key),
    )
    st.caption(
        f"Up to {st.get_option('server.maxUploadSize')} MB a file; packed files and archives are "
        "read as they are. "
        "They stay in the memory of this computer and are forgotten soon after you close the page."
    )


def _receive(store: Store, key: str) -> None:
    store.notices.clear()
    files = [(file.name, file.getvalue()) for file in st.session_state[key] or []]
    for name, data in packed(files):
        store.upload(name, data, among="/" in name)
    st.session_state["turn"] += 1


def _choose(logs: list[Log]) -> None:
    """The list of logs; the one chosen is in the URL."""
    ids = [log.id for log in logs]
    if not ids:
        st.session_state.pop("log", None)
        return
    if st.session_state.get("log") not in ids:
        # A change of page forgets what was chosen in its widget.
        asked = [st.session_state.get("chosen"), st.query_params.get("log"), ids[0]]
        st.session_state["log"] = next(id for id in asked if id in ids)
    by_id = {log.id: log for log in logs}
    names = titles(logs)
    if len(logs) <= LISTED:
        st.radio(
            "Logs",
            ids,
            format_func=lambda id: plain(names[id], NAME),
            captions=[_caption(log) for log in logs],
            key="log",
            on_change=_open_it,
        )
    else:
        st.selectbox(
            "Logs",
            ids,
            format_func=lambda id: shorten(names[id], NAME),
            key="log",
            on_change=_open_it,
        )
        st.caption(_caption(by_id[st.session_state["log"]]))
    st.query_params["log"] = st.session_state["log"]


def _open_it() -> None:
    """From whatever page: a log that is chosen is shown."""
    st.session_state["opened"] = True
    st.session_state["chosen"] = st.session_state["log"]


def titles(logs: list[Log]) -> dict[str, str]:
    """The short name of each log; where two are equal, their number, too."""
    ends = {log.id: short_name(log) for log in logs}
    seen: dict[str, int] = {}
    found = {}
    for id, end in ends.items():
        seen[end] = seen.get(end, 0) + 1
        found[id] = end if seen[end] == 1 else f"{end} ({seen[end]})"
    return found


def _caption(log: Log) -> str:
    """Epochs and findings in short."""
    severities = log.analysis.findings["severity"].to_list()
    counts = {severity: severities.count(severity) for severity in SEVERITIES}
    parts = [words.count(log.analysis.epochs.height, "epoch")]
    parts += [
        words.count(n, drawing.SEVERITIES[severity][2]) for severity, n in counts.items() if n
    ]
    return ", ".join(parts)


def _failures(store: Store) -> None:
    found = [(file, one) for file, one in store.failures() if not one.skipped]
    passed = [one for _, one in store.failures() if one.skipped]
    if found:
        title = words.count(len(found), "file")
        with st.expander(f"{title} not read", icon=":material/error:", expanded=True):
            for file, one in found[:FAILURES]:
                st.text(visible(str(one.error)))
                st.button(
                    "Read again",
                    key=f"again-{file.id}-{one.name}",
                    on_click=store.again,
                    args=(file,),
                )
            if len(found) > FAILURES:
                st.text(f"and {len(found) - FAILURES:,} more")
    if passed:
        with st.expander(f"{words.count(len(passed), 'file')} passed over"):
            for one in passed[:FAILURES]:
                st.text(visible(str(one.error)))
            if len(passed) > FAILURES:
                st.text(f"and {len(passed) - FAILURES:,} more")


def notices(store: Store) -> None:
    """What could not be taken."""
    for notice in store.notices:
        with st.container(border=True):
            st.text(visible(notice))


def _remove(store: Store) -> None:
    files: dict[str, File] = store.files
    chosen = st.multiselect(
        "Files to remove",
        list(files),
        format_func=lambda id: shorten(files[id].name, NAME),
        key="remove",
        placeholder="Choose files",
    )
    st.button("Remove these", disabled=not chosen, on_click=_forget, args=(store, chosen))
    st.button("Remove all", on_click=_forget, args=(store, list(files)))


def _forget(store: Store, ids: list[str]) -> None:
    for id in ids:
        store.remove(id)
    st.session_state["remove"] = []
