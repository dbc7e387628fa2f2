"""Shown accuracies in, the batch size out: a share of n samples is a multiple of 1/n."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from logparse.reading.records import Floats
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
        names = sorted(filter(is_share, epochs.values))
        if names and left:
            self._count(epochs.part(0, min(left, len(epochs))), names)

    def _count(self, epochs: Epochs, names: Sequence[str]) -> None:
        """The shares that some epochs show."""
        step, final = epochs.step, epochs.final
        parts = []
        for name in names:
            y, decimals = epochs.values[name], epochs.decimals[name]
            half = half_units(y, decimals)
            fine = np.isfinite(y) & (decimals != 0) & (step > 0)
            use = fine & (final | (step <= max(*ONCE, *TWICE)) & _news(y, half, epochs))
            parts.append((np.flatnonzero(use), y[use], half[use]))
        # Epoch after epoch, whatever came together: sums are then rounded the same.
        row, y, half = (np.concatenate(column) for column in zip(*parts, strict=True))
        metric = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
        epoch = np.searchsorted(epochs.starts, row, side="right")
        order = np.lexsort((row, metric, epoch))
        k, y, half, last = step[row[order]], y[order], half[order], final[row[order]]
        for score, whole in ((self.once, ONCE), (self.twice, TWICE)):
            at = np.flatnonzero(~last & (k <= max(whole)))
            times = np.array([whole[one] for one in k[at].tolist()], np.int64)
            _add_nats(score, y[at] * times, half[at] * times)
        self.ends += zip(k[last].tolist(), y[last].tolist(), half[last].tolist(), strict=True)

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
            samples = ((step - 1) * size + sizes).astype(np.float64)
            score += _nats(value * samples, unit * samples, _chance(unit * samples))
        order = np.argsort(-score, kind="stable")
        ahead = score[order[0]] - score[order[1]] if size > 1 else np.inf
        return int(sizes[order[0]]) if ahead > SURE_LAST else None


_ROWS = 8
"""Rows whose nats are worked out together: more leave the processor's cache."""

_SIZES = np.arange(1.0, LARGEST + 1)
_LOG_SIZES = np.log(_SIZES)


def _add_nats(score: Floats, count: Floats, width: Floats) -> None:
    """Add what rows say of each batch size n, in order; n times ``count`` must be whole."""
    chance = _chance(width)
    for i in range(0, len(count), _ROWS):
        part = slice(i, i + _ROWS), None
        gains = _nats(count[part] * _SIZES, width[part] * _SIZES, chance[part] + _LOG_SIZES)
        gains[0] += score[1:]
        score[1:] = np.add.reduce(gains)


def _news(y: Floats, half: Floats, epochs: Epochs) -> Bools:
    """[n] rows that add both right and wrong answers to those of the row before.

    Where none is wrong, or no further one, the count is whole for every batch size.
    """
    out = np.ones(len(y), np.bool_)
    inner = np.ones(len(y), np.bool_)
    inner[epochs.starts[:-1]] = False
    for share in (y, 1 - y):
        count, width = epochs.step * share, epochs.step * half
        out &= count > width
        out[1:] &= (np.abs(count[1:] - count[:-1]) > width[1:] + width[:-1]) | ~inner[1:]
    return out


def _chance(width: Floats) -> Floats:
    """Log probability that a count known to +-``width`` is whole by chance."""
    out: Floats = np.log(np.maximum(2 * width, 1e-12))
    return out


def _nats(count: Floats, width: Floats, chance: Floats) -> Floats:
    """Gain over ``chance`` when ``count`` must be whole and is known to +-``width``."""
    off = np.rint(count)
    np.abs(np.subtract(count, off, out=off), out=off)
    gain = np.where(off <= width * 1.001 + 1e-9, -chance, MISS)
    if width.max(initial=0.0) >= 0.5:
        gain[width >= 0.5] = 0.0
    return gain


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
