"""The head of a log -> the reader for it, with the reason; the registry of readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from logparse.errors import NotALogError, UsageError
from logparse.reading.csv_log import CsvLogReader
from logparse.reading.keras_log import KerasLog
from logparse.reading.records import Account, Chunk

HEAD_BYTES = 1 << 18
"""Bytes of a log that are looked at; readers are asked again as more comes."""

SURE = 0.5
"""Score from which a reader is taken without reading on."""


class Reader(Protocol):
    """What every reader offers; ``feed`` and ``finish`` give the same whatever the blocks."""

    name: str
    account: Account

    def __init__(self, head: bytes = b"", /) -> None:
        """``head`` is the beginning of the log, as far as it is known."""
        ...

    @staticmethod
    def score(head: bytes) -> tuple[float, str]:
        """0 to 1, how sure it is that it can read a log that starts so, and why."""
        ...

    def feed(self, block: bytes) -> Chunk:
        """What is complete once ``block`` has come."""
        ...

    def finish(self) -> Chunk:
        """The rest."""
        ...


READERS: dict[str, type[Reader]] = {"keras": KerasLog, "csv": CsvLogReader}
"""Readers of text by name. A new one is one file and one line here."""

EVENTS = "tfevents"
"""The reader of TensorBoard events, ``event_log.EventLog``: it takes the files of a whole run."""

EVENTS_DOC = "Reads the TensorBoard event files of a run, whoever wrote them."

NAMES = (*READERS, EVENTS)
"""What ``--reader`` takes."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A reader, how well it fits (0 to 1), and why."""

    reader: str
    score: float
    reason: str


def guesses(head: bytes) -> list[Guess]:
    """Every reader's opinion of a log that starts with ``head``, best first."""
    found = [Guess(name, *reader.score(head)) for name, reader in READERS.items()]
    found.append(Guess(EVENTS, *_events_score(head)))
    return sorted(found, key=lambda guess: -guess.score)


def _events_score(head: bytes) -> tuple[float, str]:
    if b"\0" not in head:
        return 0.0, "no NUL byte, and every record header has some"
    # Not before: it imports the library that computes checksums.
    from logparse.reading.tfrecord import score

    return score(head)


def check_name(name: str) -> None:
    """See that there is a reader of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in NAMES:
        raise UsageError(f"no reader is called {name!r}; there are {', '.join(sorted(NAMES))}")


def reader_named(name: str, head: bytes) -> Reader:
    """A new reader of a text that begins with ``head``.

    Raises:
        UsageError: there is none of that name.
    """
    check_name(name)
    if name == EVENTS:
        raise UsageError("TensorBoard events are not read as text")
    return READERS[name](head[:HEAD_BYTES])


def not_a_log(name: str, head: bytes) -> NotALogError:
    """The error for a log that no reader recognises, with their reasons."""
    if not head.strip():
        return NotALogError(f"{name}: nothing to read, the log is empty")
    kind = _looks_like(head)
    reasons = "; ".join(f"{guess.reader}: {guess.reason}" for guess in guesses(head)[:3])
    return NotALogError(f"{name}: not a training log that logparse knows{kind} ({reasons})")


def _looks_like(head: bytes) -> str:
    for mark, what in (
        (b"\xff\xd8\xff", "a JPEG picture"),
        (b"\x89PNG", "a PNG picture"),
        (b"%PDF", "a PDF"),
        (b"\x89HDF", "an HDF5 file"),
        (b"\x7fELF", "a program"),
        (b"PAR1", "a Parquet file"),
    ):
        if head.startswith(mark):
            return f"; it looks like {what}"
    if b"\0" in head[:4096]:
        return "; it looks binary"
    return ""
