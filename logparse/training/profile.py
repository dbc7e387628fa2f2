"""Series with their fits in, the end of each at every drift out, noise and slope averaged over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logparse.reading.records import Floats
from logparse.training.backward import filtered
from logparse.training.epochs import Bools
from logparse.training.moves import moves, total
from logparse.training.noise import PROBE, SPREAD, fit, parameters, score, width
from logparse.training.smoother import Filtered, Series, forward, wide

DRIFTS = np.array([-14.0, -12.0, -10.0, -8.5, -7.0, -5.5, -4.0, -2.0, 0.5])
"""ln(q / sigma^2) over which the levels are averaged."""

NOISES = np.array([-1.6, 0.0, 1.6])
"""ln sigma over which they are averaged, in deviations about the middle: three points of nearly the
same variance as a normal distribution."""


@dataclass(slots=True)
class Noise:
    """ln(sigma / scale) of each series, [s]: where to look, and what is known beforehand."""

    mean: Floats
    var: Floats
    prior_mean: Floats
    prior_precision: Floats


@dataclass(slots=True)
class Profile:
    """What each series says at each drift of ``DRIFTS``, noise and slope averaged over: [d, s].

    Levels and sums are those without a slope.
    """

    loglik: Floats
    """prior of the drift left out"""
    end: Floats
    end_var: Floats
    end_own: Floats
    """that variance at known noise, averaged over the noise"""
    spread: Floats
    """its square, averaged"""
    sums: Floats
    sums_var: Floats
    noise: Floats
    """ln(sigma / scale)"""
    slope: Floats
    precision: Floats
    """of ``slope``"""
    end_slope: Floats
    """what a slope of one adds to the level at the end"""
    sums_slope: Floats


@dataclass(slots=True)
class Own:
    """What each series says by itself, [s]."""

    loglik: Floats
    """``Fit.loglik``"""
    early: Bools
    """``Fit.early``"""
    noise: Floats
    """ln(sigma / scale), its variance beside it"""
    var: Floats


def own_fit(x: Series, first: Bools) -> Own:
    """Noise and drift of each series by itself, ``first`` [s] where it is its run's first epoch."""
    at = fit(x, first)
    probe = at.noise + np.array([[PROBE[0]], [-PROBE[0]]])
    drift = np.broadcast_to(at.drift, probe.shape)
    above, below = score(wide(x, moves(x, at.early), len(probe)), x.scale, probe, drift, at.early)
    deviation = width(at.loglik - at.odds, above, below, PROBE[0]) / SPREAD
    return Own(at.loglik, at.early, at.noise, deviation**2)


def widest(x: Series) -> Floats:
    """Prior deviation of a slope: over an epoch the level moves by twice its averages at most."""
    return np.asarray((4 if x.double else 2) * x.scale / x.t[-1])


def ramp(x: Series) -> Floats:
    """[m, s] what batch values 1, 2, 3, ... would show."""
    out: Floats = x.on_s * x.t * (x.t + 1) / 2 + x.on_t * x.t * (x.t + 3) / 4
    return out


def products(fl: Filtered, one: Floats, other: Floats) -> Floats:
    """Sum of products of two series of innovations, each over its variance, times the variance."""
    return total(one * other / np.where(fl.precision > 0, fl.precision, 1.0))


def profile(x: Series, early: Bools, *arrays: Floats) -> Profile:
    """The end of each series at every drift.

    The slope is part of the model: the filter is linear, so that run over what batch values 1, 2,
    3, ... would show it leaves innovations on which those of the data are regressed (P. de Jong,
    "The diffuse Kalman filter", Annals of Statistics 19, 1991).

    Args:
        x: the observations.
        early: [s] as in ``Own``.
        arrays: those of ``Noise``.
    """
    noise = Noise(*arrays)
    points = np.array([(i, d) for d in DRIFTS for i in NOISES])
    each = noise.mean + points[:, :1] * np.sqrt(noise.var)
    sigma2, q = parameters(x.scale, each, np.broadcast_to(points[:, 1:], each.shape))
    columns = wide(x, moves(x, early), len(points))
    found = forward(columns, sigma2, q, keep=True)
    level, sums, level_var, sums_var = found.last
    line, means = filtered(columns, found, ramp(x))
    both, own = products(found, found.innovation, line), products(found, line, line)
    both, own, level_slope, sums_slope = (
        a.reshape(each.shape) for a in (both, own, *means[-1][:2])
    )
    known = 1 / widest(x) ** 2
    loglik = found.loglik + 0.5 * both**2 / (own + known) - 0.5 * np.log1p(own / known)
    loglik = loglik - 0.5 * noise.prior_precision * (each - noise.prior_mean) ** 2
    own = np.maximum(own, 1e-9 * known)

    def by_drift(a: Floats) -> Floats:
        return np.asarray(a.reshape(len(DRIFTS), len(NOISES), -1).swapaxes(0, 1))

    loglik = by_drift(loglik)
    top = loglik.max(0)
    weight = np.exp(loglik - top)
    whole = total(weight)
    weight = weight / whole

    def mean(value: Floats) -> Floats:
        return total(weight * by_drift(value))

    def moments(value: Floats, var: Floats) -> tuple[Floats, Floats]:
        middle = mean(value)
        return middle, total(weight * (by_drift(var) + (by_drift(value) - middle) ** 2))

    t = x.t[-1]
    return Profile(
        top + np.log(whole),
        *moments(level, level_var),
        mean(level_var),
        mean(level_var**2),
        *moments(sums, sums_var),
        mean(each),
        mean(both / own),
        mean(own),
        t - mean(level_slope),
        t * (t + 1) / 2 - mean(sums_slope),
    )
