"""A folder, a file or a URL -> the logs that may lie there, and what tells whether each changed."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
import time
from typing import NamedTuple

from logparse.reading import remote
from logparse.reading.event_names import events_in
from logparse.reading.paths import expand, logs_at, open_file, split_spec
from logparse.reading.remote import is_url

FRESH = 2.0
"""Seconds after a change in which a file may change again without a new time of change."""


class Found(NamedTuple):
    """A file that may hold a log.

    Attributes:
        path: as ``open_sources`` takes it.
        name: the path below the tree.
        stamp: changes when the file does; empty where that cannot be told without reading it.
        size: bytes, as far as the system tells.
    """

    path: str
    name: str
    stamp: str
    size: int

    @property
    def ident(self) -> str:
        """What the file is known by: a digest of its name."""
        return digest(self.name)


def digest(name: str) -> str:
    """16 hexadecimal digits that stand for a name."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


def found_in(tree: str, *, without: str | None = None) -> list[Found]:
    """The files below ``tree``, or the one it names, by name.

    Args:
        tree: a folder, a file, a glob or a URL.
        without: a folder to pass over: the one that the reports go to.

    Raises:
        SourceError: there is nothing, or it cannot be reached.
    """
    if is_url(tree):
        return _remote(tree)
    if not os.path.isdir(tree) and not glob.has_magic(tree):
        with open_file(split_spec(tree)[0], None):
            pass  # says at once that it is not there
    own = os.path.realpath(without) + os.sep if without else None
    return [
        Found(path, _below(path, tree), *_stamp(path))
        for path in expand([tree])
        if not (own and os.path.realpath(path).startswith(own))
    ]


def _remote(tree: str) -> list[Found]:
    files = remote.find(tree)
    root = remote.whole(tree)
    found = []
    for url in logs_at(tree, [file.url for file in files]):
        # A run of event files is known by its folder.
        own = [file for file in files if file.url == url or file.url.startswith(f"{url}/")]
        stamps = [file.stamp for file in own]
        stamp = digest("\n".join(stamps)) if all(stamps) else ""
        name = url.removeprefix(root).lstrip("/") or root.rpartition("/")[2]
        found.append(Found(url, name, stamp, sum(file.size for file in own)))
    return found


def _below(path: str, tree: str) -> str:
    if os.path.isdir(tree) and os.path.abspath(path) != os.path.abspath(tree):
        return os.path.relpath(path, tree)
    return os.path.basename(os.path.abspath(path))


def _stamp(path: str) -> tuple[str, int]:
    """Of a file its size, times and number; of a folder of events those of all its files."""
    parts, size, latest = [], 0, 0.0
    try:
        for place in _files(path):
            status = os.stat(place)
            size += status.st_size
            latest = max(latest, status.st_mtime)
            parts.append(
                f"{os.path.basename(place)}:{status.st_size}:{status.st_mtime_ns}"
                f":{status.st_ctime_ns}:{status.st_ino}"
            )
            if not stat.S_ISREG(status.st_mode):
                return "", size
    except OSError:  # reading it will say what is wrong
        return "", size
    if time.time() - latest < FRESH:
        return "", size
    return digest("\n".join(parts)) if parts else "", size


def _files(path: str) -> list[str]:
    """The file itself; of the folder of a run its event files."""
    return events_in(path) if os.path.isdir(path) else [path]


def content_hash(path: str) -> str:
    """SHA-256 of what a file, or the event files of a folder, hold.

    Raises:
        OSError: it cannot be read.
        SourceError: the same, of a URL.
    """
    places = [file.url for file in remote.find(path)] if is_url(path) else _files(path)
    digests = []
    for place in places:
        with open_file(place, None) as file:
            whole = hashlib.sha256()
            while block := file.read(1 << 20):
                whole.update(block)
            digests.append(whole.hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
