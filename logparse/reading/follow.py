"""A file that others write -> its bytes as they come, and what happens to the file.

It is read, never mapped: whoever shortens a mapped file kills its reader. It stays open, so that
what was written before it was renamed, replaced or deleted is read to its end.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from logparse.errors import SourceError
from logparse.limits import BLOCK_BYTES
from logparse.reading.archives import printable

TAIL = 512
"""Bytes before the place of reading that are compared: others there mean another content."""

ROTATED_KEPT = 100
"""Highest number of a rotated file that is looked for: ``train.log.1`` is the newest."""


GOES_ON = ("appeared", "new file", "renamed", "replaced by a longer copy")
"""Kinds of news after which what was read before still holds."""

ANEW = ("truncated", "copied and truncated", "rotated", "replaced")
"""Kinds of news after which another content begins."""


@dataclass(frozen=True, slots=True)
class News:
    """What happened to a file.

    ``kind`` is ``appeared``, ``new file`` (one more of a run), ``truncated``,
    ``copied and truncated``, ``renamed``, ``rotated``, ``replaced``,
    ``replaced by a longer copy`` or ``deleted``.
    """

    kind: str
    text: str


class Follower:
    """Follows one file by name.

    Attributes:
        path: its name.
        size: bytes given so far.
        copies: files from which the rest of a content that is gone was read.
    """

    def __init__(self, path: str, *, text: bool = True) -> None:
        """``text`` says that lines are to be kept apart, and NUL bytes are no content."""
        self.path = path
        self.size = 0
        self.copies: set[str] = set()
        self._text = text
        self._file: BinaryIO | None = None
        self._status: os.stat_result | None = None
        self._at = 0
        """Place in the file that is open."""
        self._digest = hashlib.sha256()
        """Of all before that place."""
        self._tail = b""
        self._away = False

    def poll(self) -> Iterator[bytes | News]:
        """What came since the last call: bytes, and news in between where they happened.

        Where a text starts anew a line break is given first, so that a line that was cut off
        there does not run into the next. Where it was renamed and goes on it is not.

        Raises:
            SourceError: it may not be read, or is not a regular file.
        """
        if self._file is None:
            yield from self._first()
            return
        yield from self._same()
        yield from self._read()
        named = self._named()
        if named is None:
            yield from self._gone()
        elif not os.path.samestat(named, os.fstat(self._file.fileno())):
            yield from self._other()
        else:
            self._away = False

    def close(self) -> None:
        """Let go of the file."""
        if self._file:
            self._file.close()
            self._file = None

    def moves_to(self, path: str) -> bool:
        """Whether the file that is read is there under this name now; then it is followed there."""
        if self._file is None or not os.path.exists(path):
            return False
        if not os.path.samestat(os.stat(path), os.fstat(self._file.fileno())):
            return False
        self.path = path
        return True

    def _first(self) -> Iterator[bytes | News]:
        if self._named() is None:
            return
        self._open()
        if self._away:
            yield News("appeared", "is there now")
        self._away = False
        yield from self._read()

    def _named(self) -> os.stat_result | None:
        """The state of what the name stands for; None for nothing."""
        try:
            named = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            if self._file is None:
                self._away = True
            return None
        except OSError as error:
            raise self._error(error.strerror or str(error)) from error
        if not stat.S_ISREG(named.st_mode):
            raise self._error("is not a regular file, and only such are followed")
        return named

    def _open(self) -> None:
        try:
            self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self._error(f"cannot be opened: {error.strerror}") from error
        self._begin()

    def _begin(self) -> None:
        self._at, self._tail, self._digest = 0, b"", hashlib.sha256()

    def _error(self, reason: str) -> SourceError:
        return SourceError(f"{printable(self.path)}: {reason}")

    def _read(self) -> Iterator[bytes]:
        """From the place of reading to the end as it is now."""
        assert self._file is not None
        while True:
            try:
                self._file.seek(self._at)
                data = self._file.read(BLOCK_BYTES)
            except OSError as error:
                raise self._error(f"cannot be read on: {error.strerror}") from error
            if not data:
                return
            whole = len(data)
            if not self._tail and self._text:
                # A writer that was not told of the truncation goes on where it was: a hole.
                data = data.lstrip(b"\0") if self.size else data
            self._at += whole
            self._tail = (self._tail + data)[-TAIL:]
            self._digest.update(data)
            self.size += len(data)
            if data:
                yield data

    def _same(self) -> Iterator[bytes | News]:
        """Whether the open file still holds what was read of it."""
        assert self._file is not None
        size = os.fstat(self._file.fileno()).st_size
        if size >= self._at and self._before(self._file) == self._tail:
            return
        copy = self._copy()
        if copy:
            name, rest = copy
            self.copies.add(os.path.join(os.path.dirname(self.path), name))
            self.size += len(rest)
            yield rest
            yield News("copied and truncated", f"was copied to {printable(name)} and truncated")
        else:
            yield News("truncated", "was truncated; it is read from its beginning")
            if self._text:
                yield b"\n"
        self._begin()

    def _before(self, file: BinaryIO) -> bytes:
        file.seek(self._at - len(self._tail))
        return file.read(len(self._tail))

    def _copy(self) -> tuple[str, bytes] | None:
        """The copy that was made before the file was truncated, and what it holds beyond."""
        folder, base = os.path.split(self.path)
        try:
            names = os.listdir(folder or ".")
        except OSError:
            return None
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name != base and name.startswith(base) and os.path.isfile(path):
                rest = self._beyond(path)
                if rest is not None:
                    return name, rest
        return None

    def _beyond(self, path: str) -> bytes | None:
        """What a file holds beyond what was read, if it begins with that; else None."""
        digest = hashlib.sha256()
        left = self._at
        try:
            with open(path, "rb", buffering=0) as file:
                if not left or os.fstat(file.fileno()).st_size < left:
                    return None
                while left and (data := file.read(min(left, BLOCK_BYTES))):
                    digest.update(data)
                    left -= len(data)
                return file.read() if digest.digest() == self._digest.digest() else None
        except OSError:
            return None

    def _gone(self) -> Iterator[bytes | News]:
        """The name stands for nothing: the open file is read on until there is another."""
        assert self._file is not None
        if self._away:
            return
        self._away = True
        if os.fstat(self._file.fileno()).st_nlink:
            yield News("renamed", "was renamed; waiting for another of its name")
        else:
            yield News("deleted", "was deleted; waiting for another of its name")

    def _other(self) -> Iterator[bytes | News]:
        """The name stands for another file."""
        assert self._file is not None
        kept = os.fstat(self._file.fileno())
        # What was written until the other came; nobody writes to it under this name again.
        yield from self._read()
        self._away = False
        if kept.st_nlink:
            yield News("rotated", "was renamed and begun anew")
            if self._text:
                yield from self._between(kept)
        elif self._beyond(self.path) is not None:
            yield News("replaced by a longer copy", "was replaced by a copy that goes on")
            at, tail, digest = self._at, self._tail, self._digest
            self._file.close()
            self._open()
            self._at, self._tail, self._digest = at, tail, digest
            yield from self._read()
            return
        else:
            yield News("replaced", "was replaced; the new one is read from its beginning")
            if self._text:
                yield b"\n"
        self._file.close()
        self._open()
        yield from self._read()

    def _between(self, last: os.stat_result) -> Iterator[bytes]:
        """Files that were rotated away between two looks, the oldest first."""
        paths = []
        for number in range(1, ROTATED_KEPT):
            path = f"{self.path}.{number}"
            try:
                status = os.stat(path)
            except OSError:
                return
            if os.path.samestat(status, last):
                break
            paths.append(path)
        else:
            return
        for path in reversed(paths):
            with open(path, "rb") as file:
                while data := file.read(BLOCK_BYTES):
                    self.size += len(data)
                    yield data


def duration(text: str) -> float:
    """Seconds of ``10m``, ``90s``, ``2h``, ``1.5d`` or a plain number.

    Raises:
        ValueError: it is none of these.
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)\s*([smhd]?)", text.strip().lower())
    if not found:
        raise ValueError(f"{text!r} is no duration; write it like 90s, 10m or 2h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]
