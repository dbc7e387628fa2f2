"""Series of shown averages in, their batch noise and drift out, by marginal likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.backward import backward, filtered, first_level
from logparse.training.epochs import Bools
from logparse.training.moves import EARLY, Moves, moves, total
from logparse.training.smoother import (
    Filtered,
    Series,
    State,
    Wide,
    forward,
    wide,
)

COARSE_NODES = 10
"""Observations of a series that the coarse search looks at."""

COARSE_ENDS = 3
"""Of these, observations at either end of the series."""

WIDTH = 512
"""Series fitted side by side: enough to hide Python's cost, few enough for the cache."""

COARSE_WIDTH = 256
"""The same in the coarse search, whose candidates are many."""

GRID_NOISE = np.arange(-6.0, 1.1, 1.0)
"""ln(sigma / scale) of the coarse search."""

GRID_DRIFT = np.array([-15.0, -11.0, -7.0, -3.0])
"""ln(q / sigma^2) of the coarse search."""

REFINE = ((0.6, 2.0), (0.5, 1.5), (0.35, 1.0), (0.2, 0.6))
"""Half widths of the search that follows, in the same two logarithms."""

PRIOR = ((-1.0, 2.0), (-7.5, 1.5))
"""Centres and deviations of a normal prior on both.

Where lines are few, or averaged twice, noise and drift cannot be told apart: the prior then says
that the level moves by some 2 % of the batch noise in a step (0.5 to 10 %)."""

PROBE = (0.5, 2.0)
"""Steps by which the curvature about the best point is measured."""

BEST = 4
"""Of the nine points of ``_spread``, the most probable one."""

EARLY_ODDS = (-1.0, -4.0)
"""Prior log odds of early drift in the first epoch of a run, and in the others."""

EARLY_SHIFT = 2.0
"""How much higher the centre of the prior on q lies where drift is early: such levels move."""


@dataclass(slots=True)
class Fit:
    """Noise and drift of each series, [s]."""

    noise: Floats
    """ln(sigma / scale)"""
    drift: Floats
    """ln(q / sigma^2)"""
    loglik: Floats
    """log posterior at that point, up to a constant shared by every law"""
    odds: Floats
    """the part of ``loglik`` that is the prior of early drift"""
    n: Floats
    """observations"""
    early: Bools
    """the level drifts fast at first, see ``moves``"""

    sigma2: Floats
    """variance of one batch about the level, in the unit of the metric squared"""
    q: Floats
    """variance of one step of the level"""

    def take(self, columns: Ints) -> Fit:
        """The fit of some series."""
        return Fit(*(getattr(self, name)[columns] for name in self.__slots__))


def _parameters(scale: Floats, noise: Floats, drift: Floats) -> tuple[Floats, Floats]:
    sigma2 = (scale * np.exp(noise)) ** 2
    return sigma2, sigma2 * np.exp(drift)


def _score(x: Wide, scale: Floats, noise: Floats, drift: Floats, early: Bools) -> Floats:
    """Log posterior of candidates [c, s], all at once."""
    return forward(x, *_parameters(scale, noise, drift)).loglik + _prior(noise, drift, early)


def _prior(noise: Floats, drift: Floats, early: Bools) -> Floats:
    (a, sa), (b, sb) = PRIOR
    far = (drift - b - np.where(early, EARLY_SHIFT, 0.0)) / sb
    out: Floats = -0.5 * (((noise - a) / sa) ** 2 + far**2)
    return out


