"""The table ``epochs`` -> LP201 slow epoch, LP205 periodic stall, LP206 validation, LP207 gaps.

Printed seconds are rounded, so a rule fires only where the bounds of the times prove it. How
each is computed and how often it errs on made series is in docs/time.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from logparse.findings.durations import Series, all_series, excess, period_of
from logparse.findings.gaps import FEWEST_GAPS, GAP, Gaps, all_gaps
from logparse.findings.outliers import (
    ALIKE,
    CLEAR,
    CLEAR_LONG,
    FEWEST,
    LONG,
    SECOND,
    SLOWER,
    TWICE,
    WARM,
    WINDOW,
    find_slow,
)
from logparse.findings.registry import Finding, Tables, rule
from logparse.findings.thresholds import min_ratio, min_seconds, min_value
from logparse.findings.wording import duration, long_duration, ratio

FEWEST_VALIDATED = 3
"""Epochs with a known validation time, below which LP206 is silent."""

DOMINATES = 0.5
"""Share of an epoch above which validation dominates."""

MOST = 0.8
"""A part with this share of a slow epoch's lost time has almost all of it."""


@rule(
    "LP201",
    "slow epoch",
    severity="warning",
    summary="An epoch took longer than the epochs around it.",
    computed=(
        "In short: how much the other epochs differ tells how far off one must be to be no chance. "
        f"Needs {FEWEST} complete epochs of the same length, the first of the run among them only "
        f"if it takes less than {WARM:g} times as long as the others; LP202 judges that one. "
        f"Below {LONG} the baseline is the median of the others, from there on that of the "
        f"{WINDOW} epochs around it, after a straight drift is taken off. Three ways to stand out. "
        f"Clear: at least {100 * (CLEAR - 1):.0f} % slower (39 and 42 % of three and four epochs, "
        f"{100 * (CLEAR_LONG - 1):.0f} % from {LONG} on), the others alike (their standard "
        f"deviation at most {100 * ALIKE:.1f} % of their mean, 8 % below {LONG} epochs, 4 % of "
        f"four, 1 % of three), and 5.5 to 9 such deviations away; from {LONG} epochs on farther "
        "the more the others look drawn from heavy tails. "
        "Far: 17 deviations away (47 for four epochs), so that no heavy tail (Student's t of 3 "
        "degrees) explains it; less, down to 4.5, the surer a longer run is that it has no such "
        f"tail. Hidden, below {LONG} epochs: one that is a little slower may hide one that is far "
        "off, so where none stands out, the two or three slowest are set aside, and those of them "
        f"are slow that take {TWICE:g} times the rest, are as far off it as is said under far, and "
        f"take {100 * (CLEAR - 1):.0f} % longer than all others. The limits let 1 % of flat runs "
        "or less give a finding, 2.5 % where the noise has heavy tails and spreads by 10 %. "
        f"An epoch must also pass {100 * (SLOWER - 1):.0f} % of the baseline and "
        f"the rounding of the printed seconds on both sides, and {SECOND:.0f} s. Three slow "
        "epochs in a row are a change of level (LP203), and no slow epochs."
    ),
    wrong_when=(
        "The epoch did more work than the others: a longer validation, a checkpoint written, "
        "samples or a step count that changed without the bar showing it. Of a few epochs on a "
        "machine whose load comes and goes one may be a third slower by nature."
    ),
    advice=(
        "Look at what the machine did at that time (other jobs, backups, network storage, "
        "thermal limits); if it recurs, log the host's load beside the training."
    ),
    source=(
        "Rosner, Percentage points for a generalized ESD many-outlier procedure, Technometrics "
        "25 (1983), with limits by simulation; Hampel's identifier: Davies and Gather, JASA 88 "
        "(1993). docs/rules.md has how often it errs, and what is possible at all."
    ),
    thresholds=(min_ratio(SLOWER), min_seconds(SECOND)),
)
def slow_epoch(tables: Tables) -> Iterator[Finding]:
    """LP201."""
    for series in all_series(tables):
        found = series.slow()
        if found is None or period_of(found.slow) is not None:
            continue
        offset = int(series.starts)
        for i in np.flatnonzero(found.slow):
            at = int(i) + offset
            seconds, baseline = float(series.seconds[at]), float(found.baseline[i])
            yield Finding(
                code="LP201",
                severity="warning",
                message=(
                    f"Epoch {series.epoch[at]} took {duration(seconds)}, "
                    f"{ratio(seconds, baseline)} the {duration(baseline)} of the epochs "
                    f"{'around it' if len(found.slow) >= LONG else 'it is compared with'} "
                    f"({duration(seconds - baseline)} lost){_where(series, at)}."
                ),
                advice=(
                    "Look at what the machine did then: other jobs, network storage, a checkpoint "
                    "or a longer validation in this epoch."
                ),
                run=series.run,
                epoch=int(series.epoch[at]),
                line=int(series.line[at]),
                value=seconds,
                baseline=baseline,
                threshold=float(found.limit[i]),
                n=len(found.slow),
            )


