"""A source -> the reader for it, and the chunks that the reader makes of its blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple, Protocol, TypeVar

from logparse.ahead import ahead
from logparse.apart import apart, possible
from logparse.errors import NotALogError
from logparse.reading.detect import (
    EVENTS,
    HEAD_BYTES,
    SURE,
    Reader,
    guesses,
    not_a_log,
    reader_named,
)
from logparse.reading.keras_log import KerasLog
from logparse.reading.records import Account, Chunk
from logparse.reading.source import Source

Item = TypeVar("Item")

Progress = Callable[[str, int, int | None], None]
"""Is told of each block read: name of the log, bytes so far, bytes in all if known; may raise."""


APART_BYTES = 32 << 20
"""Size of a log from which another process reads it: to begin one costs as much as a few MB."""

APART_CHUNKS = 12
"""Chunks that the other process may be ahead: as many as it makes while polars is imported."""

_OF_SOURCE = ("size", "encoding", "bom", "damage", "sha256")


class Log(Protocol):
    """One log, of whatever kind: its chunks, and what became of its bytes once they are read.

    ``plain`` says that there is something in it, but no training; ``nothing`` is the error where
    there is not even that.
    """

    name: str
    """Of the reader."""
    title: str
    """Of the log."""
    reason: str
    """Why this reader."""

    @property
    def account(self) -> Account:
        """Where each byte went."""
        ...

    @property
    def lines(self) -> int:
        """Lines, or scalars of events."""
        ...

    @property
    def damage(self) -> str | None:
        """What was wrong with packed files."""
        ...

    @property
    def not_kept(self) -> dict[str, int]:
        """Rejects that no chunk holds, by kind."""
        ...

    @property
    def sha256(self) -> str | None:
        """Hash of the content, if it was asked for."""
        ...

    @property
    def plain(self) -> bool:
        """Whether there is something in it, but no training."""
        ...

    def nothing(self) -> NotALogError:
        """The error where there is nothing in it."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """Its chunks, in order."""
        ...


def watched(source: Source, progress: Progress | None) -> Iterator[bytes]:
    """The blocks of a source; ``progress`` is told of each one, and may raise to stop."""
    read = 0
    for block in source.blocks():
        yield block
        read += len(block)
        if progress:
            progress(source.name, read, source.size)


def head_of(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Enough of the log to tell what it is, and the rest."""
    head = b""
    for block in blocks:
        head += block
        if len(head) >= HEAD_BYTES:
            break
    return head, blocks


def choose(head: bytes, asked: str | None, *, search: bool) -> tuple[str | None, str]:
    """The reader of a log that begins like this, and why; with ``search`` there is always one."""
    if asked:
        return asked, "asked for"
    best = guesses(head[:HEAD_BYTES])[0]
    if best.score >= SURE:
        return best.reader, best.reason
    if not search:
        return None, best.reason
    # A log may begin with pages of other output: the Keras reader passes over them.
    return "keras", "nothing in its beginning tells, so it was searched to its end"


class Recognised:
    """A source whose reader is known; its blocks, the head included, are still to be read.

    Attributes:
        reader: name of the reader.
        reason: why it is taken.
        watched: somebody is told of each block read.
    """

    def __init__(
        self,
        source: Source,
        asked: str | None = None,
        *,
        search: bool = True,
        progress: Progress | None = None,
    ) -> None:
        """Look at the head of a source; ``asked``, ``search`` as in ``choose``.

        Raises:
            NotALogError: no reader knows it, and it must not be searched.
            SourceError: it cannot be read.
        """
        self.source = source
        self.watched = progress is not None
        self.head, rest = head_of(watched(source, progress))
        reader, self.reason = choose(self.head, asked, search=search)
        if reader is None:
            raise not_a_log(source.name, self.head)
        self.reader = reader
        self.blocks: Iterable[bytes] = chain([self.head], rest)

    @property
    def is_events(self) -> bool:
        """Whether these are TensorBoard events, which are read as files of a run."""
        return self.reader == EVENTS


class ReaderLog:
    """What a reader knows of its log; part of ``Log``."""

    reader: Reader

    @property
    def lines(self) -> int:
        """Lines read so far."""
        return int(getattr(self.reader, "lines", 0))

    @property
    def channels(self) -> list[str | None]:
        """Marks of the workers whose lines it holds, by number."""
        return getattr(getattr(self.reader, "channels", None), "names", [None])

    @property
    def summary(self) -> object | None:
        """What it printed of models."""
        return getattr(self.reader, "summary", None)


class _End(NamedTuple):
    """What is known of a log when all of it is read."""

    reader: Reader
    source: dict[str, object]


class TextLog(ReaderLog):
    """A log in text, read once; see ``Log``."""

    def __init__(self, found: Recognised) -> None:
        self._found = found
        self.reader = reader_named(found.reader, found.head)
        self.name, self.title, self.reason = self.reader.name, found.source.name, found.reason
        self.not_kept: dict[str, int] = {}
        self.plain = False

    @property
    def account(self) -> Account:
        """Where each byte went, those of a byte order mark too."""
        found, bom = self.reader.account, self._found.source.bom
        ignored = {rule: size for rule, size in found.ignored.items() if size}
        total = Account(found.read, rejected=found.rejected, pending=found.pending)
        total.ignored.update(ignored | ({"byte order mark": bom} if bom else {}))
        return total

    @property
    def damage(self) -> str | None:
        """What was wrong with a packed file."""
        return self._found.source.damage

    @property
    def sha256(self) -> str | None:
        """Hash of the content, if it was asked for."""
        return self._found.source.sha256

    def nothing(self) -> NotALogError:
        """What to say where there is no training in it."""
        return not_a_log(self.title, self._found.head)

    def chunks(self) -> Iterator[Chunk]:
        """Chunks of the log, in order; those of a large log are made in another process."""
        read = chunks_of(self.reader, iter(self._found.blocks))
        if self._worth_a_process() and possible():
            return self._chunks_from(ahead(apart(self._with_end(read)), APART_CHUNKS))
        return ahead_after(2, read)

    def _worth_a_process(self) -> bool:
        """Whether it is large, and a file of its own, whose reading leaves nothing behind here."""
        source = self._found.source
        own = source.path is not None and source.member is None and not self._found.watched
        large = source.size is not None and source.size >= APART_BYTES
        return own and large and isinstance(self.reader, KerasLog)

    def _with_end(self, chunks: Iterator[Chunk]) -> Iterator[Chunk | _End]:
        yield from chunks
        source = self._found.source
        yield _End(self.reader, {name: getattr(source, name) for name in _OF_SOURCE})

    def _chunks_from(self, made: Iterator[Chunk | _End]) -> Iterator[Chunk]:
        """Chunks made in another process, and at the end what became known there."""
        for each in _polars_meanwhile(made):
            if isinstance(each, Chunk):
                yield each
                continue
            self.reader = each.reader
            for name, value in each.source.items():
                setattr(self._found.source, name, value)


def chunks_of(reader: Reader, blocks: Iterator[bytes]) -> Iterator[Chunk]:
    """Chunks of a log."""
    for block in blocks:
        yield reader.feed(block)
    yield reader.finish()


def ahead_after(few: int, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The chunks; from the ``few``-th on, a thread reads while the last one is analysed."""
    for _ in range(few):
        first = next(chunks, None)
        if first is None:
            return
        yield first
    yield from _polars_meanwhile(ahead(chunks))


def _polars_meanwhile(items: Iterator[Item]) -> Iterator[Item]:
    """The items; the tables will need polars, and its import passes while they are made."""
    for item in items:
        import polars  # noqa: F401

        yield item
