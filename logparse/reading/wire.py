"""Bytes of a protobuf message in, the spans of its fields out; nothing is decoded or copied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_VARINT_MOST = 10


class Field(NamedTuple):
    """One field: its number, wire type, and the bytes ``begin:end`` of its content."""

    number: int
    wire: int
    key: int
    """Where its key begins."""
    begin: int
    end: int


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """The fields of the message ``data[start:end]``, one level deep.

    Raises:
        ValueError: this is no message, or it has groups, which no writer of events uses.
    """
    at = start
    while at < end:
        key_at = at
        key, at = _varint(data, at, end)
        wire = key & 7
        begin = at
        if wire == VARINT:
            _, at = _varint(data, at, end)
        elif wire == FIXED64:
            at += 8
        elif wire == FIXED32:
            at += 4
        elif wire == BYTES:
            size, begin = _varint(data, at, end)
            at = begin + size
        else:
            raise ValueError("a group or an unknown wire type")
        if at > end:
            raise ValueError("a field goes beyond its message")
        yield Field(key >> 3, wire, key_at, begin, at)


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A varint and the place after it."""
    value = 0
    for index in range(_VARINT_MOST):
        if at + index >= end:
            break
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("a varint without an end")
