"""A log that ends at any byte of an update: what was shown before it stays as it is."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

import logparse

LOGS = (
    "keras-1.2.2/outer.log",
    "keras-2.3.1/slowfirst.log",
    "tf-2.3.4/messages.log",
    "keras-3.12.0/multi.log",
)
LATER = ("elapsed", "elapsed_low", "elapsed_high")
"""Told more narrowly the more lines there are."""


@pytest.mark.parametrize("name", LOGS)
def test_what_was_shown_before_the_end_stays(sample_logs: Path, name: str) -> None:
    data = (sample_logs / name).read_bytes()
    whole = logparse.analyze(BytesIO(data)).updates
    before, after = whole["byte"][2], whole["byte"][3]
    for end in range(before, after + 1):
        cut = logparse.analyze(BytesIO(data[:end])).updates
        known = cut.height - 1
        assert known >= 1, end
        shown = [column for column in cut.columns if column not in LATER]
        assert_frame_equal(cut[:known].select(shown), whole[:known].select(shown))
