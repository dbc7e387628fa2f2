"""Blocks of a TensorBoard event file in, its scalars as columns out; nothing is lost in silence.

``EventsReader`` reads one file; ``event_runs`` reads a folder with it, and ``keras_events`` says
what the scalars of a Keras run mean.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logparse.limits import REJECT_EXCERPT, REJECTS_KEPT
from logparse.reading.event_shapes import Columns, Shapes
from logparse.reading.event_tags import Plugins
from logparse.reading.event_values import Content, Parsed, Scalar, parse
from logparse.reading.record_walk import FRAME_BYTES, HEADER_BYTES
from logparse.reading.records import Account, Floats, Ints, Reject
from logparse.reading.tfrecord import (
    BAD_CHECKSUM,
    Framer,
    Frames,
    intact,
    records_inside,
    score,
)

NOT_AN_EVENT = "not an event"
BAD_TENSOR = "tensor contradicts itself"
TOO_MANY_TAGS = "too many tags"

_KINDS_MOST = 200
_KIND_CHARACTERS = 80


@dataclass(slots=True)
class Scalars:
    """Scalars in file order, one array a field, all of one length."""

    first: int
    """Place of the first row among all scalars of the file, from 0."""
    byte: Ints
    """Offset of the record in the file; several values of one event share it."""
    wall_time: Floats
    """Seconds since 1970 UTC."""
    step: Ints
    tag: NDArray[np.int32]
    """Index into the reader's ``tags``."""
    value: Floats
    """The number in the file, widened exactly (integers above 2**53: to the nearest)."""
    dtype: NDArray[np.int8]
    """TensorFlow's DataType of the number in the file: a key of ``event_values.DTYPES``."""

    def __len__(self) -> int:
        return len(self.value)


@dataclass(slots=True)
class _Rows:
    """Scalars of one block: where the record lies in it, then the columns of ``Scalars``."""

    at: Ints
    wall_time: Floats
    step: Ints
    tag: NDArray[np.int32]
    value: Floats
    dtype: NDArray[np.int8]
    simple: NDArray[np.bool_]

    def take(self, index: Ints | NDArray[np.bool_]) -> _Rows:
        """These rows only."""
        return _Rows(*(getattr(self, name)[index] for name in self.__slots__))


@dataclass(slots=True)
class _Read:
    """An event that protobuf read: where its record lies in the block, and its bytes."""

    at: int
    size: int
    event: Parsed


