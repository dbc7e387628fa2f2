"""What a reader gives: updates as columns, everything else as events, and the byte account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

EXPONENT = np.int8(-4)
"""Value of ``Updates.decimals`` for a number printed with ``%.4e``."""


WHOLE = 15
"""Value of ``Updates.decimals`` for a whole number: printed in full, so exact."""


class Form(IntEnum):
    """How a progress line was printed; the eras of keras-logs.md as far as one line shows them."""

    EVENTS = 0
    """Not a line: a TensorBoard event or a row of a CSV file."""
    BAR = 1
    """``[====>...]``, no time for a step on the last line (Keras up to 2.0.8)."""
    BAR_STEP = 2
    """``[====]`` with ``/step`` (Keras 2.0.9 and later, tf.keras)."""
    BAR_SAMPLE = 3
    """``[====]`` with ``/sample`` (TF 1.15 to 2.1)."""
    HEAVY = 4
    """Keras 3: ``━`` bar, or its place left empty, and ``ms/step``."""
    QUIET = 5
    """verbose=2 up to Keras 2.3.1: no count."""
    QUIET_COUNT = 6
    """verbose=2 of tf.keras: ``500/500 - 1s - loss``."""
    QUIET_EPOCH = 7
    """verbose=2 of Keras 2.7 to 2.15: ends in ``130ms/epoch - 9ms/step``."""
    QUIET_STEP = 8
    """verbose=2 of Keras 3: ``32/32 - 3s - 106ms/step - accuracy``."""


TIMES = ("eta", "elapsed", "per_step", "per_step_unit", "per_epoch", "per_epoch_unit", "clock")
"""The fields of ``Updates`` that hold printed times."""

_FIXED = ("byte", "line", "step", "of", "form", "channel", "last", "ended", *TIMES)


@dataclass(slots=True)
class Updates:
    """Updates in file order, one array a field, all of one length n.

    ``values[name]`` is the number as shown, ``decimals[name]`` how many decimals it had (int8;
    ``EXPONENT`` for ``%.4e``; 0 where the metric is not on that line and ``values`` is nan).
    Times are seconds, nan where not printed. ``of`` is 0 where the length is ``Unknown`` or not
    printed. ``step`` is the counter as printed (0 where none is): batches or samples.
    """

    byte: Ints
    line: Ints
    step: Ints
    of: Ints
    form: NDArray[np.int8]
    channel: NDArray[np.int32]
    last: NDArray[np.bool_]
    """The line has the form of a last line (elapsed, no ETA). Keras 3 alone cannot tell."""
    ended: NDArray[np.bool_]
    """A line break follows."""
    eta: Floats
    elapsed: Floats
    per_step: Floats
    per_step_unit: Floats
    """Unit of ``per_step``: 1, 1e-3 or 1e-6 s; it was rounded to it."""
    per_epoch: Floats
    """``130ms/epoch`` of Keras 2.7 to 2.15, verbose=2."""
    per_epoch_unit: Floats
    clock: Floats
    """Timestamp before the line, seconds since 1970, as if it were UTC."""
    values: dict[str, Floats]
    decimals: dict[str, NDArray[np.int8]]
    order: Mapping[str, int] = field(default_factory=dict)
    """Place of each metric in the order in which the log first shows them."""

    def __len__(self) -> int:
        return len(self.step)

    def take(self, rows: Ints) -> Updates:
        """The rows selected; metrics in the order in which these show them."""
        return self._rows(rows)

    def part(self, start: int, stop: int) -> Updates:
        """The rows ``start:stop``, without copying; metrics as with ``take``."""
        return self._rows(slice(start, stop))

    def _rows(self, rows: Ints | slice) -> Updates:
        decimals = {name: column[rows] for name, column in self.decimals.items()}
        first = {
            name: int((column != 0).argmax()) for name, column in decimals.items() if len(column)
        }
        shown = [name for name, row in first.items() if decimals[name][row]]
        # What other runs show must not matter, so the rows come before the order of the log.
        shown.sort(key=first.__getitem__)
        return Updates(
            **{name: getattr(self, name)[rows] for name in _FIXED},
            values={name: self.values[name][rows] for name in shown},
            decimals={name: decimals[name] for name in shown},
            order=self.order,
        )

    def joined(self, *others: Updates) -> Updates:
        """These rows, then the others'; metrics in the order of the log."""
        parts = [part for part in (self, *others) if len(part)] or [self]
        if len(parts) == 1:
            return parts[0]
        values, decimals = {}, {}
        order = parts[-1].order
        every = dict.fromkeys(name for part in parts for name in part.values)
        for name in sorted(every, key=lambda name: order.get(name, len(order))):
            values[name] = np.concatenate([p.values.get(name, nans(len(p))) for p in parts])
            decimals[name] = np.concatenate([p.decimals.get(name, _zeros(len(p))) for p in parts])
        return Updates(
            **{name: _chained([getattr(part, name) for part in parts]) for name in _FIXED},
            values=values,
            decimals=decimals,
            order=order,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Its fields, for another process; of a column without a number, only the length."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        empty = {name: len(fields[name]) for name in TIMES if fields[name].base is _NANS}
        return fields | empty

    def __setstate__(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            setattr(self, name, nans(value) if isinstance(value, int) else value)


def no_updates() -> Updates:
    """Updates without a row."""
    kinds = {"form": np.int8, "channel": np.int32, "last": np.bool_, "ended": np.bool_}
    kinds |= dict.fromkeys(TIMES, np.float64)
    arrays: dict[str, Any] = {name: np.empty(0, kinds.get(name, np.int64)) for name in _FIXED}
    return Updates(**arrays, values={}, decimals={})


def nans(size: int) -> Floats:
    """A column in which nothing is printed; read-only, all share one."""
    global _NANS
    if len(_NANS) < size:
        _NANS = np.full(2 * size, np.nan)
        _NANS.flags.writeable = False
    return _NANS[:size]


_NANS = np.zeros(0)


def _chained(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """A column, part after part."""
    if all(part.base is _NANS for part in parts):
        return nans(sum(map(len, parts)))
    return np.concatenate(parts)


def _zeros(size: int) -> NDArray[np.int8]:
    return np.zeros(size, np.int8)


@dataclass(slots=True)
class Event:
    """Anything but an update, with its place: a header, a message, a line of a summary.

    ``kind`` is one of the kinds of ``keras_text`` (``header``, ``train on``, ``checkpoint`` ...).
    ``data`` holds the parsed fields of that kind.
    """

    byte: int
    end: int
    line: int
    kind: str
    text: str
    channel: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    clock: float | None = None
    """Timestamp before it, seconds since 1970 as if it were UTC."""


@dataclass(slots=True)
class Reject:
    """Input that looked like data and could not be read; records of event files have no line."""

    line: int | None
    start: int
    end: int
    kind: str
    excerpt: str
    file: str | None = None
    """The file it is in, where a log has several; offsets are those in the file."""


@dataclass(slots=True)
class Chunk:
    """What one block gave: updates, and the events between them, both in file order."""

    updates: Updates
    events: list[Event]
    rejects: list[Reject]


@dataclass(slots=True)
class Account:
    """Where each byte of a log went: read + ignored + rejected + pending = size."""

    read: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    pending: int = 0

    @property
    def size(self) -> int:
        """Bytes accounted for."""
        return self.read + self.ignored.total() + self.rejected + self.pending
