"""Chunks of updates and events -> runs, and batches of their closed epochs.

One run is one training: one ``fit``, an outer loop of one-epoch fits, or a fit and its resumes.
Each worker's lines (``channel``) are followed on their own. A *bar* is one sweep of the counter;
a bar is an epoch, or it belongs to evaluate(), predict() or a download.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from logparse.limits import MESSAGES_KEPT
from logparse.reading.records import TIMES, Chunk, Event, Floats, Form, Ints, Updates
from logparse.training.epochs import Epochs
from logparse.training.untangle import Untangler

_QUIET = (Form.QUIET, Form.QUIET_COUNT, Form.QUIET_EPOCH, Form.QUIET_STEP)


@dataclass(slots=True)
class Run:
    """What is known of one run.

    ``of`` are the epochs announced; ``counts`` is what its bars count: ``samples``, ``steps`` or
    ``unknown``.
    ``number`` is 0 until the whole log is read: runs are numbered by their first lines.
    """

    number: int
    channel: int
    of: int | None
    first_line: int
    last_line: int
    first_byte: int
    """Where it begins: what tells it from all other runs."""
    epochs: int = 0
    number_of_last: int = 0
    batch_size: int | None = None
    counts: str | None = None
    samples: int | None = None
    steps_per_epoch: int | None = None
    steps_change: bool = False
    started: float | None = None
    headed: bool = False
    """Its epochs have headers."""
    label: tuple[int, int] | None = None
    """The last header."""
    total: int = 0
    """Target of its bars in their own unit."""
    train_on: Event | None = None
    form: int | None = None
    """Form of the last line of its latest epoch."""


@dataclass(slots=True)
class Batch:
    """Closed epochs of one run, with their places in the log."""

    run: Run
    epochs: Epochs
    labels: list[str | None]
    first_line: list[int]
    last_line: list[int]
    line: Ints
    byte: Ints
    began: Floats
    """Timestamps of their headers, nan without one."""


@dataclass(slots=True)
class Message:
    """A line of the table ``messages``."""

    run: Run | None
    epoch: int | None
    kind: str
    line: int
    text: str
    byte: int
    data: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Bar:
    """One sweep of the counter: rows ``start:stop`` of the channel's buffer."""

    start: int
    stop: int
    of: int
    first: int
    steps: int
    finished: bool
    metrics: bool
    validated: bool
    byte: int
    line: int
    last_line: int


@dataclass(slots=True)
class OpenEpoch:
    """An epoch that may still get rows."""

    run: Run
    number: int
    label: str | None
    line: int
    last_line: int
    began: float | None = None
    """Timestamp of its header."""
    rows: list[tuple[int, int]] = field(default_factory=list)
    steps: int = 0
    total: int = 0
    finished: bool = False


