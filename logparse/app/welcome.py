"""Nothing loaded in, what tells a newcomer what to do out: a place to drop logs, and samples."""

from __future__ import annotations

import streamlit as st

from logparse.app import sidebar
from logparse.app.store import Store
from logparse.reports.safe import visible
from logparse.samples import SAMPLES, Sample

PROMISE = (
    "Keras prints running averages, rounds them, and throws most of them away. "
    "Drop a log here and see what really happened in each batch, where the time went, "
    "and what to do next."
)


def draw(store: Store) -> None:
    """The page of a visitor who has loaded nothing that can be shown."""
    with st.container(key="welcome"):
        if store.files:
            _nothing(store)
        else:
            st.title("What did your training really do?", anchor=False)
            st.markdown(PROMISE)
        with st.container(border=True, key="drop"):
            sidebar.uploader(store, "main")
        sidebar.notices(store)
        st.subheader("Or look at a real log", anchor=False)
        for row in range(0, len(SAMPLES), 3):
            for column, sample in zip(st.columns(3), SAMPLES[row : row + 3], strict=False):
                with column:
                    _card(store, sample)
        st.subheader("What can be read", anchor=False)
        st.markdown(
            "What `fit` printed, under every Keras from 0.1 to 3.15 and under tf.keras, with "
            "`verbose=1` or `2`: redirect it to a file (`python train.py > train.log`), or copy it "
            "from a notebook. Files of `CSVLogger`. TensorBoard event files. Any of them packed "
            "(gzip, bzip2, xz, zstandard) or in a zip or tar archive."
        )


def _card(store: Store, sample: Sample) -> None:
    with st.container(border=True, height="stretch", key=f"sample-{SAMPLES.index(sample)}"):
        st.markdown(f"**{sample.question}**")
        st.caption(sample.shows)
        st.button(
            "Open this log",
            key=f"open-{sample.file}",
            icon=":material/play_arrow:",
            on_click=store.sample,
            args=(sample,),
        )


def _nothing(store: Store) -> None:
    """Files are loaded, but none of them could be read."""
    st.title("No training log could be read", anchor=False)
    for _, failure in store.failures()[: sidebar.FAILURES]:
        with st.container(border=True):
            st.text(visible(str(failure.error)))
    st.markdown("Add another file, or see below what can be read.")
