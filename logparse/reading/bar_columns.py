"""Progress lines of one shape -> columns, all rows of the shape at once.

``Template`` is what the grammar found in one line, with every field's place; ``Columns`` collects
the fields of a block's lines. ``slow_row`` gives the same fields of a single line.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logparse.limits import METRIC_NAMES
from logparse.reading.keras_bar import Line, Number
from logparse.reading.lines import Stretches
from logparse.reading.prefixes import Channels, Prefix, seconds, timestamp
from logparse.reading.records import TIMES, Floats, Ints, Updates
from logparse.reading.shapes import Rows, Shape, Span

POWERS = 10.0 ** np.arange(23)
"""Powers of ten that a double holds exactly: a quotient by one is rounded once, like float()."""
_EXACT_DIGITS = 15


class Columns:
    """Fields of the lines in one block; row i belongs to stretch i.

    Metrics stay apart until all of the block is decoded: which names are kept, and in which
    order, is decided in the order of the file.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = np.zeros(size, np.bool_)
        self.offset = np.zeros(size, np.int64)
        self.step = np.zeros(size, np.int64)
        self.of = np.zeros(size, np.int64)
        self.form = np.zeros(size, np.int8)
        self.last = np.zeros(size, np.bool_)
        self.times: dict[str, Floats] = {name: np.full(size, np.nan) for name in TIMES}
        self.groups: list[Group] = []

    def put(self, row: int, fields: dict[str, Any]) -> None:
        """The fields of ``slow_row`` into one row."""
        self.used[row] = True
        self.step[row], self.of[row] = fields["step"], fields["of"]
        self.form[row], self.last[row] = fields["form"], fields["last"]
        for name, value in fields["times"].items():
            self.times[name][row] = value

    def joined(self, rows: Ints, other: Columns) -> Columns:
        """``rows`` of these, then all rows of ``other``, but for the metrics."""
        result = Columns(len(rows) + other.size)
        for name in ("used", "step", "of", "form", "last"):
            both = np.concatenate([getattr(self, name)[rows], getattr(other, name)])
            setattr(result, name, both)
        for name in TIMES:
            result.times[name] = np.concatenate([self.times[name][rows], other.times[name]])
        return result


@dataclass(slots=True)
class Group:
    """Stretches decoded by one shape, and the values of each metric of its line."""

    line: Line
    at: Ints
    values: list[Floats]


@dataclass(slots=True)
class Single:
    """A line that was read by the grammar itself."""

    stretch: int
    byte: int
    line: Line
    fields: dict[str, Any]
    """What ``slow_row`` gives."""
    offsets: Sequence[int]
    """Offset in the log's stretch of each byte that the spans of ``line`` count."""


@dataclass(slots=True)
class Template:
    """A shape of line with the places of its fields; offsets are in the bytes of the stretch."""

    shape: Shape
    line: Line
    prefix: Prefix
    read: int
    ignored: dict[str, int]

    def decode(self, rows: Rows, at: Ints, out: Columns, channels: Channels) -> Ints:
        """Fields of ``rows`` into row ``at`` of ``out``; the rows' channels (-1 for none)."""
        line = self.line
        out.used[at] = True
        out.offset[at] = line.start
        out.form[at] = line.form
        out.last[at] = line.last
        if line.step:
            out.step[at] = rows.integers(line.step)
        if line.of:
            out.of[at] = rows.integers(line.of)
        if line.eta:
            out.times["eta"][at] = _clock([rows.integers(span) for span in line.eta])
        if line.elapsed:
            out.times["elapsed"][at] = rows.integers(line.elapsed)
        for name, span, unit in (
            ("per_step", line.per_step, line.per_step_unit),
            ("per_epoch", line.per_epoch, line.per_epoch_unit),
        ):
            if span:
                out.times[name][at] = rows.integers(span) * unit
                out.times[name + "_unit"][at] = unit
        if self.prefix.clock:
            out.times["clock"][at] = _timestamp(self.prefix, rows)
        out.groups.append(
            Group(line, at, [read_numbers(number, rows) for _, number in line.metrics])
        )
        numbers = [rows.integers(span) for span in self.prefix.numbers]
        return channels.many(self.prefix, numbers, len(rows))