class Runs:
    """Follows all channels of a log. ``feed`` and ``finish`` give the epochs that are closed.

    Attributes:
        runs: the runs met, in order of their first line.
        messages: what was printed between updates, in file order, at most ``MESSAGES_KEPT``.
        dropped: messages beyond that, by kind.
        empty: epochs of which the log holds a header and nothing more.
    """

    def __init__(self, batch_size: int | None = None) -> None:
        self.runs: list[Run] = []
        self.batch_size = batch_size
        self.messages: list[Message] = []
        self.dropped: dict[str, int] = {}
        self.empty: list[OpenEpoch] = []
        self._channels: dict[int, _Channel] = {}
        self._untanglers: dict[int, Untangler] = {}

    def feed(self, chunk: Chunk) -> Iterator[Batch]:
        """Epochs that are closed once ``chunk`` is known."""
        updates = chunk.updates
        self._untangle(chunk)
        channels = _distinct(updates.channel) | {e.channel for e in chunk.events}
        for number in sorted(channels):
            channel = self._channels.setdefault(number, _Channel(self, number))
            whole = len(channels) == 1
            part = updates if whole else updates.take(np.flatnonzero(updates.channel == number))
            events = [event for event in chunk.events if whole or event.channel == number]
            yield from channel.feed(part, events)

    def _untangle(self, chunk: Chunk) -> None:
        """Give workers that print without a mark channels of their own."""
        shown = chunk.updates.channel
        for number in {event.channel for event in chunk.events if event.kind == "header"} | set(
            self._untanglers
        ):
            untangler = self._untanglers.setdefault(number, Untangler(number))
            events = [event for event in chunk.events if event.channel == number]
            untangler.assign(chunk.updates, np.flatnonzero(shown == number), events)

    def finish(self) -> Iterator[Batch]:
        """All epochs that are still open."""
        for _, channel in sorted(self._channels.items()):
            yield from channel.finish()
        # Runs of several workers are found in an order that depends on the blocks.
        self.messages.sort(key=lambda message: message.byte)
        self.runs.sort(key=lambda run: run.first_byte)
        for number, run in enumerate(self.runs, 1):
            run.number = number

    def say(self, message: Message) -> None:
        """Keep a message, or count it."""
        if len(self.messages) < MESSAGES_KEPT:
            self.messages.append(message)
        else:
            self.dropped[message.kind] = self.dropped.get(message.kind, 0) + 1


