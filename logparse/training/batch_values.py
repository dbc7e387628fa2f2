"""Closed epochs and their law in, the batch values behind the averages out, with bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from logparse.training.counts import exact_counts, is_share
from logparse.training.epochs import Bools, Epochs
from logparse.training.estimate import observed, smoothed
from logparse.training.inverse import clip, intervals, widen_last, widen_plain
from logparse.training.laws import BLEND, DOUBLE, DOUBLE_TRUE, LAST_ONLY, MEAN, kind_of_metric
from logparse.training.noise import fit
from logparse.training.rebuild import FEW, Columns, is_average, lost_end
from logparse.training.series import LOOSE, Shown, beside, half_units, shown
from logparse.training.several import together
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
    found: dict[str, Columns] = {}
    lots: dict[bool, list[tuple[str, Shown]]] = {}
    for name in names:
        if is_average(epochs, name):
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
        late_end: see ``by_metric``.
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
