"""Epochs as printed -> when each update was drawn, and how each epoch's time was spent, bounded.

Which law of the clock wrote a log is decided here from its text; ``clock_bounds`` has the
arithmetic. Times are seconds since the epoch began; docs/time.md says what that means in each era.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from logparse.lockstep import share
from logparse.reading.records import Floats, Form, Ints
from logparse.training import clock_events
from logparse.training.clock_bounds import (
    ANY_LAW,
    JITTER,
    Bounds,
    ClockLaw,
    Laws,
    every_law,
    replaced,
    with_stamps,
)
from logparse.training.clock_rows import Rows, gather, is_form, per_bounds, validates
from logparse.training.epochs import Bools, Epochs, joined

THROTTLE = 0.05
"""Progbar draws no update sooner than this after the last one drawn."""

KNOWN = 0.25
"""A time is reported when its bounds are within this fraction of their middle."""

SMALL = 0.02
"""A first step known to this fraction of its epoch is reported, too: it is known to be short."""

UNSTEADY = 0.1
"""Fraction by which the steps not seen may differ from those seen."""

FEW_STEPS = 10
"""Epochs with fewer steps show no rate to carry on."""

_BLOCK_ROWS = 1 << 15
"""Rows worked on at a time: their columns stay in the processor's cache."""


class Times(NamedTuple):
    """When each row was drawn, in seconds since its epoch began; nan where nothing tells.

    ``high`` is inf where no bound from above is known.
    """

    elapsed: Floats
    low: Floats
    high: Floats


def clock_laws(epochs: Epochs, before: int = ANY_LAW) -> Laws:
    """Laws that the text allows for each epoch, as bits of ``ClockLaw``.

    What one epoch proves holds for those after it, so the result does not depend on how a run
    is cut into batches of epochs.

    Args:
        epochs: closed epochs of one run.
        before: laws allowed by the run's earlier epochs, or by what else is known of it
            (``Train on 640 samples`` proves ``BEGIN``).

    Returns:
        [e] bits, never 0. Pass the last one as ``before`` of the run's next epochs.
    """
    return _carried(_own_laws(epochs), before)


def _carried(own: Laws, before: int) -> Laws:
    """What each epoch's own rows allow, and those before it."""
    laws = own.copy()
    known = before & ANY_LAW or int(ANY_LAW)
    if len(laws):
        laws[0] = laws[0] & known or laws[0]
    running = np.bitwise_and.accumulate(laws)
    if running.all():
        return running
    for i in range(1, len(laws)):  # a contradiction: begin anew there
        laws[i] = laws[i] & laws[i - 1] or own[i]
    return laws


def _own_laws(epochs: Epochs) -> Laws:
    """Laws that each epoch's own rows allow."""
    first, last = epochs.starts[:-1], epochs.starts[1:] - 1
    form, complete = epochs.form[last], epochs.complete
    target, counted = epochs.seen[last], epochs.step[last]
    laws = np.full(len(epochs), int(ANY_LAW), np.int8)

    alone = first == last
    penultimate = np.where(complete & ~alone, last - 1, last)
    drawn_end = (
        ~(complete & alone)
        & (epochs.step[penultimate] == epochs.of)
        & np.isfinite(epochs.eta[penultimate])
    )
    laws[drawn_end] &= ~int(ClockLaw.BEGIN)
    late_bar = is_form(epochs.form[first], Form.HEAVY) | is_form(form, Form.HEAVY, Form.QUIET_STEP)
    laws[late_bar | is_form(form, Form.QUIET_EPOCH)] = ClockLaw.SKIP_FIRST

    steps = np.maximum(epochs.of, 2).astype(float)
    shown_first = (epochs.step[first] == 1) & (~complete | ~alone)
    first_low = np.where(shown_first, epochs.eta[first], np.nan) / (steps - 1)
    laws[first_low > JITTER] &= ~int(ClockLaw.LATE_BAR)
    _compare_last(epochs, laws, first_low)

    # A bar that was never given step 1 (steps_per_execution) divides by all steps.
    laws[(laws & ClockLaw.SKIP_FIRST > 0) & ~shown_first] |= int(ClockLaw.BEGIN)
    old = complete & is_form(form, Form.BAR, Form.QUIET, Form.BAR_SAMPLE)
    laws[old | (target != counted)] = ClockLaw.BEGIN
    laws[laws == 0] = ANY_LAW
    return laws


