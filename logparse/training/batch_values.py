"""Closed epochs and their law in, the batch values behind the averages out, with bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from logparse.lockstep import share, shared
from logparse.training.counts import exact_counts, exact_sums, is_share
from logparse.training.epochs import Bools, Epochs
from logparse.training.estimate import observed, smoothed
from logparse.training.inverse import clip, intervals, widen_last, widen_plain
from logparse.training.laws import BLEND, DOUBLE, DOUBLE_TRUE, LAST_ONLY, MEAN, kind_of_metric
from logparse.training.noise import fit
from logparse.training.rebuild import FEW, Columns, is_average, lost_end
from logparse.training.series import LOOSE, Shown, beside, half_units, shown
from logparse.training.several import alone
from logparse.training.student import Z95

FIT_NODES = 40
"""Updates of an epoch from which the smoother learns noise and drift."""

FIT_NODES_DOUBLE = 128
"""The same for a mean of means, which hides the noise."""

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
    first = epochs.epoch == 1
    found: dict[str, Columns] = {}
    lots: dict[bool, dict[str, _Metric]] = {}
    for name in names:
        if is_average(epochs, name):
            lost = law is not None and lost_end(name, law, unknown_length)
            rows, loss = _shown(epochs, name, law, sizes), name.endswith("loss")
            metric = _Metric(rows, first, loss, law == BLEND, late_end)
            lots.setdefault(lost, {})[name] = metric
        else:
            found[name] = _own_values(epochs, name)
    # A blend differs from the mean in the last line only.
    exact_law = MEAN if law in (BLEND, LAST_ONLY) else law
    for lost, metrics in lots.items():
        call = _Call(_How(exact_law, smooth, lost), list(metrics.values()))
        parts = share(_inverted, call.how, call) if shared() else _inverted([call])[0]
        found |= zip(metrics, parts, strict=True)
    return {name: found[name] | {"epoch": epochs.epoch[found[name]["owner"]]} for name in names}


class _Metric(NamedTuple):
    """One metric of e epochs of one run."""

    rows: Shown
    first: Bools
    """[e] the first epoch of the run"""
    loss: bool
    """see ``widen_plain``"""
    blend: bool
    """see ``intervals``"""
    late_end: bool
    """see ``by_metric``"""


class _How(NamedTuple):
    """What metrics that are inverted together have in common."""

    law: str | None
    """of the batch values"""
    smooth: bool
    """also estimate"""
    lost: bool
    """see ``lost_end``"""


class _Call(NamedTuple):
    how: _How
    metrics: list[_Metric]


def _inverted(calls: Sequence[_Call]) -> list[list[Columns]]:
    """Of each call the columns of each metric: metrics of any runs are worked on side by side."""
    found = (
        columns
        for lot in _lots([metric for call in calls for metric in call.metrics])
        for columns in _split(_averages(lot, calls[0].how), lot)
    )
    return [[next(found) for _ in call.metrics] for call in calls]


BESIDE = 200_000
"""Rows of several metrics that are inverted together: more would only take more memory."""


def _lots(metrics: Sequence[_Metric]) -> Iterator[list[_Metric]]:
    """Metrics to invert together."""
    lot: list[_Metric] = []
    rows = 0
    for one in metrics:
        rows += len(one.rows.y)
        if lot and rows > BESIDE:
            yield lot
            lot, rows = [], len(one.rows.y)
        lot.append(one)
    if lot:
        yield lot


def _split(columns: Columns, lot: Sequence[_Metric]) -> Iterator[Columns]:
    """The columns of each metric; ``owner`` counts its own epochs."""
    offsets = np.cumsum([0, *(len(metric.rows) for metric in lot)])
    for begin, (i, j) in zip(
        offsets, pairwise(np.searchsorted(columns["owner"], offsets)), strict=False
    ):
        own = {key: column[i:j] for key, column in columns.items()}
        yield own | {"owner": own["owner"] - begin}


def _shown(
    epochs: Epochs, name: str, law: str | None, sizes: tuple[int | None, int | None]
) -> Shown:
    """The rows of one metric, early accuracies exact."""
    size, last = sizes
    rows = shown(epochs, name, last / size if size and last else None)
    if size and is_share(name) and law in (MEAN, BLEND, LAST_ONLY):
        exact_counts(rows, size)
    if size and is_share(name) and law in (DOUBLE, DOUBLE_TRUE):
        exact_sums(rows, size)
    return rows


def _averages(lot: Sequence[_Metric], how: _How) -> Columns:
    """Metrics side by side: exact inverse, bounds, and the smoother's estimate and band.

    Returns:
        Columns of the table; ``owner`` counts on from metric to metric.
    """
    law, smooth, lost = how
    rows = beside([metric.rows for metric in lot])
    first = np.concatenate([metric.first for metric in lot])
    sizes = [len(metric.rows) for metric in lot]
    losses, blends, late_ends = (
        np.repeat([getattr(metric, name) for metric in lot], sizes)
        for name in ("loss", "blend", "late_end")
    )
    noise = np.full(len(rows), np.nan)
    use = np.zeros(0, np.int64)
    if law is not None:
        nodes = FIT_NODES_DOUBLE if law in (DOUBLE, DOUBLE_TRUE) else FIT_NODES
        series, _ = observed(rows, law, nodes, lost=lost)
        use = np.flatnonzero(series.valid.sum(0) >= FEW)
    if len(use):
        thinned = series.columns(use, len(series.t))
        at = alone(fit, thinned, first[use])
        noise[use] = np.sqrt(at.sigma2)
    exact = intervals(rows, law, noise, blends, lost=lost and law == DOUBLE)
    widen_last(exact, rows, late_ends)
    widen_plain(exact, rows, losses)
    estimate = np.full(len(exact.row), np.nan)
    width = np.full(len(exact.row), np.nan)
    if smooth and len(use) and law is not None:
        estimate, width = smoothed(rows, law, use, at, exact.row, lost=lost)
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
