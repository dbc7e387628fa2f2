"""What one visitor has loaded: files in, analyses out; it lives and dies with the session.

Nothing here is shared between sessions and nothing is written to disk.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from logparse.analysis import Analysis, Failure
from logparse.errors import LogparseError
from logparse.reading.archives import printable
from logparse.reading.source import Upload
from logparse.samples import Sample

SESSION_BYTES = 500 << 20
"""Bytes of uploads that one visitor may hold in memory."""

SESSION_FILES = 1000
"""Files that one visitor may hold."""

EVENTS = "tfevents"
"""What TensorBoard's own rule asks for in the name of an event file."""

Given = tuple[tuple[str, Any], ...]
"""How to read a file, where it should not be found out: names and values of ``analyze``."""


@dataclass(frozen=True, slots=True)
class File:
    """One file, archive or folder that was uploaded or named when the app was started.

    ``id`` is the SHA-256 of an upload's content, or of a path.
    """

    id: str
    name: str
    spec: str | Upload
    size: int
    among: bool = False
    """It came with the folder it was in: if it is no log, nobody meant it to be one."""

    @property
    def path(self) -> str | None:
        """The path, None for an upload."""
        return None if isinstance(self.spec, Upload) else self.spec


class Log(NamedTuple):
    """One log of a file; ``id`` is short and fit for a URL."""

    id: str
    file: File
    analysis: Analysis

    @property
    def name(self) -> str:
        """Its name for people, not yet safe to show."""
        return self.analysis.source.name


def short_name(log: Log) -> str:
    """The end of a log's name, which tells most, with the folder or archive it is in."""
    return "/".join(log.name.replace("::", "/").split("/")[-2:])


def packed(files: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Uploaded files, event files of one folder packed together: those of a run belong together.

    Names of an uploaded folder's files begin with its name; other names have no folder.
    """
    events: dict[str, list[tuple[str, bytes]]] = {}
    others = []
    for name, data in files:
        if EVENTS in name.rsplit("/", 1)[-1]:
            events.setdefault(name.partition("/")[0] if "/" in name else "events", []).append(
                (name, data)
            )
        else:
            others.append((name, data))
    for folder, members in events.items():
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            for name, data in members:
                # A time of its own would make the same upload another file each time.
                file.writestr(zipfile.ZipInfo(name), data)
        others.append((folder, archive.getvalue()))
    return others


Key = tuple[str, str, Given]
"""What a result is of: a file's id, the version of its content, how it was read."""


@dataclass(slots=True)
class Store:
    """The files of one visitor, and what came of them."""

    most_bytes: int = SESSION_BYTES
    """Bytes of uploads that may be held."""
    files: dict[str, File] = field(default_factory=dict)
    given: dict[str, Given] = field(default_factory=dict)
    """How to read a file, by its id."""
    notices: list[str] = field(default_factory=list)
    """What could not be taken, for the next page."""
    _results: dict[Key, list[Analysis | Failure]] = field(default_factory=dict)
    _versions: dict[str, str] = field(default_factory=dict)

    def upload(self, name: str, data: bytes, *, among: bool = False) -> None:
        """Take a file; the same content again is the same file.

        Args:
            name: its name, which is only shown.
            data: its content.
            among: it came with the folder it was in.
        """
        id = hashlib.sha256(data).hexdigest()
        if id in self.files:
            self.notices.append(f"{name}: the same as {self.files[id].name}, which is loaded")
        elif len(self.files) >= SESSION_FILES:
            self.notices.append(f"{name}: not taken, {SESSION_FILES:,} files are the most")
        elif sum(file.size for file in self.files.values()) + len(data) > self.most_bytes:
            self.notices.append(
                f"{name}: not taken, it would make more than {self.most_bytes >> 20:,} MB in all; "
                "remove files first, or start the app as: logparse app PATH"
            )
        else:
            self.files[id] = File(id, name, Upload(name, data), len(data), among)

    def open(self, path: str) -> None:
        """Take a path that was named when the app was started, or a bundled sample."""
        id = hashlib.sha256(os.fsencode(path)).hexdigest()
        # An upload's size counts against the limit; a path is read where it lies.
        self.files.setdefault(id, File(id, printable(path), path, 0))

    def sample(self, sample: Sample) -> None:
        """Take a bundled sample."""
        for name, data in packed(sample.files()):
            self.upload(name, data)

    def remove(self, id: str) -> None:
        """Forget a file and all that came of it."""
        self.files.pop(id, None)
        self.given.pop(id, None)
        for key in [key for key in self._results if key[0] == id]:
            del self._results[key]

    def read_as(self, id: str, given: Given) -> None:
        """Set how a file is to be read: it is read again."""
        self.given[id] = given

    def key(self, file: File) -> Key:
        """What the current result of a file is filed under."""
        return file.id, self.version(file), self.given.get(file.id, ())

    def pending(self) -> list[tuple[Key, File]]:
        """Files that are not read yet, or not in this way."""
        keys = [(self.key(file), file) for file in self.files.values()]
        return [(key, file) for key, file in keys if key not in self._results]

    def put(self, key: Key, results: list[Analysis | Failure]) -> None:
        """Keep what came of a file; older results of it go."""
        for old in [old for old in self._results if old[0] == key[0]]:
            del self._results[old]
        if key[0] in self.files:
            self._results[key] = results

    def cancelled(self, key: Key, file: File) -> None:
        """Note that the visitor stopped the reading of a file."""
        self.put(key, [Failure(file.name, LogparseError(f"{file.name}: you stopped the reading"))])

    def again(self, file: File) -> None:
        """Read a file once more."""
        self._results.pop(self.key(file), None)

    def version(self, file: File) -> str:
        """What ``changed`` noted last."""
        return self._versions.get(file.id, "")

    def changed(self, file: File, version: str) -> None:
        """Note that a path has other content now: it is read again."""
        self._versions[file.id] = version

    def results(self) -> Iterator[tuple[File, Analysis | Failure]]:
        """Everything that came of the files, in their order."""
        for file in self.files.values():
            for result in self._results.get(self.key(file), ()):
                yield file, result

    def logs(self) -> list[Log]:
        """All logs that could be read."""
        found: dict[str, int] = {}
        logs = []
        for file, result in self.results():
            if isinstance(result, Analysis):
                number = found[file.id] = found.get(file.id, 0) + 1
                short = file.id[:10] + (f"-{number}" if number > 1 else "")
                logs.append(Log(short, file, result))
        return logs

    def failures(self) -> list[tuple[File, Failure]]:
        """All that could not be read."""
        return [(file, one) for file, one in self.results() if isinstance(one, Failure)]

    def trim(self, used: Iterable[Log]) -> None:
        """Drop the large tables of all logs but those ``used``; they are made again if needed."""
        keep = {id(log.analysis) for log in used}
        for log in self.logs():
            if id(log.analysis) not in keep:
                log.analysis.release()
