"""Fits of a run's epochs in, the level of the batch values at either end of each epoch out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.allowances import allow_for_bends, allow_for_repeats
from logparse.training.backward import filtered, first_level
from logparse.training.epochs import Bools
from logparse.training.moves import EARLY, moves, total
from logparse.training.noise import EARLY_SHIFT, PRIOR, mixed, parameters
from logparse.training.pool import Estimates, Remembered, alike, drift_prior
from logparse.training.profile import (
    DRIFTS,
    Noise,
    Profile,
    own_fit,
    products,
    profile,
    ramp,
    widest,
)
from logparse.training.several import together
from logparse.training.smoother import Series, forward, wide
from logparse.training.student import FEWEST

BENDS = 1 / 3, 1 / 8
"""How far the level of an epoch bends, as a share of its rise: the first epoch of a run, others.

What an exponential does whose time constant is three tenths of an epoch, or one epoch."""

FREEST = 1e4
"""Degrees of freedom of errors that are as good as known."""


@dataclass(slots=True)
class Place:
    """Where the series of a lot belong, all parts one after the other."""

    epoch: Ints
    """[s] index of the epoch"""
    metric: Ints
    """[s] index of the metric"""
    first: Bools
    """[e] first epoch of its run"""
    names: list[str]
    """[m] of the metrics"""

    def table(self, value: Floats, precision: Floats) -> Floats:
        """[2, e, m] estimates and their precisions, 0 where there is none."""
        out = np.zeros((2, len(self.first), len(self.names)))
        out[0, self.epoch, self.metric] = value
        out[1, self.epoch, self.metric] = precision
        return out

    def together(
        self, quantity: str, table: Floats, most: Floats, known: Remembered
    ) -> tuple[Floats, Floats]:
        """[s] a quantity and its variance, from all epochs of each metric (``alike``)."""
        names = [f"{quantity} {name}" for name in self.names]
        whole, earlier = known.with_earlier(names, table)
        first = np.concatenate([np.zeros(earlier, np.bool_), self.first])
        # In units of ``most``; numbers of absurd size say nothing.
        with np.errstate(over="ignore", invalid="ignore"):
            whole = np.stack([whole[0] / most, whole[1] * most * most])
        whole = np.where(np.isfinite(whole).all(0), whole, 0.0)
        found = alike(quantity, Estimates(whole[0], whole[1], first))
        mean, var = (a[earlier:] for a in found)
        at, unit = (self.epoch, self.metric), most[self.metric]
        with np.errstate(over="ignore", invalid="ignore"):
            return mean[at] * unit, var[at] * unit * unit


@dataclass(slots=True)
class Shares:
    """What the epochs of a run say together, for each series."""

    weight: Floats
    """[d, s] of the drifts"""
    slope: Floats
    """[s]"""
    slope_var: Floats
    slope_own: Floats
    """variance of the slope by the series alone"""


@dataclass(slots=True)
class Levels:
    """Level at either end of each series, mean of all its batches, variances and noise, [s]."""

    start: Floats
    start_var: Floats
    end: Floats
    end_var: Floats
    mean: Floats
    mean_var: Floats
    noise: Floats
    """standard deviation of one batch about the level"""
    freedom: Floats
    """degrees of freedom of the variances"""
    start_slope: Floats
    """what an error of one in the slope adds to the start"""
    end_slope: Floats
    mean_slope: Floats
    start_arch: Floats
    """what an arch of height one adds to the start"""
    end_arch: Floats
    mean_arch: Floats
    arch: Floats
    """height of the arch that the series itself shows, and its variance"""
    arch_var: Floats
    bend: Floats
    """variance of that height where nothing is known"""
    residual: Floats
    """[m, s] what was shown, less what was expected, in deviations; 0 in the padding"""


def levels_of_run(x: Series, place: Place, known: Remembered) -> tuple[Floats, Levels]:
    """Levels of the epochs of a lot; what they say is added to ``known``.

    First each series is looked at by itself, then with the noise that all epochs agree on.

    Returns:
        [s] log likelihoods, as ``Fit.loglik``, and the levels.
    """
    first = place.first[place.epoch]
    own = together(own_fit, x, first)
    noise = _run_noise(own.noise, own.var, x.scale, place, known)
    told = together(profile, x, own.early, *_arrays(noise))
    shares = _shared(told, widest(x), own.early, place, known)
    found = together(_levels, x, own.early, first, *_arrays(shares), *_arrays(told))
    allow_for_bends(found, place, known)
    allow_for_repeats(found, x, place, shares, own, known)
    return own.loglik, found


def _arrays(one: Noise | Shares | Profile) -> list[Floats]:
    return [getattr(one, name) for name in one.__slots__]


def _run_noise(mean: Floats, var: Floats, scale: Floats, place: Place, known: Remembered) -> Noise:
    """Noise of each series, from its ``own_fit`` and from the other epochs of its metric."""
    prior, deviation = PRIOR[0]
    nothing = 1 / deviation**2
    var = np.maximum(var, 1e-6)
    precision = np.maximum(1 / var - nothing, 1e-3 * nothing)
    # In the unit of the metric, about what was thought of it when the run began.
    unit = np.log(scale)
    centre = np.array(
        [
            known.centre.setdefault(name, prior + _average(unit[place.metric == j]))
            for j, name in enumerate(place.names)
        ]
    )
    shift = centre[place.metric] - unit
    value = (mean / var - prior * nothing) / precision - shift
    table, most = place.table(value, precision), np.full(len(place.names), deviation)
    found, found_var = place.together("noise", table, most, known)
    left = np.maximum(1 / found_var - precision, nothing)
    beforehand = (found / found_var - precision * value) / left
    return Noise(found + shift, found_var, beforehand + shift, left)


def _average(value: Floats) -> float:
    return float(total(value) / len(value)) if len(value) else 0.0


def _shared(told: Profile, far: Floats, early: Bools, place: Place, known: Remembered) -> Shares:
    """Drift and slope of each series, from its own lines and from the other epochs of its metric.

    Drift that is early, as in few epochs, says nothing of the others.
    """
    prior = _own_prior(early)
    for j, name in enumerate(place.names):
        sane = np.isfinite(told.loglik).all(0)
        mine = np.flatnonzero((place.metric == j) & ~early & sane)
        if len(mine):
            says, before = told.loglik[:, mine], known.drift.get(name)
            prior[:, mine], known.drift[name] = drift_prior(says, DRIFTS, *PRIOR[1], before)
    weight = _weights(told.loglik + prior)
    own = total(weight * told.precision)
    table = place.table(total(weight * told.slope), own)
    most = np.array(
        [far[place.metric == j].max(initial=0.0) or 1.0 for j in range(len(place.names))]
    )
    slope, var = place.together("slope", table, most, known)
    # What neighbouring epochs say of each other errs alike.
    var = var * (1 + np.clip(1 - own * var, 0.0, 1.0))
    return Shares(weight, slope, var, 1 / (own + 1 / far**2))


def _own_prior(early: Bools) -> Floats:
    """[d, s] log prior of the drifts where nothing is known of other epochs."""
    centre, deviation = PRIOR[1]
    far = (DRIFTS[:, None] - centre - np.where(early, EARLY_SHIFT, 0.0)) / deviation
    return np.asarray(-0.5 * far**2 + np.log(np.gradient(DRIFTS))[:, None])


def _weights(loglik: Floats) -> Floats:
    weight = np.exp(loglik - loglik.max(0))
    return np.asarray(weight / total(weight))


def _levels(x: Series, early: Bools, first: Bools, *arrays: Floats) -> Levels:
    """What the summary of an epoch keeps, averaged over noise and drift.

    The level at the start needs the backward pass; it is made at the mean noise and drift only.

    Args:
        x: the observations.
        early: [s] drift is early.
        first: [s] first epoch of its run.
        arrays: those of ``Shares`` and of ``Profile``.
    """
    weight, slope, slope_var = arrays[:3]
    told = Profile(*arrays[4:])
    end, end_var = mixed(weight, told.end + told.end_slope * slope, told.end_var)
    sums, sums_var = mixed(weight, told.sums + told.sums_slope * slope, told.sums_var)
    square = total(weight * told.end_own**2)
    freedom = 2 * square / np.maximum(total(weight * told.spread) - square, 2 * square / FREEST)
    noise = total(weight * told.noise)
    sigma2, q = parameters(x.scale, noise, total(weight * DRIFTS[:, None]))
    start, start_var, left, var = _left(x, early, sigma2, q, slope, slope_var)
    # The start is made at one point only; not to know noise and drift widens both ends alike.
    wider = np.maximum(end_var / np.maximum(var, 1e-300), 1.0)
    t = x.t[-1]
    end_slope, mean_slope = total(weight * told.end_slope), total(weight * told.sums_slope) / t
    start_var = wider * start_var + left.start_slope**2 * slope_var
    return Levels(
        start=start + x.centre + left.start_slope * slope,
        start_var=start_var + _to_first(x, early, q),
        end=end + x.centre,
        end_var=end_var + end_slope**2 * slope_var,
        mean=sums / t + x.centre,
        mean_var=sums_var / t**2 + mean_slope**2 * slope_var,
        noise=np.sqrt(sigma2),
        freedom=np.maximum(freedom, FEWEST),
        start_slope=left.start_slope,
        end_slope=end_slope,
        mean_slope=mean_slope,
        start_arch=left.start_arch,
        end_arch=left.end_arch,
        mean_arch=left.mean_arch,
        arch=left.arch,
        arch_var=left.arch_var,
        bend=np.where(first, *BENDS) ** 2 * (slope**2 + slope_var) * t**2,
        residual=left.residual,
    )


@dataclass(slots=True)
class _Left:
    """What the model leaves of a slope of one, and of an arch of height one, [s]."""

    start_slope: Floats
    start_arch: Floats
    end_arch: Floats
    mean_arch: Floats
    arch: Floats
    arch_var: Floats
    residual: Floats
    """[m, s] as in ``Levels``"""


def _left(
    x: Series, early: Bools, sigma2: Floats, q: Floats, slope: Floats, slope_var: Floats
) -> tuple[Floats, Floats, _Left, Floats]:
    """Start of each series and its variance, what is left, and the variance of the end.

    The arch is 4 u (1 - u) at the share u of the epoch: 0 at both ends.
    """
    t, end = x.t, x.t[-1]
    cubes = t * (t + 1) * (2 * t + 1)
    square = x.on_s * cubes / 6 + x.on_t * (cubes / 3 + 1.5 * t * (t + 1) + t) / 6
    columns = wide(x, moves(x, early), 1)
    kept = forward(columns, sigma2, q, keep=True)
    line = filtered(columns, kept, ramp(x))
    arch = filtered(columns, kept, 4 / end**2 * (end * ramp(x) - square))
    start, start_var, (line_start, arch_start) = first_level(columns, kept, line, arch)
    first = np.take_along_axis(t, x.valid.argmax(0)[None], 0)[0]
    start_slope = first - line_start
    # Part of an arch is taken for a slope.
    taken = slope_var * products(kept, line[0], arch[0])
    (line_end, line_sums), (arch_end, arch_sums) = line[1][-1][:2], arch[1][-1][:2]
    mean = 2 * (end + 1) / end - 2 * (end + 1) * (2 * end + 1) / (3 * end**2)
    spread = 1 / np.sqrt(np.where(kept.precision > 0, kept.precision, 1.0))
    residual = kept.innovation - slope * line[0]
    own = np.maximum(products(kept, arch[0], arch[0]), 1e-300)
    left = _Left(
        start_slope=start_slope,
        start_arch=4 * first * (end - first) / end**2 - arch_start - taken * start_slope,
        end_arch=-arch_end - taken * (end - line_end),
        mean_arch=mean - arch_sums / end - taken * ((end + 1) / 2 - line_sums / end),
        arch=products(kept, residual, arch[0]) / own,
        arch_var=1 / own + slope_var * (products(kept, line[0], arch[0]) / own) ** 2,
        residual=np.where(x.valid, residual * spread, 0.0),
    )
    return start, start_var, left, kept.last[2]


def _to_first(x: Series, early: Bools, q: Floats) -> Floats:
    """Variance of the level's drift from the boundary of the epoch to its first shown step."""
    first = np.take_along_axis(x.t, x.valid.argmax(0)[None], 0)[0]
    fast = np.where(early, EARLY**2 / (1.5 * (first + 0.5)), 0.0)
    out: Floats = q * (1 + np.maximum(first - 1, 0.0) * (1 + fast))
    return out
