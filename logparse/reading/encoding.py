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
_UTF16 = ("utf-16-le", "utf-16-be")
_MIN_CHARACTERS = 4
_ASCII_SHARE = 0.125
"""ASCII in UTF-16: a log is nearly all of it, a boxed summary a quarter at least.

Read as UTF-16, other texts hold none, but for NULs: one in sixteen bytes would be needed.
"""
_CONTROL = "\t\n\r\f\b\x1b\xa0\u3000"
_TEXT_SHARE = 0.99
"""Characters that texts consist of: a damaged text has nearly all, numbers in binary far less."""


def sniff(head: bytes) -> tuple[str, int]:
    """Encoding of a text and the length of its byte order mark, from its first bytes.

    Without a mark, what reads as a text with much ASCII in UTF-16 (what PowerShell's ``>``
    writes) is that; all else is read as UTF-8, the reader judges it.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    if b"\0" in head:
        share, encoding = max((_ascii(head, encoding), encoding) for encoding in _UTF16)
        if share >= _ASCII_SHARE:
            return encoding, 0
    return "utf-8", 0


def _ascii(head: bytes, encoding: str) -> float:
    """Share of ASCII in ``head`` as a text of that encoding; 0 where it is no text."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    if len(text) < _MIN_CHARACTERS or sum(map(_is_text, text)) < _TEXT_SHARE * len(text):
        return 0.0
    return sum(map(str.isascii, text)) / len(text)


def _is_text(character: str) -> bool:
    """Whether logs hold it: anything visible, blanks, backspaces, colour codes."""
    return character in _CONTROL or (character.isprintable() and character != "\ufffd")


def to_utf8(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The blocks as UTF-8; what is not valid in ``encoding`` becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for block in blocks:
        yield decoder.decode(block).encode("utf-8")
    yield decoder.decode(b"", final=True).encode("utf-8")
