"""Printed times as intervals -> bounds of when each update was drawn, under each law of the clock.

All that an epoch prints is intersected.
The arithmetic is that of ``Progbar`` in keras-team/keras 0.1 to 3.15 and tf.keras; docs/time.md
has the formulas and how they were checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntFlag
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logparse.reading.records import Floats, Form, Ints
from logparse.training.clock_rows import Places, Rows, any_row, is_form
from logparse.training.epochs import Bools, Epochs

Laws = NDArray[np.int8]

JITTER = 0.02
"""Seconds by which what was printed may contradict itself: drawing takes time."""

STAMP_DELAY = 0.1
"""Seconds by which a timestamp prefix may differ from the moment its line was drawn or ended."""

LONGEST = 1e7
"""A bound beyond this (116 days) says nothing: it comes from a damaged digit."""


class ClockLaw(IntFlag):
    """How a bar measured time. A set of laws means that the text does not tell which."""

    BEGIN = 1
    """The clock starts with the epoch, a step's time counts every step.

    Keras up to 2.3.1, TF up to 2.1, and later bars that never drew step 1.
    """
    LATE_BAR = 2
    """The bar was made after the first batch: nothing tells how long that took (TF 2.2, 2.3)."""
    SKIP_FIRST = 4
    """The clock starts with the epoch, a step's time leaves out step 1 (TF 2.4 on, Keras 3)."""


ANY_LAW = ClockLaw.BEGIN | ClockLaw.LATE_BAR | ClockLaw.SKIP_FIRST


class Bounds(NamedTuple):
    """What one law, or the laws still possible, say of n rows and e epochs."""

    low: Floats
    """[n] time since the epoch began."""
    high: Floats
    near: Floats
    """[n] ``high``, with a late bar's unknown first step taken to be like the others."""
    first_low: Floats
    """[e] the first step."""
    first_high: Floats
    step_low: Floats
    """[e] a step after the first, mean over the longest stretch that is known well."""
    step_high: Floats
    late_low: Floats
    """[e] a step in the second half."""
    late_high: Floats
    bad: Bools
    """[e] what was printed contradicts the law."""


def every_law(epochs: Epochs, rows: Rows, sets: Laws, *, flow: bool) -> Bounds:
    """Union over the laws allowed to each epoch that do not contradict what it prints.

    Where all of them do, the bounds are those of the first one, and ``bad`` says so.
    """
    found: Bounds | None = None
    tried, fine = np.zeros((2, len(epochs)), np.bool_)
    for law in ClockLaw:
        allowed = (sets & law) > 0
        if not allowed.any():
            continue
        bounds = _one_law(epochs, rows, law, flow=flow)
        good = allowed & ~bounds.bad
        if found is None:
            found = bounds
        else:
            new = (good & ~fine) | (allowed & ~tried)
            found = _merged(found, bounds, fine & good, new, rows.of)
        tried, fine = tried | allowed, fine | good
    if found is None:  # no epochs
        return _one_law(epochs, rows, ClockLaw.BEGIN, flow=flow)
    return found._replace(bad=~fine)


_LOWER = {"low", "near", "first_low", "step_low", "late_low"}
"""Columns of ``Bounds`` whose union is the smaller one; ``near`` is only an estimate's bound."""


def _merged(one: Bounds, two: Bounds, both: Bools, new: Bools, of: NDArray[np.int32]) -> Bounds:
    """``one``, with the union of the two for the epochs ``both``, and ``two`` for those ``new``."""
    if not (both | new).any():
        return one
    if new.all():
        return two
    whole = both.all()
    both_rows, new_rows = both[of], new[of]
    columns: dict[str, Floats] = {}
    for name, a, b in zip(Bounds._fields[:-1], one[:-1], two[:-1], strict=True):
        joined = np.minimum(a, b) if name in _LOWER else np.maximum(a, b)
        if not whole:
            join, take = (both, new) if len(a) == len(both) else (both_rows, new_rows)
            joined = np.where(join, joined, np.where(take, b, a))
        columns[name] = joined
    return Bounds(**columns, bad=one.bad)


def replaced(one: Bounds, which: Bools, other: Bounds, of: NDArray[np.int32]) -> Bounds:
    """Bounds with those of the epochs ``which`` taken from ``other``, which has no more."""
    rows = which[of]
    columns: dict[str, Any] = {}
    for name, a, b in zip(Bounds._fields, one, other, strict=True):
        columns[name] = a.copy()
        columns[name][which if len(a) == len(which) else rows] = b
    return Bounds(**columns)