def _where(series: Series, at: int) -> str:
    """Part of an epoch in which most of its excess lies, as the end of a sentence."""
    others = np.ones(len(series.seconds), np.bool_)
    others[[0, at]] = False
    parts = excess(series, at, others)
    lost = float(series.seconds[at] - np.median(series.seconds[others]))
    for name, text in (("first", "in its first step"), ("validation", "in validation")):
        if parts[name] >= MOST * lost:
            return f", almost all of it {text}"
    if parts["steps"] >= MOST * lost:
        return ", spread over its steps"
    return ""


@rule(
    "LP205",
    "periodic stall",
    severity="warning",
    summary="Every so many epochs one is slow, in step with a period.",
    computed=(
        "The slow epochs of LP201, where at least three stand on one beat of two epochs or more: "
        "four in five of them on it, and seven in ten of its beats slow. LP201 is then silent."
    ),
    wrong_when="Three slow epochs can be evenly spaced by chance in a short run.",
    advice="Look for what runs at that period: a checkpoint, a full evaluation, a log rotation.",
    source="As LP201.",
    thresholds=(min_ratio(SLOWER), min_seconds(SECOND)),
)
def periodic_stall(tables: Tables) -> Iterator[Finding]:
    """LP205."""
    for series in all_series(tables):
        found = series.slow()
        period = period_of(found.slow) if found is not None else None
        if found is None or period is None:
            continue
        at = np.flatnonzero(found.slow)
        value = float(np.median(series.seconds[series.after_first()][at]))
        baseline = float(np.median(found.baseline[at]))
        first = int(at[0]) + int(series.starts)
        yield Finding(
            code="LP205",
            severity="warning",
            message=(
                f"Every {period} epochs one takes {duration(value)}, {ratio(value, baseline)} "
                f"the {duration(baseline)} of the others: {len(at)} times, first in epoch "
                f"{series.epoch[first]}."
            ),
            advice="Look for what runs at that period: a checkpoint, a full evaluation.",
            run=series.run,
            epoch=int(series.epoch[first]),
            line=int(series.line[first]),
            value=value,
            baseline=baseline,
            threshold=float(np.median(found.limit[at])),
            n=len(found.slow),
        )


@rule(
    "LP206",
    "validation dominates",
    severity="info",
    summary="Most of an epoch's time goes into validation.",
    computed=(
        f"Needs {FEWEST_VALIDATED} epochs whose validation time the log tells to 25 %. Fires where "
        f"the median share of validation in the epoch is above {100 * DOMINATES:.0f} % and "
        f"validation takes {SECOND:.0f} s or more."
    ),
    wrong_when=(
        "Time after the last training step is counted as validation: a slow callback at the end "
        "of the epoch (a checkpoint of a large model) is in it."
    ),
    advice=(
        "Validate every few epochs (validation_freq), on a part of the data (validation_steps), or "
        "with a larger batch: validation needs no gradients."
    ),
    source="keras-team/tf-keras#640: the time on the last line includes validation.",
    thresholds=(min_value("min-share", DOMINATES, "share of the epoch"),),
)
def validation_dominates(tables: Tables) -> Iterator[Finding]:
    """LP206."""
    for series in all_series(tables):
        known = np.isfinite(series.validation)
        n = int(known.sum())
        if n < FEWEST_VALIDATED:
            continue
        share = float(np.median(series.validation[known] / series.seconds[known]))
        whole = float(np.median(series.seconds[known]))
        took = float(np.median(series.validation[known]))
        if share <= DOMINATES or took < SECOND:
            continue
        yield Finding(
            code="LP206",
            severity="info",
            message=(
                f"Validation takes {duration(took)} of an epoch's {duration(whole)}: "
                f"{100 * share:.0f} % of the time."
            ),
            advice=(
                "Validate every few epochs (validation_freq), on a part of the data "
                "(validation_steps), or with a larger batch."
            ),
            run=series.run,
            line=int(series.line[known][0]),
            value=share,
            baseline=None,
            threshold=DOMINATES,
            n=n,
        )


