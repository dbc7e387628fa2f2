"""Times of updates in, the time a step took over stretches of an epoch out, with hard bounds.

Between two neighbouring updates the clock of a log is too coarse to say much: a stretch is as short
as leaves its step time known to ``SURE``, and a whole epoch where nothing shorter is.
"""

from __future__ import annotations

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools

SURE = 0.15
"""Half width of the bounds, as a share of the step time, that a stretch may have."""

MOST = 16
"""Stretches of one epoch at most."""

Columns = dict[str, Floats]


def step_times(columns: Columns, final: Bools, most: int = MOST) -> Columns:
    """Stretches of closed epochs of one run, in order.

    The first step (where the graph is built) and the last line (which counts validation) are left
    out.

    Args:
        columns: [n] ``epoch``, ``step``, ``elapsed``, ``elapsed_low``, ``elapsed_high`` of updates,
            by epoch and step; nan where the log does not tell.
        final: [n] the last line of its epoch.
        most: stretches an epoch at most, a power of 2.

    Returns:
        [m] ``epoch``; ``first`` and ``step``: steps done where the stretch begins and ends; ``y``,
        ``low``, ``high``: seconds a step, and its bounds, nan where there is none.
    """
    rows = np.flatnonzero(~final & np.isfinite(columns["elapsed"]))
    epoch, step = columns["epoch"][rows], columns["step"][rows]
    starts = np.flatnonzero(np.diff(epoch, prepend=np.nan) != 0)
    ends = np.append(starts, len(rows))[1:] - 1
    cuts = _cuts(step, starts, ends, most)
    chosen: list[tuple[Ints, Ints]] = []
    every = 1
    while every <= most and len(cuts):
        begin, end = cuts[:, :-1:every], cuts[:, every::every]
        sure = _sure(columns, rows, begin, end) if every < most else np.ones(len(cuts), np.bool_)
        chosen.append((begin[sure].ravel(), end[sure].ravel()))
        cuts = cuts[~sure]
        every *= 2
    begin = np.concatenate([b for b, _ in chosen] or [np.zeros(0, np.int64)])
    end = np.concatenate([e for _, e in chosen] or [np.zeros(0, np.int64)])
    some = step[end] > step[begin]
    order = np.argsort(begin[some], kind="stable")
    begin, end = begin[some][order], end[some][order]
    y, low, high = _times(columns, rows[begin], rows[end])
    return {
        "epoch": epoch[begin],
        "first": step[begin],
        "step": step[end],
        "y": y,
        "low": np.maximum(low, 0),
        "high": high,
    }


def _cuts(step: Floats, starts: Ints, ends: Ints, parts: int) -> Ints:
    """[e, parts + 1] rows that cut each epoch into stretches of about equal length."""
    first, last = step[starts], step[ends]
    share = np.arange(parts + 1) / parts
    targets = np.round(first[:, None] + (last - first)[:, None] * share)
    # Epoch and step as one rising number: one search finds the rows of all epochs.
    size = step.max(initial=0) + 1
    number = np.arange(len(starts))
    rising = np.repeat(number, ends + 1 - starts) * size + step
    at: Ints = np.searchsorted(rising, number[:, None] * size + targets)
    return np.minimum(at, ends[:, None]).astype(np.int64, copy=False)


def _times(columns: Columns, begin: Ints, end: Ints) -> tuple[Floats, Floats, Floats]:
    steps = columns["step"][end] - columns["step"][begin]
    with np.errstate(divide="ignore", invalid="ignore"):
        return (
            (columns["elapsed"][end] - columns["elapsed"][begin]) / steps,
            (columns["elapsed_low"][end] - columns["elapsed_high"][begin]) / steps,
            (columns["elapsed_high"][end] - columns["elapsed_low"][begin]) / steps,
        )


def _sure(columns: Columns, rows: Ints, begin: Ints, end: Ints) -> Bools:
    """[e] every stretch of an epoch that has any step is known well enough."""
    y, low, high = _times(columns, rows[begin], rows[end])
    with np.errstate(divide="ignore", invalid="ignore"):
        known = (high - low) <= 2 * SURE * y
    found: Bools = (known | (begin == end)).all(axis=1)
    return found
