"""A block of text -> spans of rows of one shape that follow each other at one distance.

Keras draws a line again and again, and most of the time each drawing is as long as the last. So
where one row of a known shape stands, many follow at equal distances: they are compared with the
shape, byte by byte, as they lie in the block. No line has to be looked for and none is copied. A
row counts only if each of its bytes, with the separators behind it, is proven; all that is left
goes the way of any other text (``lines``, ``shapes``), with the same result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field

import numpy as np

from logparse.reading.bar_columns import Template
from logparse.reading.records import Ints
from logparse.reading.shapes import Bytes
from logparse.reading.stretch import PROGRESS

FEW = 8
"""Rows of a span below which the other way is quicker."""

_PATIENCE = 64
"""Rows looked at in a block before it is judged whether looking pays."""
_PAYS = 16
"""Rows that each look must have found by then."""
_LONGEST = 2048
"""Bytes of a row, separators included."""
_TILE = 1 << 15
"""Bytes compared at once: they and the shape stay in the processor's nearest cache."""
_KNOWN = 4096
"""Looks of rows that are remembered before all are forgotten."""
_ALIKE = 8
"""Shapes of one look."""
_AHEAD = 16
"""Bytes that must follow a span: what they mean may depend on as many after them."""

WORD = 8
"""Digits that are read at once."""

_ROW = re.compile(rb"[\x00-\x08\n-\r]*+([^\x00-\x08\n-\r]++)([\x00-\x08\n-\r]++)")
_LOOK = bytes(48 if 48 <= c <= 57 else 46 if c in b"=>." else c for c in range(256))
"""Digits as 0 and the filling of a bar as dots: rows of one shape look the same."""
_DIGITS = np.uint8(9)
# xor '.': '.' is 0, '>' 0x10, '=' 0x13; times 81 in a byte these and no other below 0x14 are at
# most 16.
_FILLING, _FILLING_FACTOR, _FILLING_MOST = np.uint8(0x13), np.uint8(81), np.uint8(16)


