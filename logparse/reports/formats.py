"""A log in, how well each reader fits its beginning out; or only the readers."""

from __future__ import annotations

from collections.abc import Iterator

from logparse.reading.detect import EVENTS
from logparse.reports.layout import wrap
from logparse.reports.safe import visible
from logparse.reports.terminal import WIDTH


def readers_lines() -> Iterator[str]:
    """The readers, a line each: name and what it reads."""
    from logparse.reading.detect import EVENTS_DOC, READERS

    for name, reader in READERS.items():
        yield from _row(name, "", _first_sentence(reader.__doc__ or ""))
    yield from _row(EVENTS, "", EVENTS_DOC)


def scores_lines(spec: str) -> Iterator[str]:
    """Each log in a source with every reader's score and reason, best first.

    Raises:
        LogparseError: the source cannot be read.
    """
    from logparse.reading.paths import expand, is_folder

    for one in expand([spec]):
        if is_folder(one):
            yield visible(one)
            yield from _row(EVENTS, "100 %", "a folder of TensorBoard event files")
        else:
            yield from _file_scores(one)


def _file_scores(spec: str) -> Iterator[str]:
    from logparse.reading.detect import HEAD_BYTES, guesses
    from logparse.reading.source import open_sources

    for source in open_sources(spec):
        head = b""
        for block in source.blocks():
            head += block
            if len(head) >= HEAD_BYTES:
                break
        yield visible(source.name)
        for guess in guesses(head[:HEAD_BYTES]):
            yield from _row(guess.reader, f"{100 * guess.score:.0f} %", visible(guess.reason))


def _row(name: str, score: str, text: str) -> list[str]:
    first = f"{name:<9}{score:>6}  " if score else f"{name:<10}"
    return wrap(text, WIDTH, indent=" " * len(first), first=first)


def _first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())
