"""Updates of one channel -> bars: each one sweep of the counter, told as soon as it is over.

Where a bar ends depends on the rows themselves, the row after each, and the headers between them;
so the bars are the same however the log came in chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logparse.reading.records import Form, Ints, Updates
from logparse.training.buffer import Buffer

_Bools = NDArray[np.bool_]


@dataclass(slots=True)
class Bar:
    """One sweep of the counter: rows ``start:stop`` of the channel."""

    start: int
    first: int
    byte: int
    line: int
    stop: int
    of: int
    steps: int
    finished: bool
    metrics: bool
    validated: bool
    last_byte: int
    last_line: int
    told: int = field(kw_only=True)
    """Offset of what ended it; that of its own last row at the end of the log."""


class _Begun(NamedTuple):
    """The bar under way: number, step, offset and line of its first row."""

    start: int
    first: int
    byte: int
    line: int


class _Before(NamedTuple):
    """The latest row, and whether it is an odd one in a chain of rows at N/N of Keras 3."""

    step: int
    of: int
    last: bool
    full: bool
    odd: bool


class Bars:
    """Tells the bars among the rows of a buffer."""

    def __init__(self, rows: Buffer) -> None:
        self._rows = rows
        self._begun: _Begun | None = None
        self._before: _Before | None = None
        self._header = True
        """A header, or nothing at all, stands before the next row."""

    @property
    def under_way(self) -> int:
        """Number of the first row that is in no bar told so far."""
        return self._begun.start if self._begun else self._rows.count

    def feed(self, updates: Updates, headers: Sequence[int]) -> list[Bar]:
        """Bars that are over once ``updates``, the latest rows of the buffer, are known.

        Args:
            updates: in the order of the log.
            headers: offsets of the headers that stand before, between and after them.
        """
        if not len(updates):
            self._header |= bool(headers)
            return []
        edges = self._edges(updates, headers)
        if not len(edges):
            return []
        first = self._rows.count - len(updates)
        begins = zip(
            (edges + first).tolist(),
            updates.step[edges].tolist(),
            updates.byte[edges].tolist(),
            updates.line[edges].tolist(),
            strict=True,
        )
        begun = [_Begun(*each) for each in begins]
        bars = []
        ends = _ends(updates, edges[edges > 0] - 1)
        if edges[0] == 0 and self._begun:
            part, at = self._rows.place(first - 1)
            ends = _ends(part, np.array([at])) + ends
        if self._begun:
            begun.insert(0, self._begun)
        for bar, after, end in zip(begun[:-1], begun[1:], ends, strict=True):
            bars.append(self._mended(Bar(*bar, after.start, *end, told=after.byte)))
        self._begun = begun[-1]
        return bars

    def finish(self) -> list[Bar]:
        """The last bar, with nothing after it."""
        if self._begun is None:
            return []
        stop = self._rows.count
        part, at = self._rows.place(stop - 1)
        end = _ends(part, np.array([at]))[0]
        bar = self._mended(Bar(*self._begun, stop, *end, told=end[-2]))
        if part.form[at] == Form.HEAVY and bar.steps == bar.of and not part.last[at]:
            # At the end of a log the N/N line with the time left 0 s may not be the epoch's last.
            pair = False
            if stop - self._begun.start > 1:
                before, i = self._rows.place(stop - 2)
                pair = bool(before.step[i] == bar.of)
            bar.finished = bool(pair or bar.validated or part.ended[at] or part.eta[at] > 0)
        self._begun = None
        return [bar]

    def _mended(self, bar: Bar) -> Bar:
        """The bar; one whose last row was cut before its metrics shows them in the row before."""
        if not bar.metrics and bar.stop - bar.start > 1:
            rows, at = self._rows.place(bar.stop - 2)
            bar.metrics = any(decimals[at] for decimals in rows.decimals.values())
        return bar

    def _edges(self, updates: Updates, headers: Sequence[int]) -> Ints:
        """Rows that begin a bar."""
        step, of, last = updates.step, updates.of, updates.last
        full = (updates.form == Form.HEAVY) & (step == of)
        before = self._before or _Before(0, 0, False, False, False)
        cut = np.zeros(len(updates) + 1, np.bool_)
        cut[np.searchsorted(updates.byte, headers)] = True
        cut[0] |= self._header
        self._header = bool(cut[-1])
        cut = cut[:-1]
        grew = (of[1:] != of[:-1]) & ~((of[:-1] == 0) & (step[1:] >= step[:-1]))
        cut[1:] |= (step[1:] < step[:-1]) | grew | last[:-1]
        cut |= updates.form >= Form.QUIET
        grew_first = of[0] != before.of and not (before.of == 0 and step[0] >= before.step)
        cut[0] |= step[0] < before.step or grew_first or before.last
        odd = _second(full, cut, before)
        cut[1:] |= odd[:-1]
        cut[0] |= before.odd
        self._before = _Before(
            int(step[-1]), int(of[-1]), bool(last[-1]), bool(full[-1]), bool(odd[-1])
        )
        return np.flatnonzero(cut)


def _second(full: _Bools, begins: _Bools, before: _Before) -> _Bools:
    """[n] whether a row ends a Keras 3 epoch, as the second of its two lines at N/N.

    Args:
        full: [n] rows of Keras 3 at N/N.
        begins: [n] rows that begin a bar for other reasons.
        before: the row before the first of these.
    """
    if not full.any():
        return full
    fresh = full & begins
    fresh[1:] |= full[1:] & ~full[:-1]
    fresh[0] |= full[0] and not before.full
    place = np.arange(len(full))
    since = place - np.maximum.accumulate(np.where(fresh, place, -1 - before.odd))
    second: _Bools = full & (since % 2 == 1)
    return second


def _ends(rows: Updates, last: Ints) -> list[tuple[Any, ...]]:
    """What bars show whose last rows are these: the fields of ``Bar`` from ``of`` on."""
    full = (rows.form[last] == Form.HEAVY) & (rows.step[last] == rows.of[last])
    metrics, validated = np.zeros((2, len(last)), np.bool_)
    for name, decimals in rows.decimals.items():
        here = decimals[last] != 0
        metrics |= here
        if name.startswith("val_"):
            validated |= here
    columns = (
        np.maximum(rows.of[last], 0),
        rows.step[last],
        rows.last[last] | full,
        metrics,
        validated,
        rows.byte[last],
        rows.line[last],
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))
