"""What each epoch of a run says of its noise, drift and slope in, what all say together out.

One epoch of ten lines hardly tells how its level moves; the other epochs of the run do. Epochs that
are not like the others are allowed for, and a run whose epochs differ says little of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from logparse.reading.records import Floats
from logparse.training.epochs import Bools

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
    step = np.gradient(grid)
    anywhere = _density(grid, centre, width, step)
    # Prior of the run's typical drift m, [m], and of an epoch's given m, [d, m].
    typical = _density(grid, centre, float(np.sqrt(width**2 - ALIKE**2)), step)
    near = np.stack([_density(grid, m, ALIKE, step) for m in grid.tolist()], 1)
    given = (1 - ODD) * near + ODD * anywhere[:, None]
    told = np.log(given.T @ np.exp(says - says.max(0)))
    whole = told.sum(1) + (0.0 if before is None else before)
    others = whole[:, None] - told + np.log(typical)[:, None]
    weight = np.exp(others - others.max(0))
    return np.log(given @ (weight / weight.sum(0))), whole


def _density(grid: Floats, centre: float, width: float, step: Floats) -> Floats:
    out = np.exp(-0.5 * ((grid - centre) / width) ** 2) * step
    return np.asarray(out / out.sum())


def alike(value: Floats, precision: Floats, widest: Floats, first: Bools) -> tuple[Floats, Floats]:
    """A quantity of each epoch, from its own estimate and those of the other epochs.

    From one epoch to the next it changes a little, or is anew: nothing is then known of it. How
    little is averaged over ``CHANGES``. Mixtures are taken for one normal distribution of the same
    mean and variance after each epoch (the generalised pseudo-Bayesian filter of first order:
    Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001,
    section 11.6).

    Args:
        value: [e, m] estimates of each epoch and metric, in order.
        precision: [e, m] of the estimates, 0 where there is none.
        widest: [m] deviation, about 0, of a quantity of which nothing is known.
        first: [e] first epoch of the run.

    Returns:
        Mean and variance of each, [e, m].
    """
    unit = np.array([np.median(p[p > 0]) if (p > 0).any() else 1.0 for p in precision.T])
    change = CHANGES[:, None] / unit
    wide = np.broadcast_to(widest**2, change.shape)
    # Of each epoch to the one before, and to the one after.
    odd = np.where(np.roll(first, 1), FIRST_ODD, ODD)
    odds = odd, np.roll(odd, -1)
    (mean, var), evidence = _messages(
        np.stack([value, value[::-1]], 1),
        np.stack([precision, precision[::-1]], 1),
        change[:, None],
        np.broadcast_to(widest**2, (len(CHANGES), 2, len(widest))),
        np.stack([odds[0], odds[1][::-1]], 1),
    )
    # [g, e, m] each, and [g, m].
    past = [a[:, :, 0].swapaxes(0, 1) for a in (mean, var)]
    future = [a[::-1, :, 1].swapaxes(0, 1) for a in (mean, var)]
    told, evidence = (*past, *future), evidence[:, 0]
    nothing = 1 / wide[:, None]
    scores, means, variances = [], [], []
    for use in ((1, 1), (1, 0), (0, 1), (0, 0)):
        score = 0.5 * np.log(nothing)
        know, push = precision + nothing, precision * value
        for i, one in enumerate(use):
            score = score + np.log(1 - odds[i] if one else odds[i])[:, None]
            if one:
                mean, var = told[2 * i], told[2 * i + 1]
                know, push = know + 1 / var - nothing, push + mean / var
                score = score - 0.5 * np.log(var * nothing) - 0.5 * mean**2 / var
        scores.append(score - 0.5 * np.log(know) + 0.5 * push**2 / know)
        means.append(push / know)
        variances.append(1 / know)
    score = np.stack(scores) + evidence[:, None]
    weight = np.exp(score - score.max((0, 1)))
    weight /= weight.sum((0, 1))
    each = np.stack(means)
    mean = (weight * each).sum((0, 1))
    var = (weight * (np.stack(variances) + (each - mean) ** 2)).sum((0, 1))
    return mean, var


def _messages(
    value: Floats, precision: Floats, change: Floats, wide: Floats, odd: Floats
) -> tuple[tuple[Floats, Floats], Floats]:
    """What the epochs before each say of it, [e, g, 2, m], and the log evidence for each change.

    Both ways side by side: forwards and backwards in time.
    """
    mean, var = np.zeros_like(wide), wide.copy()
    evidence = np.zeros_like(wide)
    out = np.zeros((2, len(value), *wide.shape))
    stay, leave = np.log(1 - odd)[..., None], np.log(odd)[..., None]
    for i, (y, p) in enumerate(zip(value, precision, strict=True)):
        out[0, i], out[1, i] = mean, var
        near, near_score = _updated(mean, var, y, p)
        if i:
            anew, anew_score = _updated(np.zeros_like(mean), wide, y, p)
            both = np.logaddexp(near_score + stay[i], anew_score + leave[i])
            evidence, share = evidence + both, np.exp(near_score + stay[i] - both)
            mean = share * near[0] + (1 - share) * anew[0]
            var = share * (near[1] + (near[0] - mean) ** 2)
            var = var + (1 - share) * (anew[1] + (anew[0] - mean) ** 2)
        else:
            mean, var = near
        var = np.minimum(var + change, wide)
    return (out[0], out[1]), evidence


def _updated(
    mean: Floats, var: Floats, y: Floats, p: Floats
) -> tuple[tuple[Floats, Floats], Floats]:
    """A normal distribution after an estimate of precision p, and the log evidence."""
    gain = var * p / (1 + var * p)
    score = -0.5 * np.log1p(var * p) - 0.5 * p * (y - mean) ** 2 / (1 + var * p)
    return (mean + gain * (y - mean), var * (1 - gain)), score