def fits(line: Line) -> bool:
    """Whether the line's numbers are short enough to be decoded as columns exactly."""
    return all(
        (number.whole[1] - number.whole[0])
        + (number.fraction[1] - number.fraction[0] if number.fraction else 0)
        <= _EXACT_DIGITS
        and not (number.exponent and number.exponent[1] - number.exponent[0] > 2)
        for _, number in line.metrics
    ) and len({name for name, _ in line.metrics}) == len(line.metrics)


def _clock(parts: list[Ints]) -> Ints:
    total = parts[0]
    for part in parts[1:]:
        total = total * 60 + part
    return total


def _timestamp(prefix: Prefix, rows: Rows) -> Floats:
    spans = prefix.clock
    digits = spans[6][1] - spans[6][0] if len(spans) > 6 else 0
    return seconds([rows.integers(span) for span in spans], digits)


def read_numbers(number: Number, rows: Rows) -> Floats:
    """Numbers as ``float()`` reads them: integer digits over a power of ten, rounded once."""
    if number.word:
        value = np.full(len(rows), np.nan if number.word == b"nan" else np.inf)
        return -value if number.negative else value
    digits = rows.integers(number.whole)
    places = 0
    if number.fraction:
        places = number.fraction[1] - number.fraction[0]
        digits = digits * 10**places + rows.integers(number.fraction)
    value = digits.astype(np.float64)
    if number.exponent is None:
        value /= POWERS[places]
    else:
        power = rows.integers(number.exponent)
        value = _scaled(
            value, (-power if number.exponent_negative else power) - places, rows, number
        )
    return -value if number.negative else value


def _scaled(value: Floats, power: Ints, rows: Rows, number: Number) -> Floats:
    """``value * 10**power``; where a power of ten is not exact, Python reads the text itself."""
    size = np.abs(power)
    exact = POWERS[np.minimum(size, len(POWERS) - 1)]
    result = np.where(power < 0, value / exact, value * exact)
    start = number.whole[0]
    end = number.exponent[1] if number.exponent else start
    for row in np.flatnonzero(size >= len(POWERS)):
        result[row] = float(rows.rows[row, start:end].tobytes())
    return result


def slow_row(line: Line, prefix: Prefix, text: bytes) -> dict[str, Any]:
    """Fields of one line found in ``text``, named as in ``Updates``, by plain Python."""

    def whole(span: Span | None) -> int:
        return int(text[span[0] : span[1]]) if span else 0

    times = dict.fromkeys(TIMES, np.nan)
    if line.eta:
        total = 0
        for span in line.eta:
            total = total * 60 + whole(span)
        times["eta"] = float(total)
    if line.elapsed:
        times["elapsed"] = float(whole(line.elapsed))
    if line.per_step:
        times["per_step"] = whole(line.per_step) * line.per_step_unit
        times["per_step_unit"] = line.per_step_unit
    if line.per_epoch:
        times["per_epoch"] = whole(line.per_epoch) * line.per_epoch_unit
        times["per_epoch_unit"] = line.per_epoch_unit
    if (clock := timestamp(prefix, text)) is not None:
        times["clock"] = clock
    metrics = {name: (_number(number, text), number.decimals()) for name, number in line.metrics}
    return {
        "step": whole(line.step),
        "of": whole(line.of),
        "form": int(line.form),
        "last": line.last,
        "times": times,
        "metrics": metrics,
    }


def _number(number: Number, text: bytes) -> float:
    if number.word:
        value = float(number.word)
    else:
        end = number.exponent or number.fraction or number.whole
        value = float(text[number.whole[0] : end[1]])
    return -value if number.negative else value


