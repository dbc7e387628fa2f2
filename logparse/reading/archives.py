"""A zip or tar archive -> its members as bounded streams, never unpacked to disk."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from logparse import limits
from logparse.errors import LimitError, SourceError
from logparse.reading.unpack import Meter, Readable, Total, Unpacked

if TYPE_CHECKING:
    import zipfile

HEADER_BYTES = 1 << 20
"""Bytes of one long header of a tar member, or of a zip's list of members."""

TAR_MAGIC_END = 265
"""First bytes of a file that tell a tar archive."""

_TAR_BLOCK = 512
_TAR_DATA_LESS = b"123456"
"""Types of tar entries that no data follow: links, devices, folders, FIFOs."""
_LOCAL_HEADER_BYTES = 30
_ZIP_CODECS = {8: "deflate", 12: "bzip2", 93: "zstandard", 95: "xz"}


class Member(NamedTuple):
    """One entry of an archive: a file that ``open`` reads, or the reason why it is skipped.

    ``size`` is what the archive says; only reading tells. A tar's member must be read before
    the next one is asked for.
    """

    name: str
    size: int
    open: Callable[[], Readable]
    skip: str | None = None


def archive_form(head: bytes) -> str | None:
    """``zip`` or ``tar`` if the first bytes show one."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    return None


def zip_members(file: BinaryIO, name: str, total: Total) -> Iterator[Member]:
    """The entries of a zip archive, folders left out, in the order of its list.

    Raises:
        SourceError: it has no list of members that can be read.
        LimitError: the list is too long.
    """
    import zipfile

    try:
        listing = zipfile.ZipFile(_BoundedReads(file, name)).infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise SourceError(
            f"{name}: its list of members, at the end of a zip, cannot be read: "
            "the archive is cut or damaged; get it again"
        ) from error
    for info in listing:
        if info.is_dir():
            continue
        yield Member(
            info.filename, info.file_size, _zip_opener(file, info, name, total), _zip_skip(info)
        )


def _zip_skip(info: zipfile.ZipInfo) -> str | None:
    mode = info.external_attr >> 16
    if mode and mode & 0o170000 not in (0, 0o100000):
        return "a link or special file"
    if info.flag_bits & 0x1:
        return "encrypted; unpack it first"
    if info.compress_type not in (0, *_ZIP_CODECS):
        return f"packed by method {info.compress_type}, which logparse does not read"
    return None


def _zip_opener(
    file: BinaryIO, info: zipfile.ZipInfo, archive: str, total: Total
) -> Callable[[], Readable]:
    def opener() -> Readable:
        name = f"{archive}::{printable(info.filename)}"
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER_BYTES)
        if len(header) < _LOCAL_HEADER_BYTES or not header.startswith(b"PK\x03\x04"):
            raise SourceError(f"{name}: its data are not where the archive says: it is damaged")
        names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        start = info.header_offset + _LOCAL_HEADER_BYTES + names
        packed = _Span(file, start, info.compress_size)
        return _ZipMember(packed, info, Meter(name, total))

    return opener


class _BoundedReads(io.RawIOBase):
    """A file that refuses to give very much at once: zipfile reads the list in one piece."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        size = -1 if size is None else size
        if size > HEADER_BYTES:
            raise LimitError(
                f"{self._name}: its list of members is longer than {HEADER_BYTES >> 20} MiB; "
                "unpack it and give the files you need"
            )
        return self._file.read(size)