class EventsReader:
    """Reads one TensorBoard event file, fed in blocks of any size.

    The scalars and rejects do not depend on how the bytes were cut. Every record's checksum is
    checked. ``account`` always sums to the bytes fed.

    Attributes:
        framer: finds the records; its part of the work can be done ahead, in another thread.
        tags: names by tag number; grows while reading, and is shared where ``shapes`` is.
        rejects: the first ``REJECTS_KEPT``; their ``line`` is 0, there are no lines.
        reject_counts: all rejects by kind.
        kinds: what is not a scalar, counted by kind or by plugin name.
        records: records that hold an event.
        scalars: rows given so far.
    """

    name = "tensorboard events"

    def __init__(self, shapes: Shapes | None = None, plugins: Plugins | None = None) -> None:
        """Share ``shapes`` between the files of a folder, ``plugins`` between those of a run."""
        self._shapes = Shapes() if shapes is None else shapes
        self._plugins = Plugins() if plugins is None else plugins
        self.framer = Framer()
        self.scalars = 0
        self.tags = self._shapes.tags.names
        self.account = Account()
        self.rejects: list[Reject] = []
        self._fresh: list[Reject] = []
        self.reject_counts: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.records = 0

    @staticmethod
    def score(head: bytes) -> tuple[float, str]:
        """How surely these first bytes begin an event file, from 0 to 1, and why."""
        return score(head)

    def feed(self, block: bytes) -> Scalars:
        """Scalars of the records that are complete with this block, in file order."""
        return self.take(self.framer.feed(block))

    def finish(self) -> Scalars:
        """What the end of the file settles. A record cut short stays in ``account.pending``."""
        return self.take(self.framer.finish())

    def copy(self) -> EventsReader:
        """One that goes on by itself from here; it shares the shapes."""
        return copy.deepcopy(self, {id(x): x for x in (self._shapes, self.tags)})

    def take(self, frames: Frames) -> Scalars:
        """Scalars of the records that ``framer`` found."""
        return take_together([(self, frames)])[0]

    def _note(self, frames: Frames) -> None:
        for damage in frames.damage:
            self._reject(damage.start, damage.end, damage.kind, damage.excerpt)
            self.account.rejected += damage.end - damage.start
        self.account.pending = frames.pending

    def _sorted(self, frames: Frames, columns: Columns) -> Scalars:
        """Scalars of the records: those that are decoded, and those that protobuf must read."""
        self._note(frames)
        if not len(frames.starts):
            self._keep_rejects()
            return no_scalars(self.scalars)
        hit = columns.shape >= 0
        rest = np.flatnonzero(~hit)
        part = _sliced(np.flatnonzero(hit)) if len(rest) else slice(None)
        starts, lengths = frames.starts[part], frames.lengths[part]
        self.records += len(starts)
        self.account.read += int(lengths.sum()) + FRAME_BYTES * len(starts)
        shape = columns.shape[part]
        rows = _Rows(
            starts,
            columns.wall_time[part],
            columns.step[part],
            self._shapes.tag.take(shape),
            columns.value[part],
            self._shapes.dtype.take(shape),
            self._shapes.simple.take(shape),
        )
        parsed = self._parse(frames, rest) if len(rest) else []
        self._settle(rows, shape, parsed)
        rows = self._only_scalars(rows, lengths)
        if parsed:
            rows = _merge(rows, self._sort_out(parsed, frames))
        self._plugins.close_block()
        self._keep_rejects()
        first, self.scalars = self.scalars, self.scalars + len(rows.at)
        byte = rows.at + frames.base
        return Scalars(first, byte, rows.wall_time, rows.step, rows.tag, rows.value, rows.dtype)

    def _parse(self, frames: Frames, index: Ints) -> list[_Read]:
        """The records that no shape fits; those that cannot be read are rejects."""
        parsed: list[_Read] = []
        pairs = zip(frames.starts[index].tolist(), frames.lengths[index].tolist(), strict=True)
        for at, length in pairs:
            if intact(frames.buffer, at, length):
                self._parse_one(frames, at, length, parsed)
                continue
            # Where bytes are missing, its length may cover whole records that follow.
            inside = records_inside(frames.buffer, at, length)
            end = inside[0][0] if inside else at + FRAME_BYTES + length
            self._lose(frames, at, end, BAD_CHECKSUM)
            for record in inside:
                self._parse_one(frames, *record, parsed)
        return parsed

    def _parse_one(self, frames: Frames, at: int, length: int, parsed: list[_Read]) -> None:
        body = at + HEADER_BYTES
        size = FRAME_BYTES + length
        try:
            parsed.append(_Read(at, size, parse(frames.buffer[body : body + length])))
        except ValueError:
            self._lose(frames, at, at + size, NOT_AN_EVENT)

    def _settle(self, rows: _Rows, shape: NDArray[np.int32], parsed: list[_Read]) -> None:
        """Note the first plugin of each tag that names one for the first time in this block."""
        first: dict[int, tuple[int, str]] = {}
        present = np.flatnonzero(np.bincount(shape))
        tags = self._shapes.tag[present]
        fresh = self._shapes.named[present] & self._plugins.unsettled(tags)
        for number, tag in zip(present[fresh].tolist(), tags[fresh].tolist(), strict=True):
            at = int(rows.at[np.argmax(shape == number)])
            if tag not in first or at < first[tag][0]:
                first[tag] = (at, "scalars")
        for read in parsed:
            for value in read.event.values:
                if not value.plugin or (tag := self._shapes.tags.number(value.tag)) < 0:
                    continue
                if tag not in first or read.at < first[tag][0]:
                    first[tag] = (read.at, value.plugin)
        seen = np.array(list(first), np.int32)
        unsettled = set(seen[self._plugins.unsettled(seen)].tolist())
        self._plugins.settle({tag: first[tag] for tag in first if tag in unsettled})

    def _only_scalars(self, rows: _Rows, lengths: Ints) -> _Rows:
        """Leave out decoded tensors of tags that belong to another plugin."""
        other = self._plugins.other(rows.tag, rows.at)
        if other is None or not (other := other & ~rows.simple).any():
            return rows
        tags, times = np.unique(rows.tag[other], return_counts=True)
        for tag, count in zip(tags.tolist(), times.tolist(), strict=True):
            kind = self._count_kind(self._plugins.name(tag), count)
            size = int(lengths[other & (rows.tag == tag)].sum()) + FRAME_BYTES * count
            self.account.read -= size
            self.account.ignored[kind] += size
        return rows.take(~other)

    def _sort_out(self, parsed: list[_Read], frames: Frames) -> _Rows:
        """The scalars of parsed events; everything else is counted by kind."""
        found: list[tuple[int, float, int, int, float, int, bool]] = []
        for read in parsed:
            event = read.event
            self.records += 1
            before, kind, fault = len(found), "", ""
            if event.kind != "summary":
                kind = self._count_kind(event.kind)
            elif not event.values:
                kind = self._count_kind("empty summary")
            for value in event.values:
                what = self._judge(value, read.at)
                if isinstance(what, Scalar):
                    tag = self._shapes.tags.number(value.tag)
                    if tag >= 0:
                        place = (read.at, event.wall_time, event.step, tag)
                        found.append((*place, what.value, what.dtype, what.simple))
                    else:
                        fault = TOO_MANY_TAGS
                elif what is None:
                    fault = BAD_TENSOR
                else:
                    kind = self._count_kind(what)
            if fault:
                self._reject_span(frames, read.at, read.at + read.size, fault)
            self._account(read.size, len(found) > before, kind)
        columns = list(zip(*found, strict=True)) if found else [()] * 7
        kinds = (np.int64, np.float64, np.int64, np.int32, np.float64, np.int8, np.bool_)
        return _Rows(*(np.array(c, kind) for c, kind in zip(columns, kinds, strict=True)))

    def _judge(self, value: Content, at: int) -> Scalar | str | None:
        """A value as it counts in its run: a tensor of another plugin's tag is no scalar."""
        what = value.what
        if not isinstance(what, Scalar) or what.simple:
            return what
        tag = self._shapes.tags.number(value.tag)
        other = self._plugins.other(np.array([tag], np.int32), np.array([at]))
        return self._plugins.name(tag) if tag >= 0 and other is not None and other[0] else what

    def _account(self, size: int, scalars: bool, kind: str) -> None:
        if scalars:
            self.account.read += size
        elif kind:
            self.account.ignored[kind] += size
        else:
            self.account.rejected += size

    def _count_kind(self, kind: str, count: int = 1) -> str:
        """Count what is not a scalar; gives the name under which it was counted."""
        if kind not in self.kinds:
            kind = kind[:_KIND_CHARACTERS]
            if not kind.isprintable():
                kind = ascii(kind)[1:-1]
            if kind not in self.kinds and len(self.kinds) >= _KINDS_MOST:
                kind = "other kinds"
        self.kinds[kind] += count
        return kind

    def _lose(self, frames: Frames, at: int, end: int, kind: str) -> None:
        self._reject_span(frames, at, end, kind)
        self.account.rejected += end - at

    def _reject_span(self, frames: Frames, at: int, end: int, kind: str) -> None:
        excerpt = frames.buffer[at : min(end, at + REJECT_EXCERPT)]
        self._reject(frames.base + at, frames.base + end, kind, excerpt)

    def _reject(self, start: int, end: int, kind: str, excerpt: bytes) -> None:
        self.reject_counts[kind] += 1
        if len(self.rejects) + len(self._fresh) < 2 * REJECTS_KEPT:
            self._fresh.append(Reject(0, start, end, kind, excerpt.hex()))

    def _keep_rejects(self) -> None:
        """Rejects of a block come in order of their kinds; keep them in order of the file."""
        if self._fresh:
            self._fresh.sort(key=lambda reject: reject.start)
            self.rejects += self._fresh[: REJECTS_KEPT - len(self.rejects)]
            self._fresh.clear()


