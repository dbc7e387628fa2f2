"""The event files of a run, as they grow -> its analysis so far, and what happens to them.

Every byte is read once. Contents that are gone from disk stay part of the run: what was read of a
file before it was truncated, replaced or deleted is a segment of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import isnan, nan

from logparse.again import Again
from logparse.analysis import Analysis, analysis_of_log
from logparse.errors import NotALogError, SourceError
from logparse.logs import Opened
from logparse.pipeline import Options
from logparse.reading.archives import printable
from logparse.reading.event_log import EventLog
from logparse.reading.event_names import PARTS, run_of
from logparse.reading.event_runs import HEAD_BYTES, Segment, put_in_order, settle, started
from logparse.reading.event_shapes import Shapes
from logparse.reading.event_source import one_file, run_files
from logparse.reading.event_tags import Plugins
from logparse.reading.follow import ANEW, Follower, News
from logparse.reading.tfevents import EventsReader, Scalars, joined
from logparse.reading.unpack import compression

SCALARS_KEPT = 1 << 22
"""Scalars kept in memory, 170 MB; those of larger files are read again for each analysis."""

BLOCKS_KEPT = 64
"""Pieces in which the scalars of a file are kept; more are joined."""


@dataclass(slots=True)
class _Content:
    """What a file held from one beginning on."""

    segment: Segment
    reader: EventsReader
    scalars: list[Scalars] | None = field(default_factory=list)
    """None where they are read from the file again."""
    head: bytes = b""
    size: int = 0
    on_disk: bool = True
    """The file still begins with it."""

    def feed(self, data: bytes) -> None:
        """Take in what was written.

        Raises:
            SourceError: it is compressed.
        """
        self.size += len(data)
        if isnan(self.segment.started):
            self.head = (self.head + data)[:HEAD_BYTES]
            if form := compression(self.head):
                name = printable(self.segment.file.name)
                raise SourceError(f"{name}: compressed ({form}); only plain files can be followed")
            self.segment.started = started(self.head)
        found = self.reader.feed(data)
        if self.scalars is not None and len(found):
            self.scalars.append(found)
            if len(self.scalars) > BLOCKS_KEPT:
                self.scalars = [joined(self.scalars)]


class LiveEvents:
    """A run of event files that grows.

    Args:
        path: a folder or an event file.
        options: as of ``analyze``.

    Attributes:
        size: bytes read so far.
    """

    def __init__(self, path: str, options: Options) -> None:
        self.path, self.options = path, options
        self.size = 0
        self._shapes = Shapes()
        self._plugins = {part: Plugins() for part in ("", *PARTS)}
        self._followed: dict[str, Follower] = {}
        """By the path below the folder."""
        self._current: dict[str, _Content] = {}
        self._contents: list[_Content] = []
        self._begun = False

    def poll(self) -> Iterator[bytes | News]:
        """What came since the last call; the bytes are taken in already.

        Raises:
            SourceError: a file may not be read, is compressed, or is not a regular file.
        """
        for name in list(self._followed):
            yield from self._read(name)
        for name, place in self._new():
            self._followed[name] = Follower(place, text=False)
            if self._begun:
                yield News("new file", f"goes on in a new file: {printable(name)}")
            yield from self._read(name)
        self._begun |= bool(self._followed)

    def _new(self) -> Iterator[tuple[str, str]]:
        """Files that are not followed yet: names and paths."""
        for name, place in self._listed():
            if name in self._followed:
                continue
            moved = next((old for old, f in self._followed.items() if f.moves_to(place)), None)
            if moved is not None:
                self._followed[name] = self._followed.pop(moved)
                content = self._current[name] = self._current.pop(moved)
                content.segment.file = replace(one_file(place), name=name)
            elif not any(place in follower.copies for follower in self._followed.values()):
                yield name, place

    def _listed(self) -> list[tuple[str, str]]:
        if not os.path.isdir(self.path):
            there = os.path.exists(self.path) or self._begun
            return [(os.path.basename(self.path), self.path)] if there else []
        try:
            files, _ = run_files(self.path)
        except NotALogError:
            return []
        return [(file.name, os.path.join(self.path, file.name)) for file in files]

    def _read(self, name: str) -> Iterator[bytes | News]:
        for item in self._followed[name].poll():
            if isinstance(item, News):
                if item.kind in ANEW and name in self._current:
                    self._current.pop(name).on_disk = False
                which = f"{printable(name)} " if os.path.basename(self.path) != name else ""
                yield News(item.kind, f"{which}{item.text}")
                continue
            self.size += len(item)
            self._content(name).feed(item)
            self._make_room()
            yield item

    def _content(self, name: str) -> _Content:
        if name not in self._current:
            own_name = os.path.basename(os.path.abspath(self.path))
            folder = os.path.isdir(self.path)
            part = run_of(name, own_name)[1] if folder else ""
            file = replace(one_file(self._followed[name].path), name=name)
            reader = EventsReader(self._shapes, self._plugins[part])
            content = _Content(Segment(file, part, 0, nan), reader)
            self._current[name] = content
            self._contents.append(content)
        return self._current[name]

    def _make_room(self) -> None:
        """Let go of the largest content on disk while too much is kept."""
        while True:
            kept = [c for c in self._contents if c.scalars is not None]
            if sum(c.reader.scalars for c in kept) <= SCALARS_KEPT:
                return
            large = max((c for c in kept if c.on_disk), key=lambda c: c.size, default=None)
            if large is None:
                return
            large.scalars = None

    def analysis(self) -> Analysis | None:
        """What the files say so far; None while there is no scalar in them."""
        if not any(content.reader.scalars for content in self._contents):
            return None
        log = _GrownLog(self.path, self._contents, self._shapes, self.options)
        try:
            return analysis_of_log(
                Opened(log, Again(self.options, log.chunks, log.scalars)), self.options
            )
        except NotALogError:
            return None


class _GrownLog(EventLog):
    """The contents of files up to now, as a log that has ended."""

    def __init__(
        self, title: str, contents: list[_Content], shapes: Shapes, options: Options
    ) -> None:
        kept: list[tuple[Segment, list[Scalars] | None]] = []
        for content in contents:
            reader = content.reader.copy()
            rest = reader.finish()
            segment = replace(content.segment)
            settle(segment, reader)
            scalars = None if content.scalars is None else [*content.scalars, rest]
            if scalars is None and not content.on_disk:
                segment.damage = "its content is gone, and was too large to be kept"
                scalars = []
            kept.append((segment, scalars))
        segments = [segment for segment, _ in kept]
        put_in_order(segments)
        super().__init__(printable(title), segments, restarts=options.restarts)
        self._shapes = shapes
        by_id = {id(segment): scalars for segment, scalars in kept}
        self._grown = [by_id[id(segment)] for segment in segments]

    def _stream(
        self,
        index: int,
        plugins: Plugins,
        *,
        look: Callable[[bytes], None] = lambda block: None,
        size: int | None = None,
    ) -> Iterator[Scalars]:
        scalars = self._grown[index]
        if scalars is not None:
            yield from scalars
            return
        segment = self.segments[index]
        try:
            yield from super()._stream(index, plugins, look=look, size=segment.account.size)
        except SourceError as error:
            segment.damage = str(error)
