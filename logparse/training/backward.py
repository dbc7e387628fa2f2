"""What the filter of ``smoother`` kept in, smoothed sums and levels out: de Jong's recursions.

No matrix is inverted; docs/averages.md derives them.
"""

from __future__ import annotations

import numpy as np

from logparse.reading.records import Floats
from logparse.training.smoother import Filtered, State, Wide


def filtered(x: Wide, fl: Filtered, y: Floats) -> tuple[Floats, list[State]]:
    """What ``forward`` keeps of other observations, [m, s], of the same steps and errors.

    Args:
        x: the observations, for any number of candidates.
        fl: ``forward`` of them, states kept.
        y: the others.

    Returns:
        [m, *shape] innovations over their variance, and the means.
    """
    mv, double = x.mv, x.double
    u = z = w = np.zeros(x.shape)
    means: list[State] = [(u, z, w)]
    out = x.beside(y)
    for i, miss in enumerate(out):
        if double:
            w = w + mv.t_mu[i] * u + mv.t_s[i] * z
        z = z + mv.g[i] * u
        if not double:
            miss -= z
        elif x.plain[i]:
            miss -= w
        else:
            miss -= z * x.on_s[i] + w * x.on_t[i]
        if double:
            w = w + fl.gains[i][2] * miss
        u, z = u + fl.gains[i][0] * miss, z + fl.gains[i][1] * miss
        means.append((u, z, w))
    return out * fl.precision, means


def backward(x: Wide, fl: Filtered, sigma2: Floats, q: Floats) -> tuple[Floats, Floats]:
    """Fixed-interval smoother (de Jong's recursions: no matrix is inverted).

    Args:
        x: the observations.
        fl: ``forward(..., keep=True)``.
        sigma2: as in ``forward``.
        q: as in ``forward``.

    Returns:
        [m, s] or [m, c, s]: sum of the batches of every gap, less the centre; its variance.
    """
    mv, shape = x.mv, (len(x.y), *sigma2.shape)
    sigma2, q = sigma2.reshape(x.shape), q.reshape(x.shape)
    # [d, m, *shape] and [d (d + 1) / 2, m, *shape]
    r, n = (np.array(one).swapaxes(0, 1) for one in (_pull(x, fl, fl.innovation), _curve(x, fl)))
    before = np.array(fl.covs[:-1]).swapaxes(0, 1)
    level = np.array([mean[0] for mean in fl.means[:-1]])
    own = sigma2 * mv.s_ss + q * mv.q_ss
    # What the sum has in common with the state after the gap.
    ku = mv.g * before[0] + q * mv.q_ms
    kz = mv.g * (before[1] + mv.g * before[0]) + own
    mean = mv.g * level + ku * r[0] + kz * r[1]
    down = ku * (n[0] * ku + 2 * n[1] * kz) + n[2] * kz * kz
    if x.double:
        kw = mv.g * (before[3] + mv.t_mu * before[0] + mv.t_s * before[1])
        kw += sigma2 * mv.s_st + q * mv.q_st
        mean += kw * r[2]
        down += kw * (2 * (n[3] * ku + n[4] * kz) + n[5] * kw)
    var = np.maximum(mv.g * mv.g * before[0] + own - down, 0.0)
    return mean.reshape(shape), var.reshape(shape)


def first_level(
    x: Wide, fl: Filtered, *beside: tuple[Floats, list[State]]
) -> tuple[Floats, Floats, list[Floats]]:
    """[s] smoothed level at the first shown step, less the centre; its variance; those of others.

    Args:
        x: the observations, of one candidate.
        fl: ``forward(..., keep=True)``.
        beside: ``filtered`` of each of other observations.
    """
    at = min(1, len(fl.gains))
    cov, n = fl.covs[at], _curve(x, fl, at)[0]
    column = cov[0], cov[1], *cov[3:4]
    found = []
    for innovation, means in ((fl.innovation, fl.means), *beside):
        level = means[at][0]
        for p, r in zip(column, _pull(x, fl, innovation, at)[0], strict=True):
            level = level + p * r
        found.append(level)
    u, z = column[:2]
    down = u * (n[0] * u + 2 * n[1] * z) + n[2] * z * z
    if x.double:
        w = column[2]
        down = down + w * (2 * (n[3] * u + n[4] * z) + n[5] * w)
    return found[0], np.maximum(u - down, 0.0), found[1:]


