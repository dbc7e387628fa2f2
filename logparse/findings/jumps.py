"""Table ``metrics`` in, every epoch boundary judged out: averaging, real, or undecided."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from logparse.findings.registry import Tables
from logparse.training.laws import kind_of_metric

if TYPE_CHECKING:
    import polars as pl

    from logparse.reading.records import Floats, Ints

REAL = 4.0
"""Standard errors from which a change between epochs is called real.

In simulations of training without any, 0.12 % of boundaries reach it (0.6 % reach 3)."""

EXCLUDED = 3.0
"""Standard errors by which the jump must miss being all real, to be called averaging."""

SEEN = 2.0
"""A jump is looked at if it is this many times the noise of the number after it."""

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
    start: float
    start_error: float
    noise: float
    updates: int | None
    """Lines of the sparser of the two epochs; None if not known."""
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
        """``score`` as a normal deviate of the same probability.

        Few lines tell little of noise and drift: the score has then Student's distribution, with
        ``updates`` - 2 degrees of freedom (D. Wallace's approximation, 1959).
        """
        if self.updates is None:
            return abs(self.score)
        free = max(self.updates - 2, 1)
        return (8 * free + 1) / (8 * free + 3) * math.sqrt(free * math.log1p(self.score**2 / free))

    @property
    def probability(self) -> float:
        """Probability of a remainder this large if the level did not change."""
        return math.erfc(self.strength / math.sqrt(2))


NUMBERS = (
    "shown", "mean", "mean_low", "mean_high", "first", "first_step",
    "start", "start_low", "start_high", "end", "end_low", "end_high", "noise", "before",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """All epochs of one metric in one run, as arrays; nan is null."""

    run: int
    metric: str
    epoch: Ints
    columns: dict[str, Floats]
    updates: list[int | None]
    """Lines of each epoch."""

    def __getitem__(self, name: str) -> Floats:
        return self.columns[name]


def groups(tables: Tables) -> Iterator[Group]:
    """Every metric of every run, its epochs in order."""
    frame = tables.metrics
    if frame.is_empty():
        return
    keys = ("run", "epoch", "updates")
    lines: dict[tuple[int, int], int] = {}
    if set(keys) <= set(tables.epochs.columns):
        rows = tables.epochs.select(keys).iter_rows()
        lines = {(run, epoch): updates for run, epoch, updates in rows}
    for (run, metric), part in frame.group_by(["run", "metric"], maintain_order=True):
        part = part.sort("epoch")
        numbers = {name: _floats(part, name) for name in NUMBERS}
        updates = [lines.get((int(str(run)), epoch)) for epoch in part["epoch"].to_list()]
        yield Group(int(str(run)), str(metric), part["epoch"].to_numpy(), numbers, updates)


def _floats(frame: pl.DataFrame, name: str) -> Floats:
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    column = frame[name].cast(dtype=_float_type()).fill_null(float("nan"))
    return np.asarray(column.to_numpy(), np.float64)


def _float_type() -> Any:
    import polars as pl

    return pl.Float64


def averages(tables: Tables) -> Iterator[Group]:
    """Those of ``groups`` that are averages over batches."""
    return (group for group in groups(tables) if kind_of_metric(group.metric) == "average")


def jumps(group: Group) -> list[Jump]:
    """Every boundary between consecutive epochs of one metric, judged."""
    after = np.flatnonzero(np.diff(group.epoch) == 1) + 1
    out = []
    for i in after.tolist():
        shown, first = group["shown"][i - 1], group["first"][i]
        if not (math.isfinite(shown) and math.isfinite(first)):
            continue
        out.append(_judge(group, i, float(shown), float(first)))
    return out


def _judge(group: Group, i: int, shown: float, first: float) -> Jump:
    """The verdict on the boundary before row ``i``."""
    width = 2 * 1.959964
    end, end_error = group["end"][i - 1], (group["end_high"] - group["end_low"])[i - 1] / width
    start, start_error = group["start"][i], (group["start_high"] - group["start_low"])[i] / width
    noise = group["noise"][i] if np.isfinite(group["noise"][i]) else group["noise"][i - 1]
    step = max(int(group["first_step"][i]), 1)
    pair = [n for n in group.updates[i - 1 : i + 1] if n is not None]
    updates = min(pair) if len(pair) == 2 else None
    chance = noise / math.sqrt(step) if np.isfinite(noise) else math.nan
    if not np.isfinite(start) and np.isfinite(chance):
        # Too few updates for a level of its own: the first number, with a batch's noise.
        start, start_error = first, chance
    jump = Jump(
        group.run, int(group.epoch[i]), group.metric, shown, first, step,
        float(end), float(end_error), float(start), float(start_error), float(noise),
        updates, "undecided",
    )  # fmt: skip
    return Jump(**{**_fields(jump), "verdict": _verdict(jump, float(chance))})


def _fields(jump: Jump) -> dict[str, Any]:
    return {name: getattr(jump, name) for name in Jump.__slots__}


def _verdict(jump: Jump, chance: float) -> Verdict:
    if not (math.isfinite(jump.end) and math.isfinite(jump.start)):
        return "undecided" if jump.size else "none"
    if jump.strength >= REAL:
        return "real"
    if abs(jump.size) < SEEN * chance:
        return "none"
    # Averaging is the answer only if "all of it is real" can be ruled out.
    ruled_out = abs(jump.size - jump.remainder) >= EXCLUDED * jump.error
    return "averaging" if ruled_out else "undecided"