def fit(x: Series, first: Bools) -> tuple[Fit, Moves]:
    """Most probable noise and drift of each series: a coarse grid, then a shrinking cross.

    Args:
        x: the observations, of ``WIDTH`` series at most: more leave the processor's cache.
        first: [s] first epoch of its run.
    """
    s = x.t.shape[1]
    pieces = np.array_split(np.arange(s), -(-s // COARSE_WIDTH))
    found = [_start(x.columns(piece, len(x.t)), first[piece]) for piece in pieces]
    noise, drift, fast = (np.concatenate(column) for column in zip(*found, strict=True))
    mv = moves(x, fast)
    cross = np.array([(0.0, 0.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)])
    top, columns = np.zeros(s), wide(x, mv, len(cross))
    for far, high in REFINE:
        a, b = noise + far * cross[:, :1], drift + high * cross[:, 1:]
        score = _score(columns, x.scale, a, b, fast)
        best = score.argmax(0)[None]
        noise, drift, top = (np.take_along_axis(v, best, 0)[0] for v in (a, b, score))
    odds = np.where(fast, np.where(first, *EARLY_ODDS), 0.0)
    sigma2, q = _parameters(x.scale, noise, drift)
    n = x.valid.sum(0).astype(np.float64)
    return Fit(noise, drift, top + odds, odds, n, fast, sigma2, q), mv


def _start(x: Series, first: Bools) -> tuple[Floats, Floats, Bools]:
    """The best point of the grid for each series: noise, drift, and whether drift is early."""
    s = x.t.shape[1]
    few = _coarse(x)
    grid = np.stack(np.meshgrid(GRID_NOISE, GRID_DRIFT, indexing="ij")).reshape(2, -1, 1)
    twice = few.columns(np.tile(np.arange(s), 2), len(few.t))
    noise, drift = np.broadcast_to(grid, (2, grid.shape[1], 2 * s))
    kinds = np.repeat([False, True], s)
    columns = wide(twice, moves(twice, kinds), len(noise))
    scores = _score(columns, twice.scale, noise, drift, kinds)
    steady, early = scores[:, :s], scores[:, s:]
    odds = np.where(first, *EARLY_ODDS)
    fast = early.max(0) + odds > steady.max(0)
    best = np.where(fast, early.argmax(0), steady.argmax(0))
    return grid[0, best, 0], grid[1, best, 0], fast


def _coarse(x: Series) -> Series:
    """A few observations of each series: both ends, where the noise shows, and evenly between."""
    m = len(x.t)
    if m <= COARSE_NODES:
        return x
    n = m - np.argmax(x.valid[::-1], 0)
    j = np.arange(COARSE_NODES)[:, None]
    between = COARSE_ENDS + (j - COARSE_ENDS) * (n - 2 * COARSE_ENDS) // (
        COARSE_NODES - 2 * COARSE_ENDS
    )
    index = np.where(j < COARSE_ENDS, j, between)
    index = np.where(j >= COARSE_NODES - COARSE_ENDS, n - COARSE_NODES + j, index)
    return x.take(np.where(n > COARSE_NODES, index, j))


def posterior(x: Series, mv: Moves, at: Fit) -> tuple[Floats, Floats]:
    """[m, s] sums of all gaps and their variances, over the noise and drift that the data allow.

    Nine points about the most probable one, as far apart as the curvature there says.
    """
    noise, drift = _spread(x, mv, at)
    sigma2, q = _parameters(x.scale, noise, drift)
    columns = wide(x, mv, len(noise))
    kept = forward(columns, sigma2, q, keep=True)
    weight = _weights(kept.loglik + _prior(noise, drift, at.early))
    return _mixed(weight, *backward(columns, kept, sigma2, q))


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


def levels(x: Series, mv: Moves, at: Fit) -> Levels:
    """What the summary of an epoch keeps, averaged over noise and drift like ``posterior``.

    The level at the start needs the backward pass; it is made at the most probable point only.
    """
    noise, drift = _spread(x, mv, at)
    sigma2, q = _parameters(x.scale, noise, drift)
    each = forward(wide(x, mv, len(noise)), sigma2, q, keep=True)
    weight = _weights(each.loglik + _prior(noise, drift, at.early))
    level, whole, level_var, whole_var = each.last
    end, end_var = _mixed(weight, level, level_var)
    sums, sums_var = _mixed(weight, whole, whole_var)
    best, single = each.candidate(BEST), wide(x, mv, 1)
    ramp = filtered(single, best, _ramp(x))
    start, start_var, ramp_start = first_level(single, best, ramp)
    # The start is made at the best point only; not to know noise and drift widens both ends alike.
    wider = np.maximum(end_var / np.maximum(best.last[2], 1e-300), 1.0)
    t = x.t[-1]
    slope = _slope(x, best, ramp, ramp_start)
    return Levels(
        start=start + x.centre + slope.start * slope.value,
        start_var=wider * start_var + slope.start**2 * slope.var + _to_first(x, at),
        end=end + x.centre + slope.end * slope.value,
        end_var=np.maximum(end_var, 0.0) + slope.end**2 * slope.var,
        mean=sums / t + x.centre + slope.mean * slope.value,
        mean_var=np.maximum(sums_var, 0.0) / t**2 + slope.mean**2 * slope.var,
        noise=total(weight * np.sqrt(sigma2)),
    )


@dataclass(slots=True)
class _Slope:
    """A steady slope of the level within each epoch, and what it adds to the levels, [s]."""

    value: Floats
    var: Floats
    start: Floats
    """what a slope of one adds to the level at the first shown step"""
    end: Floats
    mean: Floats


def _ramp(x: Series) -> Floats:
    """[m, s] what batch values 1, 2, 3, ... would show."""
    t = x.t
    out: Floats = x.on_s * t * (t + 1) / 2 + x.on_t * t * (t + 3) / 4
    return out


def _slope(x: Series, seen: Filtered, ramp: tuple[Floats, list[State]], start: Floats) -> _Slope:
    """The slope by generalised least squares, beside the random walk.

    A random walk alone takes a slope that is small beside the batch noise for none, and draws the
    levels at both ends to the middle of the epoch. The filter is linear: run over a ramp, it gives
    innovations on which those of the data are regressed (P. de Jong, "The diffuse Kalman filter",
    Annals of Statistics 19, 1991).

    Args:
        x: the observations.
        seen: ``forward`` of them.
        ramp: ``filtered`` of ``_ramp``.
        start: its smoothed level at the first shown step.
    """
    t, (innovation, means) = x.t, ramp
    precision = np.where(x.valid, seen.precision, 1.0)
    both = total(seen.innovation * innovation / precision)
    own = total(innovation**2 / precision)
    # A prior: over an epoch the level moves by about twice the range of its averages at most.
    var = 1 / (own + (t[-1] / ((4 if x.double else 2) * x.scale)) ** 2)
    first = np.take_along_axis(t, x.valid.argmax(0)[None], 0)[0]
    return _Slope(
        value=both * var,
        var=var,
        start=first - start,
        end=t[-1] - means[-1][0],
        mean=(t[-1] + 1) / 2 - means[-1][1] / t[-1],
    )


def _to_first(x: Series, at: Fit) -> Floats:
    """Variance of the level's drift from the boundary of the epoch to its first shown step."""
    first = np.take_along_axis(x.t, x.valid.argmax(0)[None], 0)[0]
    fast = np.where(at.early, EARLY**2 / (1.5 * (first + 0.5)), 0.0)
    out: Floats = at.q * (1 + np.maximum(first - 1, 0.0) * (1 + fast))
    return out


def _mixed(weight: Floats, value: Floats, var: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of a mixture over the last axis but one."""
    mean = total(weight * value, -2)
    spread = total(weight * (var + (value - mean[..., None, :]) ** 2), -2)
    return mean, spread


def _weights(score: Floats) -> Floats:
    weight: Floats = np.exp(score - score.max(0))
    out: Floats = weight / total(weight)
    return out


def _spread(x: Series, mv: Moves, at: Fit) -> tuple[Floats, Floats]:
    """Nine candidates [9, s] of noise and drift about the best."""
    probe = np.array([(PROBE[0], 0.0), (-PROBE[0], 0.0), (0.0, PROBE[1]), (0.0, -PROBE[1])])
    columns, near = wide(x, mv, len(probe)), (at.noise + probe[:, :1], at.drift + probe[:, 1:])
    around = _score(columns, x.scale, *near, at.early)
    top = at.loglik - at.odds
    far = _width(top, around[0], around[1], PROBE[0])
    high = _width(top, around[2], around[3], PROBE[1])
    offsets = np.array([(i, j) for i in (-1.0, 0.0, 1.0) for j in (-1.0, 0.0, 1.0)])
    return at.noise + offsets[:, :1] * far, at.drift + offsets[:, 1:] * high


def _width(top: Floats, above: Floats, below: Floats, step: float) -> Floats:
    """Distance of the outer points: 1.2 posterior deviations, at most two steps of the probe."""
    curve = (2 * top - above - below) / step**2
    return 1.2 / np.sqrt(np.maximum(curve, (0.6 / step) ** 2))
