"""Blocks of a TFRecord file in, places of its records out; damage is named and stepped over.

A record is: length (8 bytes), masked CRC-32C of those, payload, masked CRC-32C of the payload,
little-endian. Headers are checked here, payloads by whoever decodes them; only a payload that
decides where the next record starts is checked here too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from logparse.limits import REJECT_EXCERPT
from logparse.reading import crc32c
from logparse.reading.crc32c import HEADER
from logparse.reading.record_walk import (
    FRAME_BYTES,
    HEADER_BYTES,
    RECORD_BYTES,
    Walked,
    join,
    walk,
)
from logparse.reading.records import Ints

BAD_LENGTH = "bad record length"
BAD_CHECKSUM = "bad record checksum"
TOO_LONG = "record too long"
ZEROS = "zero-filled"
MISSING = "bytes missing in a record"

_WINDOW_FIRST, _WINDOW_MOST = 1 << 8, 1 << 16
_CHECKED_TIMES = 8
_CHAINS_MOST = 64


@dataclass(slots=True)
class Damage:
    """Bytes ``start:end`` of the file that hold no readable record, and why."""

    start: int
    end: int
    kind: str
    excerpt: bytes


@dataclass(slots=True)
class Frames:
    """Records found in one step: places in ``buffer``, whose first byte is byte ``base``."""

    buffer: bytes
    base: int
    starts: Ints
    """[n] place of each header in ``buffer``."""
    lengths: Ints
    """[n] payload bytes of each record."""
    damage: list[Damage] = field(default_factory=list)
    pending: int = 0
    """Bytes of the file so far that are in none of these, nor in earlier ones."""


@dataclass(slots=True)
class _Lost:
    """Where a damaged span began, while its end is being looked for."""

    start: int
    kind: str
    excerpt: bytes

    def extend(self, buffer: bytes, base: int) -> None:
        """Complete the excerpt from the bytes that follow."""
        at = self.start + len(self.excerpt) - base
        self.excerpt += buffer[at : at + REJECT_EXCERPT - len(self.excerpt)]


class Framer:
    """Finds the records of one file, fed in blocks of any size.

    The records found do not depend on how the bytes were cut into blocks. After damage the
    next place with a valid length and checksum is searched, so one damaged span costs no more
    than the records that it touches. Memory is bounded by ``RECORD_BYTES`` plus one block.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._held = 0
        self._need = HEADER_BYTES
        self._base = 0
        self._lost: _Lost | None = None
        self._checked = 0

    def feed(self, block: bytes, like: Walked | None = None) -> Frames:
        """Records that are complete with this block.

        ``like`` says where they may lie if this is the beginning of a file: where they lay in
        another.
        """
        self._parts.append(block)
        self._held += len(block)
        if self._held < self._need:
            return self._nothing()
        return self._cut(like if len(block) == self._held and not self._base else None)

    def finish(self) -> Frames:
        """What the end of the file settles; a record cut short stays in ``pending``."""
        if not self._held and self._lost is None:
            return self._nothing()
        return self._cut(final=True)

    def _nothing(self) -> Frames:
        none = np.empty(0, np.int64)
        return Frames(b"", self._base, none, none, pending=self.pending)

    @property
    def pending(self) -> int:
        """Bytes held back: of a record that is not complete, or of damage that has no end yet."""
        return self._base + self._held - (self._lost.start if self._lost else self._base)

    def _cut(self, like: Walked | None = None, *, final: bool = False) -> Frames:
        buffer = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        base = self._base
        if self._lost is not None:
            self._lost.extend(buffer, base)
        starts: list[Ints] = []
        lengths: list[Ints] = []
        damage: list[Damage] = []
        at = 0
        while True:
            if self._lost is not None:
                found = _search(buffer, at)
                if found < 0:
                    at = max(at, len(buffer) - HEADER_BYTES + 1)
                    self._need = HEADER_BYTES
                    break
                damage.append(self._close(base + found))
                at = found
            begins, sizes, at, sound = walk(buffer, at, like)
            like = None
            if sound:
                begins, sizes, at, sound = self._end(buffer, begins, sizes, at, final)
            elif len(begins) and self._misled(buffer, int(begins[-1]), int(sizes[-1])):
                # Its length may be what misled: look for records inside it too.
                at = int(begins[-1])
                begins, sizes = begins[:-1], sizes[:-1]
                self._open(buffer, at, BAD_CHECKSUM)
            else:
                self._open(buffer, at, _why(buffer, at))
            starts.append(begins)
            lengths.append(sizes)
            if sound:
                break
            if self._lost is not None:
                at += 1 if self._lost.kind in (BAD_LENGTH, ZEROS) else HEADER_BYTES
        if final and self._lost is not None:
            damage.append(self._close(base + len(buffer)))
            at = len(buffer)
        self._parts = [buffer[at:]] if at < len(buffer) else []
        self._held = len(buffer) - at
        self._base = base + at
        return Frames(buffer, base, join(starts), join(lengths), damage, self.pending)

    def _end(
        self, buffer: bytes, begins: Ints, sizes: Ints, at: int, final: bool
    ) -> tuple[Ints, Ints, int, bool]:
        """The walk reached the end of the buffer: hold back what later bytes must settle.

        Gives the records, where to go on, and whether this step is over.
        """
        cut = at + HEADER_BYTES <= len(buffer)
        doubtful = at if cut else -1
        if not cut and len(begins) and not intact(buffer, int(begins[-1]), int(sizes[-1])):
            doubtful = int(begins[-1])
        if not final:
            self._need = HEADER_BYTES
            if doubtful >= 0:
                self._need = FRAME_BYTES + HEADER.unpack_from(buffer, doubtful)[0]
            if not cut and doubtful >= 0:
                # A valid header after it would prove its length: wait for that.
                self._need += HEADER_BYTES
                return begins[:-1], sizes[:-1], doubtful, True
            return begins, sizes, at, True
        if doubtful < 0 or (inner := _search(buffer, doubtful + HEADER_BYTES, whole=True)) < 0:
            return begins, sizes, at, True
        self._open(buffer, doubtful, MISSING if cut else BAD_CHECKSUM)
        if not cut:
            begins, sizes = begins[:-1], sizes[:-1]
        return begins, sizes, inner - HEADER_BYTES, False

    def _misled(self, buffer: bytes, start: int, length: int) -> bool:
        """Whether the record before a bad header is damaged, so that its length may be wrong.

        Looking inside costs a checksum each time, and valid headers may lie in each other by the
        million: past a few times the bytes so far, such a record is stepped over whole.
        """
        if self._checked > _CHECKED_TIMES * (self._base + start) + RECORD_BYTES:
            return False
        if intact(buffer, start, length):
            return False
        self._checked += length
        return True

    def _open(self, buffer: bytes, at: int, kind: str) -> None:
        self._lost = _Lost(self._base + at, kind, buffer[at : at + REJECT_EXCERPT])

    def _close(self, end: int) -> Damage:
        lost = self._lost
        assert lost is not None
        self._lost = None
        return Damage(lost.start, end, lost.kind, lost.excerpt[: end - lost.start])


