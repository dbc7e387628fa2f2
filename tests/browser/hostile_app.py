"""The app over an analysis with a hostile text in every text field; run by test_app_hostile.py.

With ``labels`` as its argument: every kind of widget whose label Streamlit reads as markdown.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import streamlit as st

from logparse.app import evidence, main, sidebar, work
from logparse.app.store import Store
from logparse.app.text import plain
from tests.browser.payloads import LINES, NAME, PAYLOADS, in_every_field


def labels() -> None:
    """Every place of the app that takes ``plain`` text, with every payload."""
    for payload in PAYLOADS:
        st.header(plain(payload), anchor=False)
        st.metric(plain(payload, 30), plain(payload), f"printed {plain(payload)}", border=True)
        st.markdown(f"**{plain(payload)}** {plain(payload)}", width="content")
        st.caption(plain(payload, 300))
    st.radio(
        "Logs", PAYLOADS, format_func=lambda p: plain(p, 60), captions=list(map(plain, PAYLOADS))
    )


if "labels" in sys.argv[1:]:
    labels()
else:
    work.analyze_many = lambda specs, **options: iter([in_every_field()])
    sidebar.FAILURES = evidence.PLACES = len(PAYLOADS)
    if "store" not in st.session_state:
        st.session_state["store"] = held = Store()
        held.upload(NAME, LINES)
        held.notices = list(PAYLOADS)
    main()
