"""Closed epochs and the laws still possible in, the table ``metrics`` out: epoch values, levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools, Epochs
from logparse.training.estimate import observed
from logparse.training.laws import (
    BLEND,
    DOUBLE,
    DOUBLE_TRUE,
    LAST_ONLY,
    MEAN,
    kind_of_metric,
)
from logparse.training.levels import Levels, Place, levels_of_run
from logparse.training.moves import total
from logparse.training.pool import Remembered
from logparse.training.series import Shown, beside, shown
from logparse.training.student import Z95, half_band

FEW = 3
"""Shown values that an epoch needs before levels and noise are given."""

Columns = dict[str, Any]
"""Columns of a table, arrays or lists, without ``run``."""

# ``before`` is the last value shown before the last line.
METRIC_COLUMNS = (
    "shown", "before", "mean", "mean_low", "mean_high", "first", "first_step",
    "start", "start_low", "start_high", "end", "end_low", "end_high", "noise", "freedom",
)  # fmt: skip


@dataclass(slots=True)
class Summary:
    """What is kept of closed epochs, under every law that is still possible.

    Rows are epochs x metrics, epoch by epoch, only where the epoch shows the metric.
    """

    epoch: Ints
    metric: list[str]
    columns: dict[str, dict[str, Floats]]
    """By law, then by column of the table ``metrics``; nan is null."""
    loglik: dict[str, Floats]
    """By law: [e] log likelihood of each epoch, nan where it shows too little."""


def summarise(
    epochs: Epochs,
    laws: Sequence[str],
    *,
    unknown_length: bool = False,
    so_far: dict[str, Remembered] | None = None,
) -> Summary:
    """The rows of the table ``metrics`` of closed epochs.

    Args:
        epochs: closed epochs of one run.
        laws: laws still possible, ``LawEvidence.possible``.
        unknown_length: Keras did not know the number of steps, see ``lost_end``.
        so_far: what earlier lots of the run say of noise, drift and slope, by law; these epochs
            are added.

    Returns:
        One set of columns a law, and the evidence for ``LawEvidence.add``.
    """
    so_far = {} if so_far is None else so_far
    names = list(epochs.values)
    if not names:
        none = {key: np.zeros(0) for key in METRIC_COLUMNS}
        return Summary(np.zeros(0, np.int64), [], dict.fromkeys(laws, none), {})
    by_metric = {name: shown(epochs, name) for name in names}
    averages = [name for name in names if is_average(epochs, name)]
    columns: dict[str, Floats] = {}
    loglik: dict[str, Floats] = {}
    judged: dict[str, tuple[list[dict[str, Floats]], Floats]] = {}
    plain = {name: _as_shown(epochs, by_metric[name]) for name in names}
    for law in laws:
        table = {name: dict(parts) for name, parts in plain.items()}
        if law != LAST_ONLY and averages:
            rows = [by_metric[name] for name in averages]
            # A blend differs from the mean in the last line only: the levels are the same.
            alike = MEAN if law == BLEND else law
            if alike not in judged:
                lost = [lost_end(name, alike, unknown_length) for name in averages]
                told = so_far.setdefault(alike, Remembered())
                judged[alike] = _levels(rows, averages, alike, epochs.epoch == 1, lost, told)
            found, weights = judged[alike]
            if len(laws) > 1:
                loglik[law] = weights
            for name, parts in zip(averages, found, strict=True):
                table[name].update(parts)
                _epoch_mean(table[name], by_metric[name], law)
        # [key, e, m]: epoch by epoch.
        columns[law] = np.array(
            [[table[name][key] for name in names] for key in METRIC_COLUMNS]
        ).swapaxes(1, 2)
    present = np.stack([np.diff(by_metric[name].starts) > 0 for name in names], 1)
    where = np.flatnonzero(present.ravel())
    return Summary(
        epoch=np.repeat(epochs.epoch, len(names))[where],
        metric=[names[i] for i in (where % len(names)).tolist()],
        columns={
            law: dict(zip(METRIC_COLUMNS, grids.reshape(len(grids), -1)[:, where], strict=True))
            for law, grids in columns.items()
        },
        loglik=loglik,
    )


def is_average(epochs: Epochs, name: str) -> bool:
    """Whether the rows before an epoch's last one show averages of a metric."""
    own = epochs.written is not None and name in epochs.written.batch_values
    return kind_of_metric(name) == "average" and not own


