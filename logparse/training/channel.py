"""Updates and events of one worker -> its runs and their epochs, each closed when it is over.

A *bar* is one sweep of the counter; a bar is an epoch, or it belongs to evaluate(), predict() or a
download. A bar is judged when it is over, after the events before it and before those inside it:
what comes out depends on the log alone, not on how it came in chunks.
"""

from __future__ import annotations

from collections.abc import Sequence

from logparse.reading.records import Event, Updates
from logparse.training.bars import Bar, Bars
from logparse.training.buffer import Buffer
from logparse.training.run import Message, OpenEpoch, Run


class Channel:
    """Follows the lines of one worker.

    Attributes:
        number: of the channel in the log.
        runs, messages, closed: what came out and was not taken yet.
        buffer: the rows that are still needed.
    """

    def __init__(self, number: int, batch_size: int | None) -> None:
        self.number, self.batch_size = number, batch_size
        self.runs: list[Run] = []
        self.messages: list[Message] = []
        self.closed: list[OpenEpoch] = []
        self.buffer = Buffer()
        self.bars = Bars(self.buffer)
        self.events: list[Event] = []
        self.run: Run | None = None
        self.open: OpenEpoch | None = None
        self.header: Event | None = None
        self.train_on: Event | None = None
        self.early: list[Event] = []
        self.now = 0
        """Offset in the log at which what is judged now was over."""

    def feed(self, updates: Updates, events: Sequence[Event]) -> None:
        """Judge the bars that are over once these are known."""
        self.buffer.add(updates)
        self.events += events
        headers = [event.byte for event in events if event.kind == "header"]
        self._judge(self.bars.feed(updates, headers))

    def finish(self) -> None:
        """Judge the rest and close everything."""
        self._judge(self.bars.finish())
        for event in self.events:
            self.now = event.byte
            self._event(event)
        self.events.clear()
        self._close()

    def forget(self) -> None:
        """Let go of the rows that no open epoch and no bar under way needs."""
        needed = [(self.bars.under_way, self.buffer.count)]
        self.buffer.forget(needed + (self.open.rows if self.open else []))

    def _judge(self, bars: Sequence[Bar]) -> None:
        done = 0
        events = self.events
        for bar in bars:
            self.now = bar.told
            while done < len(events) and events[done].byte < bar.byte:
                self._event(events[done])
                done += 1
            self._bar(bar)
            while done < len(events) and events[done].byte < bar.last_byte:
                self._event(events[done])
                done += 1
        del events[:done]

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
        self.messages.append(
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
        number = None if event.data.get("new_run") else self._continues(label)
        if run and not run.headed and run.epochs == 1 and self.open and label[0] > 1:
            # The head of the log is cut: the first epoch is the one before this header's.
            self.open.number = run.number_of_last = label[0] - 1
            number = label[0]
        self._close()
        if number is None or run is None:
            run, number = self._new_run(event.line, event.byte, label[1] or None), label[0]
        self._open(run, number, event.line, label, event)

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
        run.batch_size = self.batch_size
        run.train_on, self.train_on = self.train_on, None
        self.runs.append(run)
        self.run = run
        return run

    def _open(
        self,
        run: Run,
        number: int,
        line: int,
        label: tuple[int, int] | None,
        header: Event | None = None,
    ) -> None:
        run.epochs += 1
        run.number_of_last = number
        shown = None
        if label:
            run.label, run.headed = label, True
            run.of = label[1] or run.of
            shown = f"{label[0]}/{label[1]}" if label[1] else str(label[0])
        self.open = OpenEpoch(run, number, shown, line, line)
        if header:
            self.open.began, self.open.told = header.clock, header.data
        self.header = None
        for event in self.early:
            self._say(event, self.open)
        self.early.clear()

    def _close(self) -> None:
        if self.open:
            self.open.closed = self.now
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
        rows, at = self.buffer.place(bar.stop - 1)
        names = sorted(rows.values, key=lambda name: rows.order.get(name, len(rows.order)))
        shown = [
            f"{name}: {float(rows.values[name][at]):.4f}"
            for name in names
            if rows.decimals[name][at]
        ]
        kind = "evaluation" if shown else "other bar"
        text = " - ".join([f"{bar.steps}/{bar.of or 'Unknown'}", *shown])
        number = self.open.number if self.open else None
        self.messages.append(Message(self.run, number, kind, bar.last_line, text, bar.byte))


def _label(event: Event) -> tuple[int, int]:
    return int(event.data["epoch"]), int(event.data.get("epochs") or 0)


def _could_be_cut(bar: Bar, epoch: OpenEpoch | None) -> bool:
    """Whether a bar without metrics may be one whose metrics were cut off: it fits the epoch."""
    return epoch is not None and not epoch.finished and bar.of == epoch.total > 0
