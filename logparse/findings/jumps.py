"""Table ``metrics`` in, every epoch boundary judged out: averaging, real, or undecided."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from logparse.findings.registry import Tables, once, rows_of
from logparse.training.laws import kind_of_metric
from logparse.training.student import Z95, normal, student

if TYPE_CHECKING:
    import polars as pl

    from logparse.reading.records import Floats, Ints

REAL = 2.65
"""Standard errors from which a change between epochs is called real; by benchmarks/jumps.py it then
errs at less than 1 % of the boundaries, whatever the course of the level."""

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
    shown: float
    first: float
    first_step: int
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
    verdict: Verdict

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
    def strength(self) -> float:
        """``score`` as a normal deviate of the same probability: few lines tell little of noise."""
        return float(normal(self.score, self.freedom))

    @property
    def half_band(self) -> float:
        """Half width of the 95 % band of the remainder."""
        return float(student(Z95, self.freedom)) * self.error

    @property
    def probability(self) -> float:
        """Probability of a remainder this large if the level did not change."""
        return math.erfc(self.strength / math.sqrt(2))


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
    return tuple(jumps(group) for group in averages(tables))


def jumps(group: Group) -> list[Jump]:
    """Every boundary between consecutive epochs of one metric, judged."""
    after = np.flatnonzero(np.diff(group.epoch) == 1) + 1
    # A first number from late in its epoch is an average over most of it: no jump to explain.
    late = np.fmax(BEGINNING * group.of[after], BEGINNING_STEPS)
    after = after[~(group["first_step"][after] > late)]
    before = after - 1
    freedom = np.where(np.isfinite(group["freedom"]), group["freedom"], np.inf)
    width = 2 * student(Z95, freedom)
    noise = np.where(
        np.isfinite(group["noise"][after]), group["noise"][after], group["noise"][before]
    )
    step = np.fmax(group["first_step"][after], 1.0)
    first = group["first"][after]
    chance = noise / np.sqrt(step)
    # Too few updates for a level of its own: the first number, with a batch's noise.
    alone = ~np.isfinite(group["start"][after]) & np.isfinite(chance)
    spread = ((group["start_high"] - group["start_low"]) / width)[after]
    end_band = group["end_high"] - group["end_low"]
    columns = (
        group["shown"][before],
        first,
        group["end"][before],
        (end_band / width)[before],
        end_band[before] / 2,
        np.where(alone, first, group["start"][after]),
        np.where(alone, chance, spread),
        noise,
        step,
        chance,
        freedom[before],
        np.where(alone, freedom[before], freedom[after]),
    )
    out = []
    for i, row in zip(after.tolist(), np.stack(columns, 1).tolist(), strict=True):
        if math.isfinite(row[0]) and math.isfinite(row[1]):
            out.append(_judge(group, i, row))
    return out


def _judge(group: Group, i: int, row: list[float]) -> Jump:
    """The verdict on the boundary before row ``i``, from the columns of ``jumps``."""
    shown, first, end, end_error, end_half, start, start_error, noise, step, chance, *free = row
    jump = Jump(
        group.run, int(group.epoch[i]), group.metric, shown, first, int(step),
        end, end_error, end_half, start, start_error, noise,
        _freedom((end_error, start_error), free), "undecided",
    )  # fmt: skip
    return replace(jump, verdict=_verdict(jump, chance))


def _freedom(errors: Sequence[float], free: Sequence[float]) -> float:
    """Degrees of freedom of a sum of variances (B. Welch, Biometrika 34, 1947)."""
    whole = math.hypot(*errors)
    if not 0 < whole < math.inf:
        return math.inf
    parts = sum((e / whole) ** 4 / f for e, f in zip(errors, free, strict=True))
    return 1 / parts if parts > 0 else math.inf


def _verdict(jump: Jump, chance: float) -> Verdict:
    if not (math.isfinite(jump.end) and math.isfinite(jump.start)):
        return "undecided" if jump.size else "none"
    if jump.strength >= REAL:
        return "real"
    if abs(jump.size) < SEEN * chance:
        return "none"
    # Averaging is the answer only if "all of it is real" can be ruled out.
    if abs(jump.size - jump.remainder) < EXCLUDED * jump.error:
        return "undecided"
    # Else most of it is the chance of the first batches: nothing to explain.
    return "averaging" if jump.averaging / jump.size >= SHARE else "none"
