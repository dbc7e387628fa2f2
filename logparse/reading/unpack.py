"""Packed bytes (gzip, bzip2, xz, zstandard) -> the bytes they hold, under the limits."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from logparse import limits
from logparse.errors import LimitError, SourceError

PIECE_BYTES = 1 << 14
"""Packed bytes handed to a decoder at a time: what one damaged spot can cost."""

DECODER_BYTES = 128 << 20
"""Memory that a decoder's window may take; ``xz -9`` needs 65 MiB, ``zstd --long`` 128 MiB."""

ZSTD_BITE = 1 << 10
"""Bytes given to zstandard at a time: it takes no output limit, and 4 bytes can hold 128 KiB."""


class Readable(Protocol):
    """Bytes in order: ``read(n)`` gives n bytes, fewer at the end only."""

    def read(self, n: int, /) -> bytes:
        """The next n bytes."""


class _Decoder(Protocol):
    """The interface that the decoders of the standard library share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class Damaged(Exception):  # noqa: N818  it is no mistake of logparse's
    """A decoder met bytes it cannot decode; ``rescued`` is what came before them."""

    def __init__(self, cause: Exception, rescued: bytes = b"") -> None:
        super().__init__(str(cause))
        self.rescued = rescued
        # liblzma and zstandard have no error code that Python shows, only their text
        self.too_large = "memory" in str(cause).lower()


class _Inflate:
    """Deflate data, with a gzip header (``wbits`` 31) or bare (-15), as a decoder."""

    def __init__(self, wbits: int) -> None:
        self._zlib = zlib.decompressobj(wbits)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not (self._full or self._zlib.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        data = self._zlib.unconsumed_tail + data
        before = self._zlib.copy()
        try:
            out = self._zlib.decompress(data, max(max_length, 0))
        except zlib.error as error:
            raise Damaged(error, _inflate_until_error(before, data)) from error
        self._full = len(out) == max_length
        return out


def _inflate_until_error(decoder: Any, data: bytes) -> bytes:
    """What zlib gives byte by byte before it fails: a wrong checksum must not cost the text."""
    out = bytearray()
    try:
        for at in range(len(data)):
            out += decoder.decompress(data[at : at + 1])
    except zlib.error:
        return bytes(out)
    return bytes(out)


class _Zstandard:
    """One zstandard frame from the package ``zstandard``, as a decoder."""

    def __init__(self) -> None:
        import zstandard

        self._error = zstandard.ZstdError
        frame = zstandard.ZstdDecompressor(max_window_size=DECODER_BYTES).decompressobj()
        self._frame = frame
        self._todo = b""

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof)

    @property
    def needs_input(self) -> bool:
        return not self._todo

    @property
    def unused_data(self) -> bytes:
        return bytes(self._frame.unused_data) + self._todo

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        data = self._todo + data
        bite, self._todo = data[:ZSTD_BITE], data[ZSTD_BITE:]
        try:
            return bytes(self._frame.decompress(bite))
        except self._error as error:
            raise Damaged(error) from error


class _Guarded:
    """A decoder of the standard library, its errors turned into ``Damaged``."""

    def __init__(self, decoder: _Decoder, errors: tuple[type[Exception], ...]) -> None:
        self._decoder = decoder
        self._errors = errors

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return self._decoder.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        try:
            return self._decoder.decompress(data, max_length)
        except self._errors as error:
            raise Damaged(error) from error


def _gzip() -> _Decoder:
    return _Inflate(31)


def _deflate() -> _Decoder:
    return _Inflate(-15)


def _bzip2() -> _Decoder:
    import bz2

    return _Guarded(bz2.BZ2Decompressor(), (OSError, ValueError))


def _xz() -> _Decoder:
    import lzma

    return _Guarded(lzma.LZMADecompressor(memlimit=DECODER_BYTES), (lzma.LZMAError,))


def _zstd() -> _Decoder:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:  # before Python 3.14
        return _Zstandard()
    window = {zstd.DecompressionParameter.window_log_max: DECODER_BYTES.bit_length() - 1}
    return _Guarded(zstd.ZstdDecompressor(options=window), (zstd.ZstdError,))


DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": _gzip,
    "bzip2": _bzip2,
    "xz": _xz,
    "lzma": _xz,
    "zstandard": _zstd,
    "deflate": _deflate,
}
"""Decoders by the name shown to users."""

ZSTD_SKIPPABLE = tuple(bytes([first]) + b"\x2a\x4d\x18" for first in range(0x50, 0x60))


def compression(head: bytes) -> str | None:
    """Name of the compression that the first bytes show, None for none that is known."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head.startswith(b"BZh") and head[3:4] in b"123456789" and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    if head.startswith((b"\x28\xb5\x2f\xfd", *ZSTD_SKIPPABLE)):
        return "zstandard"
    if _is_lzma(head):
        return "lzma"
    return None


