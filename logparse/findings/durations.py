"""The table ``epochs`` -> runs as series of epoch times, which epochs are slow and on what beat."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from logparse.findings.outliers import Bools, Slow, find_slow, like_epochs
from logparse.findings.registry import Tables, once
from logparse.reading.records import Floats, Ints

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Series:
    """Complete, comparable epochs of one run, in order; times in seconds, nan where unknown."""

    run: int
    epoch: Ints
    line: Ints
    steps: Floats
    seconds: Floats
    half: Floats
    """Half the width of the bounds of ``seconds``."""
    step: Floats
    first_step: Floats
    validation: Floats
    late_step: Floats
    starts: bool
    """The first of them is the first epoch of the run."""

    def after_first(self) -> slice:
        """The epochs that a warm-up does not touch."""
        return slice(1 if self.starts else 0, None)

    def slow(self) -> Slow | None:
        """Which epochs after the first are slow; None where there are too few to judge."""
        later = self.after_first()
        return find_slow(self.seconds[later], self.half[later], self._first())

    def like(self) -> int:
        """Number of epochs that tell how much they differ."""
        return like_epochs(self.seconds[self.after_first()], self._first())

    def _first(self) -> float:
        """Time of the first epoch of the run, which LP202 judges; nan where it is not there."""
        return float(self.seconds[0]) if self.starts else np.nan


@once
def all_series(tables: Tables) -> list[Series]:
    """Runs as series of epochs. Epochs of another length than most of their run are left out."""
    frame = tables.epochs
    runs: dict[int, list[int]] = {}
    for i, run in enumerate(frame["run"].to_list()):
        runs.setdefault(run, []).append(i)
    numbers = {name: _floats(frame, name) for name in _NUMBERS}
    complete = np.array([bool(one) for one in frame["complete"].to_list()], np.bool_)
    timed = complete & np.isfinite(numbers["seconds"])
    length = np.nan_to_num(numbers["of"])
    epoch, line = frame["epoch"].to_numpy(), frame["last_line"].to_numpy()
    found: list[Series] = []
    for run, rows in runs.items():
        all_of_it = np.array(rows)
        lengths = Counter(length[all_of_it][timed[all_of_it]].tolist())
        if not lengths:
            continue
        usual = min(lengths, key=lambda one: (-lengths[one], one))
        at = all_of_it[timed[all_of_it] & (length[all_of_it] == usual)]
        part = {name: column[at] for name, column in numbers.items()}
        seconds, low, high = part["seconds"], part["seconds_low"], part["seconds_high"]
        low = np.where(np.isfinite(low), low, seconds)
        # Without a bound from above (TF 2.2 and 2.3) the one from below serves for both.
        high = np.where(np.isfinite(high), high, 2 * seconds - low)
        found.append(
            Series(
                run=run,
                epoch=epoch[at],
                line=line[at],
                steps=part["steps"],
                seconds=seconds,
                half=0.5 * (high - low),
                step=part["step_seconds"],
                first_step=part["first_step_seconds"],
                validation=part["validation_seconds"],
                late_step=part["late_step_seconds"],
                starts=bool(epoch[at[0]] == epoch[rows[0]]),
            )
        )
    return found


_NUMBERS = (
    "of", "steps", "seconds", "seconds_low", "seconds_high", "step_seconds", "first_step_seconds",
    "validation_seconds", "late_step_seconds",
)  # fmt: skip


def _floats(part: pl.DataFrame, name: str) -> Floats:
    """A column, nan where null or where there is none."""
    if name not in part.columns:
        return np.full(len(part), np.nan)
    return np.array(part[name].to_numpy(), np.float64)  # null becomes nan


def excess(series: Series, at: int, others: Bools) -> dict[str, float]:
    """Seconds by which the parts of an epoch exceed those of others; nan where unknown.

    Where the others do not tell a part, it is taken to be the whole of them: the excess is then
    a lower bound.
    """
    whole = float(np.median(series.seconds[others]))

    def over(column: Floats) -> float:
        known = column[others & np.isfinite(column)]
        return float(column[at]) - (float(np.median(known)) if len(known) else whole)

    steps = series.step * np.maximum(series.steps - 1, 0.0)
    return {
        "first": over(series.first_step),
        "steps": over(steps),
        "validation": over(series.validation),
    }


def period_of(slow: Bools) -> int | None:
    """Spacing of slow epochs that recur regularly, at least three times and at least 2 apart.

    One in five may be off the beat, and three in ten of the beats may be missed.
    """
    at = np.flatnonzero(slow)
    if len(at) < 3:
        return None
    period = int(np.quantile(np.diff(at), 0.5, method="lower"))
    if period < 2:
        return None
    beats = np.bincount(at % period, minlength=period)
    phase = int(beats.argmax())
    on, expected = int(beats[phase]), len(range(phase, len(slow), period))
    regular = on >= 3 and on >= 0.8 * len(at) and on >= 0.7 * expected
    return period if regular else None
