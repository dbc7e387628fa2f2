"""A source -> the reader for it, and the chunks that the reader makes of its blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from logparse.ahead import ahead
from logparse.reading.detect import HEAD_BYTES, SURE, Reader, guesses, reader_named
from logparse.reading.keras_log import KerasLog
from logparse.reading.records import Chunk
from logparse.reading.source import Source


def watched(
    source: Source, progress: Callable[[str, int, int | None], None] | None
) -> Iterator[bytes]:
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


def choose(head: bytes, asked: str | None, *, search: bool) -> tuple[Reader | None, str]:
    """The reader of a log that begins like this, and why; with ``search`` there is always one."""
    if asked:
        return reader_named(asked), "asked for"
    best = guesses(head[:HEAD_BYTES])[0]
    if best.score >= SURE:
        return reader_named(best.reader), best.reason
    if not search:
        return None, best.reason
    # A log may begin with pages of other output: the Keras reader passes over them.
    return KerasLog(), "nothing in its beginning tells, so it was searched to its end"


def chunks_of(reader: Reader, blocks: Iterator[bytes]) -> Iterator[Chunk]:
    """Chunks of a log; from the second block on, a thread reads while the last one is analysed."""

    def read() -> Iterator[Chunk]:
        for block in blocks:
            yield reader.feed(block)
        yield reader.finish()

    chunks = read()
    for _ in range(2):
        first = next(chunks, None)
        if first is None:
            return
        yield first
    rest = ahead(chunks)
    for chunk in rest:
        # The tables will need it; here the import passes while the thread reads.
        import polars  # noqa: F401

        yield chunk
