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
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools
from logparse.training.moves import Moves, total

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
    """[m, s] further variance of the newest batch, in sigma^2: a last batch of unknown size."""
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
        return self._each(lambda a: np.take(a[:depth], which, 1), lambda a: a[which])

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


State = tuple[Floats, ...]
"""Means or gains of level, S (and T), or covariances mm, ms, ss (and mt, st, tt)."""


@dataclass(slots=True)
class Wide:
    """Series and their moves for c candidates of noise and drift each.

    The observations are scaled so that each is T where it has T in it, else S. Few series stand
    side by side once for each candidate, [c * s], as each call on a short array costs the same;
    many are broadcast, [c, s].
    """

    shape: tuple[int, ...]
    """Of numbers of all series and candidates: (c * s,) or (c, s)."""
    y: Floats
    """[m, *shape], as all that follow; where broadcast [m, 1, s]"""
    r: Floats
    """variance of the rounding of y; in the padding inf, which observes nothing"""
    valid: Bools | None
    """None where all are true"""
    on_s: Floats
    """weights of S and T, where the state has T"""
    on_t: Floats
    plain: list[bool]
    """[m] whether a row is T alone throughout: no weights are needed."""
    unit: Floats
    """[m, s] what the observations were multiplied with."""
    level: Floats
    """Variances of level and sum before the first observation."""
    sums: Floats
    mv: Moves

    @property
    def double(self) -> bool:
        """The state has T."""
        return self.mv.double

    def beside(self, y: Floats) -> Floats:
        """[m, *shape] other observations, [m, s] and 0 in the padding, for all candidates."""
        out = y * self.unit
        if len(self.shape) == 1:
            return np.tile(out, (1, self.shape[0] // max(out.shape[1], 1)))
        return np.broadcast_to(out[:, None], (len(out), *self.shape)).copy()


FLAT = 96
"""Series from which candidates are broadcast."""


def wide(x: Series, mv: Moves, c: int) -> Wide:
    """The observations and their moves for c candidates."""
    s = x.t.shape[1]
    flat = c == 1 or s < FLAT

    def beside(a: Any) -> Any:
        if c == 1 or not a.size:
            return a
        return np.concatenate([a] * c, -1) if flat else a[..., None, :]

    twice, once = x.on_t > 0, x.on_s > 0
    weight = np.where(twice, x.on_t, np.where(once, x.on_s, 1.0))
    unit = 1 / weight
    whole, none = bool(x.valid.all()), np.zeros((0, 0))
    level = (DIFFUSE * x.scale) ** 2
    return Wide(
        (c * s,) if flat else (c, s),
        beside(x.y * unit),
        beside(x.r * unit**2 if whole else np.where(x.valid, x.r * unit**2, np.inf)),
        None if whole else beside(x.valid),
        beside(np.where(twice, x.on_s * unit, once)) if mv.double else none,
        beside(twice.astype(np.float64)) if mv.double else none,
        [bool(row.all()) for row in ~x.valid | (twice & ~once)],
        np.where(x.valid, unit, 1.0),
        beside(level),
        # A window that begins at t0 > 0 knows nothing of the sums before it either.
        beside(x.t0**2 * level),
        Moves(*(beside(getattr(mv, name)) for name in Moves.__slots__)),
    )


@dataclass(slots=True)
class Filtered:
    """What the forward pass leaves: log likelihoods, and what the backward pass needs."""

    loglik: Floats
    """[s], or [c, s] as the parameters."""
    last: tuple[Floats, Floats, Floats, Floats]
    """Level and sum at the last shown step, and their variances."""
    means: list[State]
    """At 0 and at each shown step; empty if not kept."""
    covs: list[State]
    gains: list[State]
    """At each shown step."""
    innovation: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """[m, *shape] over its variance."""
    precision: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """[m, *shape] of the innovation; 0 in the padding."""

    def candidate(self, i: int) -> Filtered:
        """What was kept of one candidate."""
        s = self.loglik.shape[-1]

        def part(a: Floats) -> Floats:
            one: Floats = a.reshape(-1, s)[i]
            return one

        def own(kept: list[State]) -> list[State]:
            return [tuple(map(part, state)) for state in kept]

        level, sums, level_var, sums_var = (one[i] for one in self.last)
        return Filtered(
            self.loglik[i],
            (level, sums, level_var, sums_var),
            own(self.means),
            own(self.covs),
            own(self.gains),
            self.innovation.reshape(len(self.gains), -1, s)[:, i],
            self.precision.reshape(len(self.gains), -1, s)[:, i],
        )


def forward(x: Wide, sigma2: Floats, q: Floats, *, keep: bool = False) -> Filtered:
    """Kalman filter over all series at once, and over several candidates of each.

    Args:
        x: the observations.
        sigma2: [s] or [c, s] variance of one batch about the level.
        q: the same shape, variance of one step of the level.
        keep: keep the states, for what follows.
    """
    shape = sigma2.shape
    run = _filter_double if x.double else _filter
    passed = run(x, sigma2.reshape(x.shape), q.reshape(x.shape), keep)
    variance, residual = passed.variance, passed.residual
    if x.valid is not None:
        variance = np.where(x.valid, variance, 1.0)
        residual = np.where(x.valid, residual, 0.0)
    with np.errstate(invalid="ignore"):  # where nan was shown, all that follows is nan
        square = total(residual * residual / variance) + total(_logs(variance))
    found = Filtered(
        -0.5 * square.reshape(shape) + total(np.log(x.unit)),
        tuple(one.reshape(shape) for one in passed.last),  # type: ignore[arg-type]
        passed.means,
        passed.covs,
        passed.gains,
    )
    if keep:
        found.innovation = residual / variance
        found.precision = 1 / variance
        if x.valid is not None:
            found.precision = found.precision * x.valid
    return found


@dataclass(slots=True)
class _Passed:
    """What a pass over the observations leaves."""

    variance: Floats
    """[m, *shape] of the residuals."""
    residual: Floats
    last: tuple[Floats, Floats, Floats, Floats]
    means: list[State] = field(default_factory=list)
    covs: list[State] = field(default_factory=list)
    gains: list[State] = field(default_factory=list)


def _filter(x: Wide, sigma2: Floats, q: Floats, keep: bool) -> _Passed:
    """The filter where S is what is shown."""
    mv, a, c = x.mv, *(np.broadcast_to(one, x.shape) for one in (x.level, x.sums))
    u = z = b = np.zeros(x.shape)
    variance, residual = np.empty((2, len(x.y), *x.shape))
    means: list[State] = [(u, z)]
    covs: list[State] = [(a, b, c)]
    gains: list[State] = []
    noise = q * mv.q_mm, q * mv.q_ms, sigma2 * mv.s_ss + q * mv.q_ss + mv.f_ss
    rows = zip(mv.g, x.y, x.r, *noise, variance, residual, strict=True)
    for g, shown, rest, mm, ms, ss, var, miss in rows:
        z = z + g * u
        both = b + g * a
        c = c + g * (b + both) + ss
        b = both + ms
        a = a + mm
        np.add(c, rest, out=var)
        np.subtract(shown, z, out=miss)
        gu, gz = b / var, c / var
        u, z = u + gu * miss, z + gz * miss
        a, b, c = a - b * gu, b - b * gz, c - c * gz
        if keep:
            means.append((u, z))
            covs.append((a, b, c))
            gains.append((gu, gz))
    return _Passed(variance, residual, (u, z, a, c), means, covs, gains)


def _filter_double(x: Wide, sigma2: Floats, q: Floats, keep: bool) -> _Passed:
    """The filter where T is what is shown, or S, or something of both."""
    mv, a, c = x.mv, *(np.broadcast_to(one, x.shape) for one in (x.level, x.sums))
    k = c
    u = z = w = b = f = h = np.zeros(x.shape)
    variance, residual = np.empty((2, len(x.y), *x.shape))
    means: list[State] = [(u, z, w)]
    covs: list[State] = [(a, b, c, f, h, k)]
    gains: list[State] = []
    noise = (
        q * mv.q_mm,
        q * mv.q_ms,
        sigma2 * mv.s_ss + q * mv.q_ss + mv.f_ss,
        q * mv.q_mt,
        sigma2 * mv.s_st + q * mv.q_st,
        sigma2 * mv.s_tt + q * mv.q_tt,
    )
    moved, rest = (mv.g, mv.t_mu, mv.t_s), x.r
    rows = zip(*moved, x.y, rest, *noise, variance, residual, strict=True)
    for i, (g, tu, ts, shown, error, mm, ms, ss, mt, st, tt, var, miss) in enumerate(rows):
        w = w + tu * u + ts * z
        z = z + g * u
        row, side, both = f + tu * a + ts * b, h + tu * b + ts * c, b + g * a
        k = k + tu * (f + row) + ts * (h + side) + tt
        h = side + g * row + st
        f = row + mt
        c = c + g * (b + both) + ss
        b = both + ms
        a = a + mm
        if x.plain[i]:
            pu, pz, pw = f, h, k
            np.add(pw, error, out=var)
            np.subtract(shown, w, out=miss)
        else:
            on_s, on_t = x.on_s[i], x.on_t[i]
            pu, pz, pw = b * on_s + f * on_t, c * on_s + h * on_t, h * on_s + k * on_t
            np.add(pz * on_s + pw * on_t, error, out=var)
            np.subtract(shown, z * on_s + w * on_t, out=miss)
        gu, gz, gw = pu / var, pz / var, pw / var
        u, z, w = u + gu * miss, z + gz * miss, w + gw * miss
        a, b, c = a - pu * gu, b - pu * gz, c - pz * gz
        f, h, k = f - pu * gw, h - pz * gw, k - pw * gw
        if keep:
            means.append((u, z, w))
            covs.append((a, b, c, f, h, k))
            gains.append((gu, gz, gw))
    return _Passed(variance, residual, (u, z, a, c), means, covs, gains)


def _logs(variance: Floats) -> Floats:
    """Logarithms whose sum is that of the variances', of ``LOGS`` multiplied at a time."""
    out = np.ones((-(-len(variance) // LOGS), *variance.shape[1:]))
    for i in range(LOGS):
        part = variance[i::LOGS]
        out[: len(part)] *= part
    return np.log(out)
