"""Shown averages as a state-space model: times and rounded averages in, level, noise, batch values.

The model of one series (one metric in one epoch); docs/averages.md derives every formula:

    level   mu_k = mu_{k-1} + eta_k,    eta ~ N(0, q)
    batch   v_k  = mu_k + eps_k,        eps ~ N(0, sigma^2)
    sums    S_k  = S_{k-1} + v_k,       T_k = T_{k-1} + S_k / k
    shown   y_k  = S_k / k  (mean)  or  T_k / k  (mean of means), plus rounding

The state (mu, S, T) is moved from one shown step to the next in closed form, so the cost is linear
in the number of shown steps whatever was left out between them. All series of a batch are filtered
side by side: arrays are time-major, ``[m, s]`` for at most m shown steps of s series.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from logparse.lockstep import share, shared
from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools
from logparse.training.moves import Moves

Z95 = 1.959964
"""Two-sided 95 % point of the normal distribution."""

LOGS = 4
"""Variances multiplied before a logarithm is taken; of four float32 numbers none overflows."""

DIFFUSE = 5.0
"""Prior standard deviation of the level, in ranges of the shown values: no information."""


@dataclass(slots=True)
class Series:
    """s series side by side, each at most m observations, padded at the end.

    Times are batches done; a gap of zero (two lines for one step) is allowed.
    """

    t: Floats
    """[m, s] batches done; padding repeats the last."""
    y: Floats
    """[m, s] shown value less ``centre``; 0 in the padding."""
    r: Floats
    """[m, s] variance of the rounding of y."""
    loose: Floats
    """[m, s] further variance of y in units of sigma^2: a last batch of unknown size."""
    on_s: Floats
    """[m, s] weight of S in y: 1/t for the mean."""
    on_t: Floats
    """[m, s] weight of T in y: 1/t for the mean of means. All zero: two states are enough."""
    valid: Bools
    """[m, s] false in the padding."""
    centre: Floats
    """[s] subtracted from the values, so that sums keep their digits."""
    scale: Floats
    """[s] range of the shown values, at least a unit of their last digit."""
    t0: Floats
    """[s] batches done before the first observation's gap: 0, or where a window of rows begins."""

    @property
    def double(self) -> bool:
        """Some value is a mean of means: the third state is needed."""
        return bool(self.on_t.any())

    def columns(self, which: Ints, depth: int) -> Series:
        """Some of the series, their first ``depth`` rows."""
        return self._each(lambda a: a[:depth, which], lambda a: a[which])

    def take(self, index: Ints) -> Series:
        """Other rows of each series; ``index`` is [m', s]."""
        return self._each(lambda a: np.take_along_axis(a, index, 0), lambda a: a)

    def _each(self, grid: Callable[[Any], Any], row: Callable[[Any], Any]) -> Series:
        """Apply ``grid`` to the arrays [m, s] and ``row`` to those of [s]."""
        return Series(
            *(
                (row if name in ("centre", "scale", "t0") else grid)(getattr(self, name))
                for name in self.__slots__
            )
        )


@dataclass(slots=True)
class Filtered:
    """What the forward pass leaves: log likelihoods, and what the backward pass needs."""

    loglik: Floats
    """[s], or [c, s] as the parameters."""
    last: tuple[Floats, Floats, Floats, Floats]
    """Level and sum at the last shown step, and their variances."""
    mean: Floats
    """[m + 1, d, s] filtered state at 0 and at each shown step; empty if not kept."""
    cov: Floats
    """[m + 1, d (d + 1) / 2, s] its covariance: mm, ms, ss, mt, st, tt."""
    gain: Floats
    """[m, d, s]"""
    innovation: Floats
    """[m, s] over its variance."""
    precision: Floats
    """[m, s] of the innovation; 0 in the padding."""


def forward(x: Series, mv: Moves, sigma2: Floats, q: Floats, *, keep: bool) -> Filtered:
    """Kalman filter over all series at once, and over several candidates of each.

    Args:
        x: the observations.
        mv: ``moves(x, early)``.
        sigma2: [s] or [c, s] variance of one batch about the level.
        q: the same shape, variance of one step of the level.
        keep: keep the states, for ``backward``.
    """
    if len(x.t) and shared():
        from logparse.training.merged import Forward, forward_all

        key = (keep, x.double, sigma2.shape[:-1])
        found: Filtered = share(forward_all, key, Forward(x, mv, sigma2, q, keep))
        return found
    return forward_alone(x, mv, sigma2, q, keep=keep)


