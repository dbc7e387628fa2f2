"""Checked columns out of many records at once: wall time, step and value of scalar events.

Scalar events repeat a few shapes: the same bytes but for wall time, step and value. The first
record of a shape is read by protobuf, which settles where those three lie; every record that
equals the shape in all other bytes is then decoded as a column. Its checksum is the shape's own
constant xor one table entry for each varying byte, so the checksum also tells which shape it is.
Whatever fits no shape is left to protobuf.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logparse.reading import crc32c, wire
from logparse.reading.event_layout import Bytes2, Family, Layout, Shape32, column
from logparse.reading.event_pb import DecodeError, Event
from logparse.reading.event_rows import STEP_KEY, by_length, chunks, listed, one_varint
from logparse.reading.event_tags import Tags
from logparse.reading.event_values import SCALAR_PLUGINS, Scalar, read_value
from logparse.reading.record_walk import FRAME_BYTES, HEADER_BYTES
from logparse.reading.records import Floats, Ints
from logparse.reading.tfrecord import Frames

SHAPES_MOST = 4096
"""Shapes kept; records of further shapes go through protobuf."""

_GROUP_LEAST = 16
_OFTEN = 1 << 15
"""Records of a layout from which larger tables are worth their making."""
_HURRIED_MOST = 12
"""Layouts with larger tables, so that these need 20 MB at most."""
_LAYOUTS_MOST = 8
_SAMPLES = 8
_LEARN_MOST = 256
_REFUSED_MOST = 1 << 16
"""Checksum residues kept of records that are not of the layout they were tried for."""

Path = tuple[int, ...]


@dataclass(slots=True)
class Columns:
    """Records decoded by shape; ``shape`` is -1 where protobuf must read the record."""

    shape: Shape32
    wall_time: Floats
    step: Ints
    value: Floats

    def part(self, rows: slice) -> Columns:
        """Some of the records."""
        return Columns(self.shape[rows], self.wall_time[rows], self.step[rows], self.value[rows])


class Shapes:
    """The shapes learned so far, and the tags in them. Share one between the files of a folder.

    By shape number: ``tag`` is the number of its tag, ``dtype`` that of its values, ``simple``
    whether they are simple values, ``named`` whether they name their plugin themselves.
    """

    def __init__(self) -> None:
        self._families: dict[tuple[int, int], list[Family]] = {}
        self._refused: set[tuple[Layout, int]] = set()
        self._count = 0
        self._hurried = 0
        self.tags = Tags()
        self.tag = np.zeros(SHAPES_MOST, np.int32)
        self.dtype = np.zeros(SHAPES_MOST, np.int8)
        self.simple = np.zeros(SHAPES_MOST, np.bool_)
        self.named = np.zeros(SHAPES_MOST, np.bool_)

    def __len__(self) -> int:
        return self._count

    def decode(self, found: Sequence[Frames]) -> Columns:
        """Decode records, which may be those of several files.

        Every record given back with a shape had a right checksum.
        """
        n = sum(len(frames.starts) for frames in found)
        out = Columns(np.full(n, -1, np.int32), np.empty(n), np.zeros(n, np.int64), np.empty(n))
        groups: dict[int, list[tuple[Frames, Ints, int]]] = {}
        known: dict[int, list[tuple[int, Ints]]] = {}
        first = 0
        for frames in found:
            # Files that are alike share their lengths.
            key = id(frames.lengths)
            if key not in known:
                known[key] = list(by_length(frames.lengths))
            for length, index in known[key]:
                groups.setdefault(length, []).append((frames, index, first))
            first += len(frames.starts)
        for length, group in groups.items():
            if sum(len(index) for _, index, _ in group) >= _GROUP_LEAST:
                for rows, where in chunks(group, length + FRAME_BYTES):
                    self._by_varint(rows, where, length, out)
        return out

    def _by_varint(self, rows: Bytes2, index: Ints | slice, length: int, out: Columns) -> None:
        """Split rows of one length by the size of their step, and decode each part."""
        same = one_varint(rows)
        if same is not None:
            self._by_family(rows, index, (length, same), out)
            return
        more = column(rows, 9, "u1") == STEP_KEY
        size = more.astype(np.uint8)
        for place in range(10, min(19, length)):
            more = more & (column(rows, place, "u1") >= 0x80)
            if not more.any():
                break
            size += more
        for varint in np.flatnonzero(np.bincount(size)).tolist():
            part = size == varint
            self._by_family(rows[part], _some(index, part), (length, varint), out)

    def _by_family(
        self, rows: Bytes2, index: Ints | slice, key: tuple[int, int], out: Columns
    ) -> None:
        """Decode rows of one length and step size, learning the shapes that are new."""
        families = self._families.setdefault(key, [])
        tried = 0
        while len(rows):
            while tried < len(families):
                found = self._recognise(families[tried], rows)
                hit = found >= 0
                whole = bool(hit.all())
                if whole:
                    _store(families[tried].decode(rows), found, index, out)
                    return
                if hit.any():
                    _store(families[tried].decode(rows[hit]), found[hit], _some(index, hit), out)
                rows, index = rows[~hit], _some(index, ~hit)
                tried += 1
            if len(families) >= _LAYOUTS_MOST or not self._discover(rows, key, families):
                return

    def _recognise(self, family: Family, rows: Bytes2) -> Shape32:
        """Match rows against a family, after teaching it residues that come more than once."""
        family.seen += len(rows)
        if _OFTEN <= family.seen < _OFTEN + len(rows) and self._hurried < _HURRIED_MOST:
            self._hurried += 1
            family.hurry()
        residue = family.residue(rows)
        found = family.match(rows, residue)
        unknown = np.flatnonzero(found < 0)
        if not len(unknown) or len(self) >= SHAPES_MOST:
            return found
        keys, first, times = np.unique(residue[unknown], return_index=True, return_counts=True)
        taught = 0
        often = times > 1
        for key, row in zip(keys[often][:_LEARN_MOST], unknown[first[often]], strict=False):
            if (family.layout, int(key)) not in self._refused:
                taught += self._teach(family, rows[row], int(key))
        return family.match(rows, residue) if taught else found

    def _discover(self, rows: Bytes2, key: tuple[int, int], families: list[Family]) -> bool:
        """Look for a new layout among a few of the rows that no family knows."""
        if len(self) >= SHAPES_MOST:
            return False
        known = {family.layout for family in families}
        for row in rows[:: max(1, len(rows) // _SAMPLES)][:_SAMPLES]:
            learned = _learn(row)
            if learned is None or learned[0] in known or learned[0].varint != key[1]:
                continue
            family = Family(learned[0])
            if self._add(family, row, learned[1], learned[2]):
                families.append(family)
                return True
        return False

    def _teach(self, family: Family, row: Bytes2, key: int) -> bool:
        learned = _learn(row)
        if learned is not None and learned[0] == family.layout:
            return self._add(family, row, learned[1], learned[2])
        # A damaged record shows the residue of its shape: it must not stand in the way.
        if _checked(row) and len(self._refused) < _REFUSED_MOST:
            self._refused.add((family.layout, key))
        return False

    def _add(self, family: Family, row: Bytes2, tag: str, scalar: Scalar) -> bool:
        if len(self) >= SHAPES_MOST or (number := self.tags.number(tag)) < 0:
            return False
        if not family.add(_payload(row), len(self)):
            return False
        self.tag[self._count] = number
        self.dtype[self._count] = scalar.dtype
        self.simple[self._count] = scalar.simple
        self.named[self._count] = bool(scalar.plugin)
        self._count += 1
        return True


def _some(index: Ints | slice, part: NDArray[np.bool_]) -> Ints:
    """Part of an index."""
    return listed(index)[part]


def _store(
    decoded: tuple[Floats, Ints, Floats], shape: Shape32, index: Ints | slice, out: Columns
) -> None:
    out.shape[index] = shape
    out.wall_time[index], out.step[index], out.value[index] = decoded


def _payload(row: Bytes2) -> bytes:
    return row[HEADER_BYTES:-4].tobytes()


def _checked(row: Bytes2) -> bool:
    return crc32c.mask(crc32c.crc(_payload(row))) == int(row[-4:].view("<u4")[0])


# Fields of Event: summary, its value, that value's tensor.
_NESTED = {(5,), (5, 1), (5, 1, 8)}
_WALL, _STEP, _SIMPLE = (1,), (2,), (5, 1, 2)
_TENSOR_VALUES = {4: None, 5: 1, 6: 2}
"""Fields of a tensor that hold its value in fixed bytes, and the only dtype that uses them."""


def _spans(data: bytes, start: int, end: int, path: Path = ()) -> Iterator[tuple[Path, int, int]]:
    """Every field of an event, nested ones too: path of field numbers, span of its content.

    Raises:
        ValueError: a group, which no writer of events uses.
    """
    for field in wire.fields(data, start, end):
        inner = (*path, field.number)
        yield inner, field.begin, field.end
        if inner in _NESTED and field.wire == wire.BYTES:
            yield from _spans(data, field.begin, field.end, inner)


def _learn(row: Bytes2) -> tuple[Layout, str, Scalar] | None:
    """Layout, tag and scalar of an intact record, None unless it is one scalar laid out plainly.

    Protobuf reads the record; the wire format says where the bytes lie; protobuf then reads the
    record again with other bytes there, which must come out as the columns would decode them.
    """
    data = _payload(row)
    if not _checked(row) or (read := _one_scalar(data)) is None:
        return None
    _, _, tag, scalar = read
    try:
        spans = list(_spans(data, 0, len(data)))
    except ValueError:
        return None
    layout = _layout(data, spans, scalar)
    return (layout, tag, scalar) if layout is not None and _holds(data, layout, read) else None


def _one_scalar(data: bytes) -> tuple[float, int, str, Scalar] | None:
    """Wall time, step, tag and scalar, if the event is exactly one scalar."""
    try:
        event = Event.FromString(data)
        if event.WhichOneof("what") != "summary" or len(event.summary.value) != 1:
            return None
        value = event.summary.value[0]
        scalar = read_value(value)
    except (DecodeError, ValueError):
        return None
    if isinstance(scalar, str) or not (scalar.simple or scalar.plugin in SCALAR_PLUGINS):
        return None
    return event.wall_time, event.step, value.tag, scalar


def _layout(data: bytes, spans: list[tuple[Path, int, int]], scalar: Scalar) -> Layout | None:
    """The layout, if each varying field is there once, and where the columns expect it."""
    where: dict[Path, tuple[int, int]] = {path: (a, b) for path, a, b in spans}
    if len(where) < len(spans) or where.get(_WALL) != (1, 9):
        return None
    varint = 0
    if _STEP in where:
        begin, end = where[_STEP]
        varint = end - begin
        if begin != 10 or varint > 9:
            return None
    contents = [path for path in where if path[:2] == (5, 1) and path[2:3] in _ONE_OF_VALUE]
    if any(path[0] in range(3, 10) and path[0] != 5 for path in where):
        return None
    values = [path for path in contents if path == _SIMPLE or _holds_value(path, scalar.dtype)]
    others = [path for path in contents if len(path) == 3 and path != _SIMPLE]
    if len(values) != 1 or len(others) != (0 if scalar.simple else 1):
        return None
    begin, end = where[values[0]]
    layout = Layout(len(data), varint, begin, scalar.dtype)
    return layout if end - begin == layout.size and begin >= 10 + varint else None


_ONE_OF_VALUE = {(2,), (3,), (4,), (5,), (6,), (8,)}


def _holds_value(path: Path, dtype: int) -> bool:
    """Whether this field of a tensor gives its value in fixed bytes."""
    if path[:3] != (5, 1, 8) or len(path) != 4 or path[3] not in _TENSOR_VALUES:
        return False
    return _TENSOR_VALUES[path[3]] in (None, dtype)


def _holds(data: bytes, layout: Layout, read: tuple[float, int, str, Scalar]) -> bool:
    """Whether protobuf sees other bytes at the layout's places just as the columns do."""
    probe = bytearray(data)
    probe[1:9] = struct.pack("<d", 1.25 if read[0] != 1.25 else 2.5)
    for place in range(10, 10 + layout.varint):
        probe[place] ^= 0x2A
    for place in range(layout.place, layout.place + layout.size):
        probe[place] ^= 0x15
    other = _one_scalar(bytes(probe))
    if other is None or other[2] != read[2]:
        return False
    framed = np.frombuffer(bytes(HEADER_BYTES) + bytes(probe) + bytes(4), np.uint8)
    wall, step, value = (float(x[0]) for x in Family(layout).decode(framed.reshape(1, -1)))
    same = value == other[3].value or (value != value and other[3].value != other[3].value)
    changed = value != read[3].value or layout.dtype == 10
    return (wall, step) == (other[0], other[1]) and same and changed
