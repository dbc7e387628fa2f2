"""Closed epochs of one run as columns: what ``runs`` gives to all that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logparse.reading.records import TIMES, Floats, Ints

Bools = NDArray[np.bool_]

ENDS = 8
"""Rows kept at either end of an epoch that is thinned: levels and times are judged there."""


@dataclass(slots=True)
class Written:
    """What TensorBoard events tell of e closed epochs beyond their rows; times are wall times."""

    after: Floats
    """[e] no epoch can have begun before this, nan where unknown."""
    first: Bools
    """[e] the first epoch of a file, which began at ``after``."""
    evaluated: Floats
    """[e] when its validation ended, nan where unknown."""
    batch_values: frozenset[str]
    """Metrics whose rows before the last one are the batch's own value, not an average."""

    def part(self, begin: int, end: int) -> Written:
        """Epochs ``begin:end``."""
        return self.chosen(slice(begin, end))

    def chosen(self, rows: slice | Bools) -> Written:
        """Some of the epochs."""
        return Written(self.after[rows], self.first[rows], self.evaluated[rows], self.batch_values)


@dataclass(slots=True)
class Epochs:
    """Closed epochs of one run, their rows (updates) sorted by epoch, then step.

    e epochs, n rows. Times are seconds as printed, nan where absent; see ``records.Updates``.
    """

    starts: Ints
    """[e+1] row offsets: epoch i has the rows ``starts[i]:starts[i+1]``, at least one."""
    epoch: Ints
    """[e] number of the epoch in its run, from 1."""
    of: Ints
    """[e] steps of a whole epoch, 0 where unknown."""
    total: Ints
    """[e] the same in the bar's own unit (samples or steps), 0 where unknown."""
    complete: Bools
    """[e] its last line is in the log."""
    step: Ints
    """[n] batches done."""
    seen: Ints
    """[n] samples done where the bar counts samples, else batches done."""
    final: Bools
    """[n] the last line of its epoch: at most one an epoch, its last row."""
    form: NDArray[np.int8]
    """[n] ``records.Form``."""
    eta: Floats
    elapsed: Floats
    per_step: Floats
    per_step_unit: Floats
    per_epoch: Floats
    per_epoch_unit: Floats
    clock: Floats
    values: dict[str, Floats]
    """[n] a metric: the number as shown, nan where it is not on that line or was ``nan``."""
    decimals: dict[str, NDArray[np.int8]]
    """[n] a metric: decimals printed, ``records.EXPONENT`` for %.4e, 0 where it is not there."""
    written: Written | None = None
    """None for a text."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def part(self, begin: int, end: int) -> Epochs:
        """Epochs ``begin:end``, without copying."""
        rows = slice(int(self.starts[begin]), int(self.starts[end]))
        return Epochs(
            starts=self.starts[begin : end + 1] - self.starts[begin],
            **{name: getattr(self, name)[begin:end] for name in _OF_EPOCH},
            **self._rows(rows),
            written=self.written.part(begin, end) if self.written else None,
        )

    def chosen(self, which: Sequence[int] | Ints) -> Epochs:
        """Some of the epochs, in order."""
        if not len(which) or which[-1] - which[0] == len(which) - 1:
            return self.part(which[0], which[-1] + 1) if len(which) else self.part(0, 0)
        mine = np.zeros(len(self), np.bool_)
        mine[which] = True
        sizes = np.diff(self.starts)
        rows = np.flatnonzero(np.repeat(mine, sizes))
        return Epochs(
            starts=np.concatenate([[0], np.cumsum(sizes[mine])]),
            **{name: getattr(self, name)[mine] for name in _OF_EPOCH},
            **self._rows(rows),
            written=self.written.chosen(mine) if self.written else None,
        )

    def _rows(self, rows: Ints | slice) -> dict[str, Any]:
        """The columns of some rows."""
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in _OF_ROW}
        for side in ("values", "decimals"):
            columns[side] = {name: a[rows] for name, a in getattr(self, side).items()}
        return columns

    def thinned(self, most: int, *, even: bool = False) -> Epochs:
        """The same epochs with about ``most`` rows each: both ends, and evenly in between.

        Every metric keeps as many of its own rows, so one that is shown seldom is not lost.

        Args:
            most: rows of an epoch.
            even: the last row of as many equal stretches, no more at the ends.
        """
        if len(self) == 0 or np.diff(self.starts).max() <= most:
            return self
        keep = np.zeros(len(self.step), np.bool_)
        keep[_spread(self.starts, most, even)] = True
        for decimals in self.decimals.values():
            shown = decimals != 0
            if (shown & ~keep).any() and not shown.all():
                rows = np.flatnonzero(shown)
                starts = np.searchsorted(rows, self.starts)
                keep[rows[_spread(starts, most, even)]] = True
        rows = np.flatnonzero(keep)
        return Epochs(
            starts=np.searchsorted(rows, self.starts),
            **{name: getattr(self, name) for name in _OF_EPOCH},
            **self._rows(rows),
            written=self.written,
        )


def _spread(starts: Ints, most: int, even: bool) -> Ints:
    """At most ``most`` of the rows ``starts[i]:starts[i+1]``, see ``Epochs.thinned``."""
    n = np.diff(starts)[:, None]
    j = np.arange(most)
    if even:
        index = (j + 1) * n // most - 1
    else:
        between = ENDS + (j - ENDS) * (n - 2 * ENDS) // (most - 2 * ENDS)
        index = np.where(j < ENDS, j, np.where(j >= most - ENDS, n - most + j, between))
    index = np.where(n > most, index, j)
    return (starts[:-1, None] + index)[j < n]


_OF_EPOCH = ("epoch", "of", "total", "complete")
_OF_ROW = ("step", "seen", "final", "form", *TIMES)


def joined(parts: list[Epochs]) -> Epochs:
    """Epochs one after the other; a metric that a part lacks is absent there."""
    if len(parts) == 1:
        return parts[0]
    sizes = np.concatenate([np.diff(part.starts) for part in parts])
    values = _side_joined(parts, "values", np.nan, np.float64)
    decimals = _side_joined(parts, "decimals", 0, np.int8)
    return Epochs(
        starts=np.concatenate([[0], np.cumsum(sizes)]),
        **{n: np.concatenate([getattr(p, n) for p in parts]) for n in (*_OF_EPOCH, *_OF_ROW)},
        values=values,
        decimals=decimals,
        written=_joined_written([part.written for part in parts if part.written]),
    )


def _side_joined(parts: list[Epochs], side: str, fill: float, kind: type[Any]) -> dict[str, Any]:
    """The metrics of all parts: those that one lacks are filled there."""
    each: list[dict[str, Any]] = [getattr(part, side) for part in parts]
    return {
        name: np.concatenate(
            [
                columns[name] if name in columns else np.full(len(part.step), fill, kind)
                for columns, part in zip(each, parts, strict=True)
            ]
        )
        for name in dict.fromkeys(name for columns in each for name in columns)
    }


def _joined_written(parts: list[Written]) -> Written | None:
    if not parts:
        return None
    return Written(
        after=np.concatenate([part.after for part in parts]),
        first=np.concatenate([part.first for part in parts]),
        evaluated=np.concatenate([part.evaluated for part in parts]),
        batch_values=frozenset().union(*(part.batch_values for part in parts)),
    )


def null_zero(values: Ints) -> Floats:
    """Counts with nan, which tables hold as null, for 0."""
    return np.where(values == 0, np.nan, values)
