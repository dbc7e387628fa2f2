"""Series of shown averages in, their batch noise and drift out, by marginal likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.backward import backward
from logparse.training.epochs import Bools
from logparse.training.moves import Moves, moves, total
from logparse.training.smoother import (
    Series,
    Wide,
    forward,
    wide,
)

COARSE_NODES = 10
"""Observations of a series that the coarse search looks at."""

COARSE_ENDS = 3
"""Of these, observations at either end of the series."""

COARSE_WIDTH = 256
"""Series in the coarse search side by side: its candidates are many."""

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

SPREAD = 1.2
"""Distance of the points that are averaged over, in posterior deviations."""

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


def parameters(scale: Floats, noise: Floats, drift: Floats) -> tuple[Floats, Floats]:
    """sigma^2 and q in the unit of the metric squared, from their logarithms as in ``Fit``."""
    sigma2 = (scale * np.exp(noise)) ** 2
    return sigma2, sigma2 * np.exp(drift)


def score(x: Wide, scale: Floats, noise: Floats, drift: Floats, early: Bools) -> Floats:
    """Log posterior of candidates [c, s], all at once."""
    return forward(x, *parameters(scale, noise, drift)).loglik + _prior(noise, drift, early)


def _prior(noise: Floats, drift: Floats, early: Bools) -> Floats:
    (a, sa), (b, sb) = PRIOR
    far = (drift - b - np.where(early, EARLY_SHIFT, 0.0)) / sb
    out: Floats = -0.5 * (((noise - a) / sa) ** 2 + far**2)
    return out


def fit(x: Series, first: Bools) -> Fit:
    """Most probable noise and drift of each series: a coarse grid, then a shrinking cross.

    Args:
        x: the observations.
        first: [s] first epoch of its run.
    """
    s = x.t.shape[1]
    pieces = np.array_split(np.arange(s), -(-s // COARSE_WIDTH))
    starts = [_start(x.columns(piece, len(x.t)), first[piece]) for piece in pieces]
    noise, drift, fast = (np.concatenate(column) for column in zip(*starts, strict=True))
    cross = np.array([(0.0, 0.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)])
    top, columns = np.zeros(s), wide(x, moves(x, fast), len(cross))
    for far, high in REFINE:
        a, b = noise + far * cross[:, :1], drift + high * cross[:, 1:]
        found = score(columns, x.scale, a, b, fast)
        best = found.argmax(0)[None]
        noise, drift, top = (np.take_along_axis(v, best, 0)[0] for v in (a, b, found))
    odds = np.where(fast, np.where(first, *EARLY_ODDS), 0.0)
    sigma2, q = parameters(x.scale, noise, drift)
    n = x.valid.sum(0).astype(np.float64)
    return Fit(noise, drift, top + odds, odds, n, fast, sigma2, q)


def _start(x: Series, first: Bools) -> tuple[Floats, Floats, Bools]:
    """The best point of the grid for each series: noise, drift, and whether drift is early."""
    s = x.t.shape[1]
    few = _coarse(x)
    grid = np.stack(np.meshgrid(GRID_NOISE, GRID_DRIFT, indexing="ij")).reshape(2, -1, 1)
    twice = few.columns(np.tile(np.arange(s), 2), len(few.t))
    noise, drift = np.broadcast_to(grid, (2, grid.shape[1], 2 * s))
    kinds = np.repeat([False, True], s)
    columns = wide(twice, moves(twice, kinds), len(noise))
    scores = score(columns, twice.scale, noise, drift, kinds)
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

    Twelve points about the most probable one, as far apart as the curvature there says.
    """
    noise, drift = _spread(x, mv, at)
    sigma2, q = parameters(x.scale, noise, drift)
    columns = wide(x, mv, len(noise))
    kept = forward(columns, sigma2, q, keep=True)
    weight = _weights(kept.loglik + _prior(noise, drift, at.early))
    return mixed(weight, *backward(columns, kept, sigma2, q))


def mixed(weight: Floats, value: Floats, var: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of a mixture over the last axis but one."""
    mean = total(weight * value, -2)
    spread = total(weight * (var + (value - mean[..., None, :]) ** 2), -2)
    return mean, spread


def _weights(loglik: Floats) -> Floats:
    weight: Floats = np.exp(loglik - loglik.max(0))
    out: Floats = weight / total(weight)
    return out


def _spread(x: Series, mv: Moves, at: Fit) -> tuple[Floats, Floats]:
    """Twelve candidates [12, s] of noise and drift about the best.

    One more to the side of noise: few lines allow more noise more readily than less.
    """
    probe = np.array([(PROBE[0], 0.0), (-PROBE[0], 0.0), (0.0, PROBE[1]), (0.0, -PROBE[1])])
    columns, near = wide(x, mv, len(probe)), (at.noise + probe[:, :1], at.drift + probe[:, 1:])
    around = score(columns, x.scale, *near, at.early)
    top = at.loglik - at.odds
    far = width(top, around[0], around[1], PROBE[0])
    high = width(top, around[2], around[3], PROBE[1])
    offsets = np.array([(i, j) for i in (-1.0, 0.0, 1.0, 2.0) for j in (-1.0, 0.0, 1.0)])
    return at.noise + offsets[:, :1] * far, at.drift + offsets[:, 1:] * high


def width(top: Floats, above: Floats, below: Floats, step: float) -> Floats:
    """Distance of the outer points: SPREAD deviations, at most two steps of the probe."""
    curve = (2 * top - above - below) / step**2
    return SPREAD / np.sqrt(np.maximum(curve, (0.6 / step) ** 2))