class Stride:
    """A shape and the separators behind it: what one row of a span is made of.

    Attributes:
        template: the shape with the places of its fields.
        length: bytes from one row to the next.
        gap: separators of each row.
        breaks: line breaks among them.
        ended: a line break follows the row's text.
    """

    __slots__ = (
        "_bars", "_first", "_known", "_last", "_most", "_tile", "breaks", "ended", "gap", "length",
        "template",
    )  # fmt: skip

    def __init__(self, template: Template, gap: bytes) -> None:
        shape = template.shape
        self.template, self.gap = template, len(gap)
        self.length = shape.length + len(gap)
        self.breaks = gap.count(b"\n")
        self.ended = gap[0] in b"\n\v" or gap[:2] in (b"\r\n", b"\r\v")
        first = np.frombuffer(shape.text + gap, np.uint8).copy()
        most, factor = np.zeros((2, self.length), np.uint8)
        for start, end in shape.digit_spans:
            first[start:end], most[start:end] = 48, _DIGITS
        for start, end in shape.bar_spans:
            first[start:end], most[start:end] = 46, _FILLING
            factor[start:end] = _FILLING_FACTOR
        rows = max(1, _TILE // self.length)
        self._first, self._most = np.tile(first, rows), np.tile(most, rows)
        self._bars = np.tile(factor, rows) if shape.bar_spans else None
        self._tile = rows
        self._last, self._known = 0, False

    def known(self, names: Container[str]) -> bool:
        """Whether all of its metrics are among ``names``, to which names are only added."""
        if not self._known:
            self._known = all(name in names for name, _ in self.template.line.metrics)
        return self._known

    def rows(self, buffer: Bytes, start: int, end: int, scratch: Scratch) -> int:
        """How many rows stand in ``buffer[start:end]`` from the start on, one after the other."""
        most = (end - start) // self.length
        # About as many as last time: what is compared in vain costs, too.
        done, tile = 0, min(self._last + FEW, self._tile)
        while done < most:
            count = min(tile, most - done)
            at = start + done * self.length
            wrong = self._wrong(buffer[at : at + count * self.length], scratch)
            if wrong >= 0:
                self._last = done + wrong // self.length
                return self._last
            done, tile = done + count, self._tile
        return done

    def _wrong(self, text: Bytes, scratch: Scratch) -> int:
        """The first byte that is not of this shape, -1 if all are."""
        size = len(text)
        apart, wrong = scratch.bytes[:size], scratch.flags[:size]
        np.bitwise_xor(text, self._first[:size], out=apart)
        np.greater(apart, self._most[:size], out=wrong)
        if self._bars is not None:
            np.multiply(apart, self._bars[:size], out=apart)
            more = scratch.more[:size]
            np.greater(apart, _FILLING_MOST, out=more)
            np.logical_or(wrong, more, out=wrong)
        place = int(wrong.argmax())
        return place if wrong[place] else -1


class Scratch:
    """Room for what ``Stride`` compares."""

    def __init__(self) -> None:
        self.bytes = np.empty(max(_TILE, _LONGEST), np.uint8)
        self.flags, self.more = np.empty((2, max(_TILE, _LONGEST)), np.bool_)


class Spans:
    """Spans of a block, in order: ``count`` rows of a stride each, one after the other.

    Attributes:
        strides: [n] what each is made of.
        at, end: [n] where in the block's text it begins, and where what follows it does.
        count: [n] rows.
        place: [n] offset in the log of its first byte.
        line: [n] line of its first row, from 1.
    """

    __slots__ = ("at", "count", "end", "line", "place", "strides")

    def __init__(self, found: Sequence[tuple[Stride, int, int]]) -> None:
        self.strides = [stride for stride, _, _ in found]
        self.at: Ints = np.array([at for _, at, _ in found], np.int64)
        self.count: Ints = np.array([count for _, _, count in found], np.int64)
        self.end: Ints = self.at + self.count * self.of_row("length")
        self.place = self.line = np.zeros(len(found), np.int64)

    def __len__(self) -> int:
        return len(self.strides)

    def breaks(self) -> Ints:
        """[n] line breaks in each."""
        return self.count * self.of_row("breaks")

    def separators(self) -> int:
        """Bytes of separators in all."""
        return int(self.count @ self.of_row("gap"))

    def of_row(self, name: str) -> Ints:
        """[n] an attribute of the strides."""
        return np.array([getattr(stride, name) for stride in self.strides], np.int64)


@dataclass(slots=True)
class _Look:
    """What is known of rows that look alike."""

    strides: list[Stride] = field(default_factory=list)
    tries: int = 0
    """Rows that the grammar was asked about."""


class Finder:
    """Finds spans, and learns strides from rows whose look was met before."""

    def __init__(self, learn: Callable[[bytes], Template | None]) -> None:
        self._learn = learn
        self._known: dict[bytes, _Look] = {}
        self._scratch = Scratch()

    def find(self, text: bytes, size: int, names: Container[str]) -> Spans:
        """The spans in ``text[:size]``, in order; none overlap, each begins a stretch.

        Args:
            text: begins where a stretch or the separators before one begin.
            size: what is behind it is not text.
            names: metrics that are known: a row that shows another goes the other way, where the
                order of names is settled.
        """
        spans: list[tuple[Stride, int, int]] = []
        buffer: Bytes = np.frombuffer(text, np.uint8)
        place = looks = rows = 0
        while row := _ROW.match(text, place, size):
            stride, count = self._span(row, buffer, size, names)
            if stride and count >= FEW:
                spans.append((stride, row.start(1), count))
                place, rows = row.start(1) + count * stride.length, rows + count
            else:
                place = row.end()
            looks += 1
            if looks >= _PATIENCE and rows < looks * _PAYS:
                break
        return Spans(spans)

    def _span(
        self, row: re.Match[bytes], buffer: Bytes, size: int, names: Container[str]
    ) -> tuple[Stride | None, int]:
        """The stride of a row, and how many rows of it stand there in which nothing is open."""
        start = row.start(1)
        # Numbers are read as words of eight bytes that end with their last digit.
        if start < WORD or row.end() - start > _LONGEST:
            return None, 0
        look = self._look(row)
        if look is None:
            return None, 0
        end, count = size - _AHEAD, 0
        for stride in look.strides:
            if count := stride.rows(buffer, start, end, self._scratch):
                break
        else:
            if look.tries >= _ALIKE:
                return None, 0
            look.tries += 1
            template = self._learn(row[1])
            if template is None or not _strideable(template):
                return None, 0
            stride = Stride(template, row[2])
            look.strides.append(stride)
            count = stride.rows(buffer, start, end, self._scratch)
        if not stride.known(names):
            return None, 0
        # Separators that follow the last row belong to its gap.
        after = buffer[start + count * stride.length]
        return stride, count - (count > 0 and after < 14 and after != 9)

    def _look(self, row: re.Match[bytes]) -> _Look | None:
        """What is known of rows like this one; None if it is the first or is of no interest."""
        key = row[0].translate(_LOOK)
        look = self._known.get(key)
        if look is None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            tries = 0 if PROGRESS.search(row[1]) else _ALIKE
            self._known[key] = _Look(tries=tries)
        return look


def _strideable(template: Template) -> bool:
    """Whether no field of a shape but its metrics is beyond what is decoded for all spans."""
    line, prefix = template.line, template.prefix
    spans = [line.step, line.of, line.elapsed, line.per_step, line.per_epoch, *line.eta]
    short = all(span is None or span[1] - span[0] <= WORD for span in spans)
    return short and not prefix.clock and not prefix.channel
