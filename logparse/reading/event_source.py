"""A folder, a URL, or files that come once as from an archive -> the event files of a run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from typing import BinaryIO, cast

from logparse.errors import NotALogError, SourceError
from logparse.reading import remote
from logparse.reading.event_names import PARTS, is_event_file, run_of
from logparse.reading.event_runs import EventFile

SPOOL_BYTES = 32 << 20
"""Bytes of event files from archives and pipes that stay in memory; more go to a temporary file."""


def run_files(folder: str) -> tuple[list[EventFile], str]:
    """The event files of the run in a folder or at a URL, and the folder's own name.

    Raises:
        NotALogError: there are none.
        SourceError: it cannot be listed.
    """
    own_name = os.path.basename(os.path.abspath(folder))
    if remote.is_url(folder):
        root = remote.whole(folder)
        own_name = root.rpartition("/")[2]
        found = [
            EventFile(file.url.removeprefix(f"{root}/"), _url_opener(file.url))
            for file in remote.find(folder)
            if is_event_file(file.url)
        ]
    else:
        found = [
            EventFile(name, _opener(os.path.join(folder, name)))
            for name in _listed(folder)
            if is_event_file(name)
        ]
    files = [file for file in found if run_of(file.name, own_name)[0] == "."]
    if not files:
        raise NotALogError(f"{folder}: no TensorBoard event file, whose name has 'tfevents' in it")
    return files, own_name


def _listed(folder: str) -> list[str]:
    """Files in a folder and in its parts, hidden ones left out."""
    found = []
    for part in ("", *PARTS):
        path = os.path.join(folder, part)
        if not os.path.isdir(path):
            continue
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror or error}") from error
        found += [
            f"{part}/{name}" if part else name
            for name in names
            if not name.startswith(".") and os.path.isfile(os.path.join(path, name))
        ]
    return found


def one_file(path: str) -> EventFile:
    """An event file on disk or at a URL."""
    if remote.is_url(path):
        return EventFile(path.rsplit("/", 1)[-1], _url_opener(path))
    return EventFile(os.path.basename(path), _opener(path))


def _opener(path: str) -> Callable[[], BinaryIO]:
    return lambda: open(path, "rb")


def _url_opener(url: str) -> Callable[[], BinaryIO]:
    return lambda: remote.open_url(url)


class Spool:
    """Event files that can be read only once, kept so that they can be opened again."""

    def __init__(self, *, on_disk: bool = True) -> None:
        """``on_disk`` allows a temporary file; without it all stays in memory."""
        self._store = tempfile.SpooledTemporaryFile(SPOOL_BYTES if on_disk else 0)  # noqa: SIM115
        self._end = 0
        self.files: list[EventFile] = []

    def add(self, name: str, blocks: Iterable[bytes]) -> None:
        """Take in a file.

        Raises:
            SourceError: there is no room for it.
        """
        start = self._end
        try:
            for block in blocks:
                self._store.seek(self._end)
                self._store.write(block)
                self._end += len(block)
        except OSError as error:
            reason = error.strerror or error
            raise SourceError(f"{name}: no room to keep it while it is read: {reason}") from error
        size = self._end - start
        self.files.append(EventFile(name, lambda: cast(BinaryIO, _Kept(self._store, start, size))))

    def runs(self) -> dict[str, list[EventFile]]:
        """The files by the folder of their run."""
        runs: dict[str, list[EventFile]] = {}
        for file in self.files:
            runs.setdefault(run_of(file.name)[0], []).append(file)
        return runs


class _Kept:
    """A file within the store."""

    def __init__(self, store: tempfile.SpooledTemporaryFile[bytes], start: int, size: int) -> None:
        self._store, self._at, self._left = store, start, size

    def read(self, size: int) -> bytes:
        self._store.seek(self._at)
        data = self._store.read(min(size, self._left))
        self._at += len(data)
        self._left -= len(data)
        return data

    def close(self) -> None:
        """The store stays open: other files are in it."""
