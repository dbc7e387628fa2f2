"""Rows of one metric and a law in, series for the smoother and its estimates of each gap out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.backward import backward
from logparse.training.epochs import Bools
from logparse.training.laws import BLEND, DOUBLE, DOUBLE_TRUE, MEAN
from logparse.training.moves import moves, total
from logparse.training.noise import Fit, posterior
from logparse.training.series import NODES, Shown, observe, thin
from logparse.training.smoother import Series, forward, wide

WINDOW = 512
"""Rows of a long epoch that one window estimates."""

MARGIN = 256
"""Rows that a window sees before and after those: more than the smoother remembers."""

BESIDE = 512
"""Windows smoothed side by side: more leave the processor's cache."""

CELLS = 500_000
"""Observations smoothed side by side: bounds the memory of the kept states."""

STEP = 150
"""Windows of which one row more takes as long as Python's own part of it."""

POINTS = 9
"""Points of noise and drift that a mean of means is smoothed at, in what they cost."""

_ENDS = {MEAN: "true", BLEND: "true", DOUBLE: "blend", DOUBLE_TRUE: "true"}


def observed(
    rows: Shown, law: str, most: int = NODES, *, lost: bool | Bools = False
) -> tuple[Series, Floats]:
    """The thinned series of each epoch under a law, and the log likelihood of repeated lines.

    With ``lost``, for all or [e] each, the last line is left out (``rebuild.lost_end``).
    """
    index, valid = thin(rows, most)
    if np.any(lost) and len(rows.y):
        valid = valid & ~(rows.final[np.minimum(index, len(rows.y) - 1)] & lost)
    x = observe(rows, index, valid, double=law in (DOUBLE, DOUBLE_TRUE), end=_ENDS[law])
    unit = np.sqrt(12 * x.r)
    again = _say_once(x, law)
    # Printed twice alike, with certainty: density 1 / unit, less the constant forward() leaves out.
    bonus = total(np.where(again, 0.5 * np.log(2 * np.pi) - np.log(unit), 0.0))
    return x, bonus


def _say_once(x: Series, law: str) -> Bools:
    """Under a plain mean the last line repeats step K: the same number says nothing new."""
    again = np.zeros_like(x.valid)
    if law in (MEAN, BLEND) and len(x.t) > 1:
        again[1:] = x.valid[1:] & x.valid[:-1] & (x.t[1:] == x.t[:-1])
        x.valid &= ~again
        x.on_s[again] = 0.0
        x.y[again] = 0.0
    return again


def padded(x: Series, m: int) -> Series:
    """The same series with rows of padding up to m."""
    more = m - len(x.t)
    if not more:
        return x

    def below(a: Any, fill: Any) -> Any:
        return np.vstack([a, np.full((more, a.shape[1]), fill, a.dtype)])

    last = x.t[-1:] if len(x.t) else np.ones((1, x.t.shape[1]))
    return Series(
        np.vstack([x.t, np.repeat(last, more, 0)]), below(x.y, 0), below(x.r, 1),
        below(x.loose, 0), below(x.on_s, 0), below(x.on_t, 0), below(x.valid, False),
        x.centre, x.scale, x.t0,
    )  # fmt: skip


def side_by_side(parts: Sequence[Series]) -> Series:
    """Series of equal depth as one."""
    return Series(
        *(np.concatenate([getattr(part, name) for part in parts], -1) for name in Series.__slots__)
    )