@rule(
    "LP207",
    "gap between epochs",
    severity="warning",
    summary="Time passes between the last line of an epoch and the header of the next.",
    computed=(
        "From header to header less the time of the epoch between, so only where headers carry a "
        "timestamp; the rounding of both counts against the gap. In TensorBoard events from the "
        "end of an epoch to its successor's first step less a usual step, so that a slow first "
        "step is in the gap. "
        f"Needs {FEWEST_GAPS} gaps. Fires where the median gap is surely {100 * GAP:.0f} % of "
        f"epoch and gap together and {SECOND:.0f} s; and, from {FEWEST} gaps on, for single gaps "
        "that stand out as in LP201."
    ),
    wrong_when=(
        "Up to Keras 2.3.1 callbacks at the end of an epoch run after the last line is printed, so "
        "checkpoints are in the gap; later ones run before it. Output that a pipe held back is "
        "stamped late."
    ),
    advice=(
        "Look at what runs there: checkpoints, on_epoch_end of callbacks and of the data sequence "
        "(shuffling, reading the file again), workers that are started anew, work in an outer "
        "loop of one-epoch fits (a model built or loaded in each round)."
    ),
    source="kentsommer/keras-inceptionV4#8; keras-team/keras#13710.",
    thresholds=(min_value("min-seconds", SECOND, "seconds that the gap takes"),),
)
def gap_between_epochs(tables: Tables) -> Iterator[Finding]:
    """LP207."""
    for gaps in all_gaps(tables):
        n = len(gaps.seconds)
        if n < FEWEST_GAPS:
            continue
        gap, took = float(np.median(gaps.seconds)), float(np.median(gaps.took))
        least = float(np.median(gaps.seconds - gaps.half))
        limit = max(GAP / (1 - GAP) * took, SECOND)
        if least > limit:
            yield _usual_gap(gaps, gap, took, limit)
        found = find_slow(gaps.seconds, gaps.half)
        if found is not None and found.slow.any():
            worst = int(np.argmax(np.where(found.slow, gaps.seconds, -np.inf)))
            yield _long_gap(
                gaps,
                worst,
                float(found.baseline[worst]),
                float(found.limit[worst]),
                int(found.slow.sum()) - 1,
            )


def _or_first(gaps: Gaps) -> str:
    return ", or in a slow first step," if gaps.or_first_step else ""


def _usual_gap(gaps: Gaps, gap: float, took: float, limit: float) -> Finding:
    return Finding(
        code="LP207",
        severity="warning",
        message=(
            f"Between epochs{_or_first(gaps)} {duration(gap)} pass each time, beside the "
            f"{duration(took)} of an epoch: {100 * gap / (gap + took):.0f} % of the time, "
            f"{long_duration(float(gaps.seconds.sum()))} in all."
        ),
        advice=(
            "Look at what runs there: checkpoints, on_epoch_end of callbacks or of the data, "
            "workers started anew, a model built again in an outer loop."
        ),
        run=gaps.run,
        line=int(gaps.line[0]),
        value=gap,
        baseline=took,
        threshold=limit,
        n=len(gaps.seconds),
    )


def _long_gap(gaps: Gaps, at: int, baseline: float, limit: float, others: int) -> Finding:
    more = f" {others} more stand out like it." if others else ""
    return Finding(
        code="LP207",
        severity="warning",
        message=(
            f"Between epochs {gaps.epoch[at]} and {gaps.epoch[at] + 1}{_or_first(gaps)} "
            f"{long_duration(float(gaps.seconds[at]))} passed, against {duration(baseline)} "
            f"between others.{more}"
        ),
        advice="Look at what the machine did then: a suspended job, a full disk, an evaluation.",
        run=gaps.run,
        epoch=int(gaps.epoch[at]),
        line=int(gaps.line[at]),
        value=float(gaps.seconds[at]),
        baseline=baseline,
        threshold=limit,
        n=len(gaps.seconds),
    )