def metric_columns(
    parts: Iterable[Summary], readings: Sequence[str], first: str | None = None
) -> Columns:
    """The table ``metrics`` of a run (without ``run``) once its law is decided.

    Args:
        parts: all summaries of the run, in order.
        readings: ``Law.readings``: one law, or all that the log allows. Where they are
            several, ``mean`` and the levels are null and ``mean_low``, ``mean_high`` span them.
        first: ``Law.first``, the law of the first epoch where it is another.
    """
    kept = list(parts)
    out: Columns = {
        "epoch": np.concatenate([part.epoch for part in kept]) if kept else np.zeros(0, np.int64),
        "metric": [name for part in kept for name in part.metric],
    }
    for key in METRIC_COLUMNS:
        pieces = [_merged(part, key, readings, first) for part in kept]
        out[key] = np.concatenate(pieces) if pieces else np.zeros(0)
    return out


def _merged(part: Summary, key: str, readings: Sequence[str], first: str | None) -> Floats:
    """One column under one law, or what several laws leave of it."""
    if first in part.columns and (part.epoch == 1).any():
        rest = _merged(part, key, readings, None)
        return np.where(part.epoch == 1, part.columns[first][key], rest)
    known = [law for law in readings if law in part.columns] or list(part.columns)[:1]
    found = [part.columns[law][key] for law in known]
    if len(found) == 1:
        return found[0]
    grid = np.stack(found)
    if key.endswith("_low"):
        low: Floats = grid.min(0)
        return low
    if key.endswith("_high"):
        high: Floats = grid.max(0)
        return high
    agree = ((grid == grid[0]) | np.isnan(grid) & np.isnan(grid[0])).all(0)
    return np.where(agree, grid[0], np.nan)


def _as_shown(epochs: Epochs, rows: Shown) -> dict[str, Floats]:
    """The columns that need no law: the last line as printed, and the first value."""
    e = len(epochs)
    out = dict(zip(METRIC_COLUMNS, np.full((len(METRIC_COLUMNS), e), np.nan), strict=True))
    last = epochs.starts[1:] - 1
    some = np.flatnonzero(np.diff(rows.starts) > 0)
    if not len(some):
        return out
    end, begin = rows.starts[1:][some] - 1, rows.starts[:-1][some]
    final = rows.final[end] & epochs.final[last][some]
    closed, at = some[final], end[final]
    out["shown"][closed] = rows.y[at]
    out["mean"][closed] = rows.y[at]
    half = np.where(np.isfinite(rows.y[at]), rows.half[at], np.nan)
    out["mean_low"][closed] = rows.y[at] - half
    out["mean_high"][closed] = rows.y[at] + half
    open_ = ~rows.final[begin]
    out["first"][some[open_]] = rows.y[begin[open_]]
    inner = end - rows.final[end]
    shown_before = inner >= begin
    out["before"][some[shown_before]] = rows.y[inner[shown_before]]
    out["first_step"][some[open_]] = rows.step[begin[open_]]
    for key in ("shown", "before", "mean", "mean_low", "mean_high", "first"):
        out[key][~np.isfinite(out[key])] = np.nan
    return out


def lost_end(metric: str, law: str, unknown_length: bool) -> bool:
    """Whether the last line of an epoch may hold another number than the law says.

    Keras 3.0 and 3.1 learn that a data set of unknown length has ended by asking for one batch
    more, and count it in the loss: their last line has S_K / (K + 1) for R_K.
    """
    return unknown_length and metric == "loss" and law in (DOUBLE, DOUBLE_TRUE)


