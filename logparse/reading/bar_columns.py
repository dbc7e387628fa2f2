"""Progress lines of one shape -> columns, all rows of the shape at once.

``Template`` is what the grammar found in one line, with every field's place; ``Columns`` collects
the fields of a block's lines. ``slow_row`` gives the same fields of a single line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logparse.reading.keras_bar import Line, Number
from logparse.reading.lines import Stretches
from logparse.reading.prefixes import Channels, Prefix, seconds
from logparse.reading.records import TIMES, Floats, Ints, Updates
from logparse.reading.shapes import Rows, Shape, Span

_POWERS = 10.0 ** np.arange(23)
"""Powers of ten that a double holds exactly: a quotient by one is rounded once, like float()."""
_EXACT_DIGITS = 15


class Columns:
    """Fields of the lines in one block; row i belongs to stretch i until ``updates`` sorts them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = np.zeros(size, np.bool_)
        self.offset = np.zeros(size, np.int64)
        self.step = np.zeros(size, np.int64)
        self.of = np.zeros(size, np.int64)
        self.form = np.zeros(size, np.int8)
        self.last = np.zeros(size, np.bool_)
        self.times: dict[str, Floats] = {name: np.full(size, np.nan) for name in TIMES}
        self.values: dict[str, Floats] = {}
        self.decimals: dict[str, NDArray[np.int8]] = {}

    def metric(self, name: str) -> tuple[Floats, NDArray[np.int8]]:
        """Columns of one metric, made when first asked for."""
        if name not in self.values:
            self.values[name] = np.full(self.size, np.nan)
            self.decimals[name] = np.zeros(self.size, np.int8)
        return self.values[name], self.decimals[name]

    def put(self, row: int, fields: dict[str, Any]) -> None:
        """The fields of ``slow_row`` into one row."""
        self.used[row] = True
        self.step[row], self.of[row] = fields["step"], fields["of"]
        self.form[row], self.last[row] = fields["form"], fields["last"]
        for name, value in fields["times"].items():
            self.times[name][row] = value
        for name, (value, places) in fields["metrics"].items():
            values, decimals = self.metric(name)
            values[row], decimals[row] = value, places

    def joined(self, rows: Ints, other: Columns) -> Columns:
        """``rows`` of these, then all rows of ``other``."""
        result = Columns(len(rows) + other.size)
        for name in ("used", "step", "of", "form", "last"):
            both = np.concatenate([getattr(self, name)[rows], getattr(other, name)])
            setattr(result, name, both)
        for name in TIMES:
            result.times[name] = np.concatenate([self.times[name][rows], other.times[name]])
        for source, at in ((self, slice(0, len(rows))), (other, slice(len(rows), None))):
            for name in source.values:
                values, decimals = result.metric(name)
                picked = rows if source is self else slice(None)
                values[at] = source.values[name][picked]
                decimals[at] = source.decimals[name][picked]
        return result


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
        for name, number in line.metrics:
            values, decimals = out.metric(name)
            values[at] = _numbers(number, rows)
            decimals[at] = number.decimals()
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


def _numbers(number: Number, rows: Rows) -> Floats:
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
        value /= _POWERS[places]
    else:
        power = rows.integers(number.exponent)
        value = _scaled(
            value, (-power if number.exponent_negative else power) - places, rows, number
        )
    return -value if number.negative else value


def _scaled(value: Floats, power: Ints, rows: Rows, number: Number) -> Floats:
    """``value * 10**power``; where a power of ten is not exact, Python reads the text itself."""
    size = np.abs(power)
    exact = _POWERS[np.minimum(size, len(_POWERS) - 1)]
    result = np.where(power < 0, value / exact, value * exact)
    start = number.whole[0]
    end = number.exponent[1] if number.exponent else start
    for row in np.flatnonzero(size >= len(_POWERS)):
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
    if prefix.clock:
        parts = [np.array([whole(span)]) for span in prefix.clock]
        digits = prefix.clock[6][1] - prefix.clock[6][0] if len(parts) > 6 else 0
        times["clock"] = float(seconds(parts, digits)[0])
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
    columns: Columns, slow: list[tuple[int, int, dict[str, Any]]], part: Stretches, channel: Ints
) -> Updates:
    """The lines of a block in file order.

    Args:
        columns: the fields of lines decoded by shape, row i in stretch i.
        slow: (stretch, offset in the log, fields of ``slow_row``) of all other lines.
        part: the stretches.
        channel: [stretches] channel of each.
    """
    fast = np.flatnonzero(columns.used)
    first = part.base + part.starts[fast] + columns.offset[fast]
    if not slow:
        return _rows(columns, fast, first, part, fast, channel)
    extra = Columns(len(slow))
    for row, (_, _, fields) in enumerate(slow):
        extra.put(row, fields)
    stretch = np.concatenate([fast, np.array([i for i, _, _ in slow], np.int64)])
    byte = np.concatenate([first, np.array([place for _, place, _ in slow], np.int64)])
    order = np.argsort(byte, kind="stable")
    merged = columns.joined(fast, extra)
    return _rows(merged, order, byte[order], part, stretch[order], channel)


def _rows(
    columns: Columns, rows: Ints, byte: Ints, part: Stretches, stretch: Ints, channel: Ints
) -> Updates:
    return Updates(
        byte=byte,
        line=part.lines[stretch],
        step=columns.step[rows],
        of=columns.of[rows],
        form=columns.form[rows],
        channel=channel[stretch].astype(np.int32),
        last=columns.last[rows],
        ended=part.ended[stretch],
        values={name: values[rows] for name, values in columns.values.items()},
        decimals={name: decimals[rows] for name, decimals in columns.decimals.items()},
        **{name: times[rows] for name, times in columns.times.items()},
    )
