"""Chunks of updates and events -> runs, and batches of their closed epochs.

One run is one training: one ``fit``, an outer loop of one-epoch fits, or a fit and its resumes.
Each worker's lines are followed on their own by a ``Channel``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from logparse.limits import MESSAGES_KEPT
from logparse.reading.records import Chunk
from logparse.training.channel import Channel
from logparse.training.closed import batches
from logparse.training.run import Batch, Message, OpenEpoch, Run
from logparse.training.untangle import Untangler


class Runs:
    """Follows all channels of a log. ``feed`` and ``finish`` give the epochs that are closed.

    However the log comes in chunks, the epochs are the same, in the same order: that in which the
    log closes them.

    Attributes:
        runs: the runs met; after ``finish`` in order of their first line.
        messages: what was printed between updates; after ``finish`` in file order, the first
            ``MESSAGES_KEPT``.
        dropped: after ``finish``, messages beyond that, by kind.
        empty: epochs of which the log holds a header and nothing more.
    """

    def __init__(self, batch_size: int | None = None) -> None:
        self.runs: list[Run] = []
        self.batch_size = batch_size
        self.messages: list[Message] = []
        self.dropped: dict[str, int] = {}
        self.empty: list[OpenEpoch] = []
        self._said: Counter[str] = Counter()
        self._channels: dict[int, Channel] = {}
        self._untanglers: dict[int, Untangler] = {}

    def feed(self, chunk: Chunk) -> Iterator[Batch]:
        """Epochs that are closed once ``chunk`` is known."""
        updates = chunk.updates
        self._untangle(chunk)
        numbers = _distinct(updates.channel) | {event.channel for event in chunk.events}
        channels = []
        for number in sorted(numbers):
            channel = self._channels.get(number)
            if channel is None:
                channel = self._channels[number] = Channel(number, self.batch_size)
            channels.append(channel)
            if len(numbers) == 1:
                channel.feed(updates, chunk.events)
            else:
                rows = updates.take(np.flatnonzero(updates.channel == number))
                channel.feed(rows, [event for event in chunk.events if event.channel == number])
        yield from self._closed(channels)

    def finish(self) -> Iterator[Batch]:
        """All epochs that are still open."""
        channels = [channel for _, channel in sorted(self._channels.items())]
        for channel in channels:
            channel.finish()
        yield from self._closed(channels)
        self._first_messages()
        for message in self.messages:
            self._said[message.kind] -= 1
        self.dropped = dict(+self._said)
        self.runs.sort(key=lambda run: run.first_byte)
        for number, run in enumerate(self.runs, 1):
            run.number = number

    def _untangle(self, chunk: Chunk) -> None:
        """Give workers that print without a mark channels of their own."""
        shown = chunk.updates.channel
        for number in {event.channel for event in chunk.events if event.kind == "header"} | set(
            self._untanglers
        ):
            untangler = self._untanglers.setdefault(number, Untangler(number))
            events = [event for event in chunk.events if event.channel == number]
            untangler.assign(chunk.updates, np.flatnonzero(shown == number), events)

    def _closed(self, channels: Sequence[Channel]) -> Iterator[Batch]:
        """What the channels closed, in the order in which the log did."""
        closed = [(epoch, channel) for channel in channels for epoch in channel.closed]
        if len(channels) > 1:
            closed.sort(key=lambda each: each[0].closed)
        self.empty += [epoch for epoch, _ in closed if not epoch.rows]
        shown = [each for each in closed if each[0].rows]
        for _, group in groupby(shown, key=lambda each: each[1].number):
            same = list(group)
            yield from batches(same[0][1].buffer, [epoch for epoch, _ in same])
        for channel in channels:
            self.runs += channel.runs
            self._say(channel.messages)
            for taken in (channel.closed, channel.runs, channel.messages):
                taken.clear()
            channel.forget()

    def _say(self, messages: Sequence[Message]) -> None:
        """Keep messages: of too many, those that stand first in the log."""
        self.messages += messages
        self._said.update(message.kind for message in messages)
        if len(self.messages) > 2 * MESSAGES_KEPT:
            self._first_messages()

    def _first_messages(self) -> None:
        self.messages.sort(key=lambda message: message.byte)
        del self.messages[MESSAGES_KEPT:]


def _distinct(values: NDArray[np.int32]) -> set[int]:
    """The different numbers; ``np.unique`` alone would import numpy.ma."""
    if len(values) and (values == values[0]).all():
        return {int(values[0])}
    return set(values.tolist())