def smoothed(
    rows: Shown, law: str, use: Ints, at: Fit, ends: Ints, *, lost: bool = False
) -> tuple[Floats, Floats]:
    """Mean of every interval by the smoother, and its standard deviation.

    Args:
        rows: of one metric.
        law: law of the averages.
        use: [s] epochs that show enough.
        at: their noise and drift.
        ends: rows that end an interval.
        lost: the last line of an epoch is left out (``rebuild.lost_end``).

    Returns:
        Mean and deviation for each of ``ends``, nan where the epoch shows too little.
    """
    n = len(rows.y)
    mean, sd = np.full(n, np.nan), np.full(n, np.nan)
    series, begin, length, core = _windows(rows, use)
    order = np.argsort(-length, kind="stable")
    points = POINTS if law in (DOUBLE, DOUBLE_TRUE) else 1
    while len(order):
        group = order[: _beside(length[order], points)]
        order = order[len(group) :]
        x, index = _series(rows, law, begin[group], length[group], lost)
        sums, deviation, gap = _smooth(x, at.take(series[group]))
        keep = x.valid & (gap > 0) & (index >= core[0][group]) & (index < core[1][group])
        mean[index[keep]] = sums[keep] / gap[keep]
        sd[index[keep]] = deviation[keep] / gap[keep]
    # Step K shown twice: its interval ends at the first of the two rows.
    missed = ends[np.isnan(mean[ends]) & (ends > 0)]
    same = rows.owner[missed - 1] == rows.owner[missed]
    twice = missed[same & (rows.step[missed - 1] == rows.step[missed])]
    mean[twice], sd[twice] = mean[twice - 1], sd[twice - 1]
    return mean[ends], sd[ends]


def _beside(length: Ints, points: int) -> int:
    """How many windows to smooth side by side: those of like length, and few shorter ones.

    Args:
        length: [w] rows of each, the longest first.
        points: of noise and drift at which each is smoothed, in what they cost.
    """
    longest = int(length[0])
    length = length[: max(1, min(CELLS // points // max(longest, 1), BESIDE))]
    n = 0
    while n < len(length):
        like = int(np.searchsorted(-length, -(length[n] // 2)))
        padding = np.sum(longest - length[n:like]) * points
        if n and padding > STEP * length[n]:
            break  # a pass of their own costs less
        n = max(like, n + 1)
    return n


def _windows(rows: Shown, use: Ints) -> tuple[Ints, Ints, Ints, tuple[Ints, Ints]]:
    """Index of the series, first row, number of rows, and own rows of each window.

    A short epoch is one window; a long one is cut, with margins, into many.
    """
    start, n = rows.starts[:-1][use], np.diff(rows.starts)[use]
    pieces = np.where(n > WINDOW + 2 * MARGIN, -(-n // WINDOW), 1)
    series = np.repeat(np.arange(len(use)), pieces)
    piece = np.arange(len(series)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    many = pieces[series] > 1
    n, start = n[series], start[series]
    own = np.where(many, piece * WINDOW, 0), np.where(many, np.minimum((piece + 1) * WINDOW, n), n)
    begin = np.maximum(own[0] - MARGIN, 0)
    end = np.minimum(own[1] + MARGIN, n)
    return series, start + begin, end - begin, (start + own[0], start + own[1])


def _series(rows: Shown, law: str, begin: Ints, length: Ints, lost: bool) -> tuple[Series, Ints]:
    """The rows of some windows as series, and the row behind each observation."""
    j = np.arange(int(length.max()))[:, None]
    index = begin + np.minimum(j, length - 1)
    double = law in (DOUBLE, DOUBLE_TRUE)
    valid: Bools = np.less(j, length)
    if lost:
        valid &= ~rows.final[index]
    x = observe(rows, index, valid, double=double, end=_ENDS[law])
    _say_once(x, law)
    x.loose[:] = 0.0
    head = rows.starts[rows.owner[begin]]
    x.t0 = np.where(begin > head, rows.t[np.maximum(begin - 1, 0)], 0.0)
    return x, index


def _smooth(x: Series, at: Fit) -> tuple[Floats, Floats, Floats]:
    """Sum of the batches of each gap, its deviation, and the length of the gap."""
    x.scale = np.sqrt(at.sigma2) / np.exp(at.noise)
    mv = moves(x, at.early)
    if x.double:
        # Two averages hide the noise: its uncertainty widens the band.
        sums, var = posterior(x, mv, at)
    else:
        columns = wide(x, mv, 1)
        kept = forward(columns, at.sigma2, at.q, keep=True)
        sums, var = backward(columns, kept, at.sigma2, at.q)
    return sums + mv.g * x.centre, np.sqrt(var), mv.g
