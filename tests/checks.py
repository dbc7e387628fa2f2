"""A log in any pieces -> everything its reader and the analysis say, in a form that compares."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import polars as pl

from logparse import analysis, stream
from logparse.again import Again
from logparse.errors import NotALogError
from logparse.logs import Opened
from logparse.pipeline import Options
from logparse.reading import keras_log, strides
from logparse.reading.detect import reader_named
from logparse.reading.records import TIMES, Account, Chunk, Event, Reject
from logparse.tables import TABLES

Metrics = tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Row:
    """One update. Floats are ``float.hex``: equal means equal bit for bit, nan included."""

    byte: int
    line: int
    step: int
    of: int
    form: int
    channel: int
    last: bool
    ended: bool
    times: tuple[str, ...]
    metrics: Metrics
    """(name, value, decimals) of the metrics on the line, sorted by name."""

    @property
    def values(self) -> dict[str, float]:
        return {name: float.fromhex(value) for name, value, _ in self.metrics}


@dataclass
class Reading:
    """All that a reader gave, and where each byte went."""

    account: Account
    rows: list[Row] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    channels: list[str | None] = field(default_factory=list)
    layers: dict[str, list[Any]] = field(default_factory=dict)


def rows_of(chunk: Chunk) -> Iterator[Row]:
    """The updates of a chunk, one by one."""
    u = chunk.updates
    names = sorted(u.values)
    for i in range(len(u)):
        yield Row(
            byte=int(u.byte[i]),
            line=int(u.line[i]),
            step=int(u.step[i]),
            of=int(u.of[i]),
            form=int(u.form[i]),
            channel=int(u.channel[i]),
            last=bool(u.last[i]),
            ended=bool(u.ended[i]),
            times=tuple(float(getattr(u, name)[i]).hex() for name in TIMES),
            metrics=tuple(
                (name, float(u.values[name][i]).hex(), int(u.decimals[name][i]))
                for name in names
                if u.decimals[name][i]
            ),
        )


def pieces(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """``data`` cut at the offsets ``cuts``."""
    at = 0
    for cut in sorted(cuts):
        yield data[at:cut]
        at = cut
    yield data[at:]


def some_cuts(rng: random.Random, size: int, most: int = 6) -> list[int]:
    """A few places to cut."""
    return sorted(rng.randrange(size + 1) for _ in range(rng.randint(1, most)))


def read(data: bytes, cuts: Iterable[int] = (), reader: str = "keras") -> Reading:
    """Everything in ``data``; the byte account must be true after each piece and at the end."""
    log = reader_named(reader, data)
    out = Reading(log.account)
    fed = 0
    for piece in [*pieces(data, cuts), None]:
        chunk = log.finish() if piece is None else log.feed(piece)
        fed += len(piece or b"")
        assert log.account.size == fed, (log.account, fed)
        assert min(log.account.read, log.account.rejected, log.account.pending) >= 0
        out.rows += rows_of(chunk)
        out.events += chunk.events
        out.rejects += chunk.rejects
    out.channels = list(getattr(getattr(log, "channels", None), "names", []))
    out.layers = getattr(getattr(log, "summary", None), "layers", {})
    out.account.ignored = +out.account.ignored
    check_places(out, len(data))
    return out


def check_places(found: Reading, size: int) -> None:
    """Spans lie in the log, in order, and no byte belongs to two things."""
    spans = [(e.byte, e.end) for e in found.events] + [(r.start, r.end) for r in found.rejects]
    spans.sort()
    for (start, end), after in zip(spans, [start for start, _ in spans[1:]] + [size], strict=False):
        assert 0 <= start < end <= after, (start, end, after)
    places = [row.byte for row in found.rows]
    assert places == sorted(set(places)), "two updates at one place"
    assert [e.byte for e in found.events] == sorted(e.byte for e in found.events)
    at = 0
    for place in places:
        assert 0 <= place < size
        while at < len(spans) and spans[at][1] <= place:
            at += 1
        taken = at < len(spans) and place >= spans[at][0]
        assert not taken, "an update inside a message or reject"
    assert sum(r.end - r.start for r in found.rejects) == found.account.rejected


class _InPieces:
    """A source that gives its bytes as they were cut."""

    name, sha256, bom, damage, path, size = "log", None, 0, None, None, None

    def __init__(self, data: bytes, cuts: Iterable[int]) -> None:
        self.pieces = pieces(data, cuts)

    def blocks(self) -> Iterator[bytes]:
        return self.pieces


def tables(
    data: bytes, cuts: Iterable[int] = (), reader: str = "keras", *, full: bool = True
) -> dict[str, pl.DataFrame]:
    """Every table of an analysis of ``data`` fed in pieces; none if there is nothing in it."""
    options = Options(reader=reader)
    head, stream.HEAD_BYTES = stream.HEAD_BYTES, 0
    try:
        source: Any = _InPieces(data, cuts)
        log = stream.TextLog(stream.Recognised(source, reader))
        found = analysis.analysis_of_log(Opened(log, Again(options)), options)
    except NotALogError:
        return {}
    finally:
        stream.HEAD_BYTES = head
    names = [name for name in TABLES if full or name not in ("updates", "batches")]
    return {name: found.table(name) for name in names}


@contextmanager
def slow_path() -> Iterator[None]:
    """Every line is read by the grammar itself, none by its shape."""
    few = keras_log._FEW, strides.FEW
    keras_log._FEW = strides.FEW = 1 << 62
    try:
        yield
    finally:
        keras_log._FEW, strides.FEW = few


@contextmanager
def eager() -> Iterator[None]:
    """Rows are looked for at equal distances everywhere, however few there are."""
    few, patience = strides.FEW, strides._PATIENCE
    strides.FEW, strides._PATIENCE = 1, 1 << 62
    try:
        yield
    finally:
        strides.FEW, strides._PATIENCE = few, patience


def difference(one: Reading, other: Reading) -> str | None:
    """In which field two readings differ and how, None if they are equal."""
    for part in fields(Reading):
        a, b = getattr(one, part.name), getattr(other, part.name)
        if a == b:
            continue
        if isinstance(a, list):
            only = [x for x in a if x not in b][:1], [x for x in b if x not in a][:1]
            return f"{part.name}: {only[0]} against {only[1]}"
        return f"{part.name}: {a} against {b}"
    return None
