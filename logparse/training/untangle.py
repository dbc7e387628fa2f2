"""Lines of several workers without a mark -> a channel for each worker.

Workers that print into one file announce an epoch once each: ``Epoch 1/12`` stands there twice
before any update. From then on each update goes to the worker whose counter it continues, and
where several fit, to the one whose averages it is nearest to: running averages change little from
step to step, and those of two workers differ. Which worker is which may change from epoch to epoch.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from logparse.reading.records import Event, Ints, Updates

FIRST = 1_000_000
"""Channels from here on are workers told apart here; below, they are marks in the log."""

MOST = 64
"""Workers followed in one log; further ones share the last one's channel."""

_EARLY = 3
"""Steps in which averages still change too much to tell workers by."""


@dataclass(slots=True)
class _Worker:
    channel: int
    step: int = 0
    of: int = 0
    last: bool = True
    values: dict[str, float] = field(default_factory=dict)

    def takes(self, step: int, of: int, last: bool) -> bool:
        """Whether its counter can go on with this update."""
        if self.last:
            return False
        if self.of not in (0, of):
            return False
        return step > self.step or (step == self.step and last)

    def distance(self, values: dict[str, float]) -> float:
        """How far its averages are from these, relative to their size."""
        both = self.values.keys() & values.keys()
        return sum(
            abs(values[name] - self.values[name]) / (abs(self.values[name]) + 1e-12)
            for name in both
        )


class Untangler:
    """Assigns the updates and events of one channel to workers, in order.

    As long as no epoch is announced twice over, everything stays in its channel.
    """

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._workers: list[_Worker] = []
        self._announced: list[Event] = []
        self._latest = channel

    def assign(self, updates: Updates, rows: Ints, events: list[Event]) -> None:
        """Set the channels of ``events`` and of the rows of ``updates`` that are this channel's."""
        if not self._workers and not self._doubled(updates, rows, events):
            return
        place = 0
        for row in rows.tolist():
            byte = int(updates.byte[row])
            while place < len(events) and events[place].byte < byte:
                self._event(events[place])
                place += 1
            if self._workers:
                updates.channel[row] = self._row(updates, row)
            self._announced.clear()
        for event in events[place:]:
            self._event(event)

    def _doubled(self, updates: Updates, rows: Ints, events: list[Event]) -> bool:
        """Whether one epoch is announced twice with no update between; else remember the last."""
        headers = [event for event in events if event.kind == "header"]
        bytes_ = updates.byte[rows]
        for before, after in pairwise([*self._announced[-1:], *headers]):
            between = np.searchsorted(bytes_, [before.byte, after.byte])
            if before.data == after.data and between[0] == between[1]:
                return True
        if headers and (not len(bytes_) or headers[-1].byte > bytes_[-1]):
            self._announced = headers[-1:]
        elif len(bytes_):
            self._announced = []
        return False

    def _event(self, event: Event) -> None:
        if event.kind != "header":
            event.channel = self._latest
            return
        self._announced.append(event)
        if not self._workers:
            if len(self._announced) < 2 or self._announced[0].data != event.data:
                self._announced = self._announced[-1:]
                return
            # The first worker keeps the channel: its header may be in use already.
            self._workers.append(_Worker(self._channel, last=False))
        event.channel = self._begin().channel

    def _begin(self) -> _Worker:
        """The worker that begins an epoch: one that ended its last, or a new one."""
        idle = [worker for worker in self._workers if worker.last]
        if not idle and len(self._workers) < MOST:
            idle = [_Worker(FIRST + self._channel * MOST + len(self._workers))]
            self._workers += idle
        worker = idle[0] if idle else self._workers[-1]
        worker.step, worker.of, worker.last = 0, 0, False
        return worker

    def _row(self, updates: Updates, row: int) -> int:
        step, of = int(updates.step[row]), int(updates.of[row])
        last = bool(updates.last[row]) or (step == of and np.isnan(updates.eta[row]))
        values = {
            name: float(column[row])
            for name, column in updates.values.items()
            if updates.decimals[name][row]
        }
        fit = [worker for worker in self._workers if worker.takes(step, of, last)]
        if not fit:
            return self._latest
        if step <= _EARLY:
            worker = min(fit, key=lambda w: (step - w.step, w.distance(values)))
        else:
            worker = min(fit, key=lambda w: (w.distance(values), step - w.step))
        # Keras 3 says nowhere which line is the last: the second one at N/N is.
        worker.last = last or (step == of == worker.step)
        worker.step, worker.of, worker.values = step, of, values
        self._latest = worker.channel
        return worker.channel


def worker_name(channel: int, channels: Container[int]) -> str | None:
    """What a worker told apart here is called; None for other channels.

    Args:
        channel: the worker's.
        channels: all there are.
    """
    if channel >= FIRST:
        return f"worker {(channel - FIRST) % MOST + 1}"
    return "worker 1" if FIRST + channel * MOST + 1 in channels else None
