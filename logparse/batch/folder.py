"""The folder that a report goes to: made, locked, and written so that each file is whole."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable

from logparse.errors import LogparseError, UsageError
from logparse.files import clear_errors, locked, remove_stale, write_atomic

NOTES = ".logparse"
"""Folder of the notes; what has one was made by logparse."""

PAGES, DATA = "runs", "data"


class Folder:
    """A report folder, held by this process alone until ``close``.

    Attributes:
        path: of the folder.
        pages: file names of the pages in it.

    Raises:
        UsageError: it holds files and was not made by logparse, and ``force`` is not given.
        LogparseError: another process writes there, or it cannot be written.
    """

    def __init__(self, path: str, *, force: bool) -> None:
        self.path = path
        if os.path.lexists(path) and not os.path.isdir(path):
            raise UsageError(f"{path}: is a file; name a folder")
        ours = os.path.isdir(os.path.join(path, NOTES))
        if not ours and not force and os.path.isdir(path) and os.listdir(path):
            raise UsageError(
                f"{path}: holds files that logparse did not write; "
                "name another folder, or give --force to write among them"
            )
        with clear_errors(path):
            os.makedirs(path, exist_ok=True)
            for name in (NOTES, PAGES, DATA):
                self._subfolder(name)
        self._held = contextlib.ExitStack()
        if not self._held.enter_context(locked(os.path.join(path, NOTES, "lock"))):
            raise LogparseError(f"{path}: another logparse is writing there; wait until it is done")
        self.pages: set[str] = set()
        for name in ("", PAGES):
            remove_stale(os.path.join(path, name))
        with os.scandir(os.path.join(path, PAGES)) as entries:
            self.pages = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}

    def _subfolder(self, name: str) -> str:
        """A folder within, made if need be; never a link to elsewhere."""
        path = os.path.join(self.path, name)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise UsageError(f"{path}: is no folder, but logparse needs one there; move it away")
        return path

    @property
    def notes(self) -> str:
        """The file of the notes."""
        return os.path.join(self.path, NOTES, "state.sqlite")

    def write(self, data: bytes, *names: str) -> None:
        """Write a file, named by its folders and name, whole or not at all."""
        with write_atomic(os.path.join(self.path, *names), force=True, clean=False) as file:
            file.write(data)

    def write_page(self, name: str, html: bytes) -> None:
        """Write the page of a log."""
        self.write(html, PAGES, name)
        self.pages.add(name)

    def remove_pages(self, names: Iterable[str]) -> None:
        """Remove pages; only names that are there are touched."""
        for name in set(names) & self.pages:
            with contextlib.suppress(FileNotFoundError), clear_errors(self.path):
                os.unlink(os.path.join(self.path, PAGES, name))
            self.pages.discard(name)

    def missing(self, *names: str) -> bool:
        """Whether a file is not there."""
        return not os.path.isfile(os.path.join(self.path, *names))

    def parts(self, table: str) -> set[str]:
        """File names of a table of the data set; its folder is made."""
        with clear_errors(self.path):
            folder = self._subfolder(os.path.join(DATA, table))
            remove_stale(folder)
            return {name for name in os.listdir(folder) if name.endswith(".parquet")}

    def remove_part(self, table: str, name: str) -> None:
        """Remove a file of a table."""
        with contextlib.suppress(FileNotFoundError), clear_errors(self.path):
            os.unlink(os.path.join(self.path, DATA, table, name))

    def close(self) -> None:
        """Let other processes in."""
        self._held.close()
