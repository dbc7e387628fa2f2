"""Series of epochs in, what is worked out of them out; those of several logs done as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from logparse.lockstep import share, shared
from logparse.training.estimate import padded, side_by_side
from logparse.training.smoother import Series

T = TypeVar("T")

WIDTH = 512
"""Series worked on side by side: enough to hide Python's cost, few enough for the cache."""


class _Call(NamedTuple):
    work: Callable[..., Any]
    x: Series
    given: tuple[Any, ...]


def together(work: Callable[..., T], x: Series, *given: Any) -> T:
    """``work(x, *given)`` of some series.

    Args:
        work: gives a data class of arrays whose last axis is that of the series, each on its own.
        x: the observations.
        given: further arrays with that last axis.
    """
    if shared():
        found: T = share(_all, (work, x.double), _Call(work, x, given))
        return found
    return alone(work, x, *given)


def alone(work: Callable[..., T], x: Series, *given: Any) -> T:
    """``together`` without others: no more series at a time than serve."""
    s = x.t.shape[1]
    found = []
    for piece in np.array_split(np.arange(s), -(-s // WIDTH)):
        part = x.columns(piece, len(x.t))
        found.append(work(part, *(a[..., piece] for a in given)))
    kind: Any = type(found[0])
    columns = ([getattr(one, name) for one in found] for name in kind.__slots__)
    whole: T = kind(*(np.concatenate(column, -1) for column in columns))
    return whole


def _all(calls: list[_Call]) -> list[Any]:
    """Each call's result, from one pass over all series side by side: wider arrays cost little."""
    depth = max(len(call.x.t) for call in calls)
    given = zip(*(call.given for call in calls), strict=True)
    found = alone(
        calls[0].work,
        side_by_side([padded(call.x, depth) for call in calls]),
        *(np.concatenate(column, -1) for column in given),
    )
    kind, sizes = type(found), [call.x.t.shape[1] for call in calls]
    places = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    return [kind(*(getattr(found, name)[..., at] for name in kind.__slots__)) for at in places]