class _Channel:
    """The lines of one worker."""

    def __init__(self, runs: Runs, number: int) -> None:
        self.runs, self.number = runs, number
        self.rows: Updates | None = None
        self.events: list[Event] = []
        self.run: Run | None = None
        self.open: OpenEpoch | None = None
        self.header: Event | None = None
        self.train_on: Event | None = None
        self.early: list[Event] = []
        self.closed: list[OpenEpoch] = []
        self.judged = 0
        """Rows already given to a bar."""

    def feed(self, updates: Updates, events: list[Event]) -> Iterator[Batch]:
        """Take rows and events; all bars but the last are judged, with all that follows known."""
        self.rows = updates if self.rows is None else self.rows.joined(updates)
        self.events += events
        yield from self._judge(last=False)

    def finish(self) -> Iterator[Batch]:
        """Judge the rest and close everything."""
        yield from self._judge(last=True)
        if self.open:
            self._close()
        yield from self._batches()

    def _judge(self, *, last: bool) -> Iterator[Batch]:
        if self.rows is None:
            return
        bars = self._bars(last=last)
        done = 0
        for bar in bars:
            while done < len(self.events) and self.events[done].byte < bar.byte:
                self._event(self.events[done])
                done += 1
            self._bar(bar)
            end = int(self.rows.byte[bar.stop - 1])
            while done < len(self.events) and self.events[done].byte < end:
                self._event(self.events[done])
                done += 1
        for event in self.events[done:] if last else ():
            self._event(event)
            done += 1
        del self.events[:done]
        if bars:
            self.judged = bars[-1].stop
        yield from self._batches()
        self._forget()

    def _bars(self, *, last: bool) -> list[Bar]:
        """Bars among the rows not judged yet; the last one only at the end of the log."""
        rows = self.rows
        assert rows is not None
        n = len(rows) - self.judged
        if n == 0:
            return []
        part = slice(self.judged, None)
        step, of, form = rows.step[part], rows.of[part], rows.form[part]
        cut = np.zeros(n + 1, np.bool_)
        headers = [e.byte for e in self.events if e.kind == "header"]
        cut[np.searchsorted(rows.byte[part], headers)] = True
        cut[0] = cut[-1] = True
        grew = (of[1:] != of[:-1]) & ~((of[:-1] == 0) & (step[1:] >= step[:-1]))
        fell = step[1:] < step[:-1]
        cut[1:-1] |= fell | grew | rows.last[part][:-1] | np.isin(form[1:], _QUIET)
        cut[1:-1] |= _after_pair(step, of, form, cut[:-1])
        edges = np.flatnonzero(cut) + self.judged
        starts, stops = edges[:-1], edges[1:]
        if not last:
            # The last bar may go on in the next chunk, and what follows it is not known yet.
            starts, stops = starts[:-1], stops[:-1]
        return _describe(rows, starts, stops, at_end=last)

    def _event(self, event: Event) -> None:
        if event.kind == "header":
            self._header(event)
            return
        if event.kind == "train on":
            self.train_on = event
        epoch = self.open
        if (
            event.kind == "schedule"
            and epoch
            and epoch.finished
            and event.data.get("epoch") != (epoch.run.label or (None,))[0]
        ):
            # TF 2 and Keras 3 announce the next epoch's rate before its header.
            self.early.append(event)
            return
        self._say(event, epoch)

    def _say(self, event: Event, epoch: OpenEpoch | None) -> None:
        run = epoch.run if epoch else self.run
        number = epoch.number if epoch else None
        self.runs.say(
            Message(run, number, event.kind, event.line, event.text, event.byte, event.data)
        )

    def _header(self, event: Event) -> None:
        """A header opens an epoch, unless it repeats that of an epoch still under way."""
        label = _label(event)
        epoch = self.open
        if epoch and not epoch.finished and epoch.rows and epoch.run.label == label:
            self.header = event
            return
        self._start(event, label)

    def _start(self, event: Event, label: tuple[int, int]) -> None:
        """Open the epoch of a header, in the run it continues or in a new one."""
        run = self.run
        if self.open and not self.open.rows and self.open.label is not None:
            # A header without updates: the epoch began, nothing of it is known.
            self.open.last_line = event.line
        number = self._continues(label)
        if run and not run.headed and run.epochs == 1 and self.open and label[0] > 1:
            # The head of the log is cut: the first epoch is the one before this header's.
            self.open.number = run.number_of_last = label[0] - 1
            number = label[0]
        self._close()
        if number is None or run is None:
            run, number = self._new_run(event.line, event.byte, label[1] or None), label[0]
        self._open(run, number, event.line, label, event.clock)

    def _continues(self, label: tuple[int, int]) -> int | None:
        """Number of the epoch that a header opens in the current run; None opens a new run."""
        run = self.run
        if run is None:
            return None
        if run.label is None:
            return run.number_of_last + 1 if run.epochs == 1 and label[0] > 1 else None
        (i, n), (i0, n0) = label, run.label
        if i == i0 + 1 or (i > i0 and n == n0):
            return run.number_of_last + i - i0
        outer_loop = i == i0 and (n == n0 == 1)
        resumed = i == i0 > 1 and n > n0 and self.open is not None and self.open.finished
        return run.number_of_last + 1 if outer_loop or resumed else None

    def _new_run(self, line: int, byte: int, of: int | None) -> Run:
        run = Run(0, self.number, of, line, line, byte)
        run.batch_size = self.runs.batch_size
        run.train_on, self.train_on = self.train_on, None
        self.runs.runs.append(run)
        self.run = run
        return run

    def _open(
        self,
        run: Run,
        number: int,
        line: int,
        label: tuple[int, int] | None,
        began: float | None = None,
    ) -> None:
        run.epochs += 1
        run.number_of_last = number
        shown = None
        if label:
            run.label, run.headed = label, True
            run.of = label[1] or run.of
            shown = f"{label[0]}/{label[1]}" if label[1] else str(label[0])
        self.open = OpenEpoch(run, number, shown, line, line, began)
        self.header = None
        for event in self.early:
            self._say(event, self.open)
        self.early.clear()

    def _close(self) -> None:
        if self.open:
            self.closed.append(self.open)
            self.open = None

    def _bar(self, bar: Bar) -> None:
        """Give a bar to an epoch, or call it something else."""
        epoch = self.open
        if self.header is not None and epoch is not None:
            # TF 1.14 to 2.0 print the header again before validation: the counter goes on then.
            if not (bar.of == epoch.total and bar.first >= epoch.steps):
                self._start(self.header, _label(self.header))
                epoch = self.open
            self.header = None
        if not bar.metrics and (bar.validated or not _could_be_cut(bar, epoch)):
            self._other(bar)
        elif epoch is None:
            self._without_header(bar)
        elif not epoch.rows or self._goes_on(bar, epoch):
            self._take(bar, epoch)
        elif epoch.finished:
            self._without_header(bar)
        elif bar.of == epoch.total:
            # The counter fell back without a header: a fit was interrupted and run again.
            self._close()
            self._open(self._new_run(bar.line, bar.byte, None), 1, bar.line, None)
            self._take(bar, self.open)
        else:
            self._other(bar)

    @staticmethod
    def _goes_on(bar: Bar, epoch: OpenEpoch) -> bool:
        if epoch.finished:
            return False
        return bar.first >= epoch.steps and epoch.total in (0, bar.of)

    def _without_header(self, bar: Bar) -> None:
        """A bar without a header: a one-epoch fit of TF 2.2 on or Keras 3, or evaluate()."""
        run, epoch = self.run, self.open
        if run is None:
            self._open(self._new_run(bar.line, bar.byte, None), 1, bar.line, None)
        elif not run.headed and bar.of == run.total:
            number = run.number_of_last + 1
            self._close()
            self._open(run, number, bar.line, None)
        elif bar.validated and (epoch is None or epoch.finished):
            # evaluate() never shows val_ metrics: this is another fit.
            self._close()
            self._open(self._new_run(bar.line, bar.byte, None), 1, bar.line, None)
        else:
            self._other(bar)
            return
        self._take(bar, self.open)

    def _take(self, bar: Bar, epoch: OpenEpoch | None) -> None:
        assert epoch is not None
        epoch.rows.append((bar.start, bar.stop))
        epoch.steps, epoch.total = bar.steps, bar.of
        epoch.finished = bar.finished
        epoch.last_line = epoch.run.last_line = bar.last_line
        if bar.of:
            epoch.run.total = bar.of

    def _other(self, bar: Bar) -> None:
        """evaluate(), predict() or a download: no epoch, but worth a message."""
        rows = self.rows
        assert rows is not None
        at = bar.stop - 1
        names = sorted(rows.values, key=lambda name: rows.order.get(name, len(rows.order)))
        shown = [
            f"{name}: {float(rows.values[name][at]):.4f}"
            for name in names
            if rows.decimals[name][at]
        ]
        kind = "evaluation" if shown else "other bar"
        text = " - ".join([f"{bar.steps}/{bar.of or 'Unknown'}", *shown])
        number = self.open.number if self.open else None
        self.runs.say(Message(self.run, number, kind, bar.last_line, text, bar.byte))

    def _batches(self) -> Iterator[Batch]:
        """The closed epochs, a batch for each run."""
        self.runs.empty += [epoch for epoch in self.closed if not epoch.rows]
        closed, self.closed = [epoch for epoch in self.closed if epoch.rows], []
        at = 0
        while at < len(closed):
            stop = at
            while stop < len(closed) and closed[stop].run is closed[at].run:
                stop += 1
            assert self.rows is not None
            yield _batch(self.rows, closed[at:stop])
            at = stop

    def _forget(self) -> None:
        """Drop the rows that no open epoch and no unjudged bar needs."""
        rows = self.rows
        assert rows is not None
        keep = [np.arange(a, b) for a, b in self.open.rows] if self.open else []
        kept = np.concatenate([*keep, np.arange(self.judged, len(rows))])
        if self.open:
            at = 0
            moved = []
            for a, b in self.open.rows:
                moved.append((at, at + b - a))
                at += b - a
            self.open.rows = moved
        self.judged = len(kept) - (len(rows) - self.judged)
        if len(kept) < len(rows):
            # A copy, so that the rows that are done with can go.
            self.rows = rows.take(kept)


