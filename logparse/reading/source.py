"""A path, stdin, an upload, a packed file or an archive member -> blocks of bytes.

``open_sources`` gives one ``Source`` for a file or stdin and one a member for an archive.
Compression and archives are told by their first bytes, not by name.
"""

from __future__ import annotations

import io
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import chain
from typing import BinaryIO, NamedTuple

from logparse import limits
from logparse.errors import LimitError, SourceError
from logparse.reading import archives, encoding
from logparse.reading.archives import Member, archive_form, printable
from logparse.reading.paths import (
    MEMBER_SIGN,
    STDIN,
    STDIN_NAME,
    expand,
    nearest,
    open_file,
    regular_size,
    split_spec,
)
from logparse.reading.sha256 import Sha256
from logparse.reading.unpack import Meter, Readable, Total, Unpacked, compression

__all__ = ["Skipped", "Source", "Sources", "Upload", "expand", "open_sources"]


class Upload(NamedTuple):
    """A file held in memory: its name, only ever shown, and its bytes. It may be packed."""

    name: str
    data: bytes

    def __repr__(self) -> str:
        return f"Upload({self.name!r}, {len(self.data):,} bytes)"


class Skipped(NamedTuple):
    """A member of an archive that was not read, and why."""

    name: str
    reason: str


class Source:
    """One log as blocks of bytes, read once.

    Sizes and offsets are those of the text after unpacking and transcoding to UTF-8: what a
    reader is fed, plus ``bom``. So ``size == sum(len(block)) + bom`` once all is read.

    Attributes:
        name: for people, with odd characters escaped: ``logs.zip::run1/train.log``.
        member: its name in the archive, as it stands there; None for a file of its own.
        path: the file on disk, None for stdin and uploads.
        size: bytes; before all is read what the file system or the archive says, or None.
        encoding: what the text is written in; anything but ``utf-8`` is transcoded. Known once
            reading began.
        bom: bytes of a UTF-8 byte order mark, which is not given on: 3 or 0.
        damage: after reading, what was wrong with a packed file, None for nothing.
        sha256: after reading, if asked for: of the unpacked bytes, before transcoding.
    """

    def __init__(
        self,
        name: str,
        path: str | None,
        stream: _Peekable,
        *,
        size: int | None,
        sha256: bool = False,
        finish: Callable[[], str | None] = lambda: None,
        member: str | None = None,
    ) -> None:
        self.name = name
        self.member = member
        self.path = path
        self.size = size
        self.encoding = "utf-8"
        self.bom = 0
        self.damage: str | None = None
        self.sha256: str | None = None
        self._stream = stream
        self._want_sha256 = sha256
        self._finish = finish
        self._begun = False
        self.owner: Sources | None = None
        self.passed = False

    def blocks(self) -> Iterator[bytes]:
        """The bytes in blocks of about ``limits.BLOCK_BYTES``, each when asked for.

        Raises:
            SourceError: it cannot be read on; what came before is good.
            LimitError: it unpacks to more than is safe.
        """
        if self._begun:
            raise RuntimeError(f"{self.name} was read before; a source is read once")
        if self.passed:
            raise RuntimeError(f"{self.name} must be read before the next one is asked for")
        self._begun = True
        head = self._stream.peek(encoding.SNIFF_BYTES)
        self.encoding, mark = encoding.sniff(head)
        raw = self._raw_blocks()
        first = next(raw, b"")[mark:]
        text: Iterator[bytes] = chain((first,), raw)
        if self.encoding == "utf-8":
            self.bom = mark
        else:
            self.size = None
            text = encoding.to_utf8(text, self.encoding)
        given = 0
        for block in text:
            if block:
                given += len(block)
                yield block
        self.size = given + self.bom

    def _raw_blocks(self) -> Iterator[bytes]:
        given = 0
        with Sha256() if self._want_sha256 else nullcontext() as digest:
            while block := self._stream.read(limits.BLOCK_BYTES):
                if digest:
                    digest.update(block)
                given += len(block)
                yield block
            self.damage = self._finish()
            if self.damage and not given:
                raise SourceError(f"{self.name}: {self.damage}; nothing in it can be read")
            self.sha256 = digest.hexdigest() if digest else None


class Sources(Iterator[Source]):
    """The sources of one spec, one after the other; read each before asking for the next.

    ``skipped`` lists members of an archive that were passed over so far, with the reason.
    """

    def __init__(self, sources: Callable[[list[Skipped]], Iterator[Source]]) -> None:
        self.skipped: list[Skipped] = []
        self._sources = sources(self.skipped)
        self._last: Callable[[], Source | None] = lambda: None

    def __next__(self) -> Source:
        source = next(self._sources)
        if last := self._last():
            last.passed = True
        self._last = weakref.ref(source)  # no cycle: it would keep the file open
        source.owner = self  # else the file is closed once nobody holds the iterator
        return source