_BZIP2_BLOCKS = (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")


def _is_lzma(head: bytes) -> bool:
    """The old ``.lzma`` form has no magic: properties, a dictionary size, a plausible length."""
    if len(head) < 13 or head[0] != 0x5D:
        return False
    window = int.from_bytes(head[1:5], "little")
    length = int.from_bytes(head[5:13], "little")
    round_window = window >= 1 << 12 and (window & (window - 1)) == 0
    return round_window and (length < 1 << 40 or length == (1 << 64) - 1)


@dataclass(slots=True)
class Total:
    """Bytes unpacked from one archive, all members together; ``size`` is the archive's, if known.

    Members of a zip may overlap, so that each alone looks harmless.
    """

    size: int | None = None
    most: int = limits.ARCHIVE_BYTES
    unpacked: int = 0


@dataclass(slots=True)
class Meter:
    """Checks the limits of unpacking while bytes flow.

    The ratio is judged for each packed stream, the sum for all of one archive.
    """

    name: str
    total: Total | None = None
    packed: int = 0
    unpacked: int = 0

    def add(self, packed: int, unpacked: int) -> None:
        """Counts bytes that went in and came out.

        Raises:
            LimitError: more came out than is safe.
        """
        self.packed += packed
        self.unpacked += unpacked
        self._check_ratio(self.unpacked, self.packed, "")
        if self.total is None:
            return
        self.total.unpacked += unpacked
        if self.total.size is not None:
            self._check_ratio(self.total.unpacked, self.total.size, "the archive ")
        if self.total.unpacked > self.total.most:
            raise LimitError(
                f"{self.name}: the archive unpacks to more than "
                f"{self.total.most >> 20:,} MiB; unpack it and give the files you need"
            )

    def _check_ratio(self, unpacked: int, packed: int, what: str) -> None:
        if unpacked > max(limits.COMPRESSION_FLOOR, limits.COMPRESSION_RATIO * packed):
            raise LimitError(
                f"{self.name}: {what}unpacks to more than {limits.COMPRESSION_RATIO} times its "
                "size, like a zip bomb; if you trust it, unpack it and give the file itself"
            )


class Unpacked:
    """Reads what a packed stream holds, streams that follow one another included.

    After the last byte ``damage`` says what was wrong, None for nothing. A cut or damaged
    stream gives what could be decoded before the damage.
    """

    def __init__(self, packed: Readable, form: str, meter: Meter) -> None:
        self.meter = meter
        self.damage: str | None = None
        self._packed = packed
        self._form = form
        self._decoder = self._new_decoder()
        self._input = b""
        self._ended = False
        self._ready = b""

    def read(self, n: int, /) -> bytes:
        """``n`` bytes, fewer at the end only.

        Raises:
            LimitError: it unpacks to more than is safe.
        """
        pieces = [self._ready]
        have = len(self._ready)
        while have < n and not self._ended:
            piece = self._more(n - have)
            pieces.append(piece)
            have += len(piece)
        whole = b"".join(pieces)
        self._ready = whole[n:]
        return whole[:n]

    def _new_decoder(self) -> _Decoder:
        try:
            return DECODERS[self._form]()
        except ImportError as error:
            raise SourceError(
                f"{self.meter.name}: Python's module for {self._form} is missing here "
                f"({error.name}); unpack the file first"
            ) from error

    def _more(self, limit: int) -> bytes:
        """Some more bytes, about ``limit`` at most; may be none before the end."""
        fed = 0
        if self._decoder.needs_input and not self._input:
            self._input = self._packed.read(PIECE_BYTES)
            fed = len(self._input)
            if not self._input:
                self._cut()
                return b""
        data, self._input = self._input, b""
        try:
            out = self._decoder.decompress(data, limit)
        except Damaged as error:
            out = error.rescued
            if error.too_large:
                self._stop(f"needs more than {DECODER_BYTES >> 20} MiB of memory to decode")
            else:
                self._stop("cannot be decoded after {:,} bytes of text: the file is damaged", out)
        self.meter.add(fed, len(out))
        if self._decoder.eof and not self._ended:
            self._next_stream()
        return out

    def _next_stream(self) -> None:
        """At the end of one stream: a further one, padding, or nothing may follow."""
        rest = self._decoder.unused_data.lstrip(b"\0")
        while len(rest) < 16:
            piece = self._packed.read(PIECE_BYTES)
            if not piece:
                break
            self.meter.add(len(piece), 0)
            rest = (rest + piece).lstrip(b"\0")
        if not rest:
            self._ended = True
        elif compression(rest) == self._form:
            self._decoder = self._new_decoder()
            self._input = rest
        else:
            self._stop("ends after {:,} bytes of text, and something else follows it")

    def _cut(self) -> None:
        self._stop("ends too early, after {:,} bytes of text: the file was cut")

    def _stop(self, what: str, rescued: bytes = b"") -> None:
        self._ended = True
        text = what.format(self.meter.unpacked + len(rescued))
        self.damage = f"the {self._form} data {text}"
