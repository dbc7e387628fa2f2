"""Scalars of Keras 1.2 to 2.3 in, the same under the tags of later versions out.

Those versions write ``loss`` and ``val_loss`` into one file: at the end of an epoch with the
epoch's number as step; or, from 2.2.3 on with update_freq, after each batch too, and then every
step is the number of samples seen. Such an epoch's end is told by its ``val_*``, or by a second
value at the step of its last batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np

from logparse.reading.keras_plan import BATCH, EPOCH
from logparse.reading.records import Ints
from logparse.reading.tfevents import Scalars, no_scalars

_VALIDATION = "val_"


def translate(
    blocks: Callable[[], Iterable[Scalars]], tags: list[str], *, graph: bool
) -> tuple[Callable[[], Iterable[Scalars]], list[str]] | None:
    """The blocks under ``batch_*`` and ``epoch_*`` tags and the names of these; None if not Keras.

    ``graph`` says that the file holds a graph, which these versions write before any scalar.
    """
    for _ in blocks():
        pass  # so that every tag is known
    if "loss" not in tags or not (graph or "val_loss" in tags) or any("/" in tag for tag in tags):
        return None
    names = [f"{EPOCH}{tag}" for tag in tags] + [f"{BATCH}{tag}" for tag in tags]
    shape = _Shape(blocks(), tags)
    if not shape.closed:
        return None
    if shape.by_epoch:
        return blocks, names
    return (lambda: _renumbered(blocks(), tags, shape.samples)), names


class _Shape:
    """How a file counts: by epoch, or by samples with ends of epochs in between."""

    def __init__(self, blocks: Iterable[Scalars], tags: list[str]) -> None:
        self.closed = 0
        self.by_epoch = True
        self.samples = 0
        """Samples between two writes, from the first."""
        before: int | None = None
        for step, _, end in _groups(blocks, tags):
            self.samples = self.samples or step
            self.closed += end is not None
            if before is not None and step != before + 1:
                self.by_epoch = False
            before = step
        if self.by_epoch:
            self.closed = 1


def _groups(
    blocks: Iterable[Scalars], tags: list[str]
) -> Iterator[tuple[int, Scalars, int | None]]:
    """Rows that share a step: the step, the rows, and where an epoch's end begins among them."""
    held = no_scalars()
    for block in blocks:
        held = _joined(held, block)
        edges = [0, *(np.flatnonzero(np.diff(held.step)) + 1).tolist()]
        for start, stop in pairwise(edges):
            rows = _part(held, slice(start, stop))
            yield int(rows.step[0]), rows, _end(rows, tags)
        held = _part(held, slice(edges[-1], None))
    if len(held):
        yield int(held.step[0]), held, _end(held, tags)


def _end(rows: Scalars, tags: list[str]) -> int | None:
    """The first row that belongs to an epoch's end: a ``val_*``, or a tag for the second time."""
    seen: set[int] = set()
    for index, tag in enumerate(rows.tag.tolist()):
        if tag in seen or tags[tag].startswith(_VALIDATION):
            return index
        seen.add(tag)
    return None


def _renumbered(blocks: Iterable[Scalars], tags: list[str], samples: int) -> Iterator[Scalars]:
    """Batches counted on through the file, epochs from 0."""
    begun = batches = reached = epoch = 0
    pieces: list[Scalars] = []
    for step, rows, end in _groups(blocks, tags):
        written = rows if end is None else _part(rows, slice(0, end))
        if len(written):
            reached = batches + max(1, -(-(step - begun) // max(samples, 1)))
            pieces.append(_as(written, reached, len(tags)))
        if end is not None:
            pieces.append(_as(_part(rows, slice(end, None)), epoch, 0))
            begun, batches, epoch = step, reached, epoch + 1
        if len(pieces) >= _PIECES:
            yield _joined(*pieces)
            pieces = []
    if pieces:
        yield _joined(*pieces)


_PIECES = 4096
"""Groups of rows that are given on together."""


def _as(rows: Scalars, step: int, offset: int) -> Scalars:
    steps: Ints = np.full(len(rows), step, np.int64)
    tag = rows.tag + np.int32(offset)
    return Scalars(rows.first, rows.byte, rows.wall_time, steps, tag, rows.value, rows.dtype)


_ARRAYS = ("byte", "wall_time", "step", "tag", "value", "dtype")


def _part(rows: Scalars, part: slice) -> Scalars:
    first = rows.first + (part.start or 0)
    return Scalars(first, *(getattr(rows, name)[part] for name in _ARRAYS))


def _joined(*parts: Scalars) -> Scalars:
    filled = [part for part in parts if len(part)] or [parts[0]]
    columns = ([getattr(part, name) for part in filled] for name in _ARRAYS)
    return Scalars(filled[0].first, *(np.concatenate(column) for column in columns))
