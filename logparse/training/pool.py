"""What each epoch of a run says of its noise, drift and slope in, what all say together out.

One epoch of ten lines hardly tells how its level moves; the other epochs of the run do. Epochs that
are not like the others are allowed for, and a run whose epochs differ says little of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from logparse.lockstep import share
from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools
from logparse.training.moves import total

ALIKE = 0.7
"""Deviation of ln(q / sigma^2) among the epochs of a run."""

ODD = 0.1
"""Share of epochs that are not like the one before."""

FIRST_ODD = 0.5
"""Share of runs whose second epoch is not like the first."""

CHANGES = 10.0 ** np.arange(-4.0, 2.5, 1.0)
"""Variances of the change from epoch to epoch that are weighed, in those of one epoch's
estimate."""

KEPT = 16
"""Epochs that are remembered from lot to lot."""


@dataclass(slots=True)
class Remembered:
    """What the epochs so far say, by quantity and metric: for the next lot of a run."""

    drift: dict[str, Floats] = field(default_factory=dict)
    """[m] log likelihood of each typical drift, summed"""
    centre: dict[str, float] = field(default_factory=dict)
    """what was thought of the logarithm of the noise when the run began"""
    values: dict[str, Floats] = field(default_factory=dict)
    """[2, n] estimates of the last epochs and their precisions"""
    bend: dict[str, Floats] = field(default_factory=dict)
    """log probability of how much the levels bend"""
    again: dict[str, Floats] = field(default_factory=dict)
    """how alike the residuals of neighbouring epochs are: their number, and two sums"""

    def with_earlier(self, names: list[str], table: Floats) -> tuple[Floats, int]:
        """Estimates [2, e, m] below those of earlier epochs, and how many those are.

        The last of all are remembered.
        """
        known = [self.values.get(name, np.zeros((2, 0))) for name in names]
        rows = max(part.shape[1] for part in known)
        earlier = np.zeros((2, rows, len(names)))
        for j, part in enumerate(known):
            earlier[:, rows - part.shape[1] :, j] = part
        whole = np.concatenate([earlier, table], 1)
        for j, name in enumerate(names):
            self.values[name] = whole[:, -KEPT:, j]
        return whole, rows


def drift_prior(
    says: Floats, grid: Floats, centre: float, width: float, before: Floats | None
) -> tuple[Floats, Floats]:
    """Log prior of the drift of each epoch, from the other epochs of its run.

    Nothing that an epoch says itself enters what is said of it.

    Args:
        says: [d, e] log likelihood of each drift, epoch by epoch.
        grid: [d] drifts, logarithms.
        centre: prior of the run's typical drift, and of an odd epoch's.
        width: its deviation.
        before: [m] what earlier epochs say of the typical drift.

    Returns:
        The prior [d, e], and [m] what all epochs say of the typical drift.
    """
    typical, given = _drifts(tuple(grid.tolist()), centre, width)
    told = np.log(given.T @ np.exp(says - says.max(0)))
    whole = told.sum(1) + (0.0 if before is None else before)
    others = whole[:, None] - told + typical[:, None]
    weight = np.exp(others - others.max(0))
    return np.log(given @ (weight / weight.sum(0))), whole


@cache
def _drifts(points: tuple[float, ...], centre: float, width: float) -> tuple[Floats, Floats]:
    """Log prior of the run's typical drift m, [m], and the prior of an epoch's given m, [d, m]."""
    grid = np.array(points)
    step = np.gradient(grid)
    anywhere = _density(grid, centre, width, step)
    typical = _density(grid, centre, float(np.sqrt(width**2 - ALIKE**2)), step)
    near = np.stack([_density(grid, m, ALIKE, step) for m in points], 1)
    return np.log(typical), (1 - ODD) * near + ODD * anywhere[:, None]


def _density(grid: Floats, centre: float, width: float, step: Floats) -> Floats:
    out = np.exp(-0.5 * ((grid - centre) / width) ** 2) * step
    return np.asarray(out / out.sum())


class Estimates(NamedTuple):
    """Estimates of a quantity by the epochs of one run."""

    value: Floats
    """[e, m] of each epoch and metric, in order; in units of the deviation, about 0, of a quantity
    of which nothing is known"""
    precision: Floats
    """[e, m], 0 where there is no estimate"""
    first: Bools
    """[e] first epoch of the run"""


def alike(quantity: str, given: Estimates) -> tuple[Floats, Floats]:
    """A quantity of each epoch, from its own estimate and those of the other epochs.

    From one epoch to the next it changes a little, or is anew: nothing is then known of it. How
    little is averaged over ``CHANGES``. Mixtures are taken for one normal distribution of the same
    mean and variance after each epoch (the generalised pseudo-Bayesian filter of first order:
    Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001,
    section 11.6).

    Args:
        quantity: its name: of several logs the same one is worked out as one.
        given: the estimates.

    Returns:
        Mean and variance of each, [e, m].
    """
    found: tuple[Floats, Floats] = share(_all_alike, quantity, given)
    return found


def _all_alike(calls: list[Estimates]) -> list[tuple[Floats, Floats]]:
    """``alike`` of each call: the metrics of all runs side by side, short ones padded."""
    sizes = np.repeat([len(call.first) for call in calls], [call.value.shape[1] for call in calls])
    shape = int(sizes.max(initial=0)), len(sizes)
    value, precision = np.zeros((2, *shape))
    before, after = np.full((2, *shape), ODD)
    edges = np.cumsum([0, *(call.value.shape[1] for call in calls)]).tolist()
    for call, span in zip(calls, pairwise(edges), strict=True):
        mine = slice(len(call.first)), slice(*span)
        value[mine], precision[mine] = call.value, call.precision
        # How often an epoch is odd beside the one before, and beside the one after.
        odd = np.where(np.roll(call.first, 1), FIRST_ODD, ODD)
        before[mine], after[mine] = odd[:, None], np.roll(odd, -1)[:, None]
    row = np.arange(shape[0])[:, None]
    back = np.where(row < sizes, sizes - 1 - row, row)
    mean, var = _mixed(value, precision, (before, after), sizes, back)
    return [
        (mean[: len(call.first), slice(*span)], var[: len(call.first), slice(*span)])
        for call, span in zip(calls, pairwise(edges), strict=True)
    ]


def _mixed(
    value: Floats, precision: Floats, odds: tuple[Floats, Floats], sizes: Ints, back: Ints
) -> tuple[Floats, Floats]:
    """Mean and variance of each estimate, [e, m], over all that the others may say of it.

    Args:
        value: [e, m].
        precision: [e, m], 0 also beyond the epochs of a metric.
        odds: [e, m] how often an epoch is odd beside the one before, and the one after.
        sizes: [m] epochs.
        back: [e, m] row of each epoch counted from the last one.
    """
    value_both, precision_both, odds_both = (
        np.stack([one, np.take_along_axis(other, back, 0)], 1)
        for one, other in ((value, value), (precision, precision), odds)
    )
    change = (CHANGES[:, None] / _medians(precision))[:, None]
    (mean, var), evidence = _messages(value_both, precision_both, change, odds_both)
    # [g, e, m] each, and [g, 1, m].
    past = [a[:, :, 0].swapaxes(0, 1) for a in (mean, var)]
    turned = back[:, None]
    future = [np.take_along_axis(a[:, :, 1], turned, 0).swapaxes(0, 1) for a in (mean, var)]
    told = (*past, *future)
    known = np.take_along_axis(evidence[:, :, 0], (sizes - 1)[None, None], 0)[0][:, None]
    scores, means, variances = [], [], []
    for use in ((1, 1), (1, 0), (0, 1), (0, 0)):
        score = np.zeros_like(past[0])
        know, push = precision + 1.0, precision * value
        for i, one in enumerate(use):
            score = score + np.log(1 - odds[i] if one else odds[i])
            if one:
                mean, var = told[2 * i], told[2 * i + 1]
                know, push = know + 1 / var - 1.0, push + mean / var
                score = score - 0.5 * np.log(var) - 0.5 * mean**2 / var
        scores.append(score - 0.5 * np.log(know) + 0.5 * push**2 / know + known)
        means.append(np.broadcast_to(push / know, score.shape))
        variances.append(np.broadcast_to(1 / know, score.shape))
    score, each = np.concatenate(scores), np.concatenate(means)
    weight = np.exp(score - score.max(0, initial=-np.inf))
    weight = weight / total(weight)
    mean = total(weight * each)
    return mean, total(weight * (np.concatenate(variances) + (each - mean) ** 2))


def _medians(precision: Floats) -> Floats:
    """[m] median of the precisions that are above 0, 1 where none is."""
    ranked = np.sort(np.where(precision > 0, precision, np.inf), 0)
    count = (precision > 0).sum(0)
    low, high = (
        np.take_along_axis(ranked, np.maximum(i, 0)[None], 0)[0]
        for i in ((count - 1) // 2, count // 2)
    )
    return np.where(count > 0, 0.5 * (low + high), 1.0)


def _messages(
    value: Floats, precision: Floats, change: Floats, odd: Floats
) -> tuple[tuple[Floats, Floats], Floats]:
    """What the epochs before each say of it, and the log evidence for each change up to it.

    Both ways side by side: forwards and backwards in time.

    Args:
        value: [e, 2, m].
        precision: [e, 2, m].
        change: [g, 1, m] variance of the change from epoch to epoch.
        odd: [e, 2, m].

    Returns:
        Mean and variance, and the evidence, [e, g, 2, m].
    """
    shape = (len(CHANGES), *value.shape[1:])
    mean, var = np.zeros(shape), np.ones(shape)
    evidence = np.zeros((len(value), *shape))
    out = np.zeros((2, *evidence.shape))
    stay, leave = np.log1p(-odd), np.log(odd)
    for i, (y, p) in enumerate(zip(value, precision, strict=True)):
        out[0, i], out[1, i] = mean, var
        near, near_score = _updated(mean, var, y, p)
        if i:
            anew, anew_score = _updated(0.0, 1.0, y, p)
            both = np.logaddexp(near_score + stay[i], anew_score + leave[i])
            evidence[i], share_near = evidence[i - 1] + both, np.exp(near_score + stay[i] - both)
            mean = share_near * near[0] + (1 - share_near) * anew[0]
            var = share_near * (near[1] + (near[0] - mean) ** 2)
            var = var + (1 - share_near) * (anew[1] + (anew[0] - mean) ** 2)
        else:
            mean, var = near
        var = np.minimum(var + change, 1.0)
    return (out[0], out[1]), evidence


def _updated(
    mean: Floats | float, var: Floats | float, y: Floats, p: Floats
) -> tuple[tuple[Floats, Floats], Floats]:
    """A normal distribution after an estimate of precision p, and the log evidence."""
    gain = var * p / (1 + var * p)
    score = -0.5 * np.log1p(var * p) - 0.5 * p * (y - mean) ** 2 / (1 + var * p)
    return (mean + gain * (y - mean), var * (1 - gain)), score
