"""Series of epochs in, their noise, drift and levels out; those of several logs done as one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from logparse.lockstep import share, shared
from logparse.reading.records import Floats
from logparse.training.epochs import Bools
from logparse.training.estimate import padded, side_by_side
from logparse.training.noise import WIDTH, Levels, fit, levels
from logparse.training.smoother import Series


class Judged(NamedTuple):
    """What is said of each series, [s]."""

    loglik: Floats
    """``Fit.loglik``"""
    levels: Levels


class _Call(NamedTuple):
    x: Series
    first: Bools


def judged(x: Series, first: Bools) -> Judged:
    """Noise, drift and levels of some series.

    Args:
        x: the observations.
        first: [s] first epoch of its run.
    """
    if shared():
        found: Judged = share(_all, x.double, _Call(x, first))
        return found
    return _alone(x, first)


def _alone(x: Series, first: Bools) -> Judged:
    s = x.t.shape[1]
    found = []
    for piece in np.array_split(np.arange(s), -(-s // WIDTH)):
        part = x.columns(piece, len(x.t))
        at, mv = fit(part, first[piece])
        found.append(Judged(at.loglik, levels(part, mv, at)))
    return found[0] if len(found) == 1 else _beside(found)


def _beside(found: list[Judged]) -> Judged:
    names = Levels.__slots__
    columns = (np.concatenate([getattr(one.levels, name) for one in found]) for name in names)
    return Judged(np.concatenate([one.loglik for one in found]), Levels(*columns))


def _all(calls: list[_Call]) -> list[Judged]:
    """Each call's result, from one pass over all series side by side: wider arrays cost little."""
    depth = max(len(call.x.t) for call in calls)
    found = _alone(
        side_by_side([padded(call.x, depth) for call in calls]),
        np.concatenate([call.first for call in calls]),
    )
    ends = np.cumsum([len(call.first) for call in calls]).tolist()
    places = [slice(end - len(call.first), end) for end, call in zip(ends, calls, strict=True)]
    return [
        Judged(
            found.loglik[at],
            Levels(*(getattr(found.levels, name)[at] for name in Levels.__slots__)),
        )
        for at in places
    ]
