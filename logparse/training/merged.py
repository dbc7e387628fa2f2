"""Filters and smoothers of several logs, done as one: wider arrays cost hardly more."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logparse.reading.records import Floats
from logparse.training.estimate import padded, side_by_side
from logparse.training.moves import Moves
from logparse.training.smoother import (
    Filtered,
    Series,
    Smoothed,
    backward_alone,
    forward_alone,
)

Array = NDArray[Any]


class Forward(NamedTuple):
    """Arguments of ``forward``."""

    x: Series
    mv: Moves
    sigma2: Floats
    q: Floats
    keep: bool


class Backward(NamedTuple):
    """Arguments of ``backward``."""

    x: Series
    mv: Moves
    fl: Filtered
    sigma2: Floats
    q: Floats
    gaps: bool


def forward_all(calls: list[Forward]) -> list[Filtered]:
    """Each call's result, from one pass over all series side by side."""
    if len(calls) == 1:
        return [forward_alone(*calls[0][:4], keep=calls[0].keep)]
    depth = max(len(call.x.t) for call in calls)
    found = forward_alone(
        side_by_side([padded(call.x, depth) for call in calls]),
        _moves([call.mv for call in calls], depth),
        _beside([call.sigma2 for call in calls]),
        _beside([call.q for call in calls]),
        keep=calls[0].keep,
    )
    return [
        Filtered(
            found.loglik[..., at],
            tuple(one[..., at] for one in found.last),  # type: ignore[arg-type]
            found.mean[: m + 1, ..., at],
            found.cov[: m + 1, ..., at],
            found.gain[:m, ..., at],
            found.innovation[:m, ..., at],
            found.precision[:m, ..., at],
        )
        for m, at in _places([call.x for call in calls])
    ]


def backward_all(calls: list[Backward]) -> list[Smoothed]:
    """Each call's result, from one pass over all series side by side."""
    if len(calls) == 1:
        return [backward_alone(*calls[0][:5], gaps=calls[0].gaps)]
    depth = max(len(call.x.t) for call in calls)
    names = ("mean", "cov", "gain", "innovation", "precision")
    parts = {
        name: _beside(
            [_below(getattr(call.fl, name), depth + (name in ("mean", "cov"))) for call in calls]
        )
        for name in names
    }
    found = backward_alone(
        side_by_side([padded(call.x, depth) for call in calls]),
        _moves([call.mv for call in calls], depth),
        Filtered(calls[0].fl.loglik, calls[0].fl.last, **parts),
        _beside([call.sigma2 for call in calls]),
        _beside([call.q for call in calls]),
        gaps=calls[0].gaps,
    )
    return [
        Smoothed(
            found.start[..., at],
            found.start_var[..., at],
            found.sums[:m, ..., at],
            found.sums_var[:m, ..., at],
        )
        for m, at in _places([call.x for call in calls])
    ]


def _places(series: list[Series]) -> list[tuple[int, slice]]:
    """Rows of each, and its columns among all."""
    ends = np.cumsum([x.t.shape[1] for x in series]).tolist()
    return [(len(x.t), slice(end - x.t.shape[1], end)) for x, end in zip(series, ends, strict=True)]


def _moves(parts: list[Moves], depth: int) -> Moves:
    """Moves side by side; rows of padding move nothing."""
    return Moves(
        *(
            _beside([_below(getattr(part, name.name), depth) for part in parts])
            if getattr(parts[0], name.name).size
            else getattr(parts[0], name.name)
            for name in fields(Moves)
        )
    )


def _beside(parts: list[Any]) -> Any:
    return np.concatenate(parts, -1)


def _below(array: Array, depth: int) -> Array:
    """With rows of zeros up to ``depth``; an array that was not kept stays empty."""
    more = depth - len(array)
    if not more or not array.size:
        return array
    return np.concatenate([array, np.zeros((more, *array.shape[1:]), array.dtype)])
