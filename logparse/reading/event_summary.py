"""Blocks of scalars in, what each tag holds out: how many, from where to where, how large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logparse.reading.event_names import PARTS
from logparse.reading.tfevents import Scalars

_Column = NDArray[Any]

_EMPTY: dict[str, tuple[type, float]] = {
    "n": (np.int64, 0),
    "first_step": (np.int64, 0),
    "last_step": (np.int64, 0),
    "first": (np.float64, np.nan),
    "last": (np.float64, np.nan),
    "least": (np.float64, np.inf),
    "greatest": (np.float64, -np.inf),
    "not_finite": (np.int64, 0),
    "started": (np.float64, np.nan),
    "ended": (np.float64, np.nan),
    "place": (np.int64, 0),
}
"""Columns of one part by tag number, and what they hold before the first scalar.

``place`` counts the part's scalars before it: numbers of tags do not tell which came first.
"""


class TagSummary:
    """Sums by part and tag, fed block by block; memory is a few numbers a tag."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, _Column]] = {}
        self._count = 0

    def add(self, part: str, block: Scalars) -> None:
        """Take in further scalars of a part, in file order."""
        if not len(block):
            return
        columns = self._parts.setdefault(part, {k: np.empty(0, t) for k, (t, _) in _EMPTY.items()})
        _grow(columns, int(block.tag.max()) + 1)
        order = np.argsort(block.tag, kind="stable")
        tag = block.tag[order]
        starts = np.flatnonzero(np.concatenate([[True], tag[1:] != tag[:-1]]))
        ends = np.concatenate([starts[1:], [len(tag)]]) - 1
        tags, value = tag[starts], block.value[order]
        finite = np.isfinite(value)
        fresh = columns["n"][tags] == 0
        for name, source, at in (
            ("first_step", block.step, starts),
            ("first", block.value, starts),
            ("started", block.wall_time, starts),
            ("place", self._count + np.arange(len(block)), starts),
            ("last_step", block.step, ends),
            ("last", block.value, ends),
            ("ended", block.wall_time, ends),
        ):
            use = fresh if at is starts else np.ones(len(tags), np.bool_)
            columns[name][tags[use]] = source[order[at[use]]]
        self._count += len(block)
        columns["n"][tags] += ends - starts + 1
        columns["not_finite"][tags] += np.add.reduceat((~finite).astype(np.int64), starts)
        _fold(columns["least"], tags, np.where(finite, value, np.inf), starts, np.minimum)
        _fold(columns["greatest"], tags, np.where(finite, value, -np.inf), starts, np.maximum)

    def columns(self, names: list[str]) -> dict[str, Any]:
        """The table ``tags``: part by part, tags in the order in which they came first."""
        out: dict[str, Any] = {"part": [], "tag": []}
        found: dict[str, list[_Column]] = {key: [] for key in _EMPTY if key != "place"}
        for part in sorted(self._parts, key=("", *PARTS).index):
            columns = self._parts[part]
            used = np.flatnonzero(columns["n"])
            used = used[np.argsort(columns["place"][used])]
            out["part"] += [part or None] * len(used)
            out["tag"] += [names[tag] for tag in used.tolist()]
            for key in found:
                found[key].append(columns[key][used])
        return out | {
            key: np.concatenate(parts) if parts else np.empty(0) for key, parts in found.items()
        }


def _grow(columns: dict[str, _Column], tags: int) -> None:
    more = tags - len(columns["n"])
    if more <= 0:
        return
    more = max(more, len(columns["n"]))
    for name, (kind, blank) in _EMPTY.items():
        columns[name] = np.concatenate([columns[name], np.full(more, blank, kind)])


def _fold(
    column: _Column, tags: _Column, values: _Column, starts: _Column, how: Callable[..., Any]
) -> None:
    column[tags] = how(column[tags], how.reduceat(values, starts))  # type: ignore[attr-defined]
