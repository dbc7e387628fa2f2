"""Sides in, how long their epochs take and how that compares out: times, ratios, totals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np

from logparse.comparison.constants import SAME
from logparse.comparison.intervals import (
    Mean,
    hedges_g,
    mean_of_epochs,
    mean_of_runs,
    more_to_settle,
    ratio,
    slower_share,
)
from logparse.comparison.steady import Run, runs_of
from logparse.reading.records import Floats

if TYPE_CHECKING:
    from logparse.comparison.sides import Side

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the epochs of one side take."""

    number: int
    """Number of the side, from 1."""
    runs: list[Run]
    uses: list[str]
    """For each raw epoch what it counts as."""
    mean: Mean | None
    """Steady time of an epoch, None where no time is shown."""
    values: Floats
    """What the mean is of: steady epochs of the one run, or the means of several."""
    steps: int | None
    """Steps of its epochs, if known and all the same."""
    grouped: bool
    """The mean is one over runs."""
    start: Floats | None
    """Times of the warm-up epochs, the mean over runs; None if the log lacks its beginning."""
    start_half: float
    """How far rounding can move each of them."""

    @property
    def warmup(self) -> int:
        """Warm-up epochs of the run with the most."""
        return max((run.warmup for run in self.runs), default=0)


def timing_of(number: int, side: Side) -> Timing:
    """The steady times of one side."""
    runs, uses = runs_of(side.epochs)
    lengths = side.epochs.filter(np.array(uses) == "steady")["of"].unique().to_list()
    steps = lengths[0] if len(lengths) == 1 else None
    means = [mean_of_epochs(run.seconds[run.steady], run.half[run.steady]) for run in runs]
    if not means:
        return Timing(number, [], uses, None, np.empty(0), steps, False, None, math.nan)
    grouped = len(means) > 1
    mean = mean_of_runs(means) if grouped else means[0]
    values = np.array([one.value for one in means])
    if not grouped:
        values = runs[0].seconds[runs[0].steady]
    return Timing(number, runs, uses, mean, values, steps, grouped, *_start(runs, mean))


def side_row(side: Side, timing: Timing) -> Row:
    """A row of the table ``sides``."""
    import polars as pl

    mean, runs = timing.mean, timing.runs
    steady = side.epochs.filter(np.array(timing.uses, dtype=str) == "steady")
    row: Row = {
        "side": timing.number,
        "name": side.name,
        "logs": side.epochs["log"].n_unique(),
        "runs": len(runs),
        "epochs": steady.height,
        "warmup": timing.warmup,
        "steps": timing.steps,
        "train_step_seconds": steady.select(pl.col("step_seconds").median()).item(),
        "slow_epochs": sum(int(run.slow.sum()) for run in runs),
        "slow_seconds": sum(_lost(run) for run in runs),
    }
    if mean is not None:
        row |= {
            "epoch_seconds": mean.value,
            "epoch_low": _finite(mean.low),
            "epoch_high": _finite(mean.high),
            "step_seconds": mean.value / timing.steps if timing.steps else None,
        }
        row |= _overhead(timing.start, timing.start_half, mean)
    return row


def ratio_rows(timing: Timing, base: Timing, limit: float | None) -> list[Row]:
    """Rows of the table ``ratios``: this side over the baseline.

    Args:
        timing: of this side.
        base: of the baseline.
        limit: ratio above which the side is slower; 1 by default, where ratios near it are the
            same.
    """
    mean, other = timing.mean, base.mean
    if mean is None or other is None:
        return []
    rows = []
    # Of different lengths, epochs and steps tell two stories: the user has to choose.
    lengths = timing.steps, base.steps
    known = None not in lengths and lengths[0] != lengths[1]
    for quantity in ("epoch", "step") if known else ("epoch",):
        scale = 1.0 if quantity == "epoch" else float(timing.steps or 1)
        base_scale = 1.0 if quantity == "epoch" else float(base.steps or 1)
        one, two = _scaled(mean, scale), _scaled(other, base_scale)
        found = ratio(one, two)
        aim = limit if limit is not None else 1.0
        verdict = _verdict(found.value, found.low, found.high, limit)
        times, base_times = timing.values / scale, base.values / base_scale
        rows.append(
            {
                "side": timing.number,
                "quantity": quantity,
                "ratio": found.value,
                "low": _finite(found.low),
                "high": _finite(found.high),
                "verdict": verdict,
                "limit": aim,
                "slower_share": slower_share(times, base_times),
                "hedges_g": hedges_g(times, base_times),
                "n_baseline": other.n,
                "n": mean.n,
                "more": more_to_settle(one, two, aim) if verdict == "unsure" else None,
            }
        )
    return rows


