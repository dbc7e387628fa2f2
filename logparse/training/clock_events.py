"""Wall times of TensorBoard events -> when each update was written, and how an epoch's time went.

A batch is stamped when it ends, the epoch's values when validation and the callbacks before
TensorBoard's have ended. When an epoch begins is not written: not before the values of the one
before were, nor after its first batch ended. Source: ``TensorBoard`` in keras-team/keras 2.2 to
3.15; docs/events.md has what was measured.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools, Epochs, Written


class _Spans(NamedTuple):
    """Places and rates of e epochs."""

    last: Ints
    """[e] the last row."""
    train: Ints
    """[e] the last row that is a batch; the last row where none is."""
    batches: Bools
    """[e] the first row is a batch."""
    rate: Floats
    """[e] seconds a step after the first batch that is there, nan for fewer than two."""


def began(epochs: Epochs) -> Floats:
    """[e] wall time at which each epoch probably began, nan where nothing tells.

    The first epoch of a file began when the file did. Of others the first step that is there is
    taken to be like the rest.
    """
    assert epochs.written is not None
    low, high, spans = *_bounds(epochs, epochs.written), _spans(epochs)
    first = epochs.starts[:-1]
    steady = epochs.clock[first] - spans.rate * epochs.step[first]
    start = np.where(epochs.written.first, low, np.fmin(np.fmax(steady, low), high))
    only = np.where(np.isfinite(low), low, np.nan)
    return np.where(np.isfinite(start), start, only)


def solve(epochs: Epochs, written: Written) -> tuple[Floats, Floats, Floats, dict[str, Floats]]:
    """Bounds and estimate of the time since the epoch began, and the columns of ``epochs``.

    Args:
        epochs: closed epochs of one run.
        written: what their headers say.

    Returns:
        [n] low, [n] high (inf where unknown), [n] estimate, and [e] columns as those of
        ``clock.summarise``.
    """
    earliest, latest = _bounds(epochs, written)
    spans, start = _spans(epochs), began(epochs)
    sizes = np.diff(epochs.starts)
    clock = epochs.clock
    low = np.maximum(clock - np.repeat(latest, sizes), 0.0)
    high = np.maximum(clock - np.repeat(earliest, sizes), low)
    high = np.where(np.isfinite(high), high, np.inf)
    time = np.fmin(np.fmax(clock - np.repeat(start, sizes), low), high)
    step, of = epochs.step, epochs.of
    validated = np.zeros(len(epochs), np.bool_)
    for name, decimals in epochs.decimals.items():
        if name.startswith("val_"):
            validated |= decimals[spans.last] != 0
    whole = spans.batches & epochs.complete & (step[spans.train] == of)
    ended = np.fmin(written.evaluated, clock[spans.last])
    ended = np.where(np.isfinite(ended), ended, clock[spans.last])
    validation = np.where(whole & validated, ended - clock[spans.train], np.nan)
    first = epochs.starts[:-1]
    one = spans.batches & (step[first] == 1)
    # Other first steps are known only to come after what callbacks did.
    first_step = np.where(one & written.first, clock[first] - start, np.nan)
    half = first + (spans.train - first) // 2
    summary = {
        "seconds": time[spans.last],
        "seconds_low": low[spans.last],
        "seconds_high": high[spans.last],
        "step_seconds": spans.rate,
        "first_step_seconds": np.where(first_step > 0, first_step, np.nan),
        "validation_seconds": np.where(validation >= 0, validation, np.nan),
        "late_step_seconds": _rate(epochs, half, spans.train),
    }
    return low, high, time, summary


def _bounds(epochs: Epochs, written: Written) -> tuple[Floats, Floats]:
    """[e] times between which each epoch began: -inf where unknown, and the first row's."""
    latest = epochs.clock[epochs.starts[:-1]]
    after = np.where(np.isfinite(written.after), written.after, -np.inf)
    # A clock that was set back tells nothing.
    return np.where(after <= latest, after, -np.inf), latest


def _spans(epochs: Epochs) -> _Spans:
    first, last = epochs.starts[:-1], epochs.starts[1:] - 1
    batches = ~epochs.final[first] & (epochs.step[first] > 0)
    train = np.where(epochs.final[last] & (last > first), last - 1, last)
    return _Spans(last, train, batches, _rate(epochs, first, train, batches))


def _rate(epochs: Epochs, begin: Ints, end: Ints, known: Bools | None = None) -> Floats:
    """[e] seconds a step between two batches, nan where they are one or time ran backwards."""
    steps = (epochs.step[end] - epochs.step[begin]).astype(np.float64)
    time = epochs.clock[end] - epochs.clock[begin]
    good = (steps > 0) & (time >= 0) & ~epochs.final[begin] & ~epochs.final[end]
    if known is not None:
        good &= known
    rate: Floats = np.where(good, time / np.where(good, steps, 1.0), np.nan)
    return rate