def _distinct(values: Ints | NDArray[np.int32]) -> set[int]:
    """The different numbers; ``np.unique`` alone would import numpy.ma."""
    if len(values) and (values == values[0]).all():
        return {int(values[0])}
    return set(values.tolist())


def _label(event: Event) -> tuple[int, int]:
    return int(event.data["epoch"]), int(event.data.get("epochs") or 0)


def _could_be_cut(bar: Bar, epoch: OpenEpoch | None) -> bool:
    """Whether a bar without metrics may be one whose metrics were cut off: it fits the epoch."""
    return epoch is not None and not epoch.finished and bar.of == epoch.total > 0


def _after_pair(
    step: Ints, of: Ints, form: NDArray[np.int8], begins: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """[n - 1] whether row i ends a Keras 3 epoch, as the second of its two lines at N/N.

    ``begins`` marks rows that begin a bar for other reasons.
    """
    full = (form == Form.HEAVY) & (step == of)
    if not full.any():
        return np.zeros(len(full) - 1, np.bool_)
    fresh = full.copy()
    fresh[1:] &= ~full[:-1] | begins[1:]
    place = np.arange(len(full))
    since = place - np.maximum.accumulate(np.where(fresh, place, 0))
    ends: NDArray[np.bool_] = full & (since % 2 == 1)
    return ends[:-1]


def _describe(rows: Updates, starts: Ints, stops: Ints, *, at_end: bool) -> list[Bar]:
    """Bars of the rows ``starts[i]:stops[i]``; with ``at_end`` nothing follows the last one."""
    if not len(starts):
        return []
    last = stops - 1
    full = (rows.form[last] == Form.HEAVY) & (rows.step[last] == rows.of[last])
    metrics, validated = np.zeros((2, len(starts)), np.bool_)
    for name, decimals in rows.decimals.items():
        here = decimals[last] != 0
        metrics |= here
        if name.startswith("val_"):
            validated |= here
    if at_end and full[-1]:
        # At the end of a log the N/N line with the time left 0 s may not be the epoch's last.
        i = int(last[-1])
        pair = stops[-1] - starts[-1] > 1 and rows.step[i - 1] == rows.of[i]
        full[-1] = pair or validated[-1] or rows.ended[i] or rows.eta[i] > 0
    of = np.maximum(rows.of[last], 0)
    columns = (
        starts,
        stops,
        of,
        rows.step[starts],
        rows.step[last],
        rows.last[last] | full,
        metrics,
        validated,
        rows.byte[starts],
        rows.line[starts],
        rows.line[last],
    )
    return [Bar(*bar) for bar in zip(*(column.tolist() for column in columns), strict=True)]


def _batch(rows: Updates, epochs: list[OpenEpoch]) -> Batch:
    """Closed epochs of one run as columns."""
    run = epochs[0].run
    spans = [span for epoch in epochs for span in epoch.rows]
    sizes = np.array([sum(b - a for a, b in epoch.rows) for epoch in epochs])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    if spans[-1][1] - spans[0][0] == starts[-1]:
        part = rows.part(spans[0][0], spans[-1][1])
    else:
        part = rows.take(np.concatenate([np.arange(a, b) for a, b in spans]))
    final = np.zeros(len(part), np.bool_)
    finished = np.array([epoch.finished for epoch in epochs])
    final[starts[1:][finished] - 1] = True
    _settle_form(run, part, final, sizes)
    heavy = final & (part.form == Form.HEAVY)
    # On Keras 3's last line the time is the elapsed one, elsewhere the time left.
    part.elapsed[heavy], part.eta[heavy] = part.eta[heavy], np.nan
    if run.counts is None:
        settle_units(run, part, int(starts[1]))
    total = np.array([epoch.total for epoch in epochs], np.int64)
    size = run.batch_size if run.counts == "samples" and run.batch_size else 1
    seen = np.where(np.isin(part.form, _QUIET), np.repeat(total, sizes), part.step)
    of = -(-total // size)
    _steps_per_epoch(run, of)
    if run.started is None and len(clock := part.clock[~np.isnan(part.clock)]):
        run.started = float(clock[0])
    columns = Epochs(
        starts=starts.astype(np.int64),
        epoch=np.array([epoch.number for epoch in epochs], np.int64),
        of=of,
        total=total,
        complete=finished,
        step=-(-seen // size),
        seen=seen,
        final=final,
        form=part.form,
        values=part.values,
        decimals=part.decimals,
        **{name: getattr(part, name) for name in TIMES},
    )
    return Batch(
        run,
        columns,
        [e.label for e in epochs],
        [e.line for e in epochs],
        [e.last_line for e in epochs],
        part.line,
        part.byte,
        np.array([e.began for e in epochs], np.float64),
    )


def _settle_form(run: Run, part: Updates, final: NDArray[np.bool_], sizes: Ints) -> None:
    """Give lines with a time left the form of their epoch's last line: alone they show none."""
    open_form = (part.form == Form.BAR) & ~part.last
    epoch = np.repeat(np.arange(len(sizes)), sizes)
    own = np.full(len(sizes), -1)
    own[epoch[final]] = part.form[final]
    # An epoch without a last line is like the one before it, or of the later, wider era.
    before = np.maximum.accumulate(np.where(own >= 0, np.arange(len(own)), -1))
    known = np.where(before >= 0, own[before], run.form or Form.BAR_STEP)
    part.form[open_form] = known[epoch[open_form]]
    # Also where only last lines were shown: the next batch of epochs may need it.
    run.form = int(known[-1])


def _steps_per_epoch(run: Run, of: Ints) -> None:
    known = of[of > 0]
    if not len(known) or run.steps_change:
        return
    run.steps_change = bool((known != (run.steps_per_epoch or known[0])).any())
    run.steps_per_epoch = None if run.steps_change else int(known[0])


def settle_units(run: Run, rows: Updates, first: int) -> None:
    """Whether the run's bars count samples or steps, and its batch size.

    Judged by its first epoch, the rows before ``first``, and by ``Train on N samples``. Without
    that line, bars of Keras up to 2.3.1 count samples where all counts are multiples of a batch.
    """
    told = run.train_on.data if run.train_on else {}
    form = rows.form[:first]
    shown = rows.step[:first][~rows.last[:first] & (rows.step[:first] > 0)]
    counts = np.array(sorted(_distinct(shown)), np.int64)
    counts = counts[counts < rows.of[:first].max(initial=0)]
    unit = int(np.gcd.reduce(counts)) if len(counts) else 0
    # The first update of an epoch is always drawn, so its count is one batch; where the head of
    # the epoch is missing, two counts as close as the common divisor are one batch apart.
    near = len(counts) > 2 and unit == np.diff(counts).min()
    sure = len(counts) > 1 and unit > 1 and (counts[0] == unit or near)
    run.samples = told.get("samples")
    if np.isin(form, (Form.HEAVY, Form.QUIET_STEP)).any() or told.get("steps"):
        run.counts = "steps"
    elif (form == Form.BAR_SAMPLE).any() or (run.samples and run.total == run.samples):
        run.counts = "samples"
    elif not len(counts) and not np.isin(form, _QUIET).any():
        run.counts = "unknown"
    elif _waits_at_end(rows, first) or not sure:
        run.counts = "steps"
    else:
        run.counts = "samples"
    if run.counts == "samples":
        run.batch_size = run.batch_size or (unit if sure else None)
        run.samples = run.samples or run.total or None


def _waits_at_end(rows: Updates, first: int) -> bool:
    """Whether an update with a time left stands at N/N: TF 2.2 and later, which count steps."""
    return bool(((rows.step == rows.of) & ~np.isnan(rows.eta) & ~rows.last)[:first].any())
