"""Closed epochs to what one metric showed in them: times, values, half units of the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logparse.reading.records import EXPONENT, WHOLE, Floats, Ints
from logparse.training.epochs import Bools, Epochs
from logparse.training.moves import FLOAT32, total
from logparse.training.smoother import Series

DRIFT = 2.0
"""A float32 sum of k terms is off by DRIFT * sqrt(k) half units at most (eight deviations)."""

LOOSE = 2.0
"""What a last batch of unknown size w adds to the variance of S, in sigma^2: E (1-w)^2/w."""

ENDS = 6
"""Updates kept at either end of an epoch when it is thinned for its summary."""

NODES = 24
"""Updates kept of an epoch for its summary."""


def half_units(values: Floats, decimals: NDArray[np.int8]) -> Floats:
    """Half a unit of the last printed digit (or bit) of each value, same unit as the value."""
    places = decimals.astype(np.float64)
    exponent = decimals == EXPONENT
    if exponent.any():
        size = np.abs(values[exponent])
        with np.errstate(divide="ignore", invalid="ignore"):
            # The small excess keeps 1.0000e-03 in its own decade.
            power = np.floor(np.log10(size) + 1e-9)
        places[exponent] = np.where(np.isfinite(power), 4.0 - power, 400.0)
    half: Floats = 0.5 * 10.0**-places
    binary = decimals < EXPONENT
    if binary.any():
        # Minus the significant bits of an event's number.
        _, power = np.frexp(np.where(np.isfinite(values[binary]), values[binary], 0.0))
        half[binary] = np.ldexp(0.5, power + decimals[binary].astype(np.int64))
    half[decimals == WHOLE] = 0.0
    return half


@dataclass(slots=True)
class Shown:
    """What one metric showed: e epochs, n rows, those without the metric left out."""

    starts: Ints
    """[e+1] row offsets; an epoch may have no rows."""
    owner: Ints
    """[n] index of the epoch."""
    step: Ints
    """[n] batches done."""
    t: Floats
    """[n] weight done in units of a full batch: ``step``, less what a short last batch lacks."""
    y: Floats
    """[n] as shown; not finite where Keras printed nan or inf."""
    half: Floats
    """[n] the true average lies within y -+ half: rounding and Keras's float32 sums."""
    printed: Floats
    """[n] the part of ``half`` that is rounding."""
    final: Bools
    """[n] last line of its epoch."""
    loose: Bools
    """[n] the newest batch may be smaller than the others, its size is unknown."""
    of: Ints
    """[e] steps of a whole epoch, 0 where unknown."""
    counted: Bools
    """[e] the bar counts samples: every batch size is known."""
    bits: Ints
    """[n] significant bits of a number from an event file, 0 for a printed one."""

    def __len__(self) -> int:
        return len(self.starts) - 1


def batch_sizes(epochs: Epochs) -> Floats:
    """[e] samples of a full batch where the bar counts samples, else 1."""
    ratio = epochs.seen / np.maximum(epochs.step, 1)
    return np.maximum(np.rint(np.maximum.reduceat(ratio, epochs.starts[:-1])), 1.0)


def shown(epochs: Epochs, metric: str, last_weight: float | None = None) -> Shown:
    """The rows of one metric.

    Args:
        epochs: closed epochs of one run.
        metric: name as printed.
        last_weight: size of the last batch over that of the others, where the bar counts steps
            and the size was inferred; None if unknown.
    """
    here = epochs.decimals[metric] != 0
    owner = np.repeat(np.arange(len(epochs)), np.diff(epochs.starts))
    sizes = batch_sizes(epochs)
    rows = np.flatnonzero(here)
    owner = owner[rows]
    step, y, final = epochs.step[rows], epochs.values[metric][rows], epochs.final[rows]
    counted = sizes > 1
    t = epochs.seen[rows] / sizes[owner]
    of = epochs.of[owner]
    newest = (step == of) | final & (of == 0)
    bits = np.maximum(-epochs.decimals[metric][rows].astype(np.int64), 0)
    bits[bits <= -int(EXPONENT)] = 0
    # Where events tell no length, the last batch that is there may be the epoch's last.
    ends = np.flatnonzero((bits > 0) & ~final & (of == 0))
    perhaps = np.zeros(len(rows), np.bool_)
    perhaps[ends[np.diff(owner[ends], append=-1) != 0]] = True
    loose = newest & ~counted[owner]
    if last_weight is not None:
        t = np.where(loose, t - 1 + last_weight, t)
        loose = np.zeros_like(loose)
    loose |= perhaps
    printed = half_units(y, epochs.decimals[metric][rows])
    half = printed + np.abs(y) * FLOAT32 * (1 + DRIFT * np.sqrt(step))
    starts = np.searchsorted(owner, np.arange(len(epochs) + 1))
    return Shown(starts, owner, step, t, y, half, printed, final, loose, epochs.of, counted, bits)


