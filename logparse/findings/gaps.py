"""When epochs began and how long they took -> the time that passed between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from logparse.findings.registry import Tables, once, rows_of
from logparse.reading.records import Floats, Ints

FEWEST_GAPS = 3
"""Known gaps, below which LP207 is silent."""

GAP = 0.1
"""Share of an epoch and its gap from which a usual gap is reported."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Time between consecutive epochs of one run, known from the stamps of their headers."""

    run: int
    epoch: Ints
    """The epoch before each gap."""
    line: Ints
    """Last line of that epoch."""
    seconds: Floats
    """Middle of the bounds, at least 0."""
    half: Floats
    """Half the width of the bounds."""
    took: Floats
    """Time of the epoch before the gap."""
    or_first_step: bool
    """The gap may be a slow first step: events do not tell when an epoch began."""


@once
def all_gaps(tables: Tables) -> list[Gaps]:
    """Runs with at least one gap known.

    In a text a gap is the time from one header to the next, less the time of the epoch between
    them; the rounding of the printed seconds and the resolution of the stamps are its bounds. In
    events it goes from the end of an epoch to where the next began if its first step was usual.
    """
    found: list[Gaps] = []
    began = tables.epochs["began"]
    if began.null_count() == len(began):
        return found
    readers = dict(rows_of(tables.runs, "run", "reader")) if tables.runs.height else {}
    for frame in tables.epochs.partition_by("run", maintain_order=True):
        if len(frame) < 2:
            continue
        names = ("began", "ended", "seconds", "seconds_low", "seconds_high")
        began, ended, took, low, high = frame.select(names).to_numpy().astype(float).T
        epoch = frame["epoch"].to_numpy()
        events = readers.get(frame["run"][0]) == "tfevents"
        if events:
            began[1:] = np.where(np.isfinite(ended[:-1]), began[1:], np.nan)
            low = high = ended - began
        grain = _resolution(began)
        between = began[1:] - began[:-1]
        least = between - high[:-1] - grain
        most = between - low[:-1] + grain
        # A clock that was set, or stamps that contradict the bar, tell nothing.
        known = (np.diff(epoch) == 1) & frame["complete"].to_numpy()[:-1] & (most >= 0)
        at = np.flatnonzero(known & np.isfinite(least))
        if len(at):
            low_gap = np.maximum(least[at], 0.0)
            found.append(
                Gaps(
                    run=int(frame["run"][0]),
                    epoch=epoch[at],
                    line=frame["last_line"].to_numpy()[at],
                    seconds=0.5 * (low_gap + most[at]),
                    half=0.5 * (most[at] - low_gap),
                    took=took[at],
                    or_first_step=events,
                )
            )
    return found


def _resolution(stamps: Floats) -> float:
    """What the stamps are truncated to: a minute, a second or less."""
    known = stamps[np.isfinite(stamps)]
    for unit in (60.0, 1.0):
        if len(known) and not (known % unit).any():
            return unit
    return 0.01