def _one_law(epochs: Epochs, rows: Rows, law: ClockLaw, *, flow: bool) -> Bounds:
    """Bounds under one law. Without ``flow`` no row bounds another."""
    skip = law == ClockLaw.SKIP_FIRST
    count = len(epochs)
    first_low, first_high = np.zeros(count), np.full(count, np.inf)
    # What the shown time a step is multiplied with; step 1 itself is timed from the beginning.
    weight = np.maximum(rows.done - 1, 1) if skip else rows.done
    low, high = _from_eta(rows, weight)
    direct = _meet_rates(epochs, rows, weight, skip, low, high)
    if skip:  # low and high are since the end of step 1
        start = np.flatnonzero((epochs.step == 1) & ~epochs.final)
        first_low[rows.of[start]], first_high[rows.of[start]] = low[start], high[start]
        low[start] = high[start] = 0.0
    else:
        _meet(low, high, rows.whole, rows.whole_low, rows.whole_high)
    if flow:
        _flow(epochs.starts, low, high)
    bad = any_row(low > high + JITTER, epochs.starts)
    if law == ClockLaw.BEGIN:
        start = np.flatnonzero((epochs.step == 1) & ~epochs.final)
        first_low[rows.of[start]], first_high[rows.of[start]] = low[start], high[start]
    rates = _rates(epochs, rows, low, high, None if skip else (first_low, first_high))
    near = high
    if law == ClockLaw.LATE_BAR:
        first = np.where(np.isfinite(rates[1]), 0.5 * (rates[0] + rates[1]), 0.0)
        near = high + first[rows.of]
        first_low, first_high = np.zeros(count), np.full(count, np.inf)
        high = np.full(len(high), np.inf)
    elif skip:
        low, high, bad = _add_first(epochs, rows, direct, (low, high), (first_low, first_high), bad)
        near = high
    return Bounds(low, high, near, first_low, first_high, *rates, bad)


def _from_eta(rows: Rows, weight: Floats) -> tuple[Floats, Floats]:
    """Bounds from ``ETA: e``: e, truncated, is the time so far a unit, times the units left."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = weight / rows.left
        low = rows.eta * ratio
        high = low + ratio
    silent = ~(high < LONGEST) | (ratio < 0)
    low[silent], high[silent] = 0.0, np.inf
    return low, high


def _meet(low: Floats, high: Floats, at: Places, least: Floats, most: Floats) -> None:
    """Intersect the bounds of the rows ``at``."""
    if not (most < LONGEST).all():
        least, most = np.where(most < LONGEST, (least, most), ([0.0], [np.inf]))
    low[at] = np.maximum(low[at], least)
    high[at] = np.minimum(high[at], most)


def _meet_rates(
    epochs: Epochs, rows: Rows, weight: Floats, skip: bool, low: Floats, high: Floats
) -> tuple[Ints, Floats, Floats]:
    """Intersect with the times a step; give those that time the whole epoch under ``skip``."""
    at, least, most = rows.rated, rows.rate_low, rows.rate_high
    done = rows.done[at]
    form = epochs.form[at]
    # verbose=2, and a last line after one step, divide the whole epoch by all its steps.
    direct = skip & (
        is_form(form, Form.QUIET_STEP, Form.QUIET_EPOCH) | (epochs.final[at] & (done <= 1))
    )
    usable = done > 0
    if not direct.any() and usable.all():
        _meet(low, high, at, least * weight[at], most * weight[at])
        return np.zeros(0, np.int64), least[:0], most[:0]
    times = np.where(direct, done, weight[at])
    least, most = least * times, most * times
    where = np.arange(len(rows.of))[at]
    plain = usable & ~direct
    _meet(low, high, where[plain], least[plain], most[plain])
    direct &= usable
    return where[direct], least[direct], most[direct]


def _add_first(
    epochs: Epochs,
    rows: Rows,
    direct: tuple[Ints, Floats, Floats],
    since: tuple[Floats, Floats],
    first: tuple[Floats, Floats],
    bad: Bools,
) -> tuple[Floats, Floats, Bools]:
    """Times since step 1 -> times since the beginning; narrows the first step in place."""
    (low, high), (first_low, first_high) = since, first
    sources = ((rows.whole, rows.whole_low, rows.whole_high), direct)
    for at, least, most in sources:
        epoch = rows.of[at]
        np.maximum.at(first_low, epoch, least - high[at])
        np.minimum.at(first_high, epoch, most - low[at])
    bad = bad | (first_low > first_high + JITTER)
    first_low[:], first_high[:] = (
        np.minimum(first_low, first_high),
        np.maximum(first_low, first_high),
    )
    np.maximum(first_low, 0.0, out=first_low)
    low, high = low + first_low[rows.of], high + first_high[rows.of]
    for at, least, most in sources:
        _meet(low, high, at, least, most)
    last = epochs.starts[1:] - 1
    np.minimum(high, high[last][rows.of], out=high)
    inner = last[rows.of[rows.whole]] > rows.whole
    if inner.any():  # length unknown: every row shows the time
        every = np.zeros(len(epochs), np.bool_)
        every[rows.of[rows.whole[inner]]] = True
        low, high = _flow_some(epochs.starts, low, high, every[rows.of])
    return low, high, bad | any_row(low > high + JITTER, epochs.starts)


_STRETCHES = np.array([[1.0], [0.75], [0.5]])
"""Shares of an epoch over which the time a step is judged."""


def _rates(
    epochs: Epochs,
    rows: Rows,
    low: Floats,
    high: Floats,
    first: tuple[Floats, Floats] | None,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Time a step: over the stretch known best, and over the second half; bounds of each.

    ``low`` and ``high`` are since the end of step 1, unless ``first`` bounds that step.
    """
    begin, last = epochs.starts[:-1], epochs.starts[1:] - 1
    # The last line includes validation; the update before it may be the last training step.
    train = np.where(epochs.complete & rows.validated, np.maximum(last - 1, begin), last)
    usable = ~(epochs.final[train] & rows.validated)
    best_low, best_high = np.zeros(len(epochs)), np.full(len(epochs), np.inf)
    # [3, e]: several stretches of each epoch.
    at = begin + ((train - begin) * _STRETCHES).astype(np.int64)
    steps = epochs.step[at].astype(float)
    ahead = usable & (steps > 1)
    least, most = low[at], high[at]
    if first is not None:
        known = np.isfinite(first[1]) & (steps > 1)
        least = np.where(known, least - first[1], least)
        most = np.where(known, most - first[0], most)
        steps -= known
    else:
        steps -= 1
    with np.errstate(divide="ignore", invalid="ignore"):
        least, most = np.maximum(least, 0) / steps, most / steps
        for i in range(len(_STRETCHES)):
            better = ahead[i] & (most[i] - least[i] < 0.999 * (best_high - best_low))
            best_low = np.where(better, least[i], best_low)
            best_high = np.where(better, most[i], best_high)
    half = begin + (train - begin) // 2
    steps = (epochs.step[train] - epochs.step[half]).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        late_low = np.maximum(low[train] - high[half], 0.0) / steps
        late_high = (high[train] - low[half]) / steps
    unknown = ~usable | (steps <= 0)
    late_low[unknown], late_high[unknown] = 0.0, np.inf
    return best_low, best_high, late_low, late_high


