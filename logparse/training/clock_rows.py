"""Epochs as printed -> the times in them, each as the interval that rounding leaves.

docs/time.md has what each Keras rounds and how.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from logparse.reading.records import Floats, Form, Ints
from logparse.training.epochs import Bools, Epochs

Places = Ints | slice


class Rows(NamedTuple):
    """Columns that every law needs."""

    of: NDArray[np.int32]
    """[n] index of the row's epoch."""
    done: Floats
    """[n] progress in the bar's own unit."""
    left: Floats
    """[n] what is left of it."""
    eta: Floats
    """[n] time left as shown, nan on last lines."""
    whole: Ints
    """Rows that show the time since the bar was made, and its bounds."""
    whole_low: Floats
    whole_high: Floats
    rated: Places
    """Rows that show a time a step, and its bounds."""
    rate_low: Floats
    rate_high: Floats
    validated: Bools
    """[e] the last line has a validation metric."""
    silent: Bools
    """[e] no time is shown."""


def gather(epochs: Epochs) -> Rows:
    """Collect what every law needs of closed epochs."""
    last = epochs.starts[1:] - 1
    of = np.repeat(np.arange(len(epochs), dtype=np.int32), np.diff(epochs.starts))
    eta, shown = epochs.eta, epochs.elapsed
    ends = last[epochs.complete]
    if np.isfinite(eta[ends]).any():  # Keras 3 gives the time of its last line no label
        eta, shown = eta.copy(), shown.copy()
        shown[ends] = np.where(np.isfinite(shown[ends]), shown[ends], eta[ends])
        eta[ends] = np.nan
    whole = np.flatnonzero(np.isfinite(shown))
    shows_rate = np.isfinite(epochs.per_step)
    # Keras 3 shows it on every row; a slice is faster to index with.
    rated: Places = slice(0, len(of)) if shows_rate.all() else np.flatnonzero(shows_rate)
    done = epochs.seen.astype(float)
    validated = np.zeros(len(epochs), np.bool_)
    for name, decimals in epochs.decimals.items():
        if validates(name):
            validated |= decimals[last] != 0
    timed = np.isfinite(eta) | np.isfinite(shown) | shows_rate
    return Rows(
        of,
        done,
        epochs.total[of] - done,
        eta,
        whole,
        *_whole_bounds(epochs, whole, shown[whole]),
        rated,
        *per_bounds(epochs.per_step[rated], epochs.per_step_unit[rated]),
        validated,
        ~any_row(timed, epochs.starts),
    )


def _whole_bounds(epochs: Epochs, at: Ints, shown: Floats) -> tuple[Floats, Floats]:
    """Bounds of whole seconds: truncated up to Keras 2.0.8, else rounded to the nearest."""
    form = epochs.form[at]
    low = np.where(form == Form.BAR, shown, np.maximum(shown - 0.5, 0.0))
    high = shown + np.where(is_form(form, Form.BAR, Form.QUIET), 1.0, 0.5)
    epoch_low, epoch_high = per_bounds(epochs.per_epoch[at], epochs.per_epoch_unit[at])
    return np.fmax(low, epoch_low), np.fmin(high, epoch_high)


def per_bounds(shown: Floats, unit: Floats) -> tuple[Floats, Floats]:
    """Bounds of ``9ms/step``: rounded to its unit, which is s from 1 s and ms from 1 ms on."""
    low = np.maximum(shown - 0.5 * unit, 0.0)
    low = np.where((unit > 1e-4) & (shown > 0), np.maximum(low, unit), low)
    high = shown + 0.5 * unit
    return low, np.where(unit < 0.5, np.minimum(high, 1000 * unit), high)


def validates(name: str) -> bool:
    """Whether a metric of this name comes from validation."""
    return name.startswith("val_")


def is_form(form: NDArray[np.int8], *forms: Form) -> Bools:
    """Where ``form`` is one of ``forms``."""
    found: Bools = form == forms[0]
    for other in forms[1:]:
        found = found | (form == other)
    return found


def any_row(rows: Bools, starts: Ints) -> Bools:
    """[e] any row of the epoch."""
    if not rows.any():
        return np.zeros(len(starts) - 1, np.bool_)
    return np.logical_or.reduceat(rows, starts[:-1])