def _why(buffer: bytes, at: int) -> str:
    """Why the header at this place is refused."""
    length, check = HEADER.unpack_from(buffer, at)
    if crc32c.header_crc(length) == check:
        return TOO_LONG
    return ZEROS if buffer.startswith(bytes(HEADER_BYTES), at) else BAD_LENGTH


def intact(buffer: bytes, start: int, length: int) -> bool:
    """Whether the payload of the complete record at ``start`` fits its checksum."""
    body = start + HEADER_BYTES
    stored = int.from_bytes(buffer[body + length : body + length + 4], "little")
    return crc32c.mask(crc32c.crc(buffer[body : body + length])) == stored


def score(head: bytes) -> tuple[float, str]:
    """How surely these first bytes begin an event file, from 0 to 1, and why.

    It stands here because it needs no protobuf, which takes as long to import as numpy.
    """
    if len(head) < HEADER_BYTES:
        return 0.0, "too short for a record"
    length, check = HEADER.unpack_from(head)
    if crc32c.header_crc(length) == check:
        if b"brain.Event:" in head[HEADER_BYTES : HEADER_BYTES + length]:
            return 1.0, "a record that names the version of TensorBoard events"
        return 0.8, "a record header with a valid checksum"
    if (found := _search(head, 1)) > 0:
        return 0.6, f"a record header with a valid checksum after {found} other bytes"
    return 0.0, "no record header with a valid checksum"


def records_inside(buffer: bytes, start: int, length: int) -> list[tuple[int, int]]:
    """Intact records that fill the end of a damaged record: place and length of each.

    Where bytes are missing, the length of a record may cover whole records that follow it.
    """
    data = buffer[start : start + FRAME_BYTES + length]
    place = HEADER_BYTES
    for _ in range(_CHAINS_MOST):
        place = _search(data, place, whole=True)
        if place < 0:
            break
        found = []
        while place + FRAME_BYTES <= len(data):
            size, check = HEADER.unpack_from(data, place)
            after = place + FRAME_BYTES + size
            if after > len(data) or crc32c.header_crc(size) != check:
                break
            if not intact(data, place, size):
                break
            found.append((start + place, size))
            place = after
        if place == len(data):
            return found
    return []


def _search(buffer: bytes, at: int, *, whole: bool = False) -> int:
    """First place from ``at`` on with a valid header, -1 if there is none.

    ``whole`` asks for a complete record with a valid payload as well.
    """
    window = _WINDOW_FIRST
    budget = _CHECKED_TIMES * len(buffer)
    while (count := min(window, len(buffer) - at - HEADER_BYTES + 1)) > 0:
        for place in _headers(buffer, at, count).tolist():
            if not whole:
                return int(place)
            length = HEADER.unpack_from(buffer, place)[0]
            if place + FRAME_BYTES + length <= len(buffer):
                if intact(buffer, place, length):
                    return int(place)
                budget -= length
                if budget < 0:
                    return -1
        at += count
        window = min(4 * window, _WINDOW_MOST)
    return -1


def _headers(buffer: bytes, at: int, count: int) -> Ints:
    """Places among ``at:at+count`` where a length up to ``RECORD_BYTES`` has its checksum."""
    high = np.ndarray((count,), "<u4", buffer, at + 4, (1,))
    maybe = np.flatnonzero(high == 0)
    low = np.ndarray((count,), "<u4", buffer, at, (1,))[maybe]
    fits = low <= RECORD_BYTES
    maybe, low = maybe[fits], low[fits]
    check = np.ndarray((count,), "<u4", buffer, at + 8, (1,))[maybe]
    places: Ints = maybe[crc32c.header_crcs(low) == check] + at
    return places