def _pull(x: Wide, fl: Filtered, innovation: Floats, first: int = 0) -> list[State]:
    """De Jong's r at the shown steps, as the gap before each sees it.

    With ``first`` 1 it begins with what the state at the first step sees.
    """
    mv = x.mv
    ru = rz = rw = np.zeros(x.shape)
    out: list[State] = []
    for i in range(len(innovation) - 1, first - 1, -1):
        gain = fl.gains[i]
        push = innovation[i] - gain[0] * ru - gain[1] * rz
        if not x.double:
            rz = rz + push
            out.append((ru, rz))
            ru = ru + mv.g[i] * rz
            continue
        push = push - gain[2] * rw
        if x.plain[i]:
            rw = rw + push
        else:
            rz, rw = rz + x.on_s[i] * push, rw + x.on_t[i] * push
        out.append((ru, rz, rw))
        ru, rz = ru + mv.g[i] * rz + mv.t_mu[i] * rw, rz + mv.t_s[i] * rw
    if first:
        out.append((ru, rz, rw) if x.double else (ru, rz))
    return out[::-1]


def _curve(x: Wide, fl: Filtered, first: int = 0) -> list[State]:
    """De Jong's N, as ``_pull`` gives r; its entries are those of a covariance."""
    mv = x.mv
    state: State = (np.zeros(x.shape),) * (6 if x.double else 3)
    out: list[State] = []
    for i in range(len(fl.precision) - 1, first - 1, -1):
        if x.double:
            weights = None if x.plain[i] else (x.on_s[i], x.on_t[i])
            state = _curve_double(state, fl.gains[i], fl.precision[i], weights)
            out.append(state)
            state = _curve_moved(state, mv.g[i], mv.t_mu[i], mv.t_s[i])
            continue
        (a, b, c), (gu, gz), g = state, fl.gains[i], mv.g[i]
        nu, nz = a * gu + b * gz, b * gu + c * gz
        b, c = b - nu, c + gu * nu + gz * nz + fl.precision[i] - 2 * nz
        out.append((a, b, c))
        side = b + g * c
        state = (a + g * (b + side), side, c)
    return [*out, state][::-1] if first else out[::-1]


def _curve_double(
    state: State, gain: State, precision: Floats, weights: tuple[Floats, Floats] | None
) -> State:
    """N before an observation, of T or with these weights of S and T, from N after it."""
    a, b, c, f, h, k = state
    gu, gz, gw = gain
    nu, nz, nw = a * gu + b * gz + f * gw, b * gu + c * gz + h * gw, f * gu + h * gz + k * gw
    curve = gu * nu + gz * nz + gw * nw + precision
    if weights is None:
        return a, b, c, f - nu, h - nz, k + (curve - 2 * nw)
    on_s, on_t = weights
    b, c = b - on_s * nu, c + on_s * (on_s * curve - 2 * nz)
    f, h = f - on_t * nu, h - on_s * nw - on_t * nz + on_s * on_t * curve
    return a, b, c, f, h, k + on_t * (on_t * curve - 2 * nw)


def _curve_moved(state: State, g: Floats, tu: Floats, ts: Floats) -> State:
    """N before a gap from N after it."""
    a, b, c, f, h, k = state
    side = b + g * c
    a, f = a + g * (b + side), f + g * h
    row, far = f + tu * k, h + ts * k
    return a + tu * (f + row), side + ts * row + tu * h, c + ts * (h + far), row, far, k
