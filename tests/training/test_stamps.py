"""Logs with a timestamp before each line -> when each epoch began and ended."""

from __future__ import annotations

import io

import logparse

LOG = """\
2024-03-01 10:00:00,500 Epoch 1/3
2024-03-01 10:00:00,500 10/10 - 4s - loss: 1.0000
2024-03-01 10:00:12,250 Epoch 2/3
2024-03-01 10:00:16,000 10/10 - 4s - loss: 0.9000
Epoch 3/3
10/10 - 4s - loss: 0.8000
"""


def test_epochs_begin_at_the_stamps_of_their_headers() -> None:
    epochs = logparse.analyze(io.BytesIO(LOG.encode())).epochs
    start = 1709287200.0  # 2024-03-01 10:00:00 UTC
    assert epochs["began"].to_list() == [start + 0.5, start + 12.25, None]
    assert epochs["ended"].to_list() == [start + 0.5, start + 16, None]


def test_a_stamp_after_a_header_is_not_its_own() -> None:
    log = "Epoch 1/2 2024-03-01 10:00:00\n10/10 - 4s - loss: 1.0000\n"
    assert logparse.analyze(io.BytesIO(log.encode())).epochs["began"].to_list() == [None]
