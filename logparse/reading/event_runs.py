"""A folder of TensorBoard event files in, its runs out: one table of scalars for each.

A folder that holds event files is a run. ``train`` and ``validation`` are the two parts of the
run above them, as Keras writes them. Files of a run are ordered by their first wall time, then
by name: names alone sort by host and process within a second.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from logparse.ahead import ahead
from logparse.errors import NotALogError, SourceError
from logparse.limits import BLOCK_BYTES
from logparse.reading import remote
from logparse.reading.event_names import PARTS, Restarts, is_event_file, run_of
from logparse.reading.event_shapes import Shapes
from logparse.reading.event_tags import Plugins
from logparse.reading.record_walk import FRAME_BYTES, HEADER_BYTES, Walked
from logparse.reading.records import Account, Reject
from logparse.reading.tfevents import EventsReader, Scalars, take_together
from logparse.reading.tfrecord import Framer, Frames
from logparse.reading.unpack import Meter, Unpacked, compression

if TYPE_CHECKING:
    import polars as pl

HEAD_BYTES = 1 << 12
"""First bytes of a file that tell when it began."""


@dataclass(frozen=True, slots=True)
class EventFile:
    """One event file: its path below the folder, and how to open it for reading bytes."""

    name: str
    open: Callable[[], BinaryIO]


@dataclass(slots=True)
class Segment:
    """One file of a run, and what became of its bytes."""

    file: EventFile
    part: str
    """``train``, ``validation``, or empty."""
    number: int
    """From 1. A validation file has the number of the training file that it belongs to."""
    started: float
    """Wall time of its first event beyond the version of the format, nan if it has none.

    The only file of a run is opened once, so this is known when it is read."""
    account: Account = field(default_factory=Account)
    rejects: list[Reject] = field(default_factory=list)
    reject_counts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    records: int = 0
    scalars: int = 0
    damage: str | None = None
    """What was wrong with a compressed file."""


@dataclass(slots=True)
class EventRun:
    """One run: its files, the scalars of each, and the names of their tags.

    ``tags`` is shared by the runs of a folder: the tag numbers of ``Scalars`` point into it.
    """

    name: str
    segments: list[Segment]
    scalars: list[list[Scalars]]
    """For each segment its blocks, in file order."""
    tags: list[str]

    def frame(self, *, restarts: Restarts = "keep") -> pl.DataFrame:
        """All scalars of the run as ``event_frame.scalars_frame`` gives them."""
        from logparse.reading.event_frame import scalars_frame

        return scalars_frame([self], restarts=restarts)


def open_folder(path: str | os.PathLike[str]) -> list[EventRun]:
    """Read every run below a folder, or a single event file; a URL needs the package fsspec.

    Raises:
        SourceError: the path does not exist or a file cannot be read.
        NotALogError: there is no event file.
    """
    files, own_name = find_files(os.fspath(path))
    if not files:
        raise NotALogError(f"{path}: no TensorBoard event file, whose name has 'tfevents' in it")
    return read_runs(files, own_name=own_name)


def find_files(path: str) -> tuple[list[EventFile], str]:
    """Event files below a folder, and the folder's own name.

    Raises:
        SourceError: the path does not exist.
    """
    if remote.is_url(path):
        return _find_remote(path)
    root = Path(path)
    if root.is_file():
        return [EventFile(root.name, lambda: root.open("rb"))], root.resolve().parent.name
    if not root.is_dir():
        raise SourceError(f"{path}: no such file or folder")
    found = []
    for folder, _, names in os.walk(root):
        inner = os.path.relpath(folder, root).replace(os.sep, "/")
        base = "" if inner == "." else f"{inner}/"
        found += [
            EventFile(base + name, _opener(os.path.join(folder, name)))
            for name in filter(is_event_file, names)
        ]
    return found, root.resolve().name


def _opener(path: str) -> Callable[[], BinaryIO]:
    return lambda: open(path, "rb", buffering=0)


def _find_remote(url: str) -> tuple[list[EventFile], str]:
    def opener(file: str) -> Callable[[], BinaryIO]:
        return lambda: remote.open_url(file)

    root = remote.whole(url)
    found = [file.url for file in remote.find(url)]
    base, _, own_name = root.rpartition("/") if found == [root] else (root, "", root)
    return [
        EventFile(file.removeprefix(f"{base}/"), opener(file))
        for file in found
        if is_event_file(file)
    ], (base if found == [root] else own_name).rpartition("/")[2]


def read_runs(files: Iterable[EventFile], *, own_name: str = "") -> list[EventRun]:
    """Read event files, wherever they lie, as runs; ``own_name`` names the folder they lie in.

    Raises:
        SourceError: a file cannot be read.
    """
    shapes = Shapes()
    runs = []
    tasks = []
    for name, segments in group_runs(files, own_name).items():
        plugins = {part: Plugins() for part in ("", *PARTS)}
        run = EventRun(name, segments, [[] for _ in segments], shapes.tags.names)
        tasks += [
            _Task(segment, EventsReader(shapes, plugins[segment.part]), scalars)
            for segment, scalars in zip(segments, run.scalars, strict=True)
        ]
        runs.append(run)
    # Nothing is kept from one step to the next, so that the same memory serves again.
    for _ in map(_take, _framed(tasks)):
        pass
    return runs


def stream_scalars(
    segment: Segment,
    reader: EventsReader,
    *,
    look: Callable[[bytes], None] = lambda block: None,
    size: int | None = None,
) -> Iterator[Scalars]:
    """The scalars of one file, block by block; at the end its account is complete.

    Args:
        segment: the file.
        reader: a new one.
        look: is given each block of bytes.
        size: read no more bytes than this: the file may have grown since it was read before.

    Raises:
        SourceError: the file cannot be read.
    """

    def frames() -> Iterator[Frames]:
        left = size
        for block in _blocks(segment):
            part = block if left is None else block[:left]
            look(part)
            yield reader.framer.feed(part)
            if left is not None and not (left := left - len(part)):
                break
        yield reader.framer.finish()

    yield from map(reader.take, ahead(frames()))
    settle(segment, reader)


class _Task(NamedTuple):
    """A file to read, what reads it, and where its scalars go."""

    segment: Segment
    reader: EventsReader
    scalars: list[Scalars]


def _take(found: list[tuple[_Task, Frames, bool]]) -> None:
    """Decode what was found, and settle the files that end with it."""
    if not found:
        return
    together = [(task.reader, frames) for task, frames, _ in found]
    for (task, _, last), scalars in zip(found, take_together(together), strict=True):
        task.scalars.append(scalars)
        if last:
            settle(task.segment, task.reader)


def _framed(tasks: list[_Task]) -> Iterator[list[tuple[_Task, Frames, bool]]]:
    """Records of the files in order, block by block, small files together; and which are the last.

    Small files are compared with each other: those of one folder are often alike.
    """
    waiting: list[tuple[_Task, Frames, bool]] = []
    held = 0
    like: Walked | None = None
    for task in tasks:
        framer = task.reader.framer
        blocks = _blocks(task.segment)
        head, second = next(blocks, b""), next(blocks, b"")
        if second or len(head) > BLOCK_BYTES // 2:
            yield waiting
            waiting, held = [], 0
            for block in chain((head, second), blocks):
                yield [(task, framer.feed(block), False)]
            yield [(task, framer.finish(), True)]
            continue
        if held + len(head) > BLOCK_BYTES:
            yield waiting
            waiting, held = [], 0
        frames = framer.feed(head, like)
        if not frames.damage and (like is None or frames.starts is not like.starts):
            like = Walked(head, frames.starts, frames.lengths)
        rest = framer.finish()
        more = bool(rest.damage or len(rest.starts))
        waiting.append((task, frames, not more))
        if more:
            waiting.append((task, rest, True))
        held += len(head)
    yield waiting


def settle(segment: Segment, reader: EventsReader) -> None:
    """Note what became of a file's bytes."""
    segment.account, segment.kinds, segment.records = reader.account, reader.kinds, reader.records
    segment.rejects, segment.reject_counts = reader.rejects, reader.reject_counts
    segment.scalars = reader.scalars


