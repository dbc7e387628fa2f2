"""The table ``epochs`` -> LP203 step time changed level, LP204 epoch time drifts."""

from __future__ import annotations

from collections.abc import Iterator

from logparse.findings.changes import (
    CHANGED,
    FEWEST_FOR_CHANGE,
    SHORTEST,
    Change,
    find_changes,
)
from logparse.findings.durations import Series, all_series
from logparse.findings.outliers import SECOND
from logparse.findings.registry import Finding, Tables, once, rule
from logparse.findings.thresholds import min_ratio, min_seconds
from logparse.findings.wording import duration, ratio

MOST_REPORTED = 5
"""Changes of level reported of one run."""


@rule(
    "LP203",
    "step time changed level",
    severity="warning",
    summary="From some epoch on, epochs took clearly longer, or shorter, than before.",
    computed=(
        "In short: the run is cut where the epochs before and after differ by more than they "
        "scatter. "
        f"Needs {FEWEST_FOR_CHANGE} complete epochs of the same length after the first. Change "
        "points are those of least squares with a penalty of 4 (60 epochs and more) to 6 (12 "
        "epochs) variances times the logarithm of the number of epochs, so that 0.5 % of flat "
        "series have one; the variance is that of neighbouring differences, and single slow "
        f"epochs are cut to three standard deviations. A level lasts at least {SHORTEST} epochs "
        f"and its median differs from the one before by {100 * CHANGED:.0f} % and the rounding "
        "of the printed seconds. Levels must also be likelier than neighbours that are alike "
        "(AR(1) noise), by 1.1 (300 epochs) to 2.8 (12 epochs) times the same logarithm each. "
        "Where a straight drift describes the series better (sum of "
        "absolute residuals, Bayesian penalty), LP204 reports that instead. The "
        f"{MOST_REPORTED} largest changes are reported."
    ),
    wrong_when=("A level may be somebody else's load on a shared machine."),
    advice=(
        "Look for what began or ended there: another job, a clock limit, a full disk, a learning "
        "rate or unfreezing schedule that changes the work of a step."
    ),
    source=(
        "Truong, Oudre, Vayatis, Selective review of offline change point detection methods, "
        "Signal Processing 167 (2020): the library ruptures, KernelCPD; Barrett et al., Virtual "
        "machine warmup blows hot and cold, OOPSLA (2017)."
    ),
    thresholds=(min_ratio(1 + CHANGED), min_seconds(SECOND)),
)
def level_change(tables: Tables) -> Iterator[Finding]:
    """LP203."""
    for series, change in _of_kind(tables, "level"):
        at = change.at + int(series.starts)
        yield Finding(
            code="LP203",
            severity="warning" if change.after > change.before else "info",
            message=(
                f"From epoch {series.epoch[at]} on an epoch took {duration(change.after)}, "
                f"{ratio(change.after, change.before)} the {duration(change.before)} before."
            ),
            advice=(
                "Look for what began or ended there: another job, a clock limit, a full disk, or a "
                "schedule that changes the work of a step."
            ),
            run=series.run,
            epoch=int(series.epoch[at]),
            line=int(series.line[at]),
            value=change.after,
            baseline=change.before,
            threshold=change.limit,
            n=len(series.seconds) - int(series.starts),
        )


@rule(
    "LP204",
    "epoch time drifts",
    severity="warning",
    summary="Epochs took steadily longer, or shorter, over the run.",
    computed=(
        "As LP203, where a straight drift (median slope over half the run) describes the series "
        "better than levels do. Value and baseline are the drift's two ends."
    ),
    wrong_when="Several changes of level in one direction look like a drift.",
    advice=(
        "Look for what grows: a graph extended in each epoch, metrics or logs kept in a list, "
        "memory near its limit, a file that is re-read from its beginning; or heat."
    ),
    source="keras-team/keras#13710; Sen, JASA 63 (1968), for slopes by medians.",
    thresholds=(min_ratio(1 + CHANGED), min_seconds(SECOND)),
)
def drift(tables: Tables) -> Iterator[Finding]:
    """LP204."""
    for series, change in _of_kind(tables, "drift"):
        yield Finding(
            code="LP204",
            severity="warning" if change.after > change.before else "info",
            message=(
                f"Epochs drifted from {duration(change.before)} to {duration(change.after)}: the "
                f"last is {ratio(change.after, change.before)} the first after warm-up."
            ),
            advice=(
                "Look for what grows: a graph extended in each epoch, lists that keep results, "
                "memory near its limit; or heat."
            ),
            run=series.run,
            line=int(series.line[-1]),
            value=change.after,
            baseline=change.before,
            threshold=change.limit,
            n=len(series.seconds) - int(series.starts),
        )


@once
def _changes(tables: Tables) -> list[tuple[Series, list[Change]]]:
    found = []
    for series in all_series(tables):
        later = series.after_first()
        changes = find_changes(series.seconds[later], series.half[later], SECOND)
        found.append((series, changes))
    return found


def _of_kind(tables: Tables, kind: str) -> Iterator[tuple[Series, Change]]:
    """The largest changes of a kind in each run, in order."""
    for series, changes in _changes(tables):
        some = [change for change in changes if change.kind == kind]
        largest = sorted(some, key=lambda c: -abs(c.after - c.before))[:MOST_REPORTED]
        for change in sorted(largest, key=lambda c: c.at):
            yield series, change
