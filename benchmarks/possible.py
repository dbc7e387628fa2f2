"""The best any test could do in a short run: share of slow epochs found, false alarms at most 1 %.

A test that may use nothing but the times of the epochs, whatever their unit, sees how far the
slowest stands above the others, and how much these differ. The best region of these two is a
linear programme: most recall at 5 % noise, at most 1 % false alarms at every noise of 1 to 30 %.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NOISES = (0.01, 0.03, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3)
MADE = 200_000
"""Runs drawn for each noise."""


def best_recall(n: int, noise: float = 0.05, slower: float = 1.5, alarms: float = 0.01) -> float:
    """Share of epochs ``slower`` times their own time that the best test finds among ``n``."""
    from scipy.optimize import linprog

    random = np.random.default_rng(n)
    flat = [_cells(1 + spread * random.standard_normal((MADE, n))) for spread in NOISES]
    times = 1 + noise * random.standard_normal((MADE, n))
    times[:, -1] *= slower
    wanted = _cells(times)
    seen = wanted > 0
    limits = np.full(len(flat), alarms)
    found = linprog(
        -wanted[seen], A_ub=np.array(flat)[:, seen], b_ub=limits, bounds=(0, 1), method="highs"
    )
    return float(-found.fun)


def _cells(times: Array) -> Array:
    """Share of runs by excess of the slowest epoch but the first, and spread of the others."""
    rows = np.arange(len(times))
    at = times[:, 1:].argmax(axis=1) + 1
    top = times[rows, at]
    others = times.copy()
    others[rows, at] = np.nan
    mean = np.nanmean(others, axis=1)
    spread = np.nanstd(others, axis=1, ddof=1)
    excess = np.concatenate([[-9.0], np.arange(0, 1.5, 0.025), [9.0]])
    spreads = np.concatenate([[0.0], np.geomspace(0.004, 0.6, 60), [99.0]])
    cells, _, _ = np.histogram2d(top / mean - 1, spread / mean, [excess, spreads])
    return np.asarray(cells.ravel() / len(times))