def forward_alone(x: Series, mv: Moves, sigma2: Floats, q: Floats, *, keep: bool) -> Filtered:
    """``forward`` of these series, in this thread."""
    m, shape, double = len(x.t), sigma2.shape, x.double
    d, e = (3, 6) if double else (2, 3)
    kept = m if keep else 0
    means, covs = np.zeros((kept + 1, d, *shape)), np.zeros((kept + 1, e, *shape))
    gains = np.zeros((kept, d, *shape))
    innovations, precisions = np.zeros((kept, *shape)), np.zeros((kept, *shape))
    zero = np.zeros(shape)
    u, z, w, f, h, b = zero, zero, zero, zero, zero, zero
    # A window that begins at t0 > 0 knows nothing of the sums before it either.
    a = zero + (DIFFUSE * x.scale) ** 2
    c = k = a * x.t0**2
    covs[0, 0], covs[0, 2] = a, c
    if double:
        covs[0, 5] = k
    square, product, logs = zero, np.ones(shape), np.zeros(shape)
    for i in range(m):
        g = mv.g[i]
        if double:
            tu, tz = mv.t_mu[i], mv.t_s[i]
            w = w + tu * u + tz * z
            row = f + tu * a + tz * b
            k = k + tu * (f + row) + tz * (2 * h + tu * b + tz * c)
            k = k + sigma2 * mv.s_tt[i] + q * mv.q_tt[i]
            h = h + tu * b + tz * c + g * row + sigma2 * mv.s_st[i] + q * mv.q_st[i]
            f = row + q * mv.q_mt[i]
        z = z + g * u
        ga = g * a
        c = c + g * (2 * b + ga) + sigma2 * g + q * mv.q_ss[i]
        b = b + ga + q * mv.q_ms[i]
        a = a + q * mv.q_mm[i]
        on_s, on_t, valid = x.on_s[i], x.on_t[i], x.valid[i]
        pu, pz, pw = b * on_s, c * on_s, zero
        residual = x.y[i] - on_s * z
        if double:
            pu, pz, pw = pu + f * on_t, pz + h * on_t, h * on_s + k * on_t
            residual = residual - on_t * w
        variance = pz * on_s + pw * on_t + x.r[i] + sigma2 * x.loose[i]
        inverse = 1 / variance
        if not valid.all():
            # Padding observes nothing: unit variance, no gain.
            variance, inverse = np.where(valid, variance, 1.0), np.where(valid, inverse, 0.0)
        gu, gz = pu * inverse, pz * inverse
        u, z = u + gu * residual, z + gz * residual
        a, b, c = a - pu * gu, b - pu * gz, c - pz * gz
        if double:
            gw = pw * inverse
            w = w + gw * residual
            f, h, k = f - pu * gw, h - pz * gw, k - pw * gw
        square = square + residual * residual * inverse
        product = product * variance
        if i % LOGS == LOGS - 1 or i == m - 1:
            with np.errstate(invalid="ignore"):  # where nan was shown, all that follows is nan
                logs, product = logs + np.log(product), np.ones(shape)
        if keep:
            innovations[i], precisions[i] = residual * inverse, inverse
            means[i + 1, 0], means[i + 1, 1] = u, z
            covs[i + 1, 0], covs[i + 1, 1], covs[i + 1, 2] = a, b, c
            gains[i, 0], gains[i, 1] = gu, gz
            if double:
                means[i + 1, 2], gains[i, 2] = w, gw
                covs[i + 1, 3], covs[i + 1, 4], covs[i + 1, 5] = f, h, k
    loglik = -0.5 * (logs + square)
    return Filtered(loglik, (u, z, a, c), means, covs, gains, innovations, precisions)


@dataclass(slots=True)
class Smoothed:
    """Posterior of the gaps and of the first level, in the unit of the metric."""

    PAIRS: ClassVar[tuple[str, ...]] = ("start", "sums")

    start: Floats
    """[s] level at the first shown step, its variance beside it."""
    start_var: Floats
    sums: Floats
    """[m, s] sum of the batches of each gap, or empty."""
    sums_var: Floats