def _compare_last(epochs: Epochs, laws: Laws, first_low: Floats) -> None:
    """Drop the laws that the elapsed seconds and the time a step of the last line refute."""
    last = epochs.starts[1:] - 1
    judged = epochs.complete & (epochs.form[last] == Form.BAR_STEP) & (epochs.step[last] > 1)
    step = epochs.step[last].astype(float)
    low, high = per_bounds(epochs.per_step[last], epochs.per_step_unit[last])
    seconds = epochs.elapsed[last]
    soonest, latest = seconds - 0.5 - JITTER, seconds + 0.5 + JITTER
    with np.errstate(invalid="ignore"):
        apart = judged & ((low * step > latest) | (high * step < soonest))
        laws[apart] &= ~int(ClockLaw.BEGIN | ClockLaw.LATE_BAR)
        first_high = first_low + 1 / np.maximum(epochs.of - 1, 1)
        skip = np.fmax(first_low, 0.0) + low * (step - 1) > latest
        skip |= first_high + high * (step - 1) < soonest
        laws[judged & skip] &= ~int(ClockLaw.SKIP_FIRST)
        # Under the other laws a step of the first half took at least eta / left. Steps far
        # longer than the throttle are all drawn, and since TF 2.2 the last one is, too.
        half = (epochs.starts[:-1] + last) // 2
        rate = epochs.eta[half] / np.maximum(epochs.of - epochs.step[half], 1)
        before = np.maximum(last - 1, epochs.starts[:-1])
        undrawn = (epochs.step[before] == epochs.of - 1) & (rate > 10 * THROTTLE)
        laws[judged & undrawn] &= int(ClockLaw.BEGIN)


class Clocked(NamedTuple):
    """What the clock of some epochs tells."""

    laws: Laws
    """As ``clock_laws`` gives them."""
    times: Times
    summary: dict[str, Floats]
    """Time columns of the table ``epochs``, see ``solve``."""


class _Call(NamedTuple):
    epochs: Epochs
    before: int
    alone: bool


def clocked(epochs: Epochs, before: int, use: str, *, alone: bool = False) -> Clocked:
    """``clock_laws`` and ``solve`` of closed epochs; those of several logs are done as one.

    Args:
        epochs: closed epochs of one run.
        before: as in ``clock_laws``.
        use: what it is for: logs come to the same use at about the same time.
        alone: take the laws of each epoch as if no other stood before it.
    """
    if epochs.written:
        laws = clock_laws(epochs, before)
        return Clocked(laws, *solve(epochs, laws))
    call = _Call(_part(epochs, 0, len(epochs)), before, alone)
    found: Clocked = share(_all_clocked, use, call)
    return found


def _all_clocked(calls: list[_Call]) -> list[Clocked]:
    """Each call's result, from one pass over the epochs of all."""
    epochs = joined([call.epochs for call in calls])
    ends = np.cumsum([len(call.epochs) for call in calls])[:-1]
    own = np.split(_own_laws(epochs), ends)
    laws = [
        _alone(mine, call.before) if call.alone else _carried(mine, call.before)
        for call, mine in zip(calls, own, strict=True)
    ]
    times, summary = solve(epochs, np.concatenate(laws))
    rows = [np.split(column, epochs.starts[ends]) for column in times]
    columns = [np.split(column, ends) for column in summary.values()]
    return [
        Clocked(
            laws[i], Times(*(column[i] for column in rows)), dict(zip(summary, own, strict=True))
        )
        for i, own in enumerate(zip(*columns, strict=True))
    ]


def _alone(own: Laws, before: int) -> Laws:
    """What each epoch's own rows allow of the laws known before, or all of it if that is none."""
    both = own & np.int8(before & ANY_LAW or ANY_LAW)
    return np.where(both > 0, both, own)


def solve(epochs: Epochs, laws: Laws | int) -> tuple[Times, dict[str, Floats]]:
    """When each update was drawn, and how each epoch's time was spent.

    Args:
        epochs: closed epochs.
        laws: what ``clock_laws`` gave, or one set of laws for all.

    Returns:
        ``elapsed, low, high`` for each row. ``low`` and ``high`` contain the true time (to the
        ``JITTER`` of drawing) if the law is right. ``elapsed`` is a steady rate of steps, moved
        into the bounds. And the time columns of the table ``epochs``: [e] seconds each, nan where
        the log does not tell; ``late_step_seconds`` is the time a step over the second half of
        the epoch: it tells a first epoch that recovers from one that is slow throughout.
    """
    if epochs.written:
        low, high, time, summary = clock_events.solve(epochs, epochs.written)
        return Times(time, low, high), summary
    sets = np.broadcast_to(np.asarray(laws, np.int8), (len(epochs),))
    if epochs.starts[-1] <= _BLOCK_ROWS:
        return _solve(epochs, sets)
    cuts = [0, *_block_ends(epochs.starts), len(epochs)]
    blocks = [
        _solve(_part(epochs, begin, end), sets[begin:end])
        for begin, end in pairwise(cuts)
        if begin < end
    ]
    times = Times(*(np.concatenate(column) for column in zip(*(t for t, _ in blocks), strict=True)))
    names = blocks[0][1]
    return times, {name: np.concatenate([columns[name] for _, columns in blocks]) for name in names}


def _block_ends(starts: Ints) -> list[int]:
    """Epochs at which to cut, so that a block's columns stay in the processor's cache."""
    marks = np.arange(_BLOCK_ROWS, starts[-1], _BLOCK_ROWS)
    return [int(end) for end in np.unique(np.searchsorted(starts, marks))]


