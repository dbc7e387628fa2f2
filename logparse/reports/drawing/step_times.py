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
    ends = np.append(starts[1:], len(rows)) - 1
    chosen: list[tuple[Ints, Ints]] = []
    open_ = np.ones(len(starts), np.bool_)
    parts = most
    while parts >= 1 and open_.any():
        begin, end = _cut(epoch, step, starts[open_], ends[open_], parts)
        sure = _sure(columns, rows, begin, end) if parts > 1 else np.ones(len(begin), np.bool_)
        chosen.append((begin[sure].ravel(), end[sure].ravel()))
        open_[np.flatnonzero(open_)[sure]] = False
        parts //= 2
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


def _cut(epoch: Floats, step: Floats, starts: Ints, ends: Ints, parts: int) -> tuple[Ints, Ints]:
    """[e, parts] rows where stretches of about equal length begin and end."""
    first, last = step[starts], step[ends]
    share = np.linspace(0, 1, parts + 1)
    targets = np.round(first[:, None] + (last - first)[:, None] * share)
    # Epoch and step as one rising number: one search finds the rows of all epochs.
    size = step.max() + 1
    number = np.cumsum(np.diff(epoch, prepend=epoch[0]) != 0)
    at = np.searchsorted(number * size + step, number[starts][:, None] * size + targets)
    at = np.minimum(at, ends[:, None])
    return at[:, :-1], at[:, 1:]


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
