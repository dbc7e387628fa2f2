"""A long series in, the few of its points that a drawing needs out: extremes and gaps are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools

COARSE = 4
"""Points kept while reading, for each that is drawn: enough for the last choice."""

SAMPLE = 4000
"""Values, evenly taken, that tell where most of a series lies."""

PIECE = 16_384
"""Rows that are thinned together."""

TAIL = 1000
"""Largest and smallest values kept, to count those beyond an axis."""


def thin(values: Floats, most: int, *, rough: bool = False) -> Ints:
    """Rows of at most about ``most`` points that look like all of them.

    MinMaxLTTB (J. Van Der Donckt et al., 2023) picks among the finite values; the largest and
    the smallest are always there. So is a value that is not finite from every stretch of rows
    that has one: the drawing shows a gap there.

    Args:
        values: the series.
        most: points to keep.
        rough: just the largest and the smallest of every stretch, for a finer choice later.
    """
    if len(values) <= most:
        return np.arange(len(values))
    finite = np.isfinite(values)
    if finite.all():
        return _picked(values, most, rough)
    rows, gaps = np.flatnonzero(finite), _gaps(~finite, most // 4)
    if len(rows) > most:
        rows = rows[_picked(values[rows], most, rough)]
    return np.union1d(rows, gaps)


def _picked(values: Floats, most: int, rough: bool) -> Ints:
    """Of finite values."""
    import tsdownsample

    values = np.ascontiguousarray(values, np.float64)
    if rough:
        rows = tsdownsample.MinMaxDownsampler().downsample(values, n_out=max(most // 2 * 2, 2))
    else:
        rows = tsdownsample.MinMaxLTTBDownsampler().downsample(values, n_out=max(most - 2, 4))
    keep = np.zeros(len(values), np.bool_)
    keep[rows] = True
    # The second picks by area, and may pass over the ends of the range.
    keep[[values.argmin(), values.argmax()]] = True
    return np.flatnonzero(keep)


def _gaps(strange: Bools, most: int) -> Ints:
    """Rows that are not finite, at most about one from every stretch of rows."""
    rows = np.flatnonzero(strange)
    if len(rows) <= most:
        return rows
    stretch = rows * most // len(strange)
    return rows[np.flatnonzero(np.diff(stretch, prepend=-1))]


@dataclass(frozen=True, slots=True)
class Points:
    """Points of a series, thinned, in order."""

    columns: dict[str, Floats]
    """[n] each; ``y`` is what they were chosen by."""
    total: int
    """Points before."""
    sample: Floats
    """Finite values of ``y``, evenly taken."""
    low: Floats
    """The smallest finite values of all, at most ``TAIL``, sorted."""
    high: Floats
    """The largest, sorted."""
    not_finite: int
    """Values that are nan or infinite."""

    def __len__(self) -> int:
        return len(self.columns["y"])

    def __getitem__(self, name: str) -> Floats:
        return self.columns[name]

    def thinned(self, most: int) -> Points:
        """About ``most`` of them."""
        if len(self) <= most:
            return self
        rows = thin(self["y"], most)
        return replace(self, columns={name: values[rows] for name, values in self.columns.items()})

    def beyond(self, low: float, high: float) -> tuple[int, int]:
        """Values below ``low`` and above ``high``; ``TAIL`` stands for as many or more."""
        above = len(self.high) - int(self.high.searchsorted(high, "right"))
        return int(self.low.searchsorted(low)), above


@dataclass(slots=True)
class Thinner:
    """Takes a series piece by piece; needs little more memory than what is drawn."""

    total: int
    """Points to come, about: decides how many are kept of each piece."""
    most: int
    """Points to draw."""
    _parts: list[dict[str, Floats]] = field(default_factory=list)
    _waiting: list[dict[str, Floats]] = field(default_factory=list)
    _rows: int = 0
    """Of ``_waiting``."""
    _samples: list[Floats] = field(default_factory=list)
    _low: Floats = field(default_factory=lambda: np.zeros(0))
    _high: Floats = field(default_factory=lambda: np.zeros(0))
    _seen: int = 0
    _not_finite: int = 0

    def __len__(self) -> int:
        """Points that came so far."""
        return self._seen + self._rows

    def add(self, columns: dict[str, Floats]) -> None:
        """The next piece: columns of one length, ``y`` among them."""
        self._waiting.append(columns)
        self._rows += len(columns["y"])
        if self._rows >= PIECE:
            self._thin()

    def _thin(self) -> None:
        columns = _joined(self._waiting)
        self._waiting, self._rows = [], 0
        y = columns["y"]
        n = len(y)
        every = max(1, self.total // SAMPLE)
        finite = np.sort(y[np.isfinite(y)])
        self._samples.append(y[(-self._seen) % every :: every])
        if self._seen:
            self._low = np.sort(np.concatenate([self._low, finite[:TAIL]]))[:TAIL]
            self._high = np.sort(np.concatenate([self._high, finite[-TAIL:]]))[-TAIL:]
        else:
            self._low, self._high = finite[:TAIL], finite[-TAIL:]
        self._seen += n
        self._not_finite += n - len(finite)
        if self.total > COARSE * self.most:
            rows = thin(y, max(4, -(-COARSE * self.most * n // self.total)), rough=True)
            columns = {name: column[rows] for name, column in columns.items()}
        self._parts.append(columns)

    def points(self) -> Points:
        """What to draw."""
        if self._waiting:
            self._thin()
        columns = _joined(self._parts)
        if len(columns["y"]) > self.most:
            rows = thin(columns["y"], self.most)
            columns = {name: column[rows] for name, column in columns.items()}
        sample = np.concatenate(self._samples)
        return Points(
            columns,
            total=self._seen,
            sample=sample[np.isfinite(sample)],
            low=self._low,
            high=self._high,
            not_finite=self._not_finite,
        )


def _joined(parts: list[dict[str, Floats]]) -> dict[str, Floats]:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def pieces(breaks: Floats) -> Iterator[slice]:
    """Stretches of rows of equal ``breaks``."""
    cuts = np.flatnonzero(np.diff(breaks)) + 1
    for begin, end in pairwise([0, *cuts.tolist(), len(breaks)]):
        if begin < end:
            yield slice(begin, end)
