"""Epochs and steps of a run in, places on a horizontal axis out: by step, epoch or time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from logparse.errors import UsageError
from logparse.reading.records import Floats, Ints
from logparse.reports.columns import facts
from logparse.reports.drawing.series import drawn

if TYPE_CHECKING:
    from logparse.analysis import Analysis

Align = Literal["step", "epoch", "relative", "wall"]

ALIGNMENTS: dict[Align, str] = {
    "epoch": "by epoch",
    "step": "by batch",
    "relative": "by time since the start",
    "wall": "by clock time",
}
"""How runs can be laid side by side, and what to call it."""

_UNITS = ((2 * 86400.0, "days", 86400.0), (2 * 3600.0, "h", 3600.0), (120.0, "min", 60.0))


def time_unit(longest: float) -> tuple[str, float]:
    """The unit in which a time of ``longest`` seconds reads well, and its seconds."""
    return next(((name, one) for above, name, one in _UNITS if longest >= above), ("s", 1.0))


@dataclass(frozen=True, slots=True)
class Axis:
    """Places of one run's epochs and steps. e epochs."""

    align: Align
    title: str
    """What it counts, with its unit."""
    epochs: Floats
    """[e] their numbers."""
    steps: Floats
    """[e] steps of each as a whole."""
    done: Floats
    """[e] steps that the log shows of each."""
    begins: Floats
    """[e] where each begins; seconds where the axis counts time."""
    scale: float
    """Seconds in the unit of time."""
    started: float
    """Seconds since 1970 at the start."""
    clock: tuple[Floats, Floats, Floats] | None
    """Epoch, step and seconds since the epoch began of some updates."""

    @property
    def starts(self) -> Any:
        """[e] where each epoch begins on the axis."""
        return self.at(self.epochs, np.zeros(len(self.epochs)))

    @property
    def ends(self) -> Any:
        """[e] where what the log shows of each epoch ends."""
        return self.at(self.epochs, self.done)

    def at(self, epoch: Floats, step: Floats) -> Any:
        """Where that many steps of the epochs are done: numbers, or dates for clock time."""
        i = np.minimum(self.epochs.searchsorted(epoch), len(self.epochs) - 1)
        if self.align == "step":
            return self.begins[i] + step
        if self.align == "epoch":
            return self.begins[i] + step / np.maximum(self.steps[i], 1)
        seconds = self.begins[i] + self._elapsed(i, step)
        if self.align == "relative":
            return seconds / self.scale
        return np.round((self.started + seconds) * 1e3).astype("datetime64[ms]")

    def _elapsed(self, i: Ints, step: Floats) -> Floats:
        """Seconds since the epoch began, by the updates on either side of the steps."""
        assert self.clock is not None
        epoch, at, elapsed = self.clock
        known = np.searchsorted(self.epochs, epoch)
        # Epoch and share of its steps as one rising number: one search finds both.
        rising = known + 0.999 * at / np.maximum(self.steps[known], 1)
        asked = i + 0.999 * step / np.maximum(self.steps[i], 1)
        nodes = np.concatenate([np.arange(len(self.epochs), dtype=float), rising])
        values = np.concatenate([np.zeros(len(self.epochs)), elapsed])
        order = np.argsort(nodes, kind="stable")
        found: Floats = np.interp(asked, nodes[order], values[order])
        return found


def alignments(analysis: Analysis) -> list[Align]:
    """The axes that the log tells enough for."""
    found: list[Align] = ["epoch", "step"]
    known = facts(analysis).epochs.there("seconds")
    if len(known) and known.all():
        found.append("relative")
        started = analysis.runs["started"]
        if len(started) and not started.null_count():
            found.append("wall")
    return found


def axis(analysis: Analysis, run: int, align: Align, longest: float | None = None) -> Axis:
    """Where the epochs and steps of a run lie.

    Args:
        analysis: the analysis.
        run: number of the run.
        align: what the axis counts.
        longest: seconds that choose the unit of time since the start; by default the run's own.

    Raises:
        UsageError: the log does not tell the time, or there is no such axis or run.
    """
    if align not in ALIGNMENTS:
        raise UsageError(f"no axis {align!r}; choose from {', '.join(ALIGNMENTS)}")
    epochs = facts(analysis).run(run)
    if not len(epochs):
        raise UsageError(f"no run {run} with an epoch in {analysis.source.name}")
    timed = align in ("relative", "wall")
    if timed and align not in alignments(analysis):
        raise UsageError(f"{analysis.source.name} does not tell the time; use another axis")
    number, done, whole = epochs["epoch"], epochs["steps"], epochs["of"]
    seconds = epochs["seconds"]
    if align == "epoch":
        begins = number - 1
    else:
        lengths = done if align == "step" else seconds
        begins = np.cumsum(lengths) - lengths
        began = epochs["began"]
        if timed and np.isfinite(began).all():
            # Gaps between epochs are known.
            begins = np.maximum.accumulate(began) - began[0]
    unit, scale = time_unit(float(np.nansum(seconds)) if longest is None else longest)
    titles: dict[Align, str] = {
        "step": "batches done",
        "epoch": "epochs done",
        "relative": f"time since the start ({unit})",
        "wall": "clock time (UTC)",
    }
    points = drawn(analysis).clock[run].points() if timed else None
    started = 0.0
    if align == "wall":
        runs = analysis.runs.select("run", "started").rows()
        started = next(float(start) for number, start in runs if number == run)
    return Axis(
        align,
        titles[align],
        epochs=number,
        steps=np.where(np.isfinite(whole), np.fmax(whole, done), done),
        done=done,
        begins=begins,
        scale=scale,
        started=started,
        clock=(points["epoch"], points["step"], points["y"]) if points else None,
    )
