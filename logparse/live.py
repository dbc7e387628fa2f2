"""The bytes of a log that grows, as they come -> its analysis so far, whenever it is asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

from logparse.again import Again
from logparse.analysis import Analysis, analysis_of
from logparse.errors import NotALogError
from logparse.pipeline import Options, Pipeline
from logparse.reading.detect import (
    EVENTS,
    HEAD_BYTES,
    SURE,
    Reader,
    guesses,
    not_a_log,
    reader_named,
)
from logparse.reading.records import Account, Chunk
from logparse.stream import ReaderLog, choose


class LiveLog(ReaderLog):
    """A log in text that is fed by hand; what a pipeline asks of a log."""

    def __init__(self, title: str, reader: Reader, reason: str) -> None:
        self.reader, self.title, self.reason = reader, title, reason
        self.name = reader.name
        self.not_kept: dict[str, int] = {}
        self.plain = False
        self.damage: str | None = None
        self.sha256: str | None = None

    @property
    def account(self) -> Account:
        """Where each byte went."""
        return self.reader.account

    def nothing(self) -> NotALogError:
        """What to say where there is no training in it."""
        return not_a_log(self.title, b"")

    def chunks(self) -> Iterator[Chunk]:
        """None: it is fed."""
        yield from ()


class Live:
    """A growing log in text.

    Every byte is read once. ``analysis`` ends a copy of what is kept of the log, whose size is that
    of its epochs, not of its lines; so the log itself goes on.

    Args:
        title: what the log is called.
        options: as of ``analyze``.
        chunks: reads the log again, for the tables ``updates`` and ``batches`` of its analyses;
            without it they are empty.
    """

    def __init__(
        self,
        title: str,
        options: Options,
        chunks: Callable[[], Iterator[Chunk]] | None = None,
    ) -> None:
        self.title, self.options = title, options
        self._again = Again(options, chunks) if chunks else None
        self._head = b""
        self._pipeline: Pipeline | None = None

    def feed(self, data: bytes) -> None:
        """Take in what was written."""
        if self._pipeline is None:
            self._head += data
            reader = self._reader()
            if reader is None:
                return
            self._pipeline = Pipeline(LiveLog(self.title, *reader), self.options)
            data, self._head = self._head, b""
        log = self._pipeline.log
        assert isinstance(log, LiveLog)
        _take(self._pipeline, log.reader.feed(data), self._again)

    def _reader(self) -> tuple[Reader, str] | None:
        """The reader, once the log's beginning tells it or is long enough to give up waiting."""
        asked = self.options.reader
        if not asked and len(self._head) < HEAD_BYTES:
            best = guesses(self._head)[0]
            if best.score < SURE or best.reader == EVENTS:
                return None
        name, reason = choose(self._head, asked, search=True)
        assert name is not None
        return reader_named(name, self._head), reason

    def analysis(self) -> Analysis | None:
        """What the log says so far; None while there is no training in it."""
        if self._pipeline is None or not self._pipeline.seen:
            return None
        ended = copy.deepcopy(self._pipeline)
        log = ended.log
        assert isinstance(log, LiveLog)
        again = self._again.copy() if self._again else None
        _take(ended, log.reader.finish(), again)
        for batch in ended.finish():
            if again:
                again.keep(batch)
        return analysis_of(ended, again or Again(self.options))


def _take(pipeline: Pipeline, chunk: Chunk, again: Again | None) -> None:
    for batch in pipeline.take(chunk):
        if again:  # else what is kept of the epochs is enough
            again.keep(batch)