def with_stamps(
    epochs: Epochs, of: NDArray[np.int32], low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """Bounds narrowed by timestamps before the lines.

    A stamp is taken when its line begins or when it ends, so it is not before its first update
    was drawn, and not after the first update of the next stamped line. When the epoch began is
    unknown; the bounds of all its stamped rows together tell it. Stamps that contradict the bar
    (a clock was set, output was buffered) are left out.
    """
    at = np.flatnonzero(np.isfinite(epochs.clock))
    epoch, stamp = of[at], epochs.clock[at]
    grain = _resolution(stamp, epoch, len(epochs))[epoch]
    start = np.full(len(epochs), np.inf)
    np.minimum.at(start, epoch, stamp)
    latest = stamp - start[epoch] + grain + STAMP_DELAY
    follows = np.flatnonzero(epoch[1:] == epoch[:-1])
    after, soonest = at[follows + 1], stamp[follows] - start[epoch[follows]] - STAMP_DELAY
    # When the epoch began, in seconds after its first stamp.
    began_low, began_high = np.full(len(epochs), -np.inf), np.full(len(epochs), np.inf)
    np.minimum.at(began_high, epoch, latest - low[at])
    np.maximum.at(began_low, epoch[follows], soonest - high[after])
    good = began_low <= began_high
    low, high = low.copy(), high.copy()
    keep = good[epoch]
    _meet(low, high, at[keep], np.zeros(keep.sum()), (latest - began_low[epoch])[keep])
    keep = good[epoch[follows]]
    low[after[keep]] = np.maximum(low[after], soonest - began_high[epoch[follows]])[keep]
    stamped = np.zeros(len(epochs), np.bool_)
    stamped[epoch] = True
    return _flow_some(epochs.starts, low, high, stamped[of])


def _resolution(stamp: Floats, epoch: NDArray[np.int32], count: int) -> Floats:
    """[e] what the stamps of an epoch are truncated to: a minute, a second or its decimals."""
    grain = np.full(count, 60.0)
    for unit in (1.0, 0.1, 0.01):
        coarser = 60.0 if unit == 1.0 else 10 * unit
        finer = np.abs(stamp - np.round(stamp / coarser) * coarser) > 0.4 * unit
        grain[epoch[finer]] = unit
    return grain


def _flow(starts: Ints, low: Floats, high: Floats) -> None:
    """Elapsed time never decreases: earlier rows bound later ones from below, and back."""
    for begin, end, count in _alike(starts):
        rows = low[begin:end].reshape(count, -1)
        np.maximum.accumulate(rows, axis=-1, out=rows)
        back = high[begin:end].reshape(count, -1)[:, ::-1]
        np.minimum.accumulate(back, axis=-1, out=back)


def _flow_some(starts: Ints, low: Floats, high: Floats, where: Bools) -> tuple[Floats, Floats]:
    """``_flow`` of the rows ``where`` only: those of whole epochs."""
    flowed = low.copy(), high.copy()
    _flow(starts, *flowed)
    return np.where(where, flowed[0], low), np.where(where, flowed[1], high)


def _alike(starts: Ints) -> Iterator[tuple[int, int, int]]:
    """First row, end and number of neighbouring epochs that are alike in length."""
    sizes = np.diff(starts)
    if len(sizes):
        cuts = [0, *(np.flatnonzero(np.diff(sizes)) + 1).tolist(), len(sizes)]
        edges = starts[cuts].tolist()
        for i, (begin, end) in enumerate(pairwise(edges)):
            yield begin, end, cuts[i + 1] - cuts[i]