def _levels(
    rows: Sequence[Shown],
    names: Sequence[str],
    law: str,
    first: Bools,
    lost: Sequence[bool],
    known: Remembered,
) -> tuple[list[dict[str, Floats]], Floats]:
    """Levels and noise of every epoch, all metrics side by side.

    Returns:
        A dict of [e] columns for each metric, and [e] the log likelihood over all metrics.
    """
    e = len(rows[0])
    series, bonus = observed(beside(rows), law, lost=np.repeat(lost, e))
    depth = len(series.t) - np.argmax(series.valid[::-1], 0)
    use = np.flatnonzero(series.valid.sum(0) >= FEW)
    out: list[dict[str, Floats]] = [{} for _ in rows]
    values = {key: np.full(e * len(rows), np.nan) for key in _LEVELS}
    loglik = np.full(e * len(rows), np.nan)
    if len(use):
        place = Place(use % e, use // e, first, list(names))
        x = series.columns(use, int(depth[use].max()))
        weighed, found = levels_of_run(x, place, known)
        loglik[use] = weighed + bonus[use]
        for key, column in _level_columns(found).items():
            values[key][use] = column
    for j, one in enumerate(out):
        one.update({key: column[j * e : (j + 1) * e] for key, column in values.items()})
    weights = loglik.reshape(len(rows), e)
    impossible = _impossible(rows, law)
    whole = np.where(np.isnan(weights).all(0), np.nan, total(np.nan_to_num(weights)))
    return out, np.where(impossible & np.isfinite(whole), whole - 1e6, whole)


_LEVELS = (
    "start", "start_low", "start_high", "end", "end_low", "end_high", "noise",
    "freedom", "posterior_mean", "posterior_sd",
)  # fmt: skip


def _level_columns(post: Levels) -> dict[str, Floats]:
    start, end = half_band(post.start_var, post.freedom), half_band(post.end_var, post.freedom)
    return {
        "start": post.start,
        "start_low": post.start - start,
        "start_high": post.start + start,
        "end": post.end,
        "end_low": post.end - end,
        "end_high": post.end + end,
        "noise": post.noise,
        "freedom": post.freedom,
        "posterior_mean": post.mean,
        "posterior_sd": np.sqrt(post.mean_var),
    }


def _impossible(rows: Sequence[Shown], law: str) -> Bools:
    """[e] epochs that contradict the law outright: step K and the last line differ under mean."""
    out = np.zeros(len(rows[0]), np.bool_)
    if law not in (MEAN, BLEND):
        return out
    for one in rows:
        if len(one.y) < 2:
            continue
        twice = one.final[1:] & (one.step[1:] == one.step[:-1]) & (one.owner[1:] == one.owner[:-1])
        y = np.where(np.isfinite(one.y), one.y, np.nan)
        differ = np.abs(y[1:] - y[:-1]) > one.half[1:] + one.half[:-1]
        out[one.owner[1:][twice & differ]] = True
    return out


def _epoch_mean(table: dict[str, Floats], rows: Shown, law: str) -> None:
    """The true mean of each epoch: the last line itself, or the posterior where it is not."""
    mean, sd = table.pop("posterior_mean"), table.pop("posterior_sd")
    if law == DOUBLE:
        known = np.isfinite(mean) & np.isfinite(table["shown"])
        low, high = mean - Z95 * sd, mean + Z95 * sd
        # One-batch epochs and epochs with few lines: nothing but the last line is there.
        table["mean"] = np.where(known, mean, np.nan)
        table["mean_low"] = np.where(known, low, np.nan)
        table["mean_high"] = np.where(known, high, np.nan)
        single = np.isfinite(table["shown"]) & (_of_last(rows.step, rows) == 1)
        for key, sign in (("mean", 0.0), ("mean_low", -1.0), ("mean_high", 1.0)):
            half = np.where(single, _of_last(rows.half, rows), 0.0)
            table[key] = np.where(single, table["shown"] + sign * half, table[key])
    if law == BLEND:
        # The blend gives the last batch too much weight: off by at most its deviation over K.
        steps = np.maximum(_of_last(rows.step, rows), 1)
        room = np.where(np.isfinite(table["noise"]), 4 * table["noise"] / steps, 0.0)
        table["mean_low"] = table["mean_low"] - room
        table["mean_high"] = table["mean_high"] + room


def _of_last(column: Floats | Ints, rows: Shown) -> Floats:
    """[e] what a column says of the last row of each epoch, 0 where there is none."""
    out = np.zeros(len(rows))
    some = np.flatnonzero(np.diff(rows.starts) > 0)
    out[some] = column[rows.starts[1:][some] - 1]
    return out