def open_sources(
    spec: str | Upload, *, stdin: BinaryIO | None = None, sha256: bool = False
) -> Sources:
    """Opens a file, ``-`` (stdin), an archive, ``ARCHIVE::MEMBER``, or an upload.

    Nothing is opened before the first source is asked for. For an archive, members that cannot
    be logs (links, encrypted, archives within) are listed in ``skipped``.

    Args:
        spec: what the user named.
        stdin: read for ``-`` in place of the process's own.
        sha256: compute the hash of the content while it is read.

    Raises:
        SourceError: (from the iterator) it is missing, not a file, may not be read, or is
            damaged; one line that says what to try.
        LimitError: (from the iterator) an archive is too large to be read safely.
    """
    if isinstance(spec, Upload):
        return _upload_sources(spec, sha256=sha256)
    path, member = split_spec(spec)

    def sources(skipped: list[Skipped]) -> Iterator[Source]:
        with open_file(path, stdin) as file:
            name = STDIN_NAME if path == STDIN else printable(path)
            on_disk = None if path == STDIN else path
            opened = _Opened(file, name, on_disk, member, regular_size(file), sha256, skipped)
            yield from opened.sources()

    return Sources(sources)


def _upload_sources(upload: Upload, *, sha256: bool) -> Sources:
    def sources(skipped: list[Skipped]) -> Iterator[Source]:
        file, size = io.BytesIO(upload.data), len(upload.data)
        opened = _Opened(file, printable(upload.name), None, None, size, sha256, skipped)
        opened.most = limits.UPLOAD_ARCHIVE_BYTES
        yield from opened.sources()

    return Sources(sources)


class _Peekable:
    """A stream whose first bytes can be looked at; errors of the system become ``SourceError``."""

    def __init__(self, stream: Readable, name: str) -> None:
        self._stream = stream
        self._name = name
        self._head = b""

    def peek(self, n: int) -> bytes:
        if len(self._head) < n:
            self._head += self._read(n - len(self._head))
        return self._head[:n]

    def read(self, n: int, /) -> bytes:
        data, self._head = self._head[:n], self._head[n:]
        return data + self._read(n - len(data)) if len(data) < n else data

    def _read(self, n: int) -> bytes:
        try:
            return self._stream.read(n)
        except OSError as error:
            raise SourceError(
                f"{self._name}: cannot be read on: {error.strerror or error}"
            ) from error


