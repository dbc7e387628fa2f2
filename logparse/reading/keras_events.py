"""The event files of a Keras run in, updates and epoch headers out, as the text readers give them.

``batch_*`` is the running mean R_k of an epoch, in the precision of the file; ``epoch_*`` is the
epoch's last line; ``epoch_*`` of the validation part is ``val_*``. Steps count within the epoch,
wall times are the clock. Bytes count on from file to file, as if the training files of the run
lay one behind the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from math import inf, isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logparse.reading.event_names import Restarts
from logparse.reading.event_runs import EventRun, Segment, stream_scalars
from logparse.reading.event_shapes import Shapes
from logparse.reading.event_values import BFLOAT16, DOUBLE, FLOAT, HALF
from logparse.reading.keras_loops import number_on
from logparse.reading.keras_plain import translate
from logparse.reading.keras_plan import (
    BATCH_KIND,
    Closing,
    Epoch,
    Fit,
    batch_values,
    counts,
    epochs_of,
    kinds_of,
    note_damage,
    read_closings,
)
from logparse.reading.record_walk import HEADER_BYTES
from logparse.reading.records import Chunk, Event, Floats, Form, Ints, Updates
from logparse.reading.tfevents import EventsReader, Scalars

DECIMALS: dict[int, int] = {FLOAT: -24, DOUBLE: -53, HALF: -11, BFLOAT16: -8}
"""``Updates.decimals`` of a value by its dtype: minus the significant bits that it has."""
_WHOLE = 15
UNPLACED = "unplaced batches"
"""Kind of the event that says how many batches are in no epoch, and why."""

Blocks = Callable[[], Iterable[Scalars]]
"""The scalars of one file, block by block; it is read twice."""


@dataclass(frozen=True, slots=True)
class KerasFile:
    """One file of a run and its scalars.

    The account and kinds of ``segment`` are those of the whole file once ``blocks`` is read.
    """

    segment: Segment
    blocks: Blocks


def keras_events(run: EventRun) -> Iterator[Chunk] | None:
    """Updates and headers of a run as Keras wrote it, None if its tags are not Keras's.

    A header's ``data`` has ``epoch`` (from 1), ``epochs`` (None), ``after`` (a time before which
    the epoch cannot have begun), ``ended`` (when the epoch's values were written) and
    ``evaluated`` (when its validation ended), None where not known; ``first`` for the first of a
    file; ``batch_values`` names the
    metrics whose updates are the batch's own value, not R_k; ``new_run`` says that a run begins.

    Raises:
        LimitError: more fits or epochs than can be told apart in bounded memory.
    """
    pairs = zip(run.segments, run.scalars, strict=True)
    return keras_chunks([KerasFile(segment, _listed(x)) for segment, x in pairs], run.tags)


def stream_keras(segments: list[Segment]) -> Iterator[Chunk] | None:
    """The same from files that need not fit into memory: each is read twice.

    ``segments`` are the files of one run, as ``group_runs`` gives them.

    Raises:
        SourceError: a file cannot be read.
    """
    shapes = Shapes()

    def blocks(segment: Segment) -> Blocks:
        return lambda: stream_scalars(segment, EventsReader(shapes))

    files = [KerasFile(segment, blocks(segment)) for segment in segments]
    return keras_chunks(files, shapes.tags.names)


def _listed(blocks: list[Scalars]) -> Blocks:
    return lambda: blocks


def keras_chunks(
    files: list[KerasFile], tags: list[str], *, restarts: Restarts = "keep"
) -> Iterator[Chunk] | None:
    """The same for any files; ``tags`` may grow while they are read.

    ``restarts="segment"`` marks the first header of every file, so that it begins a run of its
    own; ``"preempt"`` leaves out the epochs that a later fit of the run did again.
    """
    validation: dict[tuple[int, int], list[Closing]] = {}
    plans: list[tuple[KerasFile, list[Fit]]] = []
    for file in files:
        fits = read_closings(file.blocks(), tags)
        counts_none = not any(fit.last for fit in fits) and not file.segment.rejects
        if file.segment.part != "validation" and counts_none:
            file = _counted(file, tags)
            fits = read_closings(file.blocks(), tags)
        if file.segment.part != "validation":
            _note_damage(fits, file.segment)
            plans.append((file, fits))
            continue
        for closing in (closing for fit in fits for closing in fit.closings):
            validation.setdefault((file.segment.number, closing.epoch), []).append(closing)
    if any(fit.closings or fit.last for _, fits in plans for fit in fits):
        return _chunks(plans, validation, tags, restarts)
    plain = [(file, translate(file.blocks, tags, graph=_graph(file))) for file, _ in plans]
    found = [(replace(file, blocks=new[0]), new[1]) for file, new in plain if new is not None]
    if not found:
        return None
    names = found[0][1]
    again = [(file, read_closings(file.blocks(), names)) for file, _ in found]
    return _chunks(again, {}, names, restarts)


def _note_damage(fits: list[Fit], segment: Segment) -> None:
    damage = [(reject.start, reject.end) for reject in segment.rejects]
    if segment.reject_counts.total() > len(damage):
        # Not all are kept: anything after the last one may be missing.
        places = [fit.bytes for fit in fits]
        damage += [(byte, byte) for pairs in places for pair in pairs for byte in pair]
    if damage:
        note_damage(fits, damage)


def _counted(file: KerasFile, tags: list[str]) -> KerasFile:
    """A file in which no batch counts, its batches numbered: Keras 3.0 writes each at step 0."""

    def blocks() -> Iterator[Scalars]:
        seen = np.zeros(0, np.int64)
        for block in file.blocks():
            kinds, _ = kinds_of(tags)
            seen = np.concatenate([seen, np.zeros(len(tags) - len(seen), np.int64)])
            step = block.step.copy()
            for tag in np.unique(
                block.tag[(kinds[block.tag] == BATCH_KIND) & (step == 0)]
            ).tolist():
                mine = np.flatnonzero((block.tag == tag) & (step == 0))
                step[mine] = seen[tag] + 1 + np.arange(len(mine))
                seen[tag] += len(mine)
            yield replace(block, step=step)

    return replace(file, blocks=blocks)


def _graph(file: KerasFile) -> bool:
    return "graph_def" in file.segment.kinds


def _chunks(
    plans: list[tuple[KerasFile, list[Fit]]],
    validation: dict[tuple[int, int], list[Closing]],
    tags: list[str],
    restarts: Restarts,
) -> Iterator[Chunk]:
    placed: list[list[list[Epoch]]] = []
    ended = 0
    for file, fits in plans:
        epochs: list[list[Epoch]] = []
        for fit in fits:
            for closing in fit.closings:
                _validated(closing, validation.get((file.segment.number, closing.epoch)))
            epochs.append(epochs_of(fit, ended))
            ended = fit.last or ended
        placed.append(epochs)
    if restarts == "preempt":
        _preempt([fit for file in placed for fit in file])
    if restarts == "keep":
        found = zip(plans, placed, strict=True)
        number_on([(file.segment.file.name, fits, epochs) for (file, fits), epochs in found])
    base = lines = 0
    for (file, fits), epochs in zip(plans, placed, strict=True):
        new_run = restarts == "segment"
        told = {"batch_values": batch_values(fits)}
        one = _File(epochs, tags, (base, lines), file.segment.started, told, new_run=new_run)
        yield from one.chunks(file.blocks())
        base += file.segment.account.size
        lines += file.segment.scalars


def _preempt(fits: list[list[Epoch]]) -> None:
    """Drop the epochs that a later fit did again."""
    first: float = inf
    for fit in reversed(fits):
        for epoch in fit:
            epoch.dropped = epoch.number >= first
        # Without an end of an epoch, its number is not known.
        first = min([first, *(epoch.number for epoch in fit if epoch.closing)])


def _validated(closing: Closing, found: list[Closing] | None) -> None:
    """Give an epoch's end the values of its validation."""
    if not found:
        return
    other = found.pop(0)
    closing.iterations, closing.evaluated = other.iterations, other.evaluated
    closing.values |= {f"val_{name}": value for name, value in other.values.items()}
    closing.dtypes |= {f"val_{name}": dtype for name, dtype in other.dtypes.items()}


@dataclass(slots=True)
class _Rows:
    """``batch_*`` scalars: place in the file, then columns of ``Scalars``, then their fit."""

    row: Ints
    byte: Ints
    wall_time: Floats
    step: Ints
    tag: NDArray[np.int32]
    value: Floats
    dtype: NDArray[np.int8]

    def take(self, part: slice) -> _Rows:
        return _Rows(*(getattr(self, name)[part] for name in self.__slots__))

    def joined(self, other: _Rows) -> _Rows:
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__slots__)
        return _Rows(*(np.concatenate(pair) for pair in pairs))