def gather_updates(
    columns: Columns,
    singles: list[Single],
    part: Stretches,
    channel: Ints,
    names: dict[str, int],
) -> Updates:
    """The lines of a block in file order; ``values`` in the order of ``names``.

    Args:
        columns: the fields of lines decoded by shape, row i in stretch i.
        singles: all other lines.
        part: the stretches.
        channel: [stretches] channel of each.
        names: metrics to keep, numbered in the order in which the log first shows them.
    """
    fast = np.flatnonzero(columns.used)
    byte = part.places[fast] + columns.offset[fast]
    stretch, order = fast, np.arange(len(fast))
    if singles:
        extra = Columns(len(singles))
        for row, single in enumerate(singles):
            extra.put(row, single.fields)
        stretch = np.concatenate([fast, np.array([one.stretch for one in singles], np.int64)])
        byte = np.concatenate([byte, np.array([one.byte for one in singles], np.int64)])
        order = np.argsort(byte, kind="stable")
        stretch, byte = stretch[order], byte[order]
        rows, fields = order, columns.joined(fast, extra)
    else:
        rows, fields = fast, columns
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    of_stretch = np.zeros(columns.size, np.int64)
    of_stretch[fast] = place[: len(fast)]
    values, decimals = _metrics(columns.groups, of_stretch, singles, place[len(fast) :], names)
    return Updates(
        byte=byte,
        line=part.lines[stretch],
        step=fields.step[rows],
        of=fields.of[rows],
        form=fields.form[rows],
        channel=channel[stretch].astype(np.int32),
        last=fields.last[rows],
        ended=part.ended[stretch],
        values=values,
        decimals=decimals,
        # A copy: the reader goes on in a thread of its own.
        order=dict(names),
        **{name: times[rows] for name, times in fields.times.items()},
    )


def _metrics(
    groups: list[Group],
    of_stretch: Ints,
    singles: list[Single],
    places: Ints,
    names: dict[str, int],
) -> tuple[dict[str, Floats], dict[str, NDArray[np.int8]]]:
    """Columns of the metrics in ``names``, in that order.

    Args:
        groups: lines decoded by shape.
        of_stretch: the row of a stretch that is in ``groups``.
        singles: all other lines.
        places: the rows of ``singles``.
        names: as in ``gather_updates``.
    """
    here = {name for group in groups for name, _ in group.line.metrics}
    here.update(name for single in singles for name in single.fields["metrics"])
    kept = sorted(here & names.keys(), key=names.__getitem__)
    size = sum(len(group.at) for group in groups) + len(singles)
    values = {name: np.full(size, np.nan) for name in kept}
    decimals = {name: np.zeros(size, np.int8) for name in kept}
    for group in groups:
        rows = of_stretch[group.at]
        for (name, number), column in zip(group.line.metrics, group.values, strict=True):
            if name in values:
                values[name][rows] = column
                decimals[name][rows] = number.decimals()
    for single, row in zip(singles, places.tolist(), strict=True):
        for name, (value, printed) in single.fields["metrics"].items():
            if name in values:
                values[name][row], decimals[name][row] = value, printed
    return values, decimals


def note_names(
    columns: Columns, singles: list[Single], part: Stretches, names: dict[str, int]
) -> bool:
    """Add to ``names`` those a block is the first to show, up to ``METRIC_NAMES``.

    In the order of the file and then of the line, not in that in which shapes are decoded.

    Returns:
        Whether all names of the block were taken.
    """
    first: dict[str, tuple[int, int]] = {}

    def note(line: Iterable[str], byte: int) -> None:
        for place, name in enumerate(line):
            if name not in names:
                first[name] = min(first.get(name, (byte, place)), (byte, place))

    for group in columns.groups:
        i = int(group.at[0])
        byte = int(part.places[i] + columns.offset[i])
        note((name for name, _ in group.line.metrics), byte)
    for single in singles:
        note(single.fields["metrics"], single.byte)
    found = sorted(first, key=first.__getitem__)
    for name in found[: METRIC_NAMES - len(names)]:
        names[name] = len(names)
    return len(names) < METRIC_NAMES or all(name in names for name in found)


def beyond(
    columns: Columns, singles: list[Single], part: Stretches, names: Container[str]
) -> Iterator[tuple[int, int, int]]:
    """Stretch, start and end in the log of metrics that are not in ``names``; neighbours as one."""
    for group in columns.groups:
        spans = _beyond(group.line, names)
        for i in group.at.tolist() if spans else ():
            base = int(part.places[i])
            yield from ((i, base + start, base + end) for start, end in spans)
    for single in singles:
        base = int(part.places[single.stretch])
        for start, end in _beyond(single.line, names):
            yield single.stretch, base + single.offsets[start], base + single.offsets[end]


def _beyond(line: Line, names: Container[str]) -> list[Span]:
    spans: list[Span] = []
    for (name, _), (start, end) in zip(line.metrics, line.pairs, strict=True):
        if name in names:
            continue
        if spans and spans[-1][1] == start:
            start = spans.pop()[0]
        spans.append((start, end))
    return spans
