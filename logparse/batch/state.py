"""What a report folder knows of its logs, kept in SQLite: whole after a kill at any instant."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from logparse.batch.work import Done, Entry
from logparse.errors import LogparseError

COMMIT_SECONDS = 1.0
"""Work that a kill may cost, and how often the disk is made to wait for."""

_LAYOUT = "1"
"""Changes with the tables below; a folder of another layout is made anew."""

_TABLES = """
CREATE TABLE about(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE files(
    ident TEXT PRIMARY KEY, stamp TEXT NOT NULL, sha256 TEXT NOT NULL, key TEXT NOT NULL,
    seconds REAL NOT NULL);
CREATE TABLE logs(
    file TEXT NOT NULL, place INTEGER NOT NULL, status TEXT NOT NULL, page TEXT NOT NULL,
    worst TEXT NOT NULL, entry TEXT NOT NULL, tables BLOB, PRIMARY KEY(file, place));
CREATE TABLE stale(part TEXT PRIMARY KEY);
"""


class Known(NamedTuple):
    """What was noted of a file when it was read."""

    stamp: str
    sha256: str
    key: str
    pages: list[str]


class State:
    """The notes of one report folder; one process at a time writes them.

    Raises:
        LogparseError: the disk is full or fails; nothing noted so far is lost.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with _clear(path):
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if "not a database" not in str(error) and "malformed" not in str(error):
                    raise
                # Only notes: without them every log is read again.
                self._base.close()
                os.unlink(path)
                self._open()
        self._since = time.monotonic()

    def _open(self) -> None:
        self._base = sqlite3.connect(self._path, isolation_level=None)
        try:
            found = self._base.execute("SELECT value FROM about WHERE key = 'layout'").fetchone()
        except sqlite3.OperationalError:
            found = None
        if not found or found[0] != _LAYOUT:
            names = self._base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            drop = "".join(f'DROP TABLE "{name}";' for (name,) in names.fetchall())
            self._base.executescript(
                f"BEGIN; {drop} {_TABLES} INSERT INTO about VALUES('layout', '{_LAYOUT}'); COMMIT"
            )
        self._base.execute("BEGIN")

    def files(self) -> dict[str, Known]:
        """All files noted, by their ident."""
        pages: dict[str, list[str]] = {}
        for file, page in self._base.execute("SELECT file, page FROM logs WHERE page <> ''"):
            pages.setdefault(file, []).append(page)
        rows = self._base.execute("SELECT ident, stamp, sha256, key FROM files")
        return {
            ident: Known(stamp, sha256, key, pages.get(ident, []))
            for ident, stamp, sha256, key in rows
        }

    def put(self, ident: str, stamp: str, key: str, done: Done) -> None:
        """Note what was found in a file, in place of what was noted before."""
        with _clear(self._path), self._together():
            self._drop(ident)
            self._base.execute(
                "INSERT INTO files VALUES(?, ?, ?, ?, ?)",
                (ident, stamp, done.sha256, key, done.seconds),
            )
            self._base.executemany(
                "INSERT INTO logs VALUES(?, ?, ?, ?, ?, ?, ?)",
                [
                    (ident, i, log.status, log.page, log.worst, json.dumps(log.entry), log.tables)
                    for i, log in enumerate(done.logs or ())
                ],
            )
        self._commit_sometimes()

    def touch(self, ident: str, stamp: str) -> None:
        """Note that a file was seen with other times and the same content."""
        with _clear(self._path):
            self._base.execute("UPDATE files SET stamp = ? WHERE ident = ?", (stamp, ident))
            self._commit_sometimes()

    def remove(self, idents: Iterable[str]) -> None:
        """Forget files."""
        with _clear(self._path):
            for ident in idents:
                self._drop(ident)

    def _drop(self, ident: str) -> None:
        self._base.execute("INSERT OR IGNORE INTO stale VALUES(?)", (ident[:2],))
        self._base.execute("DELETE FROM files WHERE ident = ?", (ident,))
        self._base.execute("DELETE FROM logs WHERE file = ?", (ident,))

    def entries(self) -> Iterator[Entry]:
        """What the index shows of each log."""
        for (entry,) in self._base.execute("SELECT entry FROM logs ORDER BY file, place"):
            yield json.loads(entry)

    def counts(self) -> dict[tuple[str, str], int]:
        """Logs by status and severity of their worst finding."""
        rows = self._base.execute("SELECT status, worst, count(*) FROM logs GROUP BY 1, 2")
        return {(status, worst): n for status, worst, n in rows}

    def tables(self, prefix: str) -> Iterator[tuple[Entry, bytes | None]]:
        """The entry and packed tables of each log whose file's ident begins so."""
        rows = self._base.execute(
            "SELECT entry, tables FROM logs WHERE file GLOB ? || '*' ORDER BY file, place",
            (prefix,),
        )
        for entry, packed in rows:
            yield json.loads(entry), packed

    def stale(self) -> set[str]:
        """First two digits of the idents whose rows changed since ``fresh`` was called."""
        return {part for (part,) in self._base.execute("SELECT part FROM stale")}

    def fresh(self) -> None:
        """Note that the index and the data set hold all that is known."""
        with _clear(self._path):
            self._base.execute("DELETE FROM stale")
            self.commit()

    def get(self, key: str) -> str | None:
        """A fact about the folder as a whole."""
        row = self._base.execute("SELECT value FROM about WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set(self, key: str, value: str) -> None:
        """Note a fact about the folder as a whole."""
        with _clear(self._path):
            self._base.execute("INSERT OR REPLACE INTO about VALUES(?, ?)", (key, value))

    def commit(self) -> None:
        """Bring to disk all that was noted."""
        with _clear(self._path):
            self._base.execute("COMMIT")
            self._base.execute("BEGIN")
            self._since = time.monotonic()

    def close(self) -> None:
        """Bring all to disk and let go."""
        with _clear(self._path):
            if self._base.in_transaction:
                self._base.execute("COMMIT")
            self._base.close()

    @contextmanager
    def _together(self) -> Iterator[None]:
        """All that is noted in the block, or nothing: closing writes what is there."""
        self._base.execute("SAVEPOINT together")
        try:
            yield
        except sqlite3.DatabaseError:
            if self._base.in_transaction:  # else SQLite took back all by itself
                self._base.execute("ROLLBACK TO together")
            raise
        self._base.execute("RELEASE together")

    def _commit_sometimes(self) -> None:
        if time.monotonic() - self._since > COMMIT_SECONDS:
            self.commit()


@contextmanager
def _clear(path: str) -> Iterator[None]:
    """What SQLite says as one line."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        hint = "; free some space and run it again" if "full" in str(error) else ""
        raise LogparseError(f"{path}: cannot be written: {error}{hint}") from error