def group_runs(files: Iterable[EventFile], own_name: str = "") -> dict[str, list[Segment]]:
    """Files by run, runs in order of name, the files of each in order of time, numbered.

    Raises:
        SourceError: a file cannot be read.
    """
    runs: dict[str, list[Segment]] = {}
    for file in sorted(files, key=lambda file: file.name):
        run, part = run_of(file.name, own_name)
        runs.setdefault(run, []).append(Segment(file, part, 0, nan))
    for segments in runs.values():
        if len(segments) > 1:
            for segment in segments:
                with _Opened(segment.file) as stream:
                    segment.started = started(stream.read(HEAD_BYTES))
        put_in_order(segments)
    return dict(sorted(runs.items()))


def put_in_order(segments: list[Segment]) -> None:
    """Sort the files of one run, whose first times are known, and number them."""
    # Files without an event come last: nothing says when they began.
    segments.sort(key=lambda s: (isnan(s.started), s.started, s.file.name))
    count: Counter[str] = Counter()
    trained = any(segment.part == "train" for segment in segments)
    for segment in segments:
        count[segment.part] += 1
        joined = segment.part == "validation" and trained
        segment.number = max(1, count["train"]) if joined else count[segment.part]


def started(head: bytes) -> float:
    """When a file began: the wall time of its first event beyond the version, else of that.

    The version is stamped in whole seconds, in which one fit can end and another begin. Only the
    head of the file is known, so the event's checksum is not looked at: this orders, no more.
    """
    frames = Framer().feed(head[:HEAD_BYTES])
    places = frames.starts.tolist()
    if len(places):
        places.append(places[-1] + int(frames.lengths[-1]) + FRAME_BYTES)
    found = float("nan")
    for place in places:
        body = head[place + HEADER_BYTES : place + HEADER_BYTES + _VERSION_AT + 1]
        if len(body) <= _VERSION_AT or body[0] != _WALL_TIME_KEY:
            continue
        found = float(np.frombuffer(body, "<f8", 1, 1)[0])
        if body[_VERSION_AT] != _VERSION_KEY:
            break
    return found


