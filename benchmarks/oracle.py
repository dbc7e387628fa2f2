"""What the best method could find: the steps shown and their decimals in, the power of a test out.

The oracle knows the batch noise and the drift, and sees every printed number. With ``slope`` it is
not told how steep the level is in each epoch, and has only the two epochs of the boundary to tell;
without, it knows the course up to a constant for each epoch. Its estimate of the change is the
exact posterior of the linear Gaussian model (rounding as noise of the same variance); it calls a
change real where that happens in 1 % of cases by chance.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from logparse.training.backward import filtered, first_level
from logparse.training.estimate import observed
from logparse.training.moves import moves
from logparse.training.profile import products, ramp
from logparse.training.series import shown
from logparse.training.smoother import Series, forward, wide
from tests.made import made_epochs

CHANCE = 2.5758
"""Two-sided 1 % point of the normal distribution."""

UNKNOWN = 1e6
"""Prior deviation of a level of which nothing is known, in deviations of a batch."""


def observations(law: str, steps: int, decimals: int, pick: NDArray[np.int64]) -> Series:
    """Every line of one epoch, in standard deviations of a batch of 0.1."""
    epochs = made_epochs({"loss": np.full((1, steps), 0.5)}, law, decimals=decimals, pick=pick)
    x, _ = observed(shown(epochs, "loss"), law, most=steps + 1)
    unit = 0.1
    x.r = np.where(x.valid, (0.5 * 10.0**-decimals / unit) ** 2 / 3, 1.0)
    x.loose = np.zeros_like(x.loose)
    x.centre = np.zeros_like(x.centre)
    x.scale = np.full_like(x.scale, UNKNOWN)
    return x


def found(
    law: str,
    steps: int,
    decimals: int,
    pick: NDArray[np.int64],
    *,
    change: float,
    drift: float = 0.0,
    slope: bool,
) -> float:
    """Share of real changes that the oracle finds.

    Args:
        law: of the averages.
        steps: of an epoch.
        decimals: printed.
        pick: steps shown before the last line.
        change: of the level, in standard deviations of a batch.
        drift: standard deviation of a step of the level, in the same unit.
        slope: the level has a slope in each epoch, which is not known.
    """
    x = observations(law, steps, decimals, pick)
    mv = moves(x, np.zeros(1, np.bool_))
    columns = wide(x, mv, 1)
    kept = forward(columns, np.ones(1), np.full(1, drift**2), keep=True)
    line = filtered(columns, kept, ramp(x))
    _, start, (seen,) = first_level(columns, kept, line)
    var = float(start[0] + kept.last[2][0])
    if slope:
        first = float(x.t[0, 0])
        left = (first - seen[0]) ** 2 + (x.t[-1, 0] - line[1][-1][0][0]) ** 2
        var += float(left / products(kept, line[0], line[0])[0])
    score = change / math.sqrt(var)
    return 0.5 * (math.erfc((CHANCE - score) / 2**0.5) + math.erfc((CHANCE + score) / 2**0.5))
