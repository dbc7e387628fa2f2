"""Records of files in, those of one length as rows of bytes out, in numbers that caches hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from logparse.reading.event_layout import Bytes2, column
from logparse.reading.record_walk import HEADER_BYTES
from logparse.reading.records import Ints
from logparse.reading.tfrecord import Frames

SHAPE_BYTES = 1024
"""Longer records are not scalars in practice; protobuf reads them."""

STEP_KEY = 0x10
"""The byte before a step; a step of 0 is left out, and the byte with it."""

_ROWS = 1 << 14
_LENGTHS_FEW = 8


def one_varint(rows: Bytes2) -> int | None:
    """Bytes of the step if all rows have as many, as far as one comparison tells."""
    head = rows[0, HEADER_BYTES + 9 : HEADER_BYTES + 17].tobytes()
    size = 0
    if head[0] == STEP_KEY:
        size = next((i for i in range(1, 8) if head[i] < 0x80), 0)
        if not size:
            return None
    mask = np.uint64(int.from_bytes(bytes([0xFF] + size * [0x80]), "little"))
    bits = column(rows, 9, "<u8") & mask
    return size if (bits == bits[0]).all() else None


def by_length(lengths: Ints) -> Iterator[tuple[int, Ints]]:
    """Records whose payload may be that of a scalar: each length, and which have it."""
    short = np.minimum(lengths, SHAPE_BYTES + 1).astype(np.uint16)
    times = np.bincount(short)
    present = np.flatnonzero(times[: SHAPE_BYTES + 1])
    present = present[present >= HEADER_BYTES + 4]
    if len(present) <= _LENGTHS_FEW:
        yield from ((length, np.flatnonzero(short == length)) for length in present.tolist())
        return
    order = np.argsort(short, kind="stable")
    ends = np.cumsum(times)
    for length in present.tolist():
        yield length, order[ends[length] - times[length] : ends[length]]


def chunks(
    group: list[tuple[Frames, Ints, int]], width: int
) -> Iterator[tuple[Bytes2, Ints | slice]]:
    """Records of one width as rows of bytes, and which records they are, in handy numbers.

    Args:
        group: records of a file, which of them, and how many come before those of the file.
        width: bytes of a record.
    """
    waiting: list[tuple[Bytes2, Ints | slice]] = []
    count = 0
    for frames, index, first in group:
        for at in range(0, len(index), _ROWS):
            rows, where = _rows_of(frames, index[at : at + _ROWS], width)
            if isinstance(where, slice):
                where = slice(where.start + first, where.stop + first, where.step)
            else:
                where = where + first
            if len(rows) == _ROWS:
                yield rows, where
                continue
            waiting.append((rows, where))
            count += len(rows)
            if count >= _ROWS:
                yield _merged(waiting)
                waiting, count = [], 0
    if waiting:
        yield _merged(waiting)


def _merged(parts: list[tuple[Bytes2, Ints | slice]]) -> tuple[Bytes2, Ints | slice]:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([rows for rows, _ in parts]), np.concatenate(
        [listed(where) for _, where in parts]
    )


def listed(index: Ints | slice) -> Ints:
    """The numbers that a slice stands for."""
    return np.arange(index.start, index.stop, index.step) if isinstance(index, slice) else index


def _rows_of(frames: Frames, index: Ints, width: int) -> tuple[Bytes2, Ints | slice]:
    """The records of one width at ``index``, as rows of bytes, and the same index.

    Records that follow each other at equal distances need not be copied, and a slice names them.
    """
    buffer, starts = frames.buffer, frames.starts
    apart = int(index[1] - index[0]) if len(index) > 1 else 1
    if (np.diff(index) == apart).all():
        where = slice(int(index[0]), int(index[-1]) + 1, apart)
        places = starts[where]
        first = int(places[0])
        pitch = int(places[1]) - first if len(index) > 1 else width
        if (np.diff(places) == pitch).all():
            return np.ndarray((len(index), width), np.uint8, buffer, first, (pitch, 1)), where
    view = np.ndarray((len(buffer) - width + 1,), f"V{width}", buffer, 0, (1,))
    return view[starts[index]].view(np.uint8).reshape(len(index), width), index
