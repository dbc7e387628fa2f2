"""Records of one layout in, the shape of each out, checked; and wall time, step and value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logparse.reading import crc32c
from logparse.reading.event_values import DTYPES, widen
from logparse.reading.record_walk import HEADER_BYTES
from logparse.reading.records import Floats, Ints

Bytes2 = NDArray[np.uint8]
Shape32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the varying bytes of a payload lie: what records of one layout have in common."""

    length: int
    varint: int
    """Bytes of the step, 0 where the step is 0 and left out."""
    place: int
    """First byte of the value."""
    dtype: int

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return np.dtype(DTYPES[self.dtype][1]).itemsize

    def varying(self) -> list[int]:
        """Places of wall time, step and value."""
        step = range(10, 10 + self.varint)
        return [*range(1, 9), *step, *range(self.place, self.place + self.size)]


def column(rows: Bytes2, place: int, kind: str) -> NDArray[Any]:
    """The field at byte ``place`` of every payload."""
    at = HEADER_BYTES + place
    field: NDArray[Any] = rows[:, at : at + np.dtype(kind).itemsize].view(kind)
    return field[:, 0]


class Family:
    """The shapes of one layout, told apart by the constant part of their checksum."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        varying = layout.varying()
        length = layout.length
        self._tables: list[tuple[int, str, crc32c.Words]] = [
            (place, "u1", crc32c.table(length - 1 - place)) for place in varying
        ]
        self.seen = 0
        """Records tried so far."""
        fixed = np.full(length, 0xFF, np.uint8)
        fixed[varying] = 0
        places = [*range(0, length - 7, 8), length - 8]
        self._words = [(at, fixed[at : at + 8].view("<u8")[0]) for at in dict.fromkeys(places)]
        self._words = [(at, mask) for at, mask in self._words if mask]
        self._fixed = fixed
        self._keys = np.empty(0, np.uint32)
        self._ids = np.empty(0, np.int32)
        self._constants = np.empty((0, len(self._words)), np.uint64)

    def add(self, payload: bytes, number: int) -> bool:
        """Take in a shape; False if its checksum cannot be told from another's."""
        bare = np.frombuffer(payload, np.uint8) & self._fixed
        key = np.uint32(crc32c.crc(bare.tobytes()))
        if key in self._keys:
            return False
        at = int(np.searchsorted(self._keys, key))
        words = [bare[place : place + 8].view("<u8")[0] for place, _ in self._words]
        self._keys = np.insert(self._keys, at, key)
        self._ids = np.insert(self._ids, at, np.int32(number))
        self._constants = np.insert(self._constants, at, words, axis=0)
        return True

    def residue(self, rows: Bytes2) -> crc32c.Words:
        """What each stored checksum leaves once the varying bytes are taken out."""
        left = crc32c.unmask_all(column(rows, self.layout.length, "<u4"))
        for place, kind, table in self._tables:
            left ^= table.take(column(rows, place, kind))
        return left

    def hurry(self) -> None:
        """Take two bytes at a time from now on, with a table of 256 KB for each two."""
        tables: list[tuple[int, str, crc32c.Words]] = []
        for place, kind, table in self._tables:
            if tables and tables[-1][:2] == (place - 1, "u1"):
                low = tables.pop()[2]
                tables.append((place - 1, "<u2", (table[:, None] ^ low).ravel()))
            else:
                tables.append((place, kind, table))
        self._tables = tables

    def match(self, rows: Bytes2, residue: crc32c.Words) -> Shape32:
        """The shape of each row, -1 where none has its checksum and all its constant bytes."""
        if len(self._keys) == 1:
            which = None
            differs = (residue != self._keys[0]).astype(np.uint64)
        else:
            which = np.searchsorted(self._keys, residue)
            which[which == len(self._keys)] = 0
            differs = (self._keys[which] != residue).astype(np.uint64)
        for index, (place, mask) in enumerate(self._words):
            constant = self._constants[:, index]
            word = column(rows, place, "<u8") ^ (
                constant[0] if which is None else constant.take(which)
            )
            if mask != np.uint64(0xFFFFFFFFFFFFFFFF):
                word &= mask
            differs |= word
        found = self._ids[0] if which is None else self._ids[which]
        return np.where(differs == 0, found, np.int32(-1))

    def decode(self, rows: Bytes2) -> tuple[Floats, Ints, Floats]:
        """Wall time, step and value of rows that match."""
        step = np.zeros(len(rows), np.int64)
        for index in range(self.layout.varint):
            digit = column(rows, 10 + index, "u1") & np.uint8(0x7F)
            step |= digit.astype(np.int64) << np.int64(7 * index)
        kind = DTYPES[self.layout.dtype][1]
        value = widen(column(rows, self.layout.place, kind), self.layout.dtype)
        return column(rows, 1, "<f8").astype(np.float64), step, value
