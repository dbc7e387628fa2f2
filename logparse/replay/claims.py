"""Findings and the truth in; which of them it bears out, which could not be found out."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from logparse.replay.truth import by_epoch, number_of_epochs

if TYPE_CHECKING:
    import polars as pl

    from logparse.analysis import Analysis

NO_CLAIM = {"LP103"}
"""Findings that say of themselves that they cannot tell."""

CHECKED = {"LP101": (0.0, 4.0), "LP102": (2.0, np.inf)}
"""Findings on what changed at an epoch's boundary, and the standard errors by which the batches on
its sides may differ if they are right. In between either may be."""

UNEVEN = 3.0
"""Times that slow steps take as long as quick ones (the slowest and the quickest tenth left out),
from which steps are uneven; on a machine that has other work to do they are."""

LATE = 0.1
"""Share of an epoch that passes before its first step is done, from which epochs begin late."""

NEAR = 6
"""Batches on either side of a boundary that tell where the network stood."""


def untold(analysis: Analysis, meta: dict[str, Any], truth: pl.DataFrame) -> set[str]:
    """Codes that nothing in the source could show, whatever happened."""
    untold = set()
    if not analysis.layers.height:  # as in events: no model.summary()
        untold.add("LP403")
        # Steps that all wait alike look like steps that compute.
        untold |= {"LP401"} - borne_out(meta, truth)
    if analysis.epochs.height == analysis.runs.height:
        # Events of an outer loop are a run each time fit is called: no boundary lies within one.
        untold |= set(CHECKED)
    first = meta["epochs"][0]
    step = truth["end"][0] - truth["start"][0]
    begins_late = analysis.epochs["seconds_high"].head(1).null_count() > 0
    if begins_late and step > (first["end"] - first["begin"]) / 2:
        untold.add("LP202")  # events begin with the end of the first step, where the time went
    return untold


def borne_out(meta: dict[str, Any], truth: pl.DataFrame) -> set[str]:
    """Codes on times that are right whatever the scenario was there to show."""
    found = set()
    epochs = by_epoch(truth)
    for part in epochs.values():
        took = np.diff(part["end"].to_numpy())
        if len(took) and np.quantile(took, 0.9) >= UNEVEN * np.quantile(took, 0.1):
            found |= {"LP401", "LP404"}
    pairs = [(a, b) for a, b in pairwise(meta["epochs"]) if b["epoch"] in epochs]
    pauses = [epochs[b["epoch"]]["end"][0] - a["end"] for a, b in pairs]
    if pairs and np.median(pauses) >= LATE * np.median([b["end"] - b["begin"] for _, b in pairs]):
        found.add("LP207")
    return found


def jump_claims(analysis: Analysis, truth: pl.DataFrame) -> tuple[int, int]:
    """How many claims on what made a jump (LP101, LP102) the truth bears out, and of how many."""
    order, epochs = number_of_epochs(analysis), by_epoch(truth)
    right = of = 0
    claims = analysis.findings.filter(analysis.findings["code"].is_in(list(CHECKED)))
    for row in claims.iter_rows(named=True):
        number = order.get((row["run"], row["epoch"]), 0)
        before, after = epochs.get(number - 1), epochs.get(number)
        if before is None or after is None or row["metric"] not in after.columns:
            continue
        low, high = CHECKED[row["code"]]
        right += low <= change(before[row["metric"]], after[row["metric"]]) <= high
        of += 1
    return right, of


def change(before: pl.Series, after: pl.Series) -> float:
    """How much batch values change between two epochs, in standard errors.

    Judged from the batches next to the boundary, and from the first one alone. Their scatter is
    that of neighbours on either side, so that a trend does not count.
    """
    ends, starts = before.to_numpy(), after.to_numpy()
    steps = np.concatenate([np.diff(ends[-5 * NEAR :]), np.diff(starts[: 5 * NEAR])])
    scatter = max(float(np.sqrt(np.mean(steps**2) / 2)), 1e-12)
    n = min(NEAR, len(ends), len(starts))
    level = float(ends[-n:].mean())
    levels = abs(float(starts[:n].mean()) - level) / (scatter * np.sqrt(2 / n))
    first = abs(float(starts[0]) - level) / (scatter * np.sqrt(1 + 1 / n))
    return float(max(levels, first))
