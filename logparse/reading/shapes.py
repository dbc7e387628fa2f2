"""Stretches of bytes -> groups of one shape, and the digits of a whole group as integers.

Records repeat a few shapes: the same text but for digits and, in a progress bar, its filling. A
slow grammar reads the first of a shape; ``Shape.match`` then proves, byte for byte, which others
are of it, and ``integers`` decodes a field of all of them at once. Nothing is guessed: a stretch
that does not match is read by the grammar itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from logparse.reading.records import Ints

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Span = tuple[int, int]

WIDTH = 512
"""Longest stretch that is grouped; longer ones are read one by one."""
PAD = bytes(WIDTH + 16)
"""Bytes that must follow a buffer whose stretches are gathered."""

_U64 = np.dtype("<u8")
_CLASS = np.uint64(0xE0E0E0E0E0E0E0E0)
_CLASS_FIRST = np.uint64(0xF0F0F0F0F0F0F0F0)
# Odd multipliers far apart: powers of the golden ratio's (Knuth, TAOCP 3, 6.4).
_ODD = np.cumprod(np.full(WIDTH // 8 + 2, 0x9E3779B97F4A7C15, np.uint64))
_HIGH = np.uint64(0x8080808080808080)
_LOW7 = np.uint64(0x7F7F7F7F7F7F7F7F)
_ZEROS = np.uint64(0x3030303030303030)
_OVER9 = np.uint64(0x7676767676767676)
_DOTS = np.uint64(0x2E2E2E2E2E2E2E2E)
_ONES = np.uint64(0x0101010101010101)
_BAR_BITS = np.uint64(0x1313131313131313)


class Rows:
    """Stretches of one length, gathered: as bytes, and as columns of 8-byte words.

    Attributes:
        rows: [n, width] bytes; what lies behind ``length`` belongs to others.
        words: [width / 8, n] little-endian words.
    """

    __slots__ = ("length", "rows", "words")

    def __init__(self, rows: Bytes, length: int) -> None:
        self.rows = rows
        self.length = length
        self.words: Words = np.ascontiguousarray(rows.view(_U64).T)

    @classmethod
    def gather(cls, buffer: Bytes, starts: Ints, length: int) -> Rows:
        """Rows of ``length`` bytes at ``starts``; the buffer must end in ``PAD``."""
        width = max(16, -(-length // 8) * 8)
        items: NDArray[np.void] = np.ndarray(
            len(buffer) - width + 1, dtype=f"V{width}", buffer=buffer.data, strides=(1,)
        )
        return cls(items[starts].view(np.uint8).reshape(len(starts), width), length)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, keep: NDArray[np.bool_] | Ints) -> Rows:
        """The rows selected."""
        return Rows(self.rows[keep], self.length)

    def signatures(self) -> NDArray[np.uint16]:
        """A number a row: equal for rows of one shape, seldom equal for others.

        Only the class of each byte counts (control, punctuation and digits, capitals, small
        letters, above ASCII), so that neither digits nor the filling of a bar change it; in the
        first word, where the counter stands, also whether it is a blank or a digit.
        """
        total = np.zeros(len(self.rows), np.uint64)
        scratch = np.empty_like(total)
        for index, (word, own) in enumerate(zip(self.words, _own(self.length), strict=False)):
            np.bitwise_and(word, own & (_CLASS if index else _CLASS_FIRST), out=scratch)
            np.multiply(scratch, _ODD[index], out=scratch)
            np.add(total, scratch, out=total)
        return (total >> np.uint64(48)).astype(np.uint16)

    def integers(self, span: Span) -> Ints:
        """The whole number that the digits at ``span`` (at most 18) spell, in each row."""
        start, end = span
        value = self._eight(max(start, end - 8), end)
        if end - start > 8:
            value += self._eight(max(start, end - 16), end - 8) * 10**8
        if end - start > 16:
            value += self._eight(start, end - 16) * 10**16
        return value

    def _eight(self, start: int, end: int) -> Ints:
        """Up to eight digits."""
        if end - start == 1:
            return self.rows[:, start].astype(np.int64) - 48
        offset = max(0, end - 8)
        view: Words = np.ndarray(
            len(self.rows), _U64, self.rows.data, offset, (self.rows.shape[1],)
        )
        x = view << np.uint64(8 * (8 - (end - offset)))
        keep = 0x0F0F0F0F0F0F0F0F & ~((1 << (8 * (8 - (end - start)))) - 1)
        x &= np.uint64(keep)
        return spelled(x)


def spelled(x: Words) -> Ints:
    """What eight digits a word spell, in place (Lemire, "fast digit parsing", 2022).

    Args:
        x: the value of a digit in each byte, the first digit in the lowest.
    """
    x *= np.uint64(2561)
    x >>= np.uint64(8)
    x &= np.uint64(0x00FF00FF00FF00FF)
    x *= np.uint64(6553601)
    x >>= np.uint64(16)
    x &= np.uint64(0x0000FFFF0000FFFF)
    x *= np.uint64(42949672960001)
    x >>= np.uint64(32)
    return x.view(np.int64)


def _own(length: int) -> list[np.uint64]:
    """A mask for each 8-byte word: the bytes before ``length``."""
    return [np.uint64(word) for word in _words((1 << (8 * length)) - 1, length)]


def _words(number: int, length: int) -> list[int]:
    """The 8-byte words of a text of ``length`` bytes that is given as one little-endian number."""
    return [(number >> (64 * i)) & (2**64 - 1) for i in range(max(2, -(-length // 8)))]


def _mask(spans: list[Span]) -> int:
    """All bits of the bytes in ``spans``."""
    mask = 0
    for start, end in spans:
        mask |= ((1 << (8 * (end - start))) - 1) << (8 * start)
    return mask


class Shape:
    """One shape: which bytes are fixed, which are digits, which are the filling of a bar.

    Attributes:
        text: one record of it.
        digit_spans, bar_spans: where its digits and the filling of bars stand.
    """

    __slots__ = (
        "_free", "bar_spans", "bars", "digit_spans", "digits", "fixed", "length", "text",
    )  # fmt: skip

    def __init__(self, text: bytes, digits: list[Span], bars: list[Span]) -> None:
        self.text, self.digit_spans, self.bar_spans = text, digits, bars
        self.length = len(text)
        digit, bar = _mask(digits), _mask(bars)
        self._free = digit | bar
        fixed = ((1 << (8 * self.length)) - 1) & ~self._free
        value = int.from_bytes(text, "little") & fixed
        self.fixed = [
            (i, np.uint64(mask), np.uint64(word))
            for i, (mask, word) in enumerate(
                zip(_words(fixed, self.length), _words(value, self.length), strict=True)
            )
            if mask
        ]
        self.digits = [(i, np.uint64(m)) for i, m in enumerate(_words(digit, self.length)) if m]
        self.bars = [(i, np.uint64(m)) for i, m in enumerate(_words(bar, self.length)) if m]

    def fixes(self, text: bytes) -> bool:
        """Whether a text of this length is of this shape, its digits and bars left aside."""
        apart = int.from_bytes(text, "little") ^ int.from_bytes(self.text, "little")
        return not apart & ~self._free

    def match(self, rows: Rows) -> NDArray[np.bool_]:
        """Which rows are of this shape: fixed bytes equal, digits digits, bars of ``=>.``."""
        wrong = np.zeros(len(rows), np.uint64)
        x = np.empty_like(wrong)
        y = np.empty_like(wrong)
        for i, mask, value in self.fixed:
            np.bitwise_and(rows.words[i], mask, out=x)
            np.bitwise_xor(x, value, out=x)
            np.bitwise_or(wrong, x, out=wrong)
        for i, mask in self.digits:
            # A digit xor 48 is below 10: adding 118 leaves the high bit clear.
            np.bitwise_xor(rows.words[i], _ZEROS, out=x)
            np.bitwise_and(x, _LOW7, out=y)
            np.add(y, _OVER9, out=y)
            np.bitwise_or(x, y, out=x)
            np.bitwise_and(x, mask & _HIGH, out=x)
            np.bitwise_or(wrong, x, out=wrong)
        for i, mask in self.bars:
            # xor '.': '.' is 0, '>' 0x10, '=' 0x13.
            np.bitwise_xor(rows.words[i], _DOTS, out=x)
            np.bitwise_and(x, mask & ~_BAR_BITS, out=y)
            np.bitwise_or(wrong, y, out=wrong)
            np.right_shift(x, np.uint64(1), out=y)
            np.bitwise_xor(y, x, out=y)
            np.bitwise_and(y, mask & _ONES, out=y)
            np.bitwise_or(wrong, y, out=wrong)
            np.left_shift(x, np.uint64(4), out=y)
            np.bitwise_and(y, ~x, out=y)
            np.bitwise_and(y, mask & (_ONES << np.uint64(4)), out=y)
            np.bitwise_or(wrong, y, out=wrong)
        matches: NDArray[np.bool_] = wrong == 0
        return matches


def groups(keys: NDArray[np.uint16]) -> list[Ints]:
    """Positions of equal keys, each group in order."""
    order = np.argsort(keys, kind="stable")
    cuts = np.flatnonzero(np.diff(keys[order])) + 1
    return np.split(order, cuts)