def _part(epochs: Epochs, begin: int, end: int) -> Epochs:
    """Epochs ``begin`` to ``end``, without copying; only the metrics the clock looks at."""
    rows = slice(int(epochs.starts[begin]), int(epochs.starts[end]))
    of_epoch = ("epoch", "of", "total", "complete")
    of_row = ("step", "seen", "final", "form", "eta", "elapsed", "clock")
    rated = ("per_step", "per_step_unit", "per_epoch", "per_epoch_unit")
    each = {name: getattr(epochs, name)[begin:end] for name in of_epoch}
    each |= {name: getattr(epochs, name)[rows] for name in (*of_row, *rated)}
    shown = {name: column[rows] for name, column in epochs.decimals.items() if validates(name)}
    starts = epochs.starts[begin : end + 1] - epochs.starts[begin]
    return Epochs(starts=starts, values={}, decimals=shown, **each)


def _solve(epochs: Epochs, sets: Laws) -> tuple[Times, dict[str, Floats]]:
    rows = gather(epochs)
    found = every_law(epochs, rows, sets, flow=True)
    if found.bad.any():
        # The epoch contradicts itself (a damaged digit): each row then speaks for itself only.
        wrong = np.flatnonzero(found.bad)
        part = epochs.chosen(wrong)
        alone = every_law(part, gather(part), sets[wrong], flow=False)
        found = replaced(found, found.bad, alone, rows.of)
    low, high = found.low, found.high
    if np.isfinite(epochs.clock).any():
        low, high = with_stamps(epochs, rows.of, low, high)
    found = found._replace(low=np.minimum(low, high), high=np.maximum(low, high))
    return _finish(epochs, rows, found)


def _finish(epochs: Epochs, rows: Rows, found: Bounds) -> tuple[Times, dict[str, Floats]]:
    """Estimates within the bounds, and each epoch's summary."""
    last = epochs.starts[1:] - 1
    low, high = found.low, found.high
    near = np.minimum(found.near, high)
    step = _middle(found.step_low, found.step_high)
    first = _middle(found.first_low, found.first_high)
    steady = np.where(np.isfinite(first), first, step) - step
    line = steady[rows.of] + step[rows.of] * epochs.step
    time = np.fmax(np.fmin(line, near), low)
    loose = ~np.isfinite(time)
    time[loose] = low[loose]
    ends = low[last] + 0.5 * (near[last] - low[last])
    time[last] = np.where(np.isfinite(ends), ends, time[last])
    # The last line knows best: a rate that runs ahead of it is held back.
    time = np.fmax(np.fmin(time, time[last][rows.of]), low)
    train = np.maximum(last - 1, epochs.starts[:-1])
    drawn = epochs.complete & (epochs.step[train] == epochs.of) & (train < last)
    end_low, end_high = _train_end(epochs, found, train, drawn)
    validation = _known(low[last] - end_high, high[last] - end_low)
    validation[~(rows.validated & epochs.complete)] = np.nan
    whole = np.where(rows.silent, np.nan, time[last])
    first = np.where(found.first_high - found.first_low < SMALL * whole, first, np.nan)
    summary = {
        "seconds": whole,
        "seconds_low": np.where(rows.silent, np.nan, low[last]),
        "seconds_high": np.where(rows.silent, np.nan, high[last]),
        "step_seconds": _known(found.step_low, found.step_high),
        "first_step_seconds": np.fmax(first, _known(found.first_low, found.first_high)),
        "validation_seconds": validation,
        "late_step_seconds": _known(found.late_low, found.late_high),
    }
    if rows.silent.any():
        quiet = rows.silent[rows.of]
        time, low, high = (np.where(quiet, np.nan, column) for column in (time, low, high))
    return Times(time, low, high), summary


def _train_end(epochs: Epochs, found: Bounds, train: Ints, drawn: Bools) -> tuple[Floats, Floats]:
    """When training ended: the update at the last step, or the steady rate carried on to it."""
    rest = np.maximum(epochs.of - epochs.step[train], 0)
    steps = np.maximum(epochs.of - 1, 0)
    slow, fast = found.step_high * (1 + UNSTEADY), found.step_low * (1 - UNSTEADY)
    with np.errstate(invalid="ignore"):  # no steps left at an unknown rate take no time
        end_low = found.low[train] + np.where(rest > 0, rest * fast, 0.0)
        end_high = found.high[train] + np.where(rest > 0, rest * slow, 0.0)
        rate_low = found.first_low + np.where(steps > 0, steps * fast, 0.0)
        rate_high = found.first_high + np.where(steps > 0, steps * slow, 0.0)
        closer = rate_high - rate_low < end_high - end_low
    steady = ~drawn & closer
    end_low = np.where(steady, rate_low, end_low)
    end_high = np.where(steady, rate_high, end_high)
    end_high[~drawn & (epochs.of < FEW_STEPS)] = np.inf
    return end_low, end_high


def _middle(low: Floats, high: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        middle: Floats = np.where(np.isfinite(high), 0.5 * (low + high), np.nan)
    return middle


def _known(low: Floats, high: Floats) -> Floats:
    """Middle of the bounds where they are close enough to it, else nan."""
    middle = _middle(low, high)
    with np.errstate(invalid="ignore"):
        near: Floats = np.where((middle > 0) & (high - middle <= KNOWN * middle), middle, np.nan)
    return near
