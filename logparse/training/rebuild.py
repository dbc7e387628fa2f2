"""Closed epochs and their law in, the true epoch values and the batch values out, with bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.counts import exact_counts, is_share
from logparse.training.epochs import Bools, Epochs
from logparse.training.estimate import observed, padded, side_by_side, smoothed
from logparse.training.inverse import clip, intervals, widen_last, widen_plain
from logparse.training.laws import (
    AS_IS,
    BLEND,
    CUMULATIVE,
    DOUBLE,
    DOUBLE_TRUE,
    LAST_ONLY,
    MEAN,
    kind_of_metric,
    law_of_metric,
)
from logparse.training.levels import Levels, Place, levels_of_run
from logparse.training.moves import total
from logparse.training.noise import fit
from logparse.training.pool import Remembered
from logparse.training.series import LOOSE, Shown, beside, half_units, shown
from logparse.training.several import together
from logparse.training.student import Z95, half_band

FIT_NODES = 40
"""Updates of an epoch from which the smoother learns noise and drift."""

FIT_NODES_DOUBLE = 128
"""The same for a mean of means, which hides the noise."""

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
    averages = [name for name in names if _is_average(epochs, name)]
    columns: dict[str, dict[str, Floats]] = {}
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
        columns[law] = {
            key: np.stack([table[name][key] for name in names], 1) for key in METRIC_COLUMNS
        }
    present = np.stack([np.diff(by_metric[name].starts) > 0 for name in names], 1)
    where = np.flatnonzero(present.ravel())
    return Summary(
        epoch=np.repeat(epochs.epoch, len(names))[where],
        metric=[names[i] for i in (where % len(names)).tolist()],
        columns={
            law: {key: grid.ravel()[where] for key, grid in parts.items()}
            for law, parts in columns.items()
        },
        loglik=loglik,
    )


def _is_average(epochs: Epochs, name: str) -> bool:
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
    out = {key: np.full(e, np.nan) for key in METRIC_COLUMNS}
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
    parts = [observed(one, law, lost=gone) for one, gone in zip(rows, lost, strict=True)]
    deepest = max(len(part.t) for part, _ in parts)
    series = side_by_side([padded(part, deepest) for part, _ in parts])
    bonus = np.concatenate([extra for _, extra in parts])
    depth = deepest - np.argmax(series.valid[::-1], 0)
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
        single = np.isfinite(table["shown"]) & (_last_steps(rows) == 1)
        for key, sign in (("mean", 0.0), ("mean_low", -1.0), ("mean_high", 1.0)):
            half = np.where(single, _last_half(rows), 0.0)
            table[key] = np.where(single, table["shown"] + sign * half, table[key])
    if law == BLEND:
        # The blend gives the last batch too much weight: off by at most its deviation over K.
        steps = np.maximum(_last_steps(rows), 1)
        room = np.where(np.isfinite(table["noise"]), 4 * table["noise"] / steps, 0.0)
        table["mean_low"] = table["mean_low"] - room
        table["mean_high"] = table["mean_high"] + room


def _last_steps(rows: Shown) -> Floats:
    out = np.zeros(len(rows))
    some = np.flatnonzero(np.diff(rows.starts) > 0)
    out[some] = rows.step[rows.starts[1:][some] - 1]
    return out


def _last_half(rows: Shown) -> Floats:
    out = np.zeros(len(rows))
    some = np.flatnonzero(np.diff(rows.starts) > 0)
    out[some] = rows.half[rows.starts[1:][some] - 1]
    return out


BATCH_COLUMNS = ("value", "low", "high", "estimate", "estimate_low", "estimate_high")


def batches(epochs: Epochs, law: str | None, **known: Any) -> Columns:
    """The table ``batches`` (without ``run``) of closed epochs of one run.

    Args:
        epochs: closed epochs.
        law: the run's law, ``Law.inverse``; None leaves the values null.
        known: what else is known of the run, and ``smooth``: see ``by_metric``.

    Returns:
        Columns of the table, nan for null, sorted by epoch, metric and step.
    """
    found = by_metric(epochs, law, **known)
    if not found:
        empty = {key: np.zeros(0) for key in BATCH_COLUMNS}
        whole = {key: np.zeros(0, np.int64) for key in ("epoch", "first_step", "step")}
        return {**whole, "metric": [], **empty}
    names, parts = list(found), list(found.values())
    which = np.repeat(np.arange(len(parts)), [len(part["step"]) for part in parts])
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    order = np.lexsort((columns["step"], which, columns.pop("owner")))
    return {
        **{key: column[order] for key, column in columns.items()},
        "metric": [names[i] for i in which[order].tolist()],
    }


def by_metric(
    epochs: Epochs,
    law: str | None,
    *,
    batch_size: int | None = None,
    last_size: int | None = None,
    late_end: bool = False,
    unknown_length: bool = False,
    smooth: bool = True,
) -> dict[str, Columns]:
    """The batch values behind each metric of closed epochs of one run.

    Args:
        epochs: closed epochs.
        law: the run's law, ``Law.inverse``; None leaves the values null.
        batch_size: samples in a full batch, ``Law.batch_size``: makes early accuracies exact.
        last_size: samples in the last batch of an epoch, ``Law.last_size``.
        late_end: the last line may be another mean, ``Law.late_end``: its bounds hold for both.
        unknown_length: Keras did not know the number of steps, see ``lost_end``.
        smooth: also estimate every interval by the smoother.

    Returns:
        By metric the columns of the table ``batches``, nan for null, and ``owner``, the index of
        the epoch; sorted by epoch and step. Metrics that are no averages (val_*, AUC ...) are
        not there: nothing can be inverted.
    """
    names = [name for name in epochs.values if kind_of_metric(name) == "average"]
    sizes = (batch_size, last_size)
    found: dict[str, Columns] = {}
    lots: dict[bool, list[tuple[str, Shown]]] = {}
    for name in names:
        if _is_average(epochs, name):
            lost = law is not None and lost_end(name, law, unknown_length)
            lots.setdefault(lost, []).append((name, _shown(epochs, name, law, sizes)))
        else:
            found[name] = _own_values(epochs, name)
    for lost, metrics in lots.items():
        for lot in _lots(metrics):
            losses = np.array([name.endswith("loss") for name, _ in lot])
            rows = beside([rows for _, rows in lot])
            columns = _averages(epochs, rows, law, smooth, late_end, losses, lost=lost)
            ends = np.searchsorted(columns["owner"], np.arange(len(lot) + 1) * len(epochs))
            for j, (name, _) in enumerate(lot):
                own = slice(ends[j], ends[j + 1])
                found[name] = {key: column[own] for key, column in columns.items()}
                found[name]["owner"] = found[name]["owner"] - j * len(epochs)
    return {name: found[name] | {"epoch": epochs.epoch[found[name]["owner"]]} for name in names}


BESIDE = 200_000
"""Rows of several metrics that are inverted together: more would only take more memory."""


def _lots(metrics: list[tuple[str, Shown]]) -> Iterator[list[tuple[str, Shown]]]:
    """Metrics to invert together."""
    lot: list[tuple[str, Shown]] = []
    for one in metrics:
        if lot and sum(len(rows.y) for _, rows in (*lot, one)) > BESIDE:
            yield lot
            lot = []
        lot.append(one)
    if lot:
        yield lot


def _shown(
    epochs: Epochs, name: str, law: str | None, sizes: tuple[int | None, int | None]
) -> Shown:
    """The rows of one metric, early accuracies exact."""
    size, last = sizes
    rows = shown(epochs, name, last / size if size and last else None)
    if size and is_share(name) and law in (MEAN, BLEND, LAST_ONLY):
        exact_counts(rows, size)
    return rows


def _averages(
    epochs: Epochs,
    rows: Shown,
    law: str | None,
    smooth: bool,
    late_end: bool,
    losses: Bools,
    *,
    lost: bool,
) -> Columns:
    """Metrics side by side: exact inverse, bounds, and the smoother's estimate and band.

    Args:
        epochs: e closed epochs.
        rows: of m metrics, those of each after those of the one before.
        law: law of the averages, or None.
        smooth: also estimate.
        late_end: see ``batches``.
        losses: [m] the metric is a loss, see ``widen_plain``.
        lost: see ``lost_end``.

    Returns:
        Columns of the table; ``owner`` counts on from metric to metric.
    """
    exact_law = MEAN if law == LAST_ONLY else law
    noise = np.full(len(rows), np.nan)
    use = np.zeros(0, np.int64)
    if exact_law is not None:
        double = exact_law in (DOUBLE, DOUBLE_TRUE)
        nodes = FIT_NODES_DOUBLE if double else FIT_NODES
        series, _ = observed(rows, exact_law, nodes, lost=lost)
        use = np.flatnonzero(series.valid.sum(0) >= FEW)
    if len(use):
        thinned = series.columns(use, len(series.t))
        at = together(fit, thinned, epochs.epoch[use % len(epochs)] == 1)
        noise[use] = np.sqrt(at.sigma2)
    exact = intervals(rows, exact_law, noise, lost=lost and exact_law == DOUBLE)
    if late_end:
        widen_last(exact, rows)
    widen_plain(exact, rows, losses[exact.owner // len(epochs)])
    estimate = np.full(len(exact.row), np.nan)
    width = np.full(len(exact.row), np.nan)
    if smooth and len(use) and exact_law is not None:
        estimate, width = smoothed(rows, exact_law, use, at, exact.row, lost=lost)
    # A last batch of unknown size is taken as full; the band allows for what that may be off.
    off = np.sqrt(LOOSE) * noise[exact.owner] / (exact.step - exact.first_step + 1)
    width = np.where(exact.open, np.hypot(width, off), width)
    low, high = estimate - Z95 * width, estimate + Z95 * width
    # A whole count leaves nothing but float32: too little to speak of a distribution.
    known = exact.whole & np.isfinite(estimate) & np.isfinite(exact.low)
    low, high = np.where(known, exact.low, low), np.where(known, exact.high, high)
    return {
        "owner": exact.owner,
        "first_step": exact.first_step,
        "step": exact.step,
        "value": exact.value,
        "low": exact.low,
        "high": exact.high,
        "estimate": clip(estimate, exact.low, exact.high),
        "estimate_low": clip(low, exact.low, exact.high),
        "estimate_high": clip(high, exact.low, exact.high),
    }


def _own_values(epochs: Epochs, name: str) -> Columns:
    """One metric whose rows are the batch's own value already: nothing to invert."""
    here = np.flatnonzero((epochs.decimals[name] != 0) & ~epochs.final & (epochs.step > 0))
    value, step = epochs.values[name][here], epochs.step[here]
    half = half_units(value, epochs.decimals[name][here])
    owner = np.repeat(np.arange(len(epochs)), np.diff(epochs.starts))[here]
    value = np.where(np.isfinite(value), value, np.nan)
    unknown = dict.fromkeys(
        ("estimate", "estimate_low", "estimate_high"), np.full(len(here), np.nan)
    )
    exact = {"value": value, "low": value - half, "high": value + half}
    return {"owner": owner, "first_step": step, "step": step, **exact, **unknown}


__all__ = [
    "AS_IS", "CUMULATIVE", "METRIC_COLUMNS", "Columns", "Summary",
    "batches", "law_of_metric", "metric_columns", "summarise",
]  # fmt: skip