_WALL_TIME_KEY, _VERSION_KEY, _VERSION_AT = 0x09, 0x1A, 9
"""An event's first byte, the key of its file_version, and where that stands."""


def _blocks(segment: Segment) -> Iterator[bytes]:
    with _Opened(segment.file) as stream:
        while block := stream.read(BLOCK_BYTES):
            if isnan(segment.started):
                segment.started = started(block)
            yield block
        segment.damage = stream.damage


class _Opened:
    """An open file, unpacked if it is compressed. Nothing that is known writes such files."""

    def __init__(self, file: EventFile) -> None:
        self._name = file.name
        try:
            self._stream = file.open()
        except OSError as error:
            raise SourceError(f"{self._name}: {error.strerror or error}") from error
        self._left = _size(self._stream)
        self._begun = False
        self._head = b""
        self._unpacked: Unpacked | None = None

    @property
    def damage(self) -> str | None:
        """What was wrong with the compressed file, known at its end."""
        return self._unpacked.damage if self._unpacked else None

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end only."""
        if not self._begun:
            self._begun = True
            data = self._raw(size)
            form = compression(data)
            if not form:
                return data
            self._head = data
            self._unpacked = Unpacked(_Rest(self._packed), form, Meter(self._name))
        return self._unpacked.read(size) if self._unpacked else self._raw(size)

    def _packed(self, size: int) -> bytes:
        head, self._head = self._head[:size], self._head[size:]
        return head or self._raw(size)

    def _raw(self, size: int) -> bytes:
        # A buffer much larger than the rest of the file would cost more than reading it.
        size = min(size, max(self._left, 0) + _MORE_BYTES)
        try:
            data = self._stream.read(size)
            self._left -= len(data)
            return data
        except OSError as error:
            raise SourceError(f"{self._name}: {error.strerror or error}") from error

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


_MORE_BYTES = 1 << 12
"""Bytes by which a file may have grown since it was opened."""


def _size(stream: BinaryIO) -> int:
    """Bytes of a file on disk, else more than there can be."""
    try:
        return os.fstat(stream.fileno()).st_size
    except (OSError, AttributeError):
        return sys.maxsize


@dataclass(frozen=True, slots=True)
class _Rest:
    """Bytes in order, as ``Unpacked`` wants them."""

    take: Callable[[int], bytes]

    def read(self, n: int, /) -> bytes:
        return self.take(n)