class _Opened:
    """One open file, and what it turns out to be."""

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        path: str | None,
        member: str | None,
        size: int | None,
        sha256: bool,
        skipped: list[Skipped],
    ) -> None:
        self._file = file
        self._name = name
        self._path = path
        self._member = member
        self._size = size
        self._sha256 = sha256
        self._skipped = skipped
        self.most = limits.ARCHIVE_BYTES
        """Bytes that all members together may unpack to."""

    def sources(self) -> Iterator[Source]:
        stream = _Peekable(self._file, self._name)
        form = compression(stream.peek(archives.TAR_MAGIC_END))
        if not form:
            yield from self._plain(stream)
            return
        unpacked = Unpacked(stream, form, Meter(self._name))
        content = _Peekable(unpacked, self._name)
        head = content.peek(archives.TAR_MAGIC_END)
        if archive_form(head) == "tar":
            total = unpacked.meter.total = Total(self._size, self.most)
            yield from self._members(archives.tar_members(content, self._name), total)
            while self._member is None and content.read(limits.BLOCK_BYTES):
                pass  # padding; only at the end is it known whether the packed data are whole
            if unpacked.damage and self._member is None:
                raise SourceError(f"{self._name}: {unpacked.damage}; what follows is lost")
            return
        if reason := _nested(head):
            raise SourceError(f"{self._name}: {reason}")
        self._no_member()
        yield self._source(content, None, lambda: unpacked.damage)

    def _plain(self, stream: _Peekable) -> Iterator[Source]:
        form = archive_form(stream.peek(archives.TAR_MAGIC_END))
        if form == "tar":
            yield from self._members(
                archives.tar_members(stream, self._name), Total(self._size, self.most)
            )
        elif form == "zip":
            if self._size is None:
                raise SourceError(
                    f"{self._name}: a zip archive is read from its end, which a stream does not "
                    "allow; save it to a file first"
                )
            total = Total(self._size, self.most)
            listing = list(archives.zip_members(self._file, self._name, total))
            if len(listing) > limits.ARCHIVE_MEMBERS and not self._member:
                raise self._too_many()
            yield from self._members(listing, total)
        else:
            self._no_member()
            yield self._source(stream, self._size, self._check_shrunk)

    def _source(
        self, stream: _Peekable, size: int | None, finish: Callable[[], str | None], name: str = ""
    ) -> Source:
        return Source(
            self._display(name) if name else self._name,
            self._path,
            stream,
            size=size,
            sha256=self._sha256,
            finish=finish,
            member=name or None,
        )

    def _members(self, members: Iterable[Member], total: Total) -> Iterator[Source]:
        names = []
        found = 0
        for count, member in enumerate(members, start=1):
            if count <= limits.ARCHIVE_MEMBERS:
                names.append(member.name)
            if self._member is not None:
                if not self._asked(member.name) and not self._inside(member.name):
                    continue
            elif count > limits.ARCHIVE_MEMBERS:
                raise self._too_many()
            try:
                source = self._member_source(member, total)
            except LimitError:
                raise
            except SourceError as error:
                self._skip(member, str(error).removeprefix(f"{self._display(member.name)}: "))
                continue
            if source:
                found += 1
                yield source
            if self._asked(member.name):
                return
        if self._member is not None and not found:
            raise SourceError(
                f"{self._name}: holds no {printable(self._member)}{nearest(self._member, names)}"
            )
        if not found:
            raise SourceError(f"{self._name}: {self._why_nothing()}")

    def _asked(self, name: str) -> bool:
        """Whether this very member was asked for."""
        return self._member in (name, printable(name))

    def _inside(self, name: str) -> bool:
        """Whether a member lies in the folder that was asked for."""
        folder = f"{(self._member or '').rstrip('/')}/"
        return name.startswith(folder) or printable(name).startswith(folder)

    def _member_source(self, member: Member, total: Total) -> Source | None:
        """A member as a source; None if it was passed over."""
        reason = member.skip
        if not self._asked(member.name):
            reason = reason or _hidden(member.name)
        if reason:
            self._skip(member, reason)
            return None
        name = self._display(member.name)
        content = member.open()
        stream = _Peekable(content, name)
        size: int | None = member.size
        if form := compression(stream.peek(archives.TAR_MAGIC_END)):
            outer = stream
            content = Unpacked(outer, form, Meter(name, total))
            stream = _Peekable(content, name)
            size = None
        if reason := _nested(stream.peek(archives.TAR_MAGIC_END)):
            self._skip(member, reason)
            return None
        return self._source(stream, size, lambda: getattr(content, "damage", None), member.name)

    def _skip(self, member: Member, reason: str) -> None:
        if self._asked(member.name):
            raise SourceError(f"{self._display(member.name)}: {reason}")
        self._skipped.append(Skipped(printable(member.name), reason))

    def _display(self, member: str) -> str:
        return f"{self._name}{MEMBER_SIGN}{printable(member)}"

    def _why_nothing(self) -> str:
        if not self._skipped:
            return "an empty archive"
        first = self._skipped[0]
        others = f" and {len(self._skipped) - 1} more" if len(self._skipped) > 1 else ""
        return f"no member can be read; skipped {first.name} ({first.reason}){others}"

    def _no_member(self) -> None:
        if self._member is not None:
            raise SourceError(
                f"{self._name}: not an archive, so it holds no {printable(self._member)}"
            )

    def _too_many(self) -> LimitError:
        return LimitError(
            f"{self._name}: more than {limits.ARCHIVE_MEMBERS:,} members; "
            f"name one as {self._name}{MEMBER_SIGN}MEMBER"
        )

    def _check_shrunk(self) -> None:
        size = regular_size(self._file)  # None for an upload, which nothing changes
        if size is not None and self._size is not None and size < self._size:
            raise SourceError(
                f"{self._name}: became shorter while it was read ({self._size:,} to "
                f"{size:,} bytes): something rewrites it; run again when it is done"
            )


def _nested(head: bytes) -> str | None:
    """Why content that is packed again is not read."""
    if archive_form(head):
        return "an archive inside a packed file or archive; unpack the outer one first"
    if form := compression(head):
        return f"packed twice ({form} inside); unpack the outer one first"
    return None


def _hidden(name: str) -> str | None:
    parts = name.split("/")
    hidden = any(part.startswith(".") and part not in (".", "..") for part in parts)
    return "hidden" if hidden or parts[0] == "__MACOSX" else None
