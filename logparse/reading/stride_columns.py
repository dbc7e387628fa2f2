"""Spans of rows of one shape each -> updates: a field of all rows of a block decoded at once.

The digits of a field are read as the eight bytes that end with its last digit. Rows of different
shapes differ in where those stand and in how many of them are the field's own, not in what is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from logparse.reading.bar_columns import POWERS, read_numbers
from logparse.reading.keras_bar import Line, Number
from logparse.reading.records import TIMES, Floats, Ints, Updates, nans
from logparse.reading.shapes import Bytes, Rows, Words, spelled
from logparse.reading.shapes import Span as Place
from logparse.reading.strides import WORD, Span

Kind = TypeVar("Kind", bound=np.generic)
Decode = Callable[[list[int], list[Any]], NDArray[Any]]

_U64 = np.dtype("<u8")
_NIBBLES = 0x0F0F0F0F0F0F0F0F


def with_spans(
    others: Updates,
    spans: Sequence[Span],
    text: Bytes,
    channels: Sequence[tuple[int, int]],
    names: Mapping[str, int],
) -> Updates:
    """All updates of a block, in the order of the file.

    Args:
        others: those that are in no span.
        spans: of the block.
        text: the block's, with ``shapes.PAD`` behind it.
        channels: of each span's first row, and of its others.
        names: metrics, numbered in the order in which the log first shows them.
    """
    block = _Block(spans, text, others.byte)
    lines = [span.stride.template.line for span in spans]
    begins = [span.place + line.start for span, line in zip(spans, lines, strict=True)]
    values, decimals = _metrics(block, others, lines, names)
    channel = block.same([rest for _, rest in channels], others.channel)
    channel[block.at] = [first for first, _ in channels]
    return Updates(
        byte=block.counted(begins, [span.stride.length for span in spans], others.byte),
        line=block.counted(
            [span.line for span in spans], [span.stride.breaks for span in spans], others.line
        ),
        step=block.decoded([line.step for line in lines], block.integers, others.step),
        of=block.decoded([line.of for line in lines], block.integers, others.of),
        form=block.same([int(line.form) for line in lines], others.form),
        channel=channel,
        last=block.same([line.last for line in lines], others.last),
        ended=block.same([span.stride.ended for span in spans], others.ended),
        values=values,
        decimals=decimals,
        order=dict(names),
        **_times(block, others, lines),
    )


def _times(block: _Block, others: Updates, lines: Sequence[Line]) -> dict[str, Floats]:
    times = dict.fromkeys(TIMES, nans(block.size))
    decoders: dict[str, Decode] = {
        "eta": block.clock,
        "per_step": block.units,
        "per_epoch": block.units,
    }
    for name in TIMES:
        rest: Floats = getattr(others, name)
        fields = [getattr(line, name, None) or None for line in lines]
        if not any(fields) and np.isnan(rest).all():
            continue
        if name.endswith("_unit"):
            times[name] = block.same([unit or np.nan for unit in fields], rest)
            continue
        if name.startswith("per_"):
            units = [getattr(line, name + "_unit") for line in lines]
            fields = [f and (f, unit) for f, unit in zip(fields, units, strict=True)]
        times[name] = block.decoded(fields, decoders.get(name, block.integers), rest, np.nan)
    return times


def _metrics(
    block: _Block, others: Updates, lines: Sequence[Line], names: Mapping[str, int]
) -> tuple[dict[str, Floats], dict[str, NDArray[np.int8]]]:
    shown = [dict(line.metrics) for line in lines]
    values, decimals = {}, {}
    every = {name for line in shown for name in line} | others.values.keys()
    for name in sorted(every, key=names.__getitem__):
        numbers = [line.get(name) for line in shown]
        plain = [number if number and _in_a_word(number) else None for number in numbers]
        rest = others.values.get(name, nans(len(others)))
        column = values[name] = block.decoded(plain, block.fractions, rest, np.nan)
        for i, number in enumerate(numbers):
            if number and not plain[i]:
                column[block.at[i] : block.at[i] + block.counts[i]] = block.numbers(i, number)
        none = np.zeros(len(others), np.int8)
        printed = [number.decimals() if number else 0 for number in numbers]
        decimals[name] = block.same(printed, others.decimals.get(name, none))
    return values, decimals


def _in_a_word(number: Number) -> bool:
    """Whether a number is digits, a point and digits, all within eight bytes."""
    if number.word or number.exponent or number.fraction is None:
        return False
    return number.fraction[1] - number.whole[0] <= WORD


class _Block:
    """The updates of a block: rows of spans, and others between them.

    Attributes:
        size: number of updates.
        at: number of the first row of each span.
        counts: rows of each span.
        others: numbers of the updates that are in no span.
    """

    def __init__(self, spans: Sequence[Span], text: Bytes, others: Ints) -> None:
        self.spans, self._text = spans, text.data
        self.counts = [span.count for span in spans]
        after = np.searchsorted([span.place for span in spans], others)
        between = np.bincount(after, minlength=len(spans) + 1)
        edges = np.concatenate([[0], np.cumsum(self.counts)])
        self.at: list[int] = (edges[:-1] + np.cumsum(between)[:-1]).tolist()
        self.others: Ints = np.arange(len(others)) + edges[after]
        self.size = int(edges[-1]) + len(others)
        # The same as a list of pieces: others, a span, others, ... each with its rows.
        self._pieces = np.zeros(2 * len(spans) + 1, np.int64)
        self._pieces[::2], self._pieces[1::2] = between, self.counts

    def same(self, values: Sequence[Any], others: NDArray[Kind]) -> NDArray[Kind]:
        """A column that is the same for all rows of a span."""
        out = self._same(values, others.dtype)
        out[self.others] = others
        return out

    def counted(self, first: Sequence[int], by: Sequence[int], others: Ints) -> Ints:
        """A column that grows by the same from row to row of a span."""
        out = np.arange(self.size)
        out *= self._same(by, np.int64)
        rows = zip(first, by, self.at, strict=True)
        out += self._same([start - step * at for start, step, at in rows], np.int64)
        out[self.others] = others
        return out

    def decoded(
        self,
        fields: Sequence[Any],
        decode: Decode,
        others: NDArray[Kind],
        empty: float = 0,
    ) -> NDArray[Kind]:
        """A column of one field.

        Args:
            fields: of each span, None without.
            decode: takes the numbers of spans and their fields.
            others: of the updates in no span.
            empty: for spans without the field.
        """
        have = [i for i, field in enumerate(fields) if field]
        whole = len(have) == len(fields)
        out: NDArray[Kind] = np.empty(self.size, others.dtype)
        if not whole:
            out.fill(empty)
        if have:
            self._spread(out, have, decode(have, [fields[i] for i in have]))
        out[self.others] = others
        return out

    def _same(self, values: Sequence[Any], kind: Any) -> NDArray[Any]:
        if all(value == values[0] for value in values):
            return np.full(self.size, values[0], kind)
        pieces = np.zeros(len(self._pieces), kind)
        pieces[1::2] = values
        return np.repeat(pieces, self._pieces)

    def _spread(self, out: NDArray[Any], have: list[int], found: NDArray[Any]) -> None:
        """Rows of some spans, one after the other, to their places."""
        done = 0
        for i in have:
            out[self.at[i] : self.at[i] + self.counts[i]] = found[done : done + self.counts[i]]
            done += self.counts[i]

    def integers(self, have: list[int], fields: list[Place]) -> Ints:
        """Whole numbers of at most eight digits."""
        words = self._words(have, [end for _, end in fields])
        words &= self._masks(have, [_own(end - start) for start, end in fields])
        return spelled(words)

    def clock(self, have: list[int], fields: list[tuple[Place, ...]]) -> Ints:
        """Seconds, or minutes and seconds, or hours, minutes and seconds, in seconds."""
        total = self.integers(have, [parts[-1] for parts in fields])
        for place, seconds in ((2, 60), (3, 3600)):
            longer = [i for i, parts in zip(have, fields, strict=True) if len(parts) >= place]
            if not longer:
                break
            parts = [parts[-place] for parts in fields if len(parts) >= place]
            found, done = self.integers(longer, parts), 0
            starts = dict(zip(have, accumulate([0, *(self.counts[i] for i in have)]), strict=False))
            for i in longer:
                rows = slice(starts[i], starts[i] + self.counts[i])
                total[rows] += seconds * found[done : done + self.counts[i]]
                done += self.counts[i]
        return total

    def units(self, have: list[int], fields: list[tuple[Place, float]]) -> Floats:
        """Whole numbers of a unit, in seconds."""
        numbers = self.integers(have, [place for place, _ in fields])
        seconds: Floats = numbers * self._masks(have, [unit for _, unit in fields])
        return seconds

    def fractions(self, have: list[int], fields: list[Number]) -> Floats:
        """Numbers with a point: their digits as one integer, over a power of ten, rounded once."""
        places = [number.fraction[1] - number.fraction[0] for number in fields if number.fraction]
        wholes = [number.whole[1] - number.whole[0] for number in fields]
        words = self._words(have, [number.fraction[1] for number in fields if number.fraction])
        # The digits before the point move up by one byte, over it.
        before = words << np.uint64(8)
        before &= self._masks(
            have, [_own(w + f) & ~_own(f) for w, f in zip(wholes, places, strict=True)]
        )
        words &= self._masks(have, [_own(f) for f in places])
        words |= before
        value = spelled(words).astype(np.float64)
        value /= self._masks(have, [float(POWERS[f]) for f in places])
        if any(number.negative for number in fields):
            value *= self._masks(have, [-1.0 if number.negative else 1.0 for number in fields])
        return value

    def numbers(self, i: int, number: Number) -> Floats:
        """Any number of one span."""
        span = self.spans[i]
        length = span.stride.template.shape.length
        width = max(16, -(-length // 8) * 8)
        shape, strides = (span.count, width), (span.stride.length, 1)
        rows: Bytes = np.ndarray(shape, np.uint8, self._text, span.at, strides)
        return read_numbers(number, Rows(rows.copy(), length))

    def _words(self, have: list[int], ends: list[int]) -> Words:
        """The eight bytes before an offset in each row."""
        out: Words = np.empty(sum(self.counts[i] for i in have), np.uint64)
        at = 0
        for i, end in zip(have, ends, strict=True):
            span = self.spans[i]
            place, step = span.at + end - WORD, span.stride.length
            out[at : at + span.count] = np.ndarray(span.count, _U64, self._text, place, (step,))
            at += span.count
        return out

    def _masks(self, have: list[int], values: list[Any]) -> Any:
        """One value for all rows of a span, a single one if it is the same for all."""
        if all(value == values[0] for value in values):
            return np.uint64(values[0]) if isinstance(values[0], int) else values[0]
        kind = np.uint64 if isinstance(values[0], int) else np.float64
        return np.repeat(np.array(values, kind), [self.counts[i] for i in have])


def _own(digits: int) -> int:
    """The values of the last so many digits of a word."""
    return _NIBBLES & ~((1 << (8 * (WORD - digits))) - 1)
