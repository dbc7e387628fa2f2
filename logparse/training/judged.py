"""Series of epochs in, their noise, drift and levels out; those of several logs done as one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from logparse.lockstep import share, shared
from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools
from logparse.training.estimate import padded, side_by_side
from logparse.training.noise import WIDTH, Fit, Levels, fit, levels
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
        found: Judged = share(_judged_all, x.double, _Call(x, first))
        return found
    return _judged(_Call(x, first))


def fitted(x: Series, first: Bools) -> Fit:
    """Noise and drift of some series, as ``judged``."""
    if shared():
        found: Fit = share(_fitted_all, x.double, _Call(x, first))
        return found
    return _fitted(_Call(x, first))


def _judged(call: _Call) -> Judged:
    fits, ends = [], []
    for x, first in _pieces(call):
        at, mv = fit(x, first)
        fits.append(at.loglik)
        ends.append(levels(x, mv, at))
    columns = [np.concatenate([getattr(e, name) for e in ends]) for name in Levels.__slots__]
    return Judged(np.concatenate(fits), Levels(*columns))


def _fitted(call: _Call) -> Fit:
    found = [fit(x, first)[0] for x, first in _pieces(call)]
    return Fit(*(np.concatenate([getattr(one, name) for one in found]) for name in Fit.__slots__))


def _pieces(call: _Call) -> Iterator[_Call]:
    s = len(call.first)
    for piece in np.array_split(np.arange(s), -(-s // WIDTH)):
        yield _Call(call.x.columns(piece, len(call.x.t)), call.first[piece])


def _judged_all(calls: list[_Call]) -> list[Judged]:
    """Each call's result, from one pass over all series side by side: wider arrays cost little."""
    found, names = _judged(_together(calls)), Levels.__slots__
    return [
        Judged(found.loglik[at], Levels(*(getattr(found.levels, name)[at] for name in names)))
        for at in _places(calls)
    ]


def _fitted_all(calls: list[_Call]) -> list[Fit]:
    found = _fitted(_together(calls))
    return [found.take(at) for at in _places(calls)]


def _together(calls: list[_Call]) -> _Call:
    depth = max(len(call.x.t) for call in calls)
    first = np.concatenate([call.first for call in calls])
    return _Call(side_by_side([padded(call.x, depth) for call in calls]), first)


def _places(calls: list[_Call]) -> list[Ints]:
    """The columns of each call among all."""
    return np.split(
        np.arange(sum(sizes := [len(call.first) for call in calls])), np.cumsum(sizes)[:-1]
    )
