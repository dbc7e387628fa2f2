"""Sides and their times in, what a reader must know about the numbers out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from logparse.comparison.intervals import wanders
from logparse.comparison.sides import Side
from logparse.comparison.timing import Timing
from logparse.findings.changes import find_changes
from logparse.findings.outliers import SECOND
from logparse.reports import words

Row = dict[str, Any]

COARSE = 0.02
"""Part of an epoch's time from which its rounding is worth a word."""


def notes_of(sides: Sequence[Side], timings: Sequence[Timing]) -> list[Row]:
    """Rows of the table ``notes``."""
    rows: list[Row] = []
    for side, timing in zip(sides, timings, strict=True):
        texts = [*side.notes, *_about_runs(side, timing), *_about_times(side, timing)]
        rows += [{"side": timing.number, "text": text} for text in texts]
    for text in (*_on_two_sides(sides), *_about_all(timings)):
        rows.append({"side": None, "text": text})
    return rows


def _on_two_sides(sides: Sequence[Side]) -> Iterator[str]:
    """Logs that were given on more than one side, most likely by mistake."""
    names = [name for side in sides for name in side.epochs["log"].unique().to_list()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
        yield f"{twice[0]}{more} on more than one side: is that meant?"


def _about_runs(side: Side, timing: Timing) -> Iterator[str]:
    for failure in side.failures:
        yield f"not read: {failure.error}"
    if timing.mean is None:
        yield "no complete epoch with a time: only the metrics are compared"
    if any(run.alone for run in timing.runs):
        yield "an epoch that is the only one of its run is counted, warm-up included"
    if len(timing.runs) > 1:
        yield f"{len(timing.runs)} runs, compared as a group: the differences between them count"
    other = timing.uses.count("other length")
    if other:
        yield f"{words.count(other, 'epoch')} of another length than most left out"


def _about_times(side: Side, timing: Timing) -> Iterator[str]:
    for run in timing.runs:
        seconds, half = run.seconds[run.warmup :], run.half[run.warmup :]
        changes = find_changes(seconds, half, SECOND)
        where = f"run {run.run} of {run.log}: " if len(timing.runs) > 1 else ""
        if not changes and len(timing.runs) == 1 and wanders(run.seconds[run.steady]):
            yield (
                "each epoch is much like the one before, so these tell little of the mean: the "
                "interval may be too narrow; more epochs would tell, or runs on both sides in turn"
            )
        if not changes:
            continue
        first = changes[0]
        moved = f"from {words.duration(first.before)} to {words.duration(first.after)}"
        how = "drifted" if first.kind == "drift" else "changed"
        more = f", the first of {len(changes)} changes" if len(changes) > 1 else ""
        yield f"{where}no steady state: the time of an epoch {how} {moved}{more}"
    mean = timing.mean
    if mean is not None and mean.rounding > COARSE * mean.value:
        share = words.share(mean.rounding, mean.value)
        yield f"printed times are coarse: rounding alone can move the mean by {share}"


def _about_all(timings: Sequence[Timing]) -> Iterator[str]:
    timed = [timing for timing in timings if timing.mean is not None]
    lengths = [timing.steps for timing in timed]
    if len({length for length in lengths if length}) > 1:
        yield (
            "the sides have different numbers of steps an epoch, so times of an epoch and of a "
            "step tell different stories"
        )
    if timed and not any(timing.grouped for timing in timed):
        yield (
            "one run a side: how much runs of the same pipeline differ among each other is not in "
            "these intervals"
        )
