"""Times of shown steps in, how level and sums move between them out: coefficients and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools

if TYPE_CHECKING:
    from logparse.training.smoother import Series

EXACT_GAP = 64
"""Longest gap whose sums are added term by term; beyond, integrals are within 3 %."""

FLOAT32 = 2.0**-24
"""Relative half unit of a float32: what Keras itself rounds each sum to."""

EARLY = 64.0
"""Step at which early drift has fallen to twice the lasting one."""

_GAUSS_X, _GAUSS_W = np.polynomial.legendre.leggauss(16)


@dataclass(slots=True)
class Moves:
    """How the state moves between shown steps: coefficients and noise, all [m, s].

    ``s_*`` multiply sigma^2, ``q_*`` multiply q; pairs name the entries of the covariance. Those of
    T are empty where no series is a mean of means.
    """

    g: Floats
    q_mm: Floats
    t_mu: Floats
    t_s: Floats
    s_ss: Floats
    s_st: Floats
    s_tt: Floats
    q_ms: Floats
    q_ss: Floats
    q_mt: Floats
    q_st: Floats
    q_tt: Floats
    f_ss: Floats
    """What Keras's float32 adds to the variance of S, in the unit of the metric squared."""

    @property
    def double(self) -> bool:
        """Some series is a mean of means."""
        return bool(self.t_mu.size)


def moves(x: Series, early: Bools) -> Moves:
    """Coefficients of the moves t0 -> t[0] -> t[1] -> ... of each series.

    A time may end in a fraction: a last batch that is smaller than the others. Where ``early``,
    [s], the drift of the level at step k is q (1 + (EARLY / k)^2): fast at first, as when a network
    starts to learn; else q throughout.
    """
    t = x.t
    a = np.vstack([x.t0[None], t[:-1]])[: len(t)]
    g = t - a
    full = np.maximum(np.ceil(g) - 1, 0)
    part = g - full
    top = part + 1
    rest = full * (full - 1)
    q_ms = full * top + rest / 2 + part**2
    q_ss = full * top**2 + top * rest + rest * (2 * full - 1) / 6 + part**3
    # The mean of 1/k^2 over a gap is 1 / ((a + 1/2) (b + 1/2)).
    drift = np.where(early, 1 + EARLY**2 / ((a + 0.5) * (t + 0.5)), 1.0)
    none = np.zeros((0, 0))
    q_mm, q_ms, q_ss = drift * g, drift * q_ms, drift * q_ss
    # Each addition to a sum of k terms near the centre rounds it by up to half a unit of k centre.
    f_ss = (FLOAT32 * x.centre) ** 2 / 3 * (t**3 - a**3) / 3
    loose = np.where(g > 0, x.loose, 0.0)
    s_ss = g + loose
    if not x.double:
        return Moves(g, q_mm, none, none, s_ss, none, none, q_ms, q_ss, none, none, none, f_ss)
    t_mu, t_s, s_st, s_tt, q_mt, q_st, q_tt = _double_sums(a, g)
    s_st, s_tt = s_st + loose / t, s_tt + loose / t**2
    q_mt, q_st, q_tt = drift * q_mt, drift * q_st, drift * q_tt
    return Moves(g, q_mm, t_mu, t_s, s_ss, s_st, s_tt, q_ms, q_ss, q_mt, q_st, q_tt, f_ss)


def _double_sums(a: Floats, g: Floats) -> Floats:
    """Sums over the weights c_i = 1/(a+i) + ... + 1/(a+g) with which batch i enters T.

    Args:
        a: [m, s] batches done before the gap.
        g: [m, s] batches in it.

    Returns:
        [7, m, s]
    """
    # Epochs and metrics of a run are shown at the same steps: each gap is worked out once.
    gaps, place = np.unique(a + 1j * g, return_inverse=True)
    first, length = gaps.real, gaps.imag
    out = np.zeros((7, len(gaps)))
    steps = np.ceil(length).astype(np.int64)
    order = np.flatnonzero((steps > 0) & (steps <= EXACT_GAP))
    order = order[np.argsort(-steps[order], kind="stable")]
    if len(order):
        out[:, order] = _short_sums(first[order], length[order], steps[order])
    far = np.flatnonzero(steps > EXACT_GAP)
    if len(far):
        out[:, far] = _long_sums(first[far], length[far])
    return out[:, place.reshape(a.shape)]


def total(a: Floats, axis: int = 0) -> Floats:
    """Sum along an axis but the last, term after term.

    The numbers of an epoch must not depend on which others are worked out beside it: ``np.sum``
    adds in another order along the axis that memory holds in one piece.
    """
    if a.shape[-1] > 1 or not a.shape[axis]:
        return np.asarray(np.add.reduce(np.ascontiguousarray(a), axis))
    return np.asarray(np.take(np.add.accumulate(a, axis), -1, axis))


def _short_sums(a: Floats, g: Floats, steps: Ints) -> Floats:
    """Term by term from the last; ``steps`` is sorted downwards: finished gaps drop off the end."""
    out = np.zeros((7, len(a)))
    part = g - (steps - 1)
    c = 1 / (a + g)
    d = part * c
    out[1:] = c, part * c, part * c**2, part * d, part**2 * d, part * d**2
    for j in range(1, int(steps[0])):
        n = int(np.searchsorted(-steps, -j, side="left"))
        c[:n] += 1 / (a[:n] + (steps[:n] - j))
        d[:n] += c[:n]
        out[2, :n] += c[:n]
        out[3, :n] += c[:n] ** 2
        out[4, :n] += d[:n]
        out[5, :n] += (j + part[:n]) * d[:n]
        out[6, :n] += d[:n] ** 2
    out[1] = c
    out[0] = steps - a * c
    return out


def _long_sums(a: Floats, g: Floats) -> Floats:
    """The same sums as integrals by Gauss-Legendre; term i lies at x = a + i - 1/2."""
    end = a + g
    g = np.ceil(g)
    b = a + g
    top = b + 0.5
    x = a + g * (_GAUSS_X[:, None] + 1) / 2
    w = g * _GAUSS_W[:, None] / 2
    c = np.log(top / x)
    low = np.maximum(x - 0.5, 1e-9)
    d = b * (np.log(top / b) + 1) - low * (np.log(top / low) + 1)
    t_s = _harmonic(b) - _harmonic(a) + 1 / end - 1 / b
    t_mu = g - a * t_s
    return np.stack(
        [
            t_mu,
            t_s,
            t_mu,
            total(w * c**2),
            total(w * d),
            total(w * (b - x + 0.5) * d),
            total(w * d**2),
        ]
    )


def _harmonic(n: Floats) -> Floats:
    """H_n = 1 + 1/2 + ... + 1/n: eight terms, then the asymptotic series (error < 1e-10)."""
    m = n + 8
    tail = np.log(m) + np.euler_gamma + 1 / (2 * m) - 1 / (12 * m**2) + 1 / (120 * m**4)
    return tail - sum(1 / (n + j) for j in range(1, 9))