def beside(parts: Sequence[Shown]) -> Shown:
    """The rows of several metrics, of any runs, as those of one with the epochs of all."""
    if len(parts) == 1:
        return parts[0]
    rows = np.cumsum([0, *(len(part.y) for part in parts)])
    epochs = np.cumsum([0, *(len(part) for part in parts)])
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in Shown.__slots__
    }
    columns["owner"] = np.concatenate(
        [part.owner + e for part, e in zip(parts, epochs.tolist(), strict=False)]
    )
    starts = [part.starts[:-1] + at for part, at in zip(parts, rows[:-1].tolist(), strict=True)]
    return Shown(**columns | {"starts": np.concatenate([*starts, rows[-1:]])})


def thin(rows: Shown, most: int = NODES) -> tuple[Ints, Bools]:
    """Rows to keep of each epoch: all, or both ends and evenly in between.

    Returns:
        Row index [m, e] and whether it stands for a row, m <= ``most``.
    """
    n = np.diff(rows.starts)
    m = int(min(most, n.max(initial=0)))
    j = np.arange(m)[:, None]
    middle = ENDS + (j - ENDS) * (n - 2 * ENDS) // max(most - 2 * ENDS, 1)
    index = np.where(j < ENDS, j, np.where(j >= most - ENDS, n - most + j, middle))
    index = np.where(n > most, index, np.minimum(j, np.maximum(n - 1, 0)))
    valid = j < n
    return rows.starts[:-1] + index, valid


def observe(rows: Shown, index: Ints, valid: Bools, *, double: bool, end: str) -> Series:
    """Rows as observations of the state-space model.

    Args:
        rows: of one metric.
        index: [m, s] rows, time-major.
        valid: [m, s] false in the padding.
        double: lines before the last show the mean of means.
        end: what the last line shows: "same", "true" (the mean) or "blend" ((T + S/K) / (K + 1)).
    """
    if not len(rows.y):
        index, valid = index[:0], valid[:0]
    index = np.minimum(index, max(len(rows.y) - 1, 0))
    y, t, half = rows.y[index], rows.t[index], rows.half[index]
    # The errors of Keras's own sums are shared by neighbouring lines: ``Moves.f_ss`` has them.
    off = rows.printed[index] ** 2 + (FLOAT32 * y) ** 2
    valid = valid & np.isfinite(y)
    step = np.maximum(rows.step[index], 1)
    final = rows.final[index]
    t = np.maximum(t, 1e-9)
    on_s, on_t = 1 / t, np.zeros_like(t)
    if double:
        inner = ~final | (end == "same")
        on_t = np.where(inner, 1.0 / step, 0.0)
        on_s = np.where(inner, 0.0, on_s)
        if end == "blend":
            on_t = np.where(final, 1.0 / (step + 1), on_t)
            on_s = np.where(final, on_s / (step + 1), on_s)
    safe = np.where(valid, y, 0.0)
    count = valid.sum(0)
    centre = np.where(count > 0, total(safe) / np.maximum(count, 1), 0.0)
    low = np.where(valid, y, np.inf).min(0, initial=np.inf)
    high = np.where(valid, y, -np.inf).max(0, initial=-np.inf)
    unit = np.where(valid, half, 0.0).max(0, initial=0.0)
    tiny = 1e-12 * np.maximum(np.abs(centre), 1e-30)
    spread = np.where(count > 0, high - low, 0.0)
    scale = np.maximum(np.maximum(spread, unit), tiny)
    if len(y) > 1:
        scale = np.maximum(scale, _late(t, safe, count))
    floor = (3e-7 * scale) ** 2
    return Series(
        t=t,
        y=np.where(valid, y - centre, 0.0),
        r=np.where(valid, np.maximum(off / 3, floor), 1.0),
        loose=np.where(valid & rows.loose[index], LOOSE, 0.0),
        on_s=np.where(valid, on_s, 0.0),
        on_t=np.where(valid, on_t, 0.0),
        valid=valid,
        centre=centre,
        scale=scale,
        t0=np.zeros_like(centre),
    )


def _late(t: Floats, y: Floats, count: Ints) -> Floats:
    """[s] how far the mean of the later half lies from the running mean at its end.

    Without the first updates of an epoch, the range of the averages says nothing of the batches.
    """
    last = np.maximum(count - 1, 0)[None]
    half = last // 2
    t_b, t_a = np.take_along_axis(t, last, 0)[0], np.take_along_axis(t, half, 0)[0]
    y_b, y_a = np.take_along_axis(y, last, 0)[0], np.take_along_axis(y, half, 0)[0]
    gap = t_b - t_a
    out: Floats = np.where(gap > 0, np.abs(t_a * (y_b - y_a) / np.where(gap > 0, gap, 1.0)), 0.0)
    return out