def total_rows(timing: Timing, epochs: int) -> list[Row]:
    """Rows of the table ``totals``: the time that one run of this many epochs takes."""
    mean, start = timing.mean, timing.start
    if mean is None or start is None:
        return []
    row: Row = {"side": timing.number, "epochs": epochs}
    runs = timing.runs
    if all(run.first and len(run.seconds) >= epochs for run in runs):
        seconds = float(np.mean([run.seconds[:epochs].sum() for run in runs]))
        half = float(np.mean([run.half[:epochs].sum() for run in runs]))
        return [row | _bounds(seconds, half) | {"measured": True}]
    early = min(len(start), epochs)
    seconds = float(start[:early].sum()) + (epochs - early) * mean.value
    half = timing.start_half * early + (epochs - early) * (mean.half + mean.rounding)
    return [row | _bounds(seconds, half) | {"measured": False}]


def overtake_rows(timings: Sequence[Timing]) -> list[Row]:
    """Rows of the table ``overtakes``: for each two sides the epoch from which the faster leads."""
    rows: list[Row] = []
    for fast, slow in permutations(timings, 2):
        if fast.mean is None or slow.mean is None or fast.mean.value >= slow.mean.value:
            continue
        if fast.start is None or slow.start is None:
            continue
        row: Row = {
            "side": fast.number,
            "other": slow.number,
            "epoch": ahead_from(fast.start, slow.start, fast.mean.value, slow.mean.value),
        }
        if fast.mean.known and slow.mean.known:
            best = fast.start - fast.start_half, slow.start + slow.start_half
            worst = fast.start + fast.start_half, slow.start - slow.start_half
            row["low"] = ahead_from(*best, fast.mean.low, slow.mean.high)
            row["high"] = ahead_from(*worst, fast.mean.high, slow.mean.low)
        rows.append(row)
    return rows


def ahead_from(fast: Floats, slow: Floats, fast_rate: float, slow_rate: float) -> int | None:
    """The epoch at whose end the total time of ``fast`` is below that of ``slow``, for good.

    Args:
        fast: times of the warm-up epochs of the one.
        slow: of the other.
        fast_rate: time of each epoch after those.
        slow_rate: the same of the other.

    Returns:
        None if it never is.
    """
    if fast_rate >= slow_rate:
        return None
    n = max(len(fast), len(slow))
    ends = [
        np.cumsum(np.concatenate([part, np.full(n - len(part), rate)]))
        for part, rate in ((fast, fast_rate), (slow, slow_rate))
    ]
    behind: Floats = np.append(0.0, ends[0] - ends[1])
    if behind[-1] >= 0:
        return n + math.floor(float(behind[-1]) / (slow_rate - fast_rate)) + 1
    return int(np.flatnonzero(behind >= 0)[-1]) + 1


def _start(runs: list[Run], mean: Mean) -> tuple[Floats | None, float]:
    """Times of the warm-up epochs, the mean over runs, and how far rounding can move each."""
    if not all(run.first for run in runs):
        return None, math.nan
    n = max(run.warmup for run in runs)
    padded = np.full((len(runs), n), mean.value)
    for row, run in zip(padded, runs, strict=True):
        part = run.seconds[:n]
        row[: len(part)] = part
    half = max((float(run.half[: max(n, 1)].max()) for run in runs), default=0.0)
    return padded.mean(0), half


def _overhead(start: Floats | None, half: float, mean: Mean) -> Row:
    """What the first epoch costs beyond a steady one."""
    if start is None:
        return {}
    if not len(start):
        return {"first_seconds": mean.value}
    first = float(start[0])
    row: Row = {"first_seconds": first, "overhead_seconds": first - mean.value}
    if mean.known:
        row["overhead_low"] = first - half - mean.high
        row["overhead_high"] = first + half - mean.low
    return row


def _lost(run: Run) -> float:
    """Time that slow epochs took beyond a steady one."""
    return float((run.seconds[run.slow] - run.seconds[run.steady].mean()).sum())


def _verdict(value: float, low: float, high: float, limit: float | None) -> str:
    if not math.isfinite(low):
        return "unsure"
    if limit is not None:
        return "slower" if low > limit else "same" if high <= limit else "unsure"
    if low > 1:
        return "slower"
    if high < 1:
        return "faster"
    return "same" if low >= 1 / SAME and high <= SAME else "unsure"


def _scaled(mean: Mean, by: float) -> Mean:
    """The mean of a step, from that of an epoch."""
    parts = mean._asdict() | {
        name: getattr(mean, name) / by for name in ("value", "half", "rounding", "sampling")
    }
    return Mean(**parts)


def _bounds(seconds: float, half: float) -> Row:
    known = math.isfinite(half)
    return {
        "seconds": seconds,
        "low": max(seconds - half, 0.0) if known else None,
        "high": seconds + half if known else None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
