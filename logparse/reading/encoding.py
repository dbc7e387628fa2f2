"""Bytes of a text in any Unicode encoding -> the same text as UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

SNIFF_BYTES = 4096
"""First bytes that decide the encoding."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with the same bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
_MIN_PAIRS = 4
_NUL_SHARE = 0.6
"""NULs among the high bytes: an ASCII text has all, one with Keras 3's bars three quarters."""


def sniff(head: bytes) -> tuple[str, int]:
    """Encoding of a text and the length of its byte order mark, from its first bytes.

    Without a mark, NUL in most of every second byte and in none of the others is UTF-16 (what
    PowerShell's ``>`` writes); all else is read as UTF-8, the reader judges it.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    pairs = len(head) // 2
    if pairs >= _MIN_PAIRS and b"\0" in head:
        even = head[0 : 2 * pairs : 2].count(0)
        odd = head[1 : 2 * pairs : 2].count(0)
        if even == 0 and odd >= _NUL_SHARE * pairs:
            return "utf-16-le", 0
        if odd == 0 and even >= _NUL_SHARE * pairs:
            return "utf-16-be", 0
    return "utf-8", 0


def to_utf8(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The blocks as UTF-8; what is not valid in ``encoding`` becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for block in blocks:
        yield decoder.decode(block).encode("utf-8")
    yield decoder.decode(b"", final=True).encode("utf-8")
