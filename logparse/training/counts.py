"""Shown accuracies in, the batch size out: a share of n samples is a multiple of 1/n."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from logparse.reading.records import Floats, Ints
from logparse.training.epochs import Bools, Epochs
from logparse.training.series import Shown, half_units

LARGEST = 1024
"""Largest batch size looked for; larger ones show four decimals of nothing but rounding."""

EPOCHS = 12
"""Epochs looked at."""

ONCE = {k: k for k in range(1, 17)}
"""Step k: so many n times a mean of shares of n is whole."""

TWICE = {1: 1, 2: 4, 3: 18, 4: 48}
"""The same for a mean of means: k lcm(1..k)."""

SURE_SIZE = 4.0
"""Nats by which a batch size must beat chance and the runner-up; the counts then test it."""

SURE_LAST = 7.0
"""Nats by which the size of the last batch must win: bounds rest on it, 1 in 1,000."""

MISS = -20.0
"""Nats for a value that a size cannot give: not infinite, a line may be damaged."""

_SHARE = re.compile(r"(^|_)acc(uracy)?$")


def is_share(metric: str) -> bool:
    """Whether a metric counts right answers, judged by its name: a share of samples."""
    return bool(_SHARE.search(metric)) and not metric.startswith("val_")


@dataclass(slots=True)
class CountEvidence:
    """What the accuracies of one run say about its batch size. Feed it in order."""

    once: Floats = field(default_factory=lambda: np.zeros(LARGEST + 1))
    """Nats for each batch size over chance, if the lines show means."""
    twice: Floats = field(default_factory=lambda: np.zeros(LARGEST + 1))
    """The same if they show means of means."""
    ends: list[tuple[int, float, float]] = field(default_factory=list)
    """Steps K, R_K and its half unit of epochs whose last line shows R_K."""
    full: int = 0
    """Samples of a batch where the bar counts samples."""
    epochs: int = 0

    def add(self, epochs: Epochs) -> None:
        """Look at further epochs."""
        counted = epochs.seen != epochs.step
        if counted.any():
            whole = np.rint((epochs.seen / np.maximum(epochs.step, 1)).max())
            self.full = max(self.full, int(whole))
        left = max(EPOCHS - self.epochs, 0)
        self.epochs += len(epochs)
        if any(is_share(name) for name in epochs.values):
            # One by one: sums are rounded the same however the epochs come.
            for i in range(min(left, len(epochs))):
                self._count(epochs.part(i, i + 1))

    def _count(self, epoch: Epochs) -> None:
        """The shares that one epoch shows."""
        step, final = epoch.step, epoch.final
        sizes = np.arange(1, LARGEST + 1)
        for name in sorted(filter(is_share, epoch.values)):
            y = epoch.values[name]
            half = half_units(y, epoch.decimals[name])
            fine = np.isfinite(y) & (epoch.decimals[name] != 0) & (step > 0)
            news = _news(y, half, step)
            for score, whole in ((self.once, ONCE), (self.twice, TWICE)):
                rows = np.flatnonzero(fine & news & (step <= max(whole)) & ~final)
                times = np.array([whole[k] for k in step[rows].tolist()], np.int64)
                parts = times[:, None] * sizes
                # Term after term, so that sums are rounded the same however the rows come.
                for gain in _nats(y[rows, None] * parts, half[rows, None] * parts):
                    score[1:] += gain
            last = fine & final
            self.ends.extend(
                zip(step[last].tolist(), y[last].tolist(), half[last].tolist(), strict=True)
            )

    def batch_size(self, *, double: bool = False) -> int | None:
        """Samples in a full batch; None if the log does not tell.

        Args:
            double: the lines show means of means.
        """
        if self.full > 1:
            return self.full
        score = self.twice if double else self.once
        order = np.argsort(-score, kind="stable")
        ahead = score[order[0]] - score[order[1]]
        return int(order[0]) if order[0] > 0 and ahead > SURE_SIZE else None

    def last_size(self, size: int | None) -> int | None:
        """Samples in the last batch of an epoch; None if the log does not tell.

        Args:
            size: samples in a full batch. Only where the last line shows the mean itself.
        """
        if size is None or self.full or not self.ends:
            return None
        sizes = np.arange(1, size + 1)
        score = np.zeros(size)
        # Half of all trainings have batches of one size; the others may end anywhere.
        score[:-1] -= np.log(max(size - 1, 1))
        for step, value, unit in self.ends:
            total = ((step - 1) * size + sizes).astype(np.float64)
            score += _nats(value * total, unit * total)
        order = np.argsort(-score, kind="stable")
        ahead = score[order[0]] - score[order[1]] if size > 1 else np.inf
        return int(sizes[order[0]]) if ahead > SURE_LAST else None


def _news(y: Floats, half: Floats, step: Ints) -> Bools:
    """[n] rows that add both right and wrong answers to those of the row before.

    Where none is wrong, or no further one, the count is whole for every batch size.
    """
    out = np.ones(len(y), np.bool_)
    for share in (y, 1 - y):
        count, width = step * share, step * half
        out &= count > width
        out[1:] &= np.abs(np.diff(count)) > width[1:] + width[:-1]
    return out


def _nats(count: Floats, width: Floats) -> Floats:
    """Gain over chance when ``count`` must be whole and is known to +-``width``."""
    off = np.abs(count - np.rint(count))
    with np.errstate(divide="ignore"):
        gain = -np.log(np.maximum(2 * width, 1e-12))
    return np.where(width >= 0.5, 0.0, np.where(off <= width * 1.001 + 1e-9, gain, MISS))


def exact_counts(rows: Shown, size: int) -> None:
    """Replace running means of a share by the only fraction they can be, in place.

    Only in epochs where every value that can tell agrees with whole counts.

    Args:
        rows: of one share, under a law that shows the running mean.
        size: samples in a full batch.
    """
    n = rows.t * size
    count, width = rows.y * n, rows.half * n
    whole = np.rint(count)
    tells = np.isfinite(rows.y) & (n > 0) & (width < 0.5) & ~rows.loose
    wrong = tells & (np.abs(count - whole) > width)
    agrees = np.ones(len(rows), np.bool_)
    agrees[rows.owner[wrong]] = False
    use = tells & agrees[rows.owner]
    rows.y = np.where(use, whole / np.where(use, n, 1.0), rows.y)
    rows.half = np.where(use, rows.half - rows.printed, rows.half)
    rows.printed = np.where(use, 0.0, rows.printed)


def exact_sums(rows: Shown, size: int) -> None:
    """The same for means of means, from the first step of an epoch as far as no step is missing.

    D_k shows T_k = R_1 + ... + R_k. While all before are known, R_k = k D_k - T_{k-1} is known to
    k half units, and k ``size`` times it is whole.

    Args:
        rows: of one share, under a law that shows means of means.
        size: samples in a full batch.
    """
    row, end = rows.starts[:-1].copy(), rows.starts[1:]
    agrees = np.ones(len(rows), np.bool_)
    going = agrees & (row < end)
    sums, right = np.zeros(len(rows)), np.zeros(len(rows))
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    k = 0
    while going.any():
        k += 1
        own = np.flatnonzero(going)
        at = row[own]
        n = float(k * size)
        count = (k * rows.y[at] - sums[own]) * n
        width = k * rows.half[at] * n
        with np.errstate(invalid="ignore"):
            tells = (rows.step[at] == k) & ~rows.final[at] & ~rows.loose[at] & (width < 0.5)
            tells &= np.isfinite(count)
            own, at, count, width = (one[tells] for one in (own, at, count, width))
            whole = np.rint(count)
            more = whole - right[own]
            agrees[own] &= (np.abs(count - whole) <= width) & (more >= 0) & (more <= size)
        sums[own] += whole / n
        right[own] = whole
        found.append((own, at, sums[own] / k))
        going[:] = False
        going[own] = agrees[own] & (at + 1 < end[own])
        row += 1
    own, at, mean = (np.concatenate(column) for column in zip(*found, strict=True))
    at, mean = at[agrees[own]], mean[agrees[own]]
    rows.y[at] = mean
    rows.half[at] -= rows.printed[at]
    rows.printed[at] = 0.0