def take_together(found: list[tuple[EventsReader, Frames]]) -> list[Scalars]:
    """What each reader's ``take`` would give, with less overhead; all must share their shapes."""
    columns = found[0][0]._shapes.decode([frames for _, frames in found])
    scalars = []
    first = 0
    for reader, frames in found:
        part = slice(first, first + len(frames.starts))
        first = part.stop
        scalars.append(reader._sorted(frames, columns.part(part)))
    return scalars


def _sliced(index: Ints) -> Ints | slice:
    """The same places as a slice if there is none between them: that copies nothing."""
    if len(index) and index[-1] - index[0] + 1 == len(index):
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


def _merge(fast: _Rows, slow: _Rows) -> _Rows:
    """Both in file order."""
    if not len(slow.at):
        return fast
    pairs = (np.concatenate([getattr(fast, x), getattr(slow, x)]) for x in _Rows.__slots__)
    both = _Rows(*pairs)
    return both.take(np.argsort(both.at, kind="stable"))


def joined(blocks: list[Scalars]) -> Scalars:
    """Blocks of one file that follow each other as one."""
    fields = ("byte", "wall_time", "step", "tag", "value", "dtype")
    columns = (np.concatenate([getattr(block, name) for block in blocks]) for name in fields)
    return Scalars(blocks[0].first, *columns)


def no_scalars(first: int = 0) -> Scalars:
    """No rows."""
    arrays = (np.empty(0, kind) for kind in ("i8", "f8", "i8", "i4", "f8", "i1"))
    return Scalars(first, *arrays)
