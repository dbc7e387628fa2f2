"""Rows at equal distances: what is taken as a span, and that it is read as by the grammar."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.reading import strides
from logparse.reading.keras_log import KerasLog
from logparse.reading.records import Updates
from logparse.reading.strides import Spans
from tests.checks import difference, eager, read, slow_path

SAMPLES = sorted((Path(__file__).parent.parent.parent / "sample_logs").rglob("*.log"))


def heavy(k: int, of: int) -> str:
    full = k * 20 // of
    done = f"\x1b[32m{'━' * full}\x1b[0m" if full else ""
    return f"\x1b[1m{k:3d}/{of}\x1b[0m {done}\x1b[37m{'━' * (20 - full)}\x1b[0m"


def bar(k: int, of: int) -> str:
    full = k * 30 // of
    head = "" if full == 0 else "=" * (full - 1) + (">" if k < of else "=")
    return f"{k:3d}/{of} [{head}{'.' * (30 - full)}]"


def eta(seconds: int) -> str:
    if seconds > 3600:
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{seconds // 60}:{seconds % 60:02d}" if seconds > 60 else f"{seconds}s"


def epochs(form: str, shown: str, of: int = 120, count: int = 3) -> bytes:
    """A log of one of the forms; ``shown`` is formatted with k."""
    out = []
    for epoch in range(1, count + 1):
        out.append(f"Epoch {epoch}/{count}\n")
        for k in range(1, of + 1):
            left = eta((of - k) * 40)
            metrics = shown.format(k=k, x=1 / k, y=100 / (k + epoch), z=k / of)
            out.append({
                "lines": f"{bar(k, of)} - ETA: {left}{metrics}\n",
                "redrawn": "\b" * 60 + f"\r{bar(k, of)} - ETA: {left}{metrics}",
                "returns": f"\r{bar(k, of)} - {k}s {k % 7}ms/step{metrics}",
                "heavy": "\b" * 75 + f"\r{heavy(k, of)} \x1b[1m{left}\x1b[0m 5ms/step{metrics}",
            }[form])  # fmt: skip
        out.append("\n" if form != "lines" else "")
    return "".join(out).encode()


FORMS = ("lines", "redrawn", "returns", "heavy")
SHOWN = (
    " - loss: {x:.4f} - accuracy: {z:.4f}",
    " - loss: {y:.4f} - nasty_1_x: -{z:.4f}",
    " - loss: {x:.4e} - lr: 1.0000e-03",
    " - loss: nan - a: inf - b: -inf - big: {k}12345678.1234",
    " - count: {k} - wide: {y:.12f}",
)


def pieces(data: bytes) -> list[int]:
    return [len(data) // 3, 2 * len(data) // 3]


def taken(data: bytes, cuts: list[int]) -> int:
    """Rows in spans."""
    log = KerasLog()
    found = 0
    find = log._find

    def counted(text: bytes, size: int) -> Spans | None:
        nonlocal found
        spans = find(text, size)
        found += int(spans.count.sum()) if spans else 0
        return spans

    log._splitter._find = counted
    for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True):
        log.feed(data[a:b])
    return found


def check(data: bytes, cuts: list[int]) -> None:
    with slow_path():
        want = read(data)
    with eager():
        assert difference(want, read(data, cuts)) is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shown", SHOWN)
def test_spans_are_read_as_by_the_grammar(form: str, shown: str) -> None:
    data = epochs(form, shown)
    check(data, pieces(data))


@pytest.mark.parametrize("form", ["lines", "redrawn", "returns"])
def test_most_rows_of_a_plain_log_are_taken(form: str) -> None:
    data = epochs(form, SHOWN[0], of=900, count=6)
    rows = 900 * 6 * 2 // 3
    assert 0.9 * rows < taken(data, pieces(data)) <= rows


def test_looking_ends_where_it_does_not_pay() -> None:
    data = b"".join(
        b"%d/500 [>....] - ETA: 1s - loss: 0.5000%s\n" % (k, b"x" * (k % 7)) for k in range(500)
    )
    log = KerasLog()
    log.feed(data)
    looked = 0

    class Counted(dict):
        def get(self, *key):
            nonlocal looked
            looked += 1
            return super().get(*key)

    log._finder._known = Counted()
    log.feed(data)
    # One less: the first row of a block is never a span's.
    assert looked == strides._PATIENCE - 1


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_row_is_read_by_itself(form: str) -> None:
    """Each byte of a row in the middle of a span, turned into others."""
    data = epochs(form, SHOWN[0], of=12, count=2)
    middle = data.index(b" 7/12", len(data) // 2)
    row = data.index(b" 8/12", middle) - middle
    others = (b"\n", b"\t", b"/", b":", b"=", b"7", b"\xff", b"")
    for offset in range(row):
        at = middle + offset
        check(data[:at] + others[offset % 8] + data[at + 1 :], [len(data) // 2])


@pytest.mark.parametrize("form", FORMS)
def test_any_two_cuts(form: str) -> None:
    data = epochs(form, SHOWN[0], of=12, count=2)
    for a in range(len(data) // 2, len(data), 41):
        check(data, [len(data) // 3, a])


def test_workers_marks_within_a_line() -> None:
    """Rows redrawn on a line belong to the worker whose mark begins it."""
    data = epochs("lines", SHOWN[0], of=20, count=1)
    data += b"[1,1]<stdout>:" + epochs("returns", SHOWN[0], of=40, count=1)[10:]
    data += epochs("returns", SHOWN[0], of=40, count=1)
    check(data, [len(data) // 4, len(data) // 2])


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_samples(path: Path) -> None:
    data = path.read_bytes()
    check(data, [len(data) // 9, len(data) // 5, len(data) // 2])


@given(
    st.lists(st.sampled_from([*range(1, 40), 99, 100, 0]), max_size=20),
    st.sampled_from(["\n", "\r", "\b\b\r", "\r\n", "\n\n", "\v", "^H^M", "#010"]),
    st.lists(st.integers(0, 1000), max_size=4),
)
def test_any_rows(steps: list[int], gap: str, cuts: list[int]) -> None:
    data = "".join(f"{bar(k, 100)} - ETA: 5s - loss: 0.{k:04d}{gap}" for k in steps).encode()
    check(data, sorted(min(cut, len(data)) for cut in cuts))


def test_columns_that_nothing_fills_are_shared_and_read_only() -> None:
    data = epochs("lines", SHOWN[0], of=900, count=6)
    log = KerasLog()
    log.feed(data[: len(data) // 3])
    updates: Updates = log.feed(data[len(data) // 3 :]).updates
    assert not updates.clock.flags.writeable
    assert len(updates.clock) == len(updates)
