"""The target ``events`` of the fuzzer: bytes as an event file, damaged or sealed again."""

from __future__ import annotations

import io
import json
import random
import struct
from pathlib import Path

import google_crc32c

import logparse
from logparse.errors import LogparseError
from logparse.reading.event_shapes import Shapes
from logparse.reading.record_walk import Walked
from logparse.reading.tfevents import EventsReader, Scalars
from logparse.reading.tfrecord import Framer
from tests.reading.events_help import Row, framed, plain_loop, rows_of

SAMPLES = Path(__file__).resolve().parent.parent / "sample_logs"
EXECUTED = 1 << 15
"""Bytes of an input: a plain protobuf loop takes a millisecond for fifty records."""


def seeds() -> list[bytes]:
    """The event files that come with the project."""
    return [path.read_bytes() for path in sorted(SAMPLES.rglob("*tfevents*"))]


def events(data: bytes, rng: random.Random) -> None:
    """Event files: account, any cuts, the shapes against a plain loop, and the whole analysis."""
    data = data[:EXECUTED]
    if rng.random() < 0.5:
        data = sealed(data, rng)
    whole, shapes = _read(data, [])
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    assert whole == _read(data, cuts)[0], "cut"
    # Shapes learned before, from what may look alike, must not change a bit.
    assert whole == _read(data, [], shapes)[0], "shapes known"
    assert whole == _read(data, [], like=_walked(rng.choice(seeds())))[0], "like another file"
    want = plain_loop(sound := _sound(data))
    if len(sound) == len(data):
        assert whole[0] == want, "plain loop"
    _analyzed(data)


def sealed(data: bytes, rng: random.Random) -> bytes:
    """The records of a file, as far as lengths tell, with checksums that fit what they hold."""
    out, at = b"", 0
    while at + 12 <= len(data):
        length = struct.unpack_from("<Q", data, at)[0]
        if length > len(data) - at - 12:
            length = rng.randrange(1, 200)
        out += framed(data[at + 12 : at + 12 + length])
        at += 16 + length
    return out


def _sound(data: bytes) -> bytes:
    """Whole records whose checksums fit, up to the first that is not."""
    at = 0
    while at + 16 <= len(data):
        length = struct.unpack_from("<Q", data, at)[0]
        record = data[at : at + 16 + length]
        if length > len(data) or framed(record[12:-4]) != record:
            break
        if google_crc32c.value(record[:8]) is None or not _event(record[12:-4]):
            break
        at += len(record)
    return data[:at]


def _event(payload: bytes) -> bool:
    from google.protobuf.message import DecodeError

    from logparse.reading.event_pb import Event

    try:
        event = Event.FromString(payload)
    except DecodeError:
        return False
    # The plain loop knows nothing of contradicting tensors or bounds.
    return all(
        not value.HasField("tensor") or len(value.tensor.tensor_content) < 64
        for value in event.summary.value
    )


def _walked(other: bytes) -> Walked:
    found = Framer().feed(other)
    return Walked(other, found.starts, found.lengths)


def _read(
    data: bytes, cuts: list[int], shapes: Shapes | None = None, like: Walked | None = None
) -> tuple[tuple[list[Row], int, int, int, list[object]], Shapes]:
    shapes = shapes or Shapes()
    reader = EventsReader(shapes)
    blocks: list[Scalars] = []
    for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
        blocks.append(reader.take(reader.framer.feed(data[start:stop], like)))
    blocks.append(reader.finish())
    account = reader.account
    assert account.size == len(data), (account, len(data))
    rows = [row for block in blocks for row in rows_of(block, reader.tags)]
    rejects: list[object] = list(reader.rejects)
    return (rows, account.read, account.rejected, account.pending, rejects), shapes


def _analyzed(data: bytes) -> None:
    try:
        found = logparse.analyze(io.BytesIO(data), reader="tfevents")
    except LogparseError:
        return
    source = found.source
    total = source.read + sum(source.ignored.values()) + source.rejected + source.pending
    assert total == source.size == len(data)
    json.loads(found.to_json(full=True))
    batches = found.batches
    wrong = (batches["low"] > batches["value"]) | (batches["value"] > batches["high"])
    assert batches.filter(wrong).is_empty(), "value outside its bounds"
    for restarts in ("segment", "preempt"):
        logparse.analyze(io.BytesIO(data), reader="tfevents", restarts=restarts)
