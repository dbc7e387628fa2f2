"""What one metric showed in: the mean of the batches between shown steps out, with hard bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools
from logparse.training.laws import DOUBLE, DOUBLE_TRUE
from logparse.training.series import Shown

LARGEST_BATCH = 65_536
"""Samples of the largest batch considered: a last batch of unknown size holds one at least."""

FAR = 6.0
"""Batches lie within this many deviations of their level; used only for a short last batch."""


@dataclass(slots=True)
class Intervals:
    """Shown intervals of one metric, n rows, epoch by epoch."""

    row: Ints
    """[n] row of ``Shown`` that ends the interval."""
    owner: Ints
    """[n] index of the epoch."""
    first_step: Ints
    step: Ints
    gap: Floats
    """[n] weight in the interval, in full batches."""
    value: Floats
    low: Floats
    high: Floats
    open: Bools
    """[n] ends in a batch of unknown size."""
    whole: Bools
    """[n] both ends are whole counts: no rounding is left."""


def _ends(rows: Shown) -> tuple[Ints, Ints]:
    """The row that ends each interval and the row that ends the one before, -1 at the start.

    Where step K is shown twice, the last line ends the interval.
    """
    n = len(rows.y)
    keep = np.ones(n, np.bool_)
    # Where only every Nth batch is written and no length is known, the end of an epoch is at a
    # step that its row does not tell.
    untold = rows.final & (rows.bits > 0) & (rows.of[rows.owner] == 0)
    if n > 1:
        later = (rows.owner[1:] != rows.owner[:-1]) | (rows.step[1:] > rows.step[:-1])
        keep[:-1] = later | untold[1:]
    keep &= rows.step > 0
    keep &= ~untold
    ends = np.flatnonzero(keep)
    before = np.full(len(ends), -1, np.int64)
    if len(ends) > 1:
        same = rows.owner[ends[1:]] == rows.owner[ends[:-1]]
        before[1:] = np.where(same, ends[:-1], -1)
    return ends, before


def intervals(
    rows: Shown, law: str | None, noise: Floats, blend: Bools, *, lost: bool = False
) -> Intervals:
    """Mean of the batches of every shown interval, exactly inverted.

    With S = t R, the mean over a+1..b is (S_b - S_a) / (t_b - t_a), known to
    +-(t_b h_b + t_a h_a) / (t_b - t_a), h the half unit of the last digit. The numbers of event
    files are so fine that Keras's own sums count: see ``_sums``.

    Args:
        rows: of one metric.
        law: law of the averages; None gives no values.
        noise: [e] standard deviation of one batch, nan where unknown.
        blend: [e] the last line is a blend: it needs some scatter to be bounded, so where none is
            known half the value stands for it.
        lost: nothing follows from the last line of an epoch (``rebuild.lost_end``).

    Returns:
        One row an interval; ``value``, ``low`` and ``high`` are nan where the law allows no
        inverse, or where the log shows nan or infinity.
    """
    ends, before = _ends(rows)
    mean, half = _running_means(rows, law)
    if lost:
        mean[rows.final], half[rows.final] = np.nan, np.nan
    head = before < 0
    t_a = np.where(head, 0.0, rows.t[before])
    t_b = rows.t[ends]
    gap = t_b - t_a
    first = np.where(head, 0, rows.step[before]) + 1
    step = rows.step[ends]
    with np.errstate(invalid="ignore", divide="ignore"):
        s_a = np.where(head, 0.0, t_a * mean[before])
        value = (t_b * mean[ends] - s_a) / gap
        late, early = _sums(rows, ends, before, half, (mean[ends] * t_b, value), gap / t_b)
        e_a = np.where(head, 0.0, t_a * early)
        error = (t_b * late + e_a) / gap
    whole = (rows.printed[ends] == 0) & (head | (rows.printed[before] == 0)) & (rows.y[ends] != 0)
    out = Intervals(
        ends, rows.owner[ends], first, step, gap, value, value - error, value + error,
        rows.loose[ends], whole,
    )  # fmt: skip
    if law is not None:
        unknown = np.where(blend[out.owner], np.abs(value) / 2, 0.0)
        spread = np.where(np.isfinite(noise[out.owner]), noise[out.owner], unknown)
        sums = (t_a, s_a, e_a)
        _open_last(out, rows, mean[ends], late, sums, spread)
    bad = ~np.isfinite(out.value)
    for column in (out.value, out.low, out.high):
        column[bad] = np.nan
    return out


def _sums(
    rows: Shown, ends: Ints, before: Ints, half: Floats, sums: tuple[Floats, Floats], share: Floats
) -> tuple[Floats, Floats]:
    """Half widths of R at the rows ``ends`` and ``before``, as far as they are not shared.

    Printed digits hide Keras's sums: ``half`` as it is. In event files both means come from one
    running sum of limited precision. What had been rounded off it before is in both and cancels;
    in between, each batch's product and each sum is rounded once. Where several batches lie
    between two rows, they are taken to have one sign, as losses have.
    """
    late, early = half[ends], half[before]
    fine = rows.bits[ends] > 0
    if not fine.any():
        return late, early
    total, value = sums
    grain = np.ldexp(1.0, -rows.bits[ends])
    steps = np.maximum(rows.step[ends] - np.where(before < 0, 0, rows.step[before]), 1)
    t_b = np.maximum(rows.t[ends], 1.0)
    rounded = (steps * np.abs(total) / t_b + np.abs(value) * share) * grain
    return (
        np.where(fine, rows.printed[ends] + rounded, late),
        np.where(fine, rows.printed[before], early),
    )


def _running_means(rows: Shown, law: str | None) -> tuple[Floats, Floats]:
    """R at every row and its hard half width, nan where the law does not give it."""
    n = len(rows.y)
    if law is None:
        return np.full(n, np.nan), np.full(n, np.nan)
    y = np.where(np.isfinite(rows.y), rows.y, np.nan)
    if law not in (DOUBLE, DOUBLE_TRUE):
        return y, rows.half.copy()
    k = rows.step.astype(np.float64)
    mean, half = np.full(n, np.nan), np.full(n, np.nan)
    one = rows.step == 1
    mean[one], half[one] = y[one], rows.half[one]
    if n > 1:
        same = rows.owner[1:] == rows.owner[:-1]
        next_ = np.flatnonzero(same & (rows.step[1:] == rows.step[:-1] + 1) & ~rows.final[1:]) + 1
        mean[next_] = k[next_] * y[next_] - k[next_ - 1] * y[next_ - 1]
        half[next_] = k[next_] * rows.half[next_] + k[next_ - 1] * rows.half[next_ - 1]
    last = np.flatnonzero(rows.final)
    if law == DOUBLE_TRUE:
        mean[last], half[last] = y[last], rows.half[last]
        return mean, half
    last = last[last > 0]
    # (K + 1) F = T_K + R_K: with step K shown, T_K = K D_K; with K - 1 shown, T_K = T_{K-1} + R_K.
    for back, share in ((0, 1.0), (1, 2.0)):
        at = last[(rows.owner[last - 1] == rows.owner[last])
                  & (rows.step[last - 1] == rows.step[last] - back)]  # fmt: skip
        whole, part = k[at] + 1, k[at - 1]
        mean[at] = (whole * y[at] - part * y[at - 1]) / share
        half[at] = (whole * rows.half[at] + part * rows.half[at - 1]) / share
    single = last[rows.step[last] == 1]
    mean[single], half[single] = y[single], rows.half[single]
    return mean, half


def _open_last(
    out: Intervals,
    rows: Shown,
    mean: Floats,
    half: Floats,
    sums: tuple[Floats, Floats, Floats],
    spread: Floats,
) -> None:
    """Widen the bounds of intervals that hold a last batch of another or unknown size."""
    loose = np.flatnonzero(out.open)
    t_a, s_a, e_a = (term[loose] for term in sums)
    # The mean is monotone in the weight w of the last batch: its ends give the bounds.
    short = np.maximum(out.gap[loose] - 1 + 1 / LARGEST_BATCH, 1 / LARGEST_BATCH)
    total = t_a + short
    with np.errstate(invalid="ignore"):
        value = (total * mean[loose] - s_a) / short
        error = (total * half[loose] + e_a) / short
    out.low[loose] = np.minimum(out.low[loose], value - error)
    out.high[loose] = np.maximum(out.high[loose], value + error)
    # A plain mean of several batches differs from the weighted one when the last is short.
    count = out.step - out.first_step + 1
    part = out.gap - (count - 1)
    part[loose] = 1 / LARGEST_BATCH
    mixed = np.flatnonzero((count > 1) & (part < 1))
    steps, part = count[mixed].astype(np.float64), part[mixed]
    with np.errstate(invalid="ignore", divide="ignore"):
        room = FAR * spread[mixed] / np.sqrt(part) * (1 / steps - part / (steps - 1 + part))
    # Below a 32nd the batch is one sample of many: its own spread no longer grows.
    room = np.where(out.open[mixed], FAR * spread[mixed] * np.sqrt(32.0) / steps, room)
    out.low[mixed] -= room
    out.high[mixed] += room


def widen_last(out: Intervals, rows: Shown, late_end: Bools) -> None:
    """Let the bounds of an epoch's last interval hold for the late end as well.

    The last line is then F = ((K - 1) R_(K-1) + R_K) / K instead of R_K (``Law.late_end``), so
    R_K = K F - (K - 1) R_(K-1), which needs step K - 1; without it nothing bounds the interval.

    Args:
        out: the intervals, changed in place.
        rows: what they were made of.
        late_end: [e] it may be so.
    """
    if not late_end.any():
        return
    at, before = out.row, np.maximum(out.row - 1, 0)
    own = (at > 0) & (rows.owner[before] == rows.owner[at])
    pair = own & (rows.step[before] == rows.step[at])
    late = rows.final[at] & ~pair & ~rows.counted[out.owner] & (rows.step[at] > 1)
    late &= late_end[out.owner]
    next_ = late & own & (rows.step[before] == rows.step[at] - 1)
    k = rows.step[at].astype(np.float64)
    with np.errstate(invalid="ignore"):
        sums = (k - 1) * rows.y[before]
        error = (k - 1) * rows.half[before]
        value = k * (k * rows.y[at] - sums) - sums
        error = k * (k * rows.half[at] + error) + error
        low, high = np.fmin(out.low, value - error), np.fmax(out.high, value + error)
    out.low[:] = np.where(next_, low, np.where(late, np.nan, out.low))
    out.high[:] = np.where(next_, high, np.where(late, np.nan, out.high))
    out.value[late & ~next_] = np.nan


def widen_plain(out: Intervals, rows: Shown, losses: Bools) -> None:
    """Let the bounds of a short last batch hold for a mean without weights as well.

    For losses in event files: Keras 3.0 and 3.1 weigh all batches alike, later ones by size.

    Args:
        out: the intervals, changed in place.
        rows: what they were made of.
        losses: [e] the metric is a loss.
    """
    at = out.row
    short = losses[out.owner] & (rows.bits[at] > 0) & (rows.t[at] != rows.step[at])
    if not short.any():
        return
    steps = (out.step - out.first_step + 1).astype(np.float64)
    with np.errstate(invalid="ignore"):
        plain = ((rows.step[at] - rows.t[at]) * rows.y[at] + out.value * out.gap) / steps
        room = np.maximum(out.high - out.value, out.value - out.low)
        low, high = np.fmin(out.low, plain - room), np.fmax(out.high, plain + room)
    out.low[:] = np.where(short, low, out.low)
    out.high[:] = np.where(short, high, out.high)


def clip(estimate: Floats, low: Floats, high: Floats) -> Floats:
    """Into the hard bounds, where there are any; what is null stays so."""
    out: Floats = np.where(np.isnan(estimate), np.nan, np.fmin(np.fmax(estimate, low), high))
    return out
