"""Table ``metrics`` in, every epoch boundary judged out: averaging, real, or undecided."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from logparse.findings.looks import deviate, largest, probability
from logparse.findings.registry import Tables, once, rows_of
from logparse.training.epochs import Bools
from logparse.training.laws import kind_of_metric
from logparse.training.student import Z95, normal, student

if TYPE_CHECKING:
    import polars as pl

    from logparse.reading.records import Floats, Ints

REAL = Z95
"""Standard errors below which no change is called real, however clear the others of its run are:
its 95 % band would hold nothing."""

RATE = 0.005
"""Share of runs in which something is found at a boundary, of all metrics, though nothing is."""

EXCLUDED = 3.0
"""Standard errors by which the jump must miss being all real, to be called averaging."""

SEEN = 2.0
"""A jump is looked at if it is this many times the noise of the number after it."""

SHARE = 0.5
"""Share of a jump that averaging must give to be called its cause."""

_HIGHER = re.compile(r"acc|auc|precision|recall|f1|iou|dice|r2|kappa|positives$", re.IGNORECASE)

Verdict = Literal["averaging", "real", "undecided", "none"]


def higher_is_better(metric: str) -> bool:
    """Whether a larger value of this metric is better, judged by its name."""
    return bool(_HIGHER.search(metric)) and "loss" not in metric.lower()


@dataclass(frozen=True, slots=True)
class Jump:
    """One epoch boundary of one metric, with the arithmetic of its verdict."""

    run: int
    epoch: int
    """The epoch after the boundary."""
    metric: str
    verdict: Verdict
    looked_at: int
    """Boundaries of the run that were tested, this one among them, over all metrics."""
    limit: float
    """Largest ``probability`` that is called real among them."""
    shown: float
    first: float
    first_step: float
    end: float
    end_error: float
    """Standard error of ``end``."""
    end_half: float
    """Half width of its 95 % band, as in the table ``metrics``."""
    start: float
    start_error: float
    noise: float
    freedom: float
    """Degrees of freedom of ``error``; infinite if not known."""
    strength: float
    """``score`` as a normal deviate of the same probability: few lines tell little of noise."""

    @property
    def size(self) -> float:
        """What the reader sees: first number of the epoch less the last of the one before."""
        return self.first - self.shown

    @property
    def averaging(self) -> float:
        """What averaging alone gives: the level at the end less the shown average."""
        return self.end - self.shown

    @property
    def remainder(self) -> float:
        """Change of the level between the two epochs."""
        return self.start - self.end

    @property
    def error(self) -> float:
        """Standard error of the remainder."""
        return math.hypot(self.end_error, self.start_error)

    @property
    def score(self) -> float:
        """Remainder in standard errors."""
        return self.remainder / self.error if self.error > 0 else math.inf

    @property
    def half_band(self) -> float:
        """Half width of the 95 % band of the remainder."""
        return float(student(Z95, self.freedom)) * self.error

    @property
    def probability(self) -> float:
        """Probability of a remainder this large if the level did not change."""
        return probability(self.strength)

    @property
    def least(self) -> float:
        """``strength`` from which it is called real."""
        return deviate(self.limit)


BEGINNING = 0.1
"""Share of an epoch in which its first number must be shown for a jump to be looked at."""
BEGINNING_STEPS = 3
"""Steps that count as the beginning of any epoch."""

NUMBERS = (
    "shown", "mean", "mean_low", "mean_high", "first", "first_step",
    "start", "start_low", "start_high", "end", "end_low", "end_high", "noise", "freedom", "before",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """All epochs of one metric in one run, as arrays; nan is null."""

    run: int
    metric: str
    epoch: Ints
    columns: dict[str, Floats]
    of: Floats
    """Steps of a whole epoch."""

    def __getitem__(self, name: str) -> Floats:
        return self.columns[name]


@once
def groups(tables: Tables) -> tuple[Group, ...]:
    """Every metric of every run, its epochs in order."""
    return tuple(_groups(tables))


def _groups(tables: Tables) -> Iterator[Group]:
    frame = tables.metrics
    if frame.is_empty():
        return
    whole: dict[tuple[int, int], int | None] = {}
    if "of" in tables.epochs.columns:
        rows = rows_of(tables.epochs, "run", "epoch", "of")
        whole = {(run, epoch): of for run, epoch, of in rows}
    places: dict[tuple[int, str], list[int]] = {}
    for i, key in enumerate(rows_of(frame, "run", "metric")):
        places.setdefault((key[0], key[1]), []).append(i)
    numbers = {name: _floats(frame, name) for name in NUMBERS}
    epoch = frame["epoch"].to_numpy()
    for (run, metric), at in places.items():
        at.sort(key=epoch.__getitem__)
        mine = epoch[at]
        steps = np.array([whole.get((run, one)) for one in mine.tolist()], float)
        own = {name: column[at] for name, column in numbers.items()}
        yield Group(run, metric, mine, own, steps)


def _floats(frame: pl.DataFrame, name: str) -> Floats:
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    # A null becomes nan; the series' own methods would each start a lazy query.
    return np.asarray(frame[name].to_numpy(), np.float64)


def averages(tables: Tables) -> Iterator[Group]:
    """Those of ``groups`` that are averages over batches."""
    return (group for group in groups(tables) if kind_of_metric(group.metric) == "average")


@once
def all_jumps(tables: Tables) -> tuple[list[Jump], ...]:
    """``jumps`` of every average, one list a run and metric."""
    runs: dict[int, list[Group]] = {}
    for group in averages(tables):
        runs.setdefault(group.run, []).append(group)
    return tuple(found for of_run in runs.values() for found in jumps(of_run))


def jumps(of_run: Sequence[Group]) -> list[list[Jump]]:
    """Every boundary between consecutive epochs of one run, judged; a list for each metric.

    Args:
        of_run: all averages of the run: the more boundaries, the more of them chance moves.
    """
    found = [_boundaries(group) for group in of_run]
    looked_at, real = _limit([one.strength for one in found])
    _, moved = _limit([one.moved for one in found])
    limit = min(real, probability(REAL))
    return [
        [
            Jump(one.group.run, epoch, one.group.metric, verdict, looked_at, limit, *row)
            for epoch, verdict, row in zip(
                one.epoch.tolist(), _verdicts(one, limit, moved), one.rows(), strict=True
            )
        ]
        for one in found
    ]


def _limit(strengths: Sequence[Floats]) -> tuple[int, float]:
    """How many tests were made, and the largest probability that counts among them."""
    chances = [probability(one) for part in strengths for one in part.tolist() if one == one]
    return len(chances), largest(np.array(chances), RATE)


@dataclass(slots=True)
class _Boundaries:
    """The boundaries of one metric, [n] each; nan is not known."""

    group: Group
    epoch: Ints
    shown: Floats
    first: Floats
    first_step: Floats
    end: Floats
    end_error: Floats
    end_half: Floats
    start: Floats
    start_error: Floats
    noise: Floats
    freedom: Floats
    strength: Floats
    """of a change; see ``Jump``"""
    moved: Floats
    """the same of what averaging gives"""

    def rows(self) -> Iterator[tuple[float, ...]]:
        """The numbers that a ``Jump`` holds of each, in its order."""
        names = [name for name in _Boundaries.__slots__ if name not in ("group", "epoch", "moved")]
        return zip(*(getattr(self, name).tolist() for name in names), strict=True)


def _boundaries(group: Group) -> _Boundaries:
    """What is known of the boundaries of one metric."""
    after = np.flatnonzero(np.diff(group.epoch) == 1) + 1
    # A first number from late in its epoch is an average over most of it: no jump to explain.
    late = np.fmax(BEGINNING * group.of[after], BEGINNING_STEPS)
    there = np.isfinite(group["shown"][after - 1]) & np.isfinite(group["first"][after])
    after = after[there & ~(group["first_step"][after] > late)]
    before = after - 1
    freedom = np.where(np.isfinite(group["freedom"]), group["freedom"], np.inf)
    width = 2 * student(Z95, freedom)
    noise = np.where(
        np.isfinite(group["noise"][after]), group["noise"][after], group["noise"][before]
    )
    step = np.fmax(group["first_step"][after], 1.0)
    shown, first = group["shown"][before], group["first"][after]
    chance = noise / np.sqrt(step)
    # Too few updates for a level of its own: the first number, with a batch's noise.
    alone = ~np.isfinite(group["start"][after]) & np.isfinite(chance)
    spread = ((group["start_high"] - group["start_low"]) / width)[after]
    end_band = (group["end_high"] - group["end_low"])[before]
    end, start = group["end"][before], np.where(alone, first, group["start"][after])
    errors = end_band / width[before], np.where(alone, chance, spread)
    free = freedom[before], np.where(alone, freedom[before], freedom[after])
    whole = np.hypot(*errors)
    # B. Welch, Biometrika 34, 1947.
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = sum((error / whole) ** 4 / one for error, one in zip(errors, free, strict=True))
        both = np.where(parts > 0, 1 / parts, np.inf)
        strength = normal((start - end) / whole, both)
        moved = normal((end - shown) / errors[0], free[0])
    return _Boundaries(
        group, group.epoch[after], shown, first, step, end, errors[0], end_band / 2,
        start, errors[1], noise, both, strength, moved,
    )  # fmt: skip


def _verdicts(of: _Boundaries, limit: float, moved: float) -> list[Verdict]:
    """What made each jump.

    Args:
        of: the boundaries of one metric.
        limit: largest probability that is called real.
        moved: the same of what averaging gives.
    """
    size = of.first - of.shown
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.isfinite(of.end) & np.isfinite(of.start)
        seen = np.abs(size) >= SEEN * of.noise / np.sqrt(of.first_step)
        whole = np.hypot(of.end_error, of.start_error)
        # Averaging is the answer only if "all of it is real" can be ruled out,
        partly = np.abs(size - (of.start - of.end)) >= EXCLUDED * whole
        # and if it gives most of it; else that is the chance of the first batches.
        most = (of.end - of.shown) / size >= SHARE
        cases: list[tuple[Verdict, Bools]] = [
            ("none", ~told & (size == 0)),
            ("undecided", ~told),
            ("real", of.strength >= deviate(limit)),
            ("none", ~seen),
            ("undecided", ~partly),
            ("none", ~most),
            ("undecided", ~(of.moved >= deviate(moved))),
        ]
    out: list[Verdict] = ["averaging"] * len(size)
    for verdict, holds in reversed(cases):
        for i in np.flatnonzero(holds).tolist():
            out[i] = verdict
    return out