def backward(
    x: Series, mv: Moves, fl: Filtered, sigma2: Floats, q: Floats, *, gaps: bool
) -> Smoothed:
    """Fixed-interval smoother (de Jong's recursions: no matrix is inverted).

    Args:
        x: the observations.
        mv: their moves.
        fl: ``forward(..., keep=True)``.
        sigma2: [s] as in ``forward``.
        q: [s] as in ``forward``.
        gaps: also give the sum of the batches of every gap.
    """
    if len(x.t) and shared():
        from logparse.training.merged import Backward, backward_all

        key = (gaps, x.double, sigma2.shape[:-1])
        found: Smoothed = share(backward_all, key, Backward(x, mv, fl, sigma2, q, gaps))
        return found
    return backward_alone(x, mv, fl, sigma2, q, gaps=gaps)


def backward_alone(
    x: Series, mv: Moves, fl: Filtered, sigma2: Floats, q: Floats, *, gaps: bool
) -> Smoothed:
    """``backward`` of these series, in this thread."""
    m, shape, double = len(x.t), sigma2.shape, x.double
    zero = np.zeros(shape)
    ru, rz, rw, a, b, c, f, h, k = (zero,) * 9
    sums, sums_var = (np.zeros((m if gaps else 0, *shape)) for _ in range(2))
    start, start_var = fl.mean[min(m, 1), 0], fl.cov[min(m, 1), 0]
    for i in range(m - 1, -1, -1):
        if i == 0:
            start, start_var = _first_level(fl, (ru, rz, rw), (a, b, c, f, h, k))
        on_s, on_t = x.on_s[i], x.on_t[i]
        gu, gz = fl.gain[i, 0], fl.gain[i, 1]
        nu, nz, nw = a * gu + b * gz, b * gu + c * gz, zero
        back = gu * ru + gz * rz
        curve = gu * nu + gz * nz + fl.precision[i]
        if double:
            gw = fl.gain[i, 2]
            nu, nz, nw = nu + f * gw, nz + h * gw, f * gu + h * gz + k * gw
            back = back + gw * rw
            curve = gu * nu + gz * nz + gw * nw + fl.precision[i]
        push = fl.innovation[i] - back
        rz = rz + on_s * push
        b, c = b - on_s * nu, c + on_s * (on_s * curve - 2 * nz)
        if double:
            rw = rw + on_t * push
            f = f - on_t * nu
            h = h - on_s * nw - on_t * nz + on_s * on_t * curve
            k = k + on_t * (on_t * curve - 2 * nw)
        g = mv.g[i]
        pa, pb, pf = fl.cov[i, 0], fl.cov[i, 1], zero
        if gaps:
            ku = g * pa + q * mv.q_ms[i]
            own = sigma2 * g + q * mv.q_ss[i]
            kz = g * (pb + g * pa) + own
            mean = g * fl.mean[i, 0] + ku * ru + kz * rz
            down = ku * (a * ku + 2 * b * kz) + c * kz * kz
            if double:
                pf = fl.cov[i, 3]
                kw = g * (pf + mv.t_mu[i] * pa + mv.t_s[i] * pb)
                kw = kw + sigma2 * mv.s_st[i] + q * mv.q_st[i]
                mean = mean + kw * rw
                down = down + kw * (2 * (f * ku + h * kz) + k * kw)
            sums[i] = mean + g * x.centre
            sums_var[i] = np.maximum(g * g * pa + own - down, 0.0)
        if double:
            tu, tz = mv.t_mu[i], mv.t_s[i]
            ru, rz = ru + g * rz + tu * rw, rz + tz * rw
            a = a + g * (2 * b + g * c) + tu * (2 * f + 2 * g * h + tu * k)
            b = b + tz * f + g * (c + tz * h) + tu * (h + tz * k)
            c = c + tz * (2 * h + tz * k)
            f, h = f + g * h + tu * k, h + tz * k
        else:
            ru = ru + g * rz
            a, b = a + g * (2 * b + g * c), b + g * c
    return Smoothed(start + x.centre, np.maximum(start_var, 0.0), sums, sums_var)


def _first_level(
    fl: Filtered, r: tuple[Floats, ...], n: tuple[Floats, ...]
) -> tuple[Floats, Floats]:
    """Level at the first shown step and its variance, given all that follows."""
    p = fl.cov[1]
    u, z = p[0], p[1]
    mean = fl.mean[1, 0] + u * r[0] + z * r[1]
    down = u * (n[0] * u + 2 * n[1] * z) + n[2] * z * z
    if fl.mean.shape[1] == 3:
        w = p[3]
        mean = mean + w * r[2]
        down = down + w * (2 * (n[3] * u + n[4] * z) + n[5] * w)
    return mean, u - down