class _Span:
    """``size`` bytes of a file from ``start``, as a stream."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._at = start
        self._left = size

    def read(self, n: int, /) -> bytes:
        self._file.seek(self._at)  # other members may have been read in between
        data = self._file.read(min(n, self._left))
        self._at += len(data)
        self._left -= len(data)
        return data


class _ZipMember:
    """Reads one member; ``damage`` tells a wrong checksum or size."""

    def __init__(self, packed: _Span, info: zipfile.ZipInfo, meter: Meter) -> None:
        codec = _ZIP_CODECS.get(info.compress_type)
        self._unpacked = Unpacked(packed, codec, meter) if codec else None
        self._packed = packed
        self._meter = meter
        self._info = info
        self._crc = 0
        self._count = 0
        self.damage: str | None = None

    def read(self, n: int, /) -> bytes:
        if self._unpacked:
            data = self._unpacked.read(n)
        else:
            data = self._packed.read(n)
            self._meter.add(len(data), len(data))
        self._crc = zlib.crc32(data, self._crc)
        self._count += len(data)
        if len(data) < n:
            self._check()
        return data

    def _check(self) -> None:
        if self._unpacked and self._unpacked.damage:
            self.damage = self._unpacked.damage
        elif self._count != self._info.file_size:
            self.damage = (
                f"the archive says {self._info.file_size:,} bytes, but it holds {self._count:,}"
            )
        elif self._crc != self._info.CRC:
            self.damage = "its checksum in the archive does not fit: the archive is damaged"


def tar_members(stream: Readable, name: str) -> Iterator[Member]:
    """The entries of a tar archive, folders left out, in their order; each is read in passing.

    Not the standard library's ``tarfile``: on a stream it takes a damaged header for the end
    without a word, and reads headers of any length into memory.

    Raises:
        SourceError: a header cannot be read, and what follows is lost.
        LimitError: a header is longer than any honest one.
    """
    long_name: str | None = None
    pax: dict[str, str] = {}
    while (header := _tar_header(stream, name)) is not None:
        kind = header[156:157]
        size = _tar_number(header[124:136])
        if kind in b"xLKg" and kind:
            data = _tar_long_header(stream, size, name)
            if kind == b"L":
                long_name = _text(data)
            elif kind == b"x":
                pax = _pax_records(data)
            continue
        sparse = kind == b"S" or any(key.startswith("GNU.sparse") for key in pax)
        if kind == b"S":
            _skip_sparse_map(stream, header)
        member = pax.get("path") or long_name or _tar_name(header)
        if pax.get("size", "").isdecimal():
            size = int(pax["size"][:20])
        if kind in _TAR_DATA_LESS and kind:
            size = 0
        long_name, pax = None, {}
        content = _TarMember(stream, size)
        regular = kind in (b"0", b"\0", b"7") and not sparse
        if kind != b"5" and not member.endswith("/"):
            skip = None if regular else "a link or special file"
            yield Member(member, size, lambda content=content: content, skip)  # type: ignore[misc]
        if not content.drain():
            raise SourceError(f"{name}: the archive ends inside {printable(member)}: it was cut")


def printable(name: str) -> str:
    """A name from outside as text that cannot steer a terminal: odd characters as escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in name
    )


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _tar_header(stream: Readable, name: str) -> bytes | None:
    """The next header, None at the end of the archive."""
    header = stream.read(_TAR_BLOCK)
    if not header or header == bytes(_TAR_BLOCK):
        return None
    if len(header) == _TAR_BLOCK:
        stated = _tar_number(header[148:156])
        counted = sum(header) - sum(header[148:156]) + 8 * ord(" ")
        if stated == counted and _tar_number(header[124:136]) >= 0:
            return header
    raise SourceError(
        f"{name}: a header in the tar archive cannot be read, so what follows it is lost: "
        "the archive is cut or damaged"
    )


def _tar_number(field: bytes) -> int:
    """Octal digits, or GNU's binary form for large numbers; -1 if neither."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip()
    try:
        return int(digits or b"0", 8)
    except ValueError:
        return -1


def _tar_name(header: bytes) -> str:
    name = _text(header[:100])
    if header[257:263] == b"ustar\0" and header[345]:
        return f"{_text(header[345:500])}/{name}"
    return name


def _tar_long_header(stream: Readable, size: int, name: str) -> bytes:
    if size > HEADER_BYTES:
        raise LimitError(
            f"{name}: a header in the tar archive is longer than {HEADER_BYTES >> 20} MiB; "
            "unpack it and give the files you need"
        )
    return stream.read(size + -size % _TAR_BLOCK)[:size]


def _pax_records(data: bytes) -> dict[str, str]:
    r"""``LENGTH KEY=VALUE\n`` records; reading stops at one that is not in that form."""
    records = {}
    while data:
        digits = data[:20].split(b" ", 1)[0]
        length = int(digits) if digits.isdigit() else 0
        if not len(digits) < length <= len(data):
            break
        key, equals, value = data[len(digits) + 1 : length - 1].partition(b"=")
        if not equals:
            break
        records[key.decode("utf-8", "replace")] = _text(value)
        data = data[length:]
    return records


def _skip_sparse_map(stream: Readable, header: bytes) -> None:
    more = header[482]
    while more:
        block = stream.read(_TAR_BLOCK)
        more = block[504] if len(block) == _TAR_BLOCK else 0


class _TarMember:
    """Reads one member, then its padding; ``damage`` tells that the archive ends inside it."""

    def __init__(self, stream: Readable, size: int) -> None:
        self._stream = stream
        self._left = max(size, 0)
        self._padding = -self._left % _TAR_BLOCK
        self.damage: str | None = None

    def read(self, n: int, /) -> bytes:
        n = min(n, self._left)
        data = self._stream.read(n)
        self._left -= len(data)
        if len(data) < n:
            self.damage = f"the archive was cut: {self._left:,} bytes of this member are missing"
        return data

    def drain(self) -> bool:
        """Skips what was not read, so that the next header is next; False if the stream ended."""
        while self._left and not self.damage:
            self.read(limits.BLOCK_BYTES)
        padding = self._stream.read(self._padding)
        return not self.damage and len(padding) == self._padding
