"""Levels as if epochs were straight and independent in, with room for bends and repeats out.

How much room, the epochs of a run tell together; docs/averages.md has the formulas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from logparse.reading.records import Floats
from logparse.training.moves import total
from logparse.training.pool import Remembered
from logparse.training.profile import Own
from logparse.training.smoother import Series
from logparse.training.student import FEWEST

if TYPE_CHECKING:
    from logparse.training.levels import Levels, Place, Shares

RATIOS = np.array([0.0, 0.04, 0.2, 1.0])
"""Variances of a bend that are weighed, in those of ``levels.BENDS``."""

BEFOREHAND = np.array([0.1, 0.2, 0.3, 0.4])
"""How probable each is before anything is seen."""

UNLIKE = 0.25
"""Share of epochs that may bend unlike the others of their run."""

CLEARLY = 3.0
"""Deviations from which the residuals of epochs correlate; differences of independent ones scatter
1.2 times as much."""


def allow_for_bends(found: Levels, place: Place, known: Remembered) -> None:
    """Widen levels by what a bend of the course may do, as far as the epochs of the run bend.

    Nothing but its own lines tells of the first epoch of a run.

    Args:
        found: levels as if no course bent; they are changed.
        place: where the series belong.
        known: what earlier lots say; these epochs are added.
    """
    share = np.ones(len(place.epoch))
    first = place.first[place.epoch]
    for j, name in enumerate(place.names):
        mine = np.flatnonzero((place.metric == j) & ~first)
        with np.errstate(all="ignore"):
            var = found.arch_var[mine] + RATIOS[:, None] * found.bend[mine]
            says = -0.5 * (np.log(var) + found.arch[mine] ** 2 / var)
        sane = np.isfinite(says).all(0)
        mine, says = mine[sane], says[:, sane]
        if not len(mine):
            continue
        anyhow = says[-1] + np.log(UNLIKE)
        each = np.logaddexp(says + np.log(1 - UNLIKE), anyhow)
        whole = known.bend.get(name, np.log(BEFOREHAND)) + each.sum(1)
        known.bend[name] = whole
        weight = np.exp(whole - whole.max())
        odd = np.exp(anyhow - each)
        mixed = total(weight[:, None] * ((1 - odd) * RATIOS[:, None] + odd))
        share[mine] = mixed / weight.sum()
    bend = share * found.bend
    found.start_var += found.start_arch**2 * bend
    found.end_var += found.end_arch**2 * bend
    found.mean_var += found.mean_arch**2 * bend


def allow_for_repeats(
    found: Levels, x: Series, place: Place, shares: Shares, own: Own, known: Remembered
) -> None:
    """Widen levels where batches come again in every epoch: these say the same thing once more.

    Estimates whose errors correlate by r have a mean of variance (1 - r) / n + r, not 1 / n.

    Args:
        found: levels as if epochs were independent; they are changed.
        x: the observations.
        place: where the series belong.
        shares: what epochs say together.
        own: what each says alone.
        known: what earlier lots say; these epochs are added.
    """
    again = repeats(x, place, found.residual, known)
    if not again.any():
        return
    more = again * np.maximum(shares.slope_own - shares.slope_var, 0.0)
    found.start_var += found.start_slope**2 * more
    found.end_var += found.end_slope**2 * more
    found.mean_var += found.mean_slope**2 * more
    # The variance of ln sigma is 1 / 2f.
    less = again * np.maximum(2 * own.var - 1 / found.freedom, 0.0)
    found.freedom = np.maximum(1 / (1 / found.freedom + less), FEWEST)


def repeats(x: Series, place: Place, residual: Floats, known: Remembered) -> Floats:
    """[s] how far the residuals of neighbouring epochs correlate, 0 where they need not.

    A data set that is not shuffled anew has the same batches in every epoch. Differences of
    neighbouring residuals are compared: what else epochs share, as their slopes, is smooth.
    """
    out = np.zeros(len(place.epoch))
    steps = np.diff(residual[: len(x.t)], axis=0)
    rows = np.full((len(place.first), len(place.names)), -1)
    rows[place.epoch, place.metric] = np.arange(len(place.epoch))
    for j, name in enumerate(place.names):
        both = (rows[:-1, j] >= 0) & (rows[1:, j] >= 0)
        one, other = rows[:-1, j][both], rows[1:, j][both]
        same = x.valid[:, one] & x.valid[:, other] & (x.t[:, one] == x.t[:, other])
        use = same[1:] & same[:-1]
        a, b = (np.where(use, steps[:, i], 0.0) for i in (one, other))
        sizes = np.sqrt(total(a * a) * total(b * b))
        sums = np.array([use.sum(), total(total(a * b)), total(sizes)])
        known.again[name] = sums = sums + known.again.get(name, 0.0)
        n, product, square = sums.tolist()
        if product * n**0.5 > CLEARLY * square:
            out[place.metric == j] = min(product / square, 1.0)
    return out