class _File:
    """Turns the scalars of one training file into chunks, the epochs being known."""

    def __init__(
        self,
        epochs: list[list[Epoch]],
        tags: list[str],
        base: tuple[int, int],
        started: float,
        told: dict[str, Any],
        *,
        new_run: bool,
    ) -> None:
        """``base`` counts the bytes and scalars before the file, ``told`` goes on all headers."""
        self._base, self._lines = base
        self._told = told
        self._new_run = new_run
        self._before = started
        """Wall time before which the next epoch cannot have begun."""
        self._kinds, self._names = kinds_of(tags)
        self._all = [epoch for fit in epochs for epoch in fit]
        self._of = np.array([epoch.of for epoch in self._all], np.int64)
        self._starts = np.array([epoch.start or 0 for epoch in self._all], np.int64)
        self._lasts = np.array([epoch.last for epoch in self._all], np.int64)
        edges = list(accumulate(map(len, epochs), initial=0))
        self._known = [
            np.array([i for i in range(a, b) if self._all[i].start is not None], np.int64)
            for a, b in pairwise(edges)
        ]
        """For each fit the epochs whose batches can be placed, as indices into all."""
        self._dropped = np.array([epoch.dropped for epoch in self._all], np.bool_)
        ends = [(epoch.closing.row, i) for i, epoch in enumerate(self._all) if epoch.closing]
        self._closings = sorted(ends)
        self._fit = 0
        self._step = 0
        self._held: _Rows | None = None
        self._done = 0
        self._headed: set[int] = set()
        self._unplaced = 0

    def chunks(self, blocks: Iterable[Scalars]) -> Iterator[Chunk]:
        """One chunk a block, and one for what is held back to the end."""
        last = byte = 0
        for block in blocks:
            if len(block):
                last, byte = block.first + len(block), int(block.byte[-1])
            yield self._chunk(self._batches(block), last)
        chunk = self._chunk(None, last)
        if self._unplaced:
            chunk.events.append(self._say(last, byte))
        yield chunk

    def _say(self, last: int, byte: int) -> Event:
        text = (
            f"{self._unplaced} batches could not be placed in an epoch: the events do not say "
            "where it begins"
        )
        byte += self._base + HEADER_BYTES
        line = last + self._lines
        return Event(byte, byte, line, UNPLACED, text, data={"batches": self._unplaced})

    def _batches(self, block: Scalars) -> _Rows:
        index = np.flatnonzero((self._kinds[block.tag] == BATCH_KIND) & counts(block, self._kinds))
        columns = ("byte", "wall_time", "step", "tag", "value", "dtype")
        return _Rows(index + block.first, *(getattr(block, name)[index] for name in columns))

    def _chunk(self, rows: _Rows | None, last: int) -> Chunk:
        final = rows is None
        begun = self._done
        while self._done < len(self._closings) and self._closings[self._done][0] < last:
            self._done += 1
        closed = [index for _, index in self._closings[begun : self._done]]
        if self._held is not None:
            rows = self._held if rows is None else self._held.joined(rows)
            self._held = None
        if rows is None or not len(rows.row):
            return self._build(None, np.empty(0, np.int64), closed)
        firsts = np.concatenate([[0], np.flatnonzero(np.diff(rows.step)) + 1])
        after = self._closings[self._done - 1][0] if closed else -1
        if not final and after < rows.row[firsts[-1]]:
            # More metrics of the last batch may follow in the next block.
            self._held = rows.take(slice(int(firsts[-1]), None))
            rows, firsts = rows.take(slice(0, int(firsts[-1]))), firsts[:-1]
        return self._build(rows, firsts, closed)

    def _build(self, rows: _Rows | None, firsts: Ints, closed: list[int]) -> Chunk:
        """Updates of whole batches and of closed epochs, in file order, and their headers."""
        owner = np.empty(0, np.int64)
        if rows is not None and len(firsts):
            owner = self._owners(rows.step[firsts])
            owner[(owner >= 0) & self._dropped[owner]] = -1
        closed = [index for index in closed if not self._dropped[index]]
        kept = np.flatnonzero(owner >= 0)
        n, batches = len(kept) + len(closed), len(kept)
        ends = [c for index in closed if (c := self._all[index].closing)]
        of_row = np.concatenate([owner[kept], np.array(closed, np.int64)])
        row = np.array([c.row for c in ends], np.int64)
        byte = np.array([c.byte for c in ends], np.int64)
        clock = np.array([c.wall_time for c in ends], np.float64)
        step = np.array([_steps(self._all[index]) for index in closed], np.int64)
        if rows is not None and batches:
            first = firsts[kept]
            row = np.concatenate([rows.row[first], row])
            byte = np.concatenate([rows.byte[first], byte])
            clock = np.concatenate([rows.wall_time[first], clock])
            step = np.concatenate([rows.step[first] - self._starts[owner[kept]], step])
        order = np.argsort(row, kind="stable")
        values, decimals = self._values(rows, firsts, kept, ends)
        none = np.full(n, nan)
        updates = Updates(
            byte=(byte + self._base + HEADER_BYTES)[order],
            line=(row + 1 + self._lines)[order],
            step=step[order],
            of=self._of[of_row][order],
            form=np.full(n, Form.EVENTS, np.int8),
            channel=np.zeros(n, np.int32),
            last=(np.arange(n) >= batches)[order],
            ended=np.ones(n, np.bool_),
            eta=none,
            elapsed=none.copy(),
            per_step=none.copy(),
            per_step_unit=none.copy(),
            per_epoch=none.copy(),
            per_epoch_unit=none.copy(),
            clock=clock[order],
            values={name: column[order] for name, column in values.items()},
            decimals={name: column[order] for name, column in decimals.items()},
        )
        return Chunk(updates, self._headers(updates, of_row[order]), [])

    def _owners(self, steps: Ints) -> Ints:
        """The epoch of each batch, as an index into all epochs of the file; -1 if unknown."""
        owner = np.full(len(steps), -1, np.int64)
        before = np.concatenate([[self._step], steps[:-1]])
        fit = self._fit + np.cumsum(steps < before)
        self._fit, self._step = int(fit[-1]), int(steps[-1])
        for index in range(int(fit[0]), min(int(fit[-1]) + 1, len(self._known))):
            known = self._known[index]
            mine = np.flatnonzero(fit == index)
            place = np.searchsorted(self._starts[known], steps[mine]) - 1
            mine, place = mine[place >= 0], place[place >= 0]
            good = steps[mine] <= self._lasts[known[place]]
            owner[mine[good]] = known[place[good]]
        self._unplaced += int((owner < 0).sum())
        return owner

    def _values(
        self, rows: _Rows | None, firsts: Ints, kept: Ints, ends: list[Closing]
    ) -> tuple[dict[str, Floats], dict[str, NDArray[np.int8]]]:
        """A column a metric: the kept batches, then the ends of epochs."""
        n = len(kept) + len(ends)
        values: dict[str, Floats] = {}
        decimals: dict[str, NDArray[np.int8]] = {}

        def column(name: str) -> tuple[Floats, NDArray[np.int8]]:
            if name not in values:
                values[name], decimals[name] = np.full(n, nan), np.zeros(n, np.int8)
            return values[name], decimals[name]

        if rows is not None and len(kept):
            place = np.full(len(firsts), -1, np.int64)
            place[kept] = np.arange(len(kept))
            group = place[np.searchsorted(firsts, np.arange(len(rows.row)), side="right") - 1]
            for tag in np.unique(rows.tag).tolist():
                mine = np.flatnonzero((rows.tag == tag) & (group >= 0))
                value, decimal = column(self._names[tag])
                value[group[mine]] = rows.value[mine]
                decimal[group[mine]] = _PRECISION[rows.dtype[mine]]
        for index, closing in enumerate(ends, len(kept)):
            for name, number in closing.values.items():
                value, decimal = column(name)
                value[index] = number
                decimal[index] = _PRECISION[closing.dtypes[name]]
        return values, decimals

    def _headers(self, updates: Updates, of_row: Ints) -> list[Event]:
        """A header before the first update of each epoch."""
        events = []
        numbers, first = np.unique(of_row, return_index=True)
        for row, number in sorted(zip(first.tolist(), numbers.tolist(), strict=True)):
            if number in self._headed:
                continue
            self._headed.add(number)
            epoch = self._all[number]
            byte = int(updates.byte[row]) - HEADER_BYTES
            data = self._told | {
                "epoch": epoch.number,
                "epochs": None,
                "new_run": self._new_run,
                "first": len(self._headed) == 1,
                "after": self._before if self._before < updates.clock[row] else None,
                "ended": _or_none(epoch.closing.wall_time) if epoch.closing else None,
                "evaluated": _or_none(epoch.closing.evaluated) if epoch.closing else None,
            }
            self._new_run = False
            self._before = epoch.closing.wall_time if epoch.closing else nan
            text = f"Epoch {epoch.number}"
            events.append(Event(byte, byte, int(updates.line[row]), "header", text, data=data))
        return events


_PRECISION = np.array([DECIMALS.get(code, _WHOLE) for code in range(128)], np.int8)


def _or_none(number: float) -> float | None:
    return None if isnan(number) else number


def _steps(epoch: Epoch) -> int:
    """Batches done at the end of an epoch, as far as they are known."""
    if epoch.of:
        return epoch.of
    return max(epoch.last - epoch.start, 0) if epoch.start is not None else 0
