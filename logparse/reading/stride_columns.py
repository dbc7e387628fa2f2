"""Spans of rows of one shape each -> updates: a field of all rows of a block decoded at once.

The digits of a field are read as the eight bytes that end with its last digit. Rows of different
shapes differ in where those stand and in how many of them are the field's own, not in what is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from logparse.reading.bar_columns import POWERS, read_numbers
from logparse.reading.keras_bar import Line, Number
from logparse.reading.records import TIMES, Floats, Ints, Updates, nans
from logparse.reading.shapes import Bytes, Rows, Words, spelled
from logparse.reading.strides import WORD, Spans

Kind = TypeVar("Kind", bound=np.generic)
Fields = Sequence[Any]
"""A field of each stride of a block, None where it has none."""

_U64 = np.dtype("<u8")
_NIBBLES = 0x0F0F0F0F0F0F0F0F


def with_spans(
    others: Updates,
    spans: Spans,
    text: Bytes,
    channels: tuple[Ints, Ints],
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
    lines = block.lines
    values, decimals = _metrics(block, others, names)
    first, rest = channels
    channel = block.of_span(rest, others.channel)
    channel[block.at] = first
    return Updates(
        byte=block.counted(
            spans.place + block.kinds([line.start for line in lines]),
            [stride.length for stride in block.strides],
            others.byte,
        ),
        line=block.counted(spans.line, [stride.breaks for stride in block.strides], others.line),
        step=block.decoded([line.step for line in lines], block.integers, others.step),
        of=block.decoded([line.of for line in lines], block.integers, others.of),
        form=block.same([int(line.form) for line in lines], others.form),
        channel=channel,
        last=block.same([line.last for line in lines], others.last),
        ended=block.same([stride.ended for stride in block.strides], others.ended),
        values=values,
        decimals=decimals,
        order=dict(names),
        **_times(block, others),
    )


def _times(block: _Block, others: Updates) -> dict[str, Floats]:
    lines = block.lines
    times = dict.fromkeys(TIMES, nans(block.size))
    for name in TIMES:
        rest: Floats = getattr(others, name)
        fields: Fields = [getattr(line, name, None) or None for line in lines]
        if not any(fields) and np.isnan(rest).all():
            continue
        if name.endswith("_unit"):
            times[name] = block.same([unit or np.nan for unit in fields], rest)
            continue
        times[name] = block.decoded(
            fields, block.clock if name == "eta" else block.integers, rest, np.nan
        )
        if name.startswith("per_"):
            units = [
                getattr(line, name + "_unit") if getattr(line, name) else 1.0 for line in lines
            ]
            times[name] *= block.same(units, np.ones(len(others)))
    return times


def _metrics(
    block: _Block, others: Updates, names: Mapping[str, int]
) -> tuple[dict[str, Floats], dict[str, NDArray[np.int8]]]:
    shown = [dict(line.metrics) for line in block.lines]
    values, decimals = {}, {}
    every = {name for line in shown for name in line} | others.values.keys()
    for name in sorted(every, key=names.__getitem__):
        numbers = [line.get(name) for line in shown]
        plain = [number if number and _in_a_word(number) else None for number in numbers]
        rest = others.values.get(name, nans(len(others)))
        values[name] = block.decoded(plain, block.fractions, rest, np.nan)
        for kind, number in enumerate(numbers):
            if number and not plain[kind]:
                block.read(values[name], kind, number)
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
        strides: those of the spans, each once.
        lines: what one row of each looks like.
        size: number of updates.
        at: number of the first row of each span.
        others: numbers of the updates that are in no span.
    """

    def __init__(self, spans: Spans, text: Bytes, others: Ints) -> None:
        self._spans, self._text = spans, text.data
        numbers = {id(stride): stride for stride in spans.strides}
        self.strides = list(numbers.values())
        self.lines: list[Line] = [stride.template.line for stride in self.strides]
        number_of = {key: number for number, key in enumerate(numbers)}
        self._kind = np.array([number_of[id(stride)] for stride in spans.strides])
        self._length = spans.of_row("length")
        after = np.searchsorted(spans.place, others)
        between = np.bincount(after, minlength=len(spans.count) + 1)
        edges = np.concatenate([[0], np.cumsum(spans.count)])
        self.at: Ints = edges[:-1] + np.cumsum(between)[:-1]
        self.others: Ints = np.arange(len(others)) + edges[after]
        self.size = int(edges[-1]) + len(others)
        # The same as a list of pieces: others, a span, others, ... each with its rows.
        self._pieces = np.zeros(2 * len(spans.count) + 1, np.int64)
        self._pieces[::2], self._pieces[1::2] = between, spans.count

    def kinds(self, values: Sequence[Any]) -> NDArray[Any]:
        """[spans] what each span has, from what each stride has."""
        of_span: NDArray[Any] = np.array(values)[self._kind]
        return of_span

    def of_span(self, values: NDArray[Any], others: NDArray[Kind]) -> NDArray[Kind]:
        """A column that is the same for all rows of a span."""
        out = self._rows(values, others.dtype)
        out[self.others] = others
        return out

    def same(self, values: Sequence[Any], others: NDArray[Kind]) -> NDArray[Kind]:
        """A column that is the same for all rows of a stride."""
        out: NDArray[Kind] = self._each(values, others.dtype, whole=True)
        out[self.others] = others
        return out

    def counted(self, first: Ints, by: Sequence[int], others: Ints) -> Ints:
        """A column that grows by the same from row to row of a span."""
        out = np.arange(self.size)
        out *= self._each(by, np.int64)
        out += self._rows(first - self.kinds(by) * self.at, np.int64)
        out[self.others] = others
        return out

    def decoded(
        self,
        fields: Fields,
        decode: Callable[[Fields], NDArray[Any]],
        others: NDArray[Kind],
        empty: float = 0,
    ) -> NDArray[Kind]:
        """A column of one field.

        Args:
            fields: of each stride.
            decode: gives all rows; what it gives for those of no stride with the field is not used.
            others: of the updates in no span.
            empty: for strides without the field.
        """
        if any(fields):
            out = decode(fields).astype(others.dtype, copy=False)
            if not all(fields):
                out[self._each([field is None for field in fields], np.bool_, whole=True)] = empty
        else:
            out = np.full(self.size, empty, others.dtype)
        out[self.others] = others
        return out

    def integers(self, fields: Fields) -> Ints:
        """Whole numbers of at most eight digits, their places given."""
        words = self._words([field and field[1] for field in fields])
        words &= self._each([field and _own(field[1] - field[0]) for field in fields], np.uint64)
        return spelled(words)

    def clock(self, fields: Fields) -> Ints:
        """Seconds, or minutes and seconds, or hours, minutes and seconds, in seconds."""
        total = self.integers([parts and parts[-1] for parts in fields])
        for place, seconds in ((2, 60), (3, 3600)):
            parts = [p[-place] if p and len(p) >= place else None for p in fields]
            if any(parts):
                more = self.integers(parts)
                more *= self._each([seconds if part else 0 for part in parts], np.int64)
                total += more
        return total

    def fractions(self, fields: Fields) -> Floats:
        """Numbers with a point: their digits as one integer, over a power of ten, rounded once."""
        after = [number and number.fraction[1] - number.fraction[0] for number in fields]
        before = [number and number.whole[1] - number.whole[0] for number in fields]
        words = self._words([number and number.fraction[1] for number in fields])
        # The digits before the point move up by one byte, over it.
        whole = words << np.uint64(8)
        own = [f and _own(w + f) & ~_own(f) for w, f in zip(before, after, strict=True)]
        whole &= self._each(own, np.uint64)
        words &= self._each([f and _own(f) for f in after], np.uint64)
        words |= whole
        value = spelled(words).astype(np.float64)
        value /= self._each([float(POWERS[f]) if f else None for f in after], np.float64, other=1)
        if any(number and number.negative for number in fields):
            signs = [-1.0 if number and number.negative else 1.0 for number in fields]
            value *= self._each(signs, np.float64, other=1)
        return value

    def read(self, out: Floats, kind: int, number: Number) -> None:
        """Any number of one stride, into its rows of a column."""
        length = self.strides[kind].template.shape.length
        width = max(16, -(-length // 8) * 8)
        for i in np.flatnonzero(self._kind == kind).tolist():
            count, at = int(self._spans.count[i]), int(self.at[i])
            place, strides = int(self._spans.at[i]), (int(self._length[i]), 1)
            rows: Bytes = np.ndarray((count, width), np.uint8, self._text, place, strides)
            out[at : at + count] = read_numbers(number, Rows(rows.copy(), length))

    def _words(self, ends: Fields) -> Words:
        """The eight bytes before an offset in each row; what is not such a row is anything."""
        out: Words = np.empty(self.size, np.uint64)
        have = np.flatnonzero(self.kinds([end is not None for end in ends]))
        place = self._spans.at + self.kinds([end or 0 for end in ends]) - WORD
        columns = (self.at, self.at + self._spans.count, self._spans.count, place, self._length)
        text = self._text
        for begin, end, count, at, step in zip(*(c[have].tolist() for c in columns), strict=True):
            out[begin:end] = np.ndarray(count, _U64, text, at, (step,))
        return out

    def _each(
        self, values: Fields, kind: Any, *, other: float = 0, whole: bool = False
    ) -> NDArray[Any] | Any:
        """What each row has, from what each stride has; a single value if it is the same for all.

        Args:
            values: of each stride; ``None`` may become anything.
            kind: type.
            other: of the rows of no stride, and of strides with ``None``.
            whole: give a column in any case.
        """
        given = [value for value in values if value is not None]
        if all(value == given[0] for value in given):
            single = given[0] if given else other
            return np.full(self.size, single, kind) if whole else np.dtype(kind).type(single)
        filled = [other if value is None else value for value in values]
        return self._rows(np.array(filled, kind)[self._kind], kind, other)

    def _rows(self, values: NDArray[Any], kind: Any, other: float = 0) -> NDArray[Any]:
        """What each row has, from what each span has, and ``other`` for rows of none."""
        pieces = np.full(len(self._pieces), other, kind)
        pieces[1::2] = values
        return np.repeat(pieces, self._pieces)


def _own(digits: int) -> int:
    """The values of the last so many digits of a word."""
    return _NIBBLES & ~((1 << (8 * (WORD - digits))) - 1)
