"""What stands before a progress line: the worker's mark and the time."""

from __future__ import annotations

import calendar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.reading.prefixes import Channels, read_prefix, seconds


def clock_of(text: bytes) -> float | None:
    """Seconds since 1970 that the timestamp in ``text`` says."""
    spans = read_prefix(text, len(text)).clock
    if not spans:
        return None
    parts = [np.array([int(text[a:b])]) for a, b in spans]
    return float(seconds(parts, spans[6][1] - spans[6][0] if len(spans) > 6 else 0)[0])


NOON = 1714564800.0  # 2024-05-01 12:00:00 UTC


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (b"2024-05-01T12:00:00Z ", NOON),
        (b"2024-05-01T12:00:00.250000000Z stdout F ", NOON + 0.25),
        (b"2024-05-01 12:00:00,250 INFO ", NOON + 0.25),
        (b"2024/05/01 12:00:00.5 ", NOON + 0.5),
        (b"[2024-05-01 12:00:00] ", NOON),
        (b"12024-05-01 12:00:00 ", None),
        (b"12:00:00 ", None),
        (b"", None),
    ],
)
def test_clocks(text: bytes, want: float | None) -> None:
    assert clock_of(text) == want


@given(st.datetimes(allow_imaginary=False))
def test_every_date(moment: object) -> None:
    text = f"{moment:%m-%d %H:%M:%S.%f} ".encode()
    year = moment.year  # type: ignore[attr-defined]
    want = calendar.timegm(moment.timetuple()) + moment.microsecond / 1e6  # type: ignore[attr-defined]
    assert clock_of(b"%04d-" % year + text) == pytest.approx(want, abs=2e-5)


@pytest.mark.parametrize(
    ("text", "shown", "numbers"),
    [
        (b"[1,0]<stdout>:", "[1,0]<stdout>:", (b"1", b"0")),
        (b"[1,12]<stderr>:", "[1,12]<stderr>:", (b"1", b"12")),
        (b"  (pid=77) ", "(pid=77)", (b"77",)),
        (b"(f pid=7, ip=10.0.0.8) ", "(f pid=7, ip=10.0.0.8)", (b"7", b"10", b"0", b"0", b"8")),
        (b"[rank 3]:", "[rank 3]:", (b"3",)),
        (b"Rank=3: ", "Rank=3:", (b"3",)),
        (b"worker_1  | ", "worker_1  |", (b"1",)),
        (b"web-app | ", "web-app |", ()),
        (b"x 1/3 | ", "", ()),
        (b"2024-05-01 12:00:00 ", "", ()),
        (b"[1,0] ", "", ()),
    ],
)
def test_marks(text: bytes, shown: str, numbers: tuple[bytes, ...]) -> None:
    prefix = read_prefix(text, len(text))
    assert prefix.shown.decode() == shown
    assert tuple(text[a:b] for a, b in prefix.numbers) == numbers
    assert [text[a:b] for a, b in prefix.numbers] == [prefix.shown[a:b] for a, b in prefix.marks]


def test_a_mark_and_a_clock() -> None:
    text = b"[1,0]<stdout>:2024-05-01T12:00:00Z "
    prefix = read_prefix(text, len(text))
    assert prefix.shown == b"[1,0]<stdout>:"
    assert clock_of(text) == NOON
    assert prefix.end == len(text) - 2


def test_numbers_for_marks() -> None:
    """In the order of the file, whatever the order in which they were met."""
    channels = Channels()
    marks = [b"[1,1]<stdout>:", b"no mark", b"[1,0]<stdout>:", b"a | ", b"[1,1]<stdout>:", b"b | "]
    given = np.full(len(marks), -1)
    for i in (5, 3, 2, 1, 4, 0):
        given[i] = channels.one(read_prefix(marks[i], len(marks[i])), marks[i])
    assert channels.settle(given[:3]).tolist() == [1, -1, 2]
    assert channels.settle(given).tolist() == [1, -1, 2, 3, 1, 4]
    assert channels.names == [None, "[1,1]<stdout>:", "[1,0]<stdout>:", "a |", "b |"]


def test_numbers_for_rows_of_one_shape() -> None:
    channels = Channels()
    prefix = read_prefix(b"(pid=77) ", 9)
    given = channels.many(prefix, [np.array([78, 77, 78])], 3)
    assert channels.settle(given).tolist() == [1, 2, 1]
    assert channels.names == [None, "(pid=78)", "(pid=77)"]
