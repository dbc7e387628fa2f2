"""Bytes in, CRC-32C (Castagnoli) out: of one record, of a header, and of many rows at once."""

from __future__ import annotations

import struct
from functools import lru_cache

import google_crc32c
import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
HEADER = struct.Struct("<QI")
"""The length of a record and the masked CRC of those eight bytes."""


def crc(data: bytes | bytearray | memoryview) -> int:
    """CRC-32C of some bytes, not masked."""
    return int(google_crc32c.value(data if isinstance(data, bytes) else bytes(data)))


def mask(value: int) -> int:
    """The form in which TFRecord stores a CRC."""
    return (((value >> 15) | (value << 17)) + _MASK) & 0xFFFFFFFF


def unmask_all(stored: Words) -> Words:
    """Undo ``mask`` on an array."""
    turned = stored - np.uint32(_MASK)
    return (turned >> np.uint32(17)) | (turned << np.uint32(15))


def mask_all(values: Words) -> Words:
    """``mask`` on an array."""
    return ((values >> np.uint32(15)) | (values << np.uint32(17))) + np.uint32(_MASK)


@lru_cache(maxsize=1 << 16)
def header_crc(length: int) -> int:
    """Masked CRC of a record length, as it stands in the header."""
    return mask(crc(struct.pack("<Q", length)))


def _byte_table() -> Words:
    """What one byte adds to a CRC register when nothing follows it."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table.astype(np.uint32)


_TABLES: list[Words] = [_byte_table()]


def table(distance: int) -> Words:
    """What a byte adds (xor) to the CRC of a message in which ``distance`` more bytes follow it.

    CRC-32C is affine over GF(2): crc(a ^ b) = crc(a) ^ crc(b) ^ crc(0) for equal lengths. So the
    CRC of a message is the CRC of the same message with some bytes zeroed, xor one table entry
    for each of those bytes.
    """
    while len(_TABLES) <= distance:
        last = _TABLES[-1]
        _TABLES.append(_TABLES[0][last & np.uint32(0xFF)] ^ (last >> np.uint32(8)))
    return _TABLES[distance]


_ZERO_LENGTH = np.uint32(crc(bytes(8)))


def header_crcs(lengths: NDArray[np.uint32]) -> Words:
    """``header_crc`` of many lengths below 2**32."""
    total = np.full(len(lengths), _ZERO_LENGTH, np.uint32)
    for place in range(4):
        byte = (lengths >> np.uint32(8 * place)) & np.uint32(0xFF)
        total ^= table(7 - place)[byte]
    return mask_all(total)
