"""What is known of a growing log in, lines on it out; on a terminal some are redrawn."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, TextIO, cast

from logparse.analysis import Analysis
from logparse.reports import words
from logparse.reports.safe import shorten, width

METRICS = 6
"""Metrics on a line."""

Row = dict[str, Any]


class Screen:
    """Lines as they come; below them, on a terminal, one line for each log that is redrawn."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._live = out, out.isatty()
        self._drawn = 0

    def say(self, text: str) -> None:
        """A line that stays."""
        self._wipe()
        self._out.write(f"{text}\n")
        self._out.flush()

    def status(self, lines: Iterable[str]) -> None:
        """The lines that change."""
        if not self._live:
            return
        # A terminal may not know its size.
        room = (os.get_terminal_size(self._out.fileno()).columns or 80) - 1
        self._wipe()
        shown = [_fit(line, room) for line in lines]
        self._out.write("".join(f"{line}\n" for line in shown))
        self._out.flush()
        self._drawn = len(shown)

    def _wipe(self) -> None:
        if self._drawn:
            self._out.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0


def _fit(line: str, room: int) -> str:
    """As much of a line as a terminal shows without a break."""
    for end, char in enumerate(line):
        room -= width(char)
        if room < 0:
            return line[:end]
    return line


def epoch_text(analysis: Analysis, epoch: Row, of: dict[int, int | None], *, many: bool) -> str:
    """A finished epoch on one line."""
    run = f"run {epoch['run']}, " if many else ""
    text = f"{run}epoch {_of(epoch['epoch'], of[epoch['run']])} done"
    if epoch["seconds"] is not None:
        bounds = epoch["seconds_low"], epoch["seconds_high"]
        text += f" in {words.duration(epoch['seconds'], *bounds)}"
    values = [_value(row) for row in _metrics(analysis, epoch)]
    return f"{text}: {', '.join(values)}" if values else text


def _metrics(analysis: Analysis, epoch: Row) -> list[Row]:
    table = analysis.metrics
    mine = (table["run"] == epoch["run"]) & (table["epoch"] == epoch["epoch"])
    return cast("list[Row]", table.filter(mine).head(METRICS).rows(named=True))


def _value(row: Row) -> str:
    """A metric as printed and, where it was rebuilt, where the network really stood."""
    name = shorten(row["metric"], 40)
    level = row["end"] is not None and row["end_high"] > row["end_low"]
    real = words.estimate(row["end"], row["end_low"], row["end_high"]) if level else ""
    value = row["before"] if row["shown"] is None else row["shown"]
    shown = f"{name} {words.shown(value)}"
    if not real:
        return shown
    return f"{shown} (really {real}{' now' if row['shown'] is None else ' at its end'})"


def status(
    analysis: Analysis, last: Row, of: dict[int, int | None], measured: list[tuple[float, float]]
) -> str:
    """Where the training stands."""
    text = f"epoch {_of(last['epoch'], of[last['run']])}, step {_of(last['steps'], last['of'])}"
    values = [row for row in _metrics(analysis, last) if not row["metric"].startswith("val_")]
    text += "".join(f", {_value(row)}" for row in values[:2])
    step = last["late_step_seconds"] or last["step_seconds"]
    if step:
        text += f", {words.duration(step)} a step"
    left = time_left(analysis.epochs.rows(named=True), of[last["run"]], measured)
    return text if left is None else f"{text}, {words.duration(round(left))} left"


def time_left(
    epochs: list[Row], of: int | None, measured: Sequence[tuple[float, float]] = ()
) -> float | None:
    """Seconds until the last epoch announced is done; None where that cannot be told.

    From the times that the log shows; else from how fast it grew while it was watched.

    Args:
        epochs: rows of the table ``epochs``.
        of: epochs announced.
        measured: (seconds, epochs done), as seen here.
    """
    last = epochs[-1]
    own = [epoch for epoch in epochs if epoch["run"] == last["run"]]
    if not of or last["epoch"] > of:
        return None
    whole = [e["seconds"] for e in own if e["complete"] and e["seconds"] is not None][-3:]
    step = last["late_step_seconds"] or last["step_seconds"]
    if step is None and len(own) > 1:
        step = own[-2]["step_seconds"]
    an_epoch = statistics.median(whole) if whole else None
    if an_epoch is None and step is not None and last["of"]:
        an_epoch = step * last["of"]
    if an_epoch is not None:
        share = 1.0 if last["complete"] else progress(last) - last["epoch"] + 1
        return float((of - last["epoch"] + 1 - share) * an_epoch)
    if len(measured) > 1:
        (begin, before), (end, after) = measured[0], measured[-1]
        if after > before and end > begin:
            return (of - after) * (end - begin) / (after - before)
    return None


def progress(epoch: Row) -> float:
    """Epochs done, the part of the last one included."""
    if epoch["complete"]:
        return float(epoch["epoch"])
    share = min(epoch["steps"] / epoch["of"], 1.0) if epoch["of"] else 0.0
    return float(epoch["epoch"] - 1 + share)


def _of(done: int, whole: int | None) -> str:
    return f"{done:,}/{whole:,}" if whole and whole >= done else f"{done:,}"
