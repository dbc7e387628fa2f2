"""The table ``epochs`` -> findings about time: LP201 slow epoch to LP206 validation dominates.

Printed seconds are rounded, so a rule fires only where the bounds of the times prove it. How
each is computed and how often it errs on made series is in docs/time.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from logparse.findings.durations import (
    CHANGED,
    FEW,
    FEW_SLOWER,
    FEWEST,
    FEWEST_FOR_CHANGE,
    LONG,
    SECOND,
    SLOWER,
    WINDOW,
    Bools,
    Change,
    Series,
    all_series,
    find_change,
    find_slow,
    period_of,
)
from logparse.findings.registry import Finding, Severity, Tables, rule
from logparse.reading.records import Floats

FEWEST_AFTER_FIRST = 3
"""Later epochs, below which the first is not judged."""

FEWEST_VALIDATED = 3
"""Epochs with a known validation time, below which LP206 is silent."""

FIRST_SLOWER = 1.5
"""A slow first epoch is at least this many times the later ones."""

DOMINATES = 0.5
"""Share of an epoch above which validation dominates."""

START = 2.0
"""Every framework spends up to about this many seconds on building its graph: not reported."""

MOST = 0.8
"""A part with this share of a slow epoch's lost time has almost all of it."""

HALF = 0.5
"""A part with this share of a slow first epoch's lost time is named as its cause."""

# Student's t at 0.5 %, times sqrt(1 + 1/n): one value against n others.
_FIRST_LIMITS = (0.0, 0.0, 0.0, 11.5, 6.5, 5.0, 4.4, 4.0, 3.7, 3.5, 3.4)


@rule(
    "LP201",
    "slow epoch",
    severity="warning",
    summary="An epoch took longer than the epochs around it.",
    computed=(
        f"Needs {FEWEST} complete epochs of the same length besides the first of the run, which "
        f"LP202 judges. Below {LONG} of them: a one-sided generalised ESD test against the "
        "others, its limits set so that 0.8 % of flat runs give a finding. From there on: the "
        f"excess over the median of the {WINDOW} epochs around it, after a straight drift is "
        "taken off, against 5.1 to 6.2 robust standard deviations of such excesses. The excess "
        f"must also pass {100 * (SLOWER - 1):.0f} % of the baseline "
        f"({100 * (FEW_SLOWER - 1):.0f} % below {FEW} epochs) and {SECOND:.0f} s. The rounding of "
        "the printed seconds counts against the epoch on both sides. Three slow epochs in a row "
        "are a change of level (LP203), and no slow epochs."
    ),
    wrong_when=(
        "The epoch did more work than the others: a longer validation, a checkpoint written, "
        "samples or a step count that changed without the bar showing it. A short run on a noisy "
        "machine has heavy tails: one epoch in a hundred is then slow by nature."
    ),
    advice=(
        "Look at what the machine did at that time (other jobs, backups, network storage, "
        "thermal limits); if it recurs, log the host's load beside the training."
    ),
    source=(
        "Rosner, Percentage points for a generalized ESD many-outlier procedure, Technometrics "
        "25 (1983); Hampel's identifier: Davies and Gather, JASA 88 (1993)."
    ),
)
def slow_epoch(tables: Tables) -> Iterator[Finding]:
    """LP201."""
    for series in all_series(tables):
        later = series.after_first()
        found = find_slow(series.seconds[later], series.half[later])
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
                    f"Epoch {series.epoch[at]} took {_time(seconds)}, {_ratio(seconds, baseline)} "
                    f"the {_time(baseline)} of the epochs "
                    f"{'around it' if len(found.slow) >= LONG else 'it is compared with'} "
                    f"({_time(seconds - baseline)} lost){_where(series, at)}."
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
    parts = _excess(series, at, others)
    lost = float(series.seconds[at] - np.median(series.seconds[others]))
    for name, text in (("first", "in its first step"), ("validation", "in validation")):
        if parts[name] >= MOST * lost:
            return f", almost all of it {text}"
    if parts["steps"] >= MOST * lost:
        return ", spread over its steps"
    return ""


def _excess(series: Series, at: int, others: Bools) -> dict[str, float]:
    """Seconds by which the parts of an epoch exceed those of others; nan where unknown.

    Where the others do not tell a part, it is taken to be the whole of them: the excess is then
    a lower bound.
    """
    whole = float(np.median(series.seconds[others]))

    def over(column: Floats) -> float:
        known = column[others & np.isfinite(column)]
        return float(column[at]) - (float(np.median(known)) if len(known) else whole)

    steps = series.step * np.maximum(series.steps - 1, 0.0)
    return {
        "first": over(series.first_step),
        "steps": over(steps),
        "validation": over(series.validation),
    }


_CAUSES = {
    "first": (
        "its first step took {first} of it: building and compiling the graph (tf.function tracing, "
        "XLA), choosing of GPU kernels (cuDNN autotune), filling of the shuffle buffer, in this "
        "order of likelihood",
        "Nothing to gain in a long run. In many short ones: keep one compiled model, give inputs "
        "of one shape (retracing), use a persistent compilation cache, or a smaller shuffle "
        "buffer.",
    ),
    "decaying": (
        "its steps were slow at first ({steps} in all) and as fast as later ones in its "
        "second half: files not yet in the page cache, buffers filling, memory growing",
        "Read the data once before training, or count from the second half on when you compare.",
    ),
    "whole": (
        "all its steps were slow ({steps} in all): a cache being filled (dataset.cache()), "
        "data read from a cold disk or over the network, or decoded for the first time",
        "If a cache is being filled this is its price, paid once. Else store the data decoded and "
        "near, or prefetch more.",
    ),
    "steps": (
        "its steps were slow ({steps} in all), not its first one alone: a cache being "
        "filled (dataset.cache()), data read from a cold disk or over the network, files not yet "
        "in the page cache",
        "If a cache is being filled this is its price, paid once. Else read the data once before "
        "training, or store it decoded and near.",
    ),
    "validation": (
        "its validation took {validation} of it: building of the evaluation graph, a validation "
        "set not yet cached",
        "Nothing to gain in a long run; cache the validation set if it is read slowly.",
    ),
    "unknown": (
        "the log does not tell in which part. Likely, in this order: building and compiling the "
        "graph in the first step, a cache being filled, data not yet in the page cache",
        "Print every step (verbose=1) to see whether the first step alone is slow, or the whole "
        "epoch.",
    ),
}


@rule(
    "LP202",
    "slow first epoch",
    severity="warning",
    summary=(
        "The first epoch took longer than the later ones: in its first step only, in its first "
        "half, or as a whole."
    ),
    computed=(
        f"Needs {FEWEST_AFTER_FIRST} later complete epochs of the same length; the baseline is "
        "the median of up to ten of them, slow ones (LP201) left out. The first epoch must take "
        f"at least {FIRST_SLOWER} times as long, stand out from their spread (Student's t at "
        f"0.5 %), and lose more than {START:.0f} s, with the rounding of the printed seconds "
        f"counted against it. A part of the epoch that explains {100 * HALF:.0f} % of the loss "
        "is named as its place: the first step, the other steps (decaying if those of the second "
        "half are within 20 % of later epochs'), or validation."
    ),
    wrong_when=(
        "The first epoch of a resumed or continued run does other work than those after it. Up "
        "to TF 2.1 and Keras 2.3.1 a fast first step cannot be told from a slow one in short "
        "epochs; in TF 2.2 and 2.3 the first step is not in the printed time at all."
    ),
    advice=(
        "Leave the first epoch out when you compare speeds. What to gain depends on the part that "
        "was slow: compile once, cache the data, or read it ahead."
    ),
    source=(
        "keras-team/keras#14111; warm-up as in Barrett et al., Virtual machine warmup blows hot "
        "and cold, OOPSLA (2017)."
    ),
)
def slow_first_epoch(tables: Tables) -> Iterator[Finding]:
    """LP202."""
    for series in all_series(tables):
        n = min(len(series.seconds) - 1, len(_FIRST_LIMITS) - 1)
        if not series.starts or n < FEWEST_AFTER_FIRST:
            continue
        others = _steady(series, n)
        later = series.seconds[others]
        seconds, baseline = float(series.seconds[0]), float(np.median(later))
        rounding = float(series.half[0] + np.median(series.half[others]))
        spread = _FIRST_LIMITS[len(later)] * float(later.std(ddof=1))
        limit = baseline + max(spread, (FIRST_SLOWER - 1) * baseline) + rounding
        lost = seconds - baseline
        if seconds <= limit or lost + rounding < START:
            continue
        cause, advice = _first_cause(series, others, lost)
        total = float(series.seconds.sum())
        severity: Severity = "warning" if lost > 0.05 * total else "info"
        yield Finding(
            code="LP202",
            severity=severity,
            message=(
                f"Epoch {series.epoch[0]} took {_time(seconds)}, {_ratio(seconds, baseline)} "
                f"the {_time(baseline)} of later ones ({_time(lost)} lost): {cause}."
            ),
            advice=advice,
            run=series.run,
            epoch=int(series.epoch[0]),
            line=int(series.line[0]),
            value=seconds,
            baseline=baseline,
            threshold=limit,
            n=len(later),
        )


def _steady(series: Series, n: int) -> Bools:
    """The n epochs after the first, without slow ones if enough are left."""
    others = np.zeros(len(series.seconds), np.bool_)
    others[1 : n + 1] = True
    found = find_slow(series.seconds[1:], series.half[1:])
    if found is not None and (others[1:] & ~found.slow).sum() >= FEWEST_AFTER_FIRST:
        others[1:] &= ~found.slow
    return others


def _first_cause(series: Series, others: Bools, lost: float) -> tuple[str, str]:
    """Where a slow first epoch lost its time, and what to do about it."""
    parts = _excess(series, 0, others)
    known = {name: value for name, value in parts.items() if np.isfinite(value) and value > 0}
    name = max(known, key=lambda key: known[key]) if known else "unknown"
    if known and known[name] < HALF * lost:
        name = "unknown"
    if name == "steps" and np.isfinite(series.late_step[0]):
        later = series.late_step[others]
        usual = (
            np.nanmedian(later) if np.isfinite(later).any() else np.nanmedian(series.step[others])
        )
        name = "decaying" if series.late_step[0] <= 1.2 * usual else "whole"
    cause, advice = _CAUSES[name]
    shown = {key: _time(value) for key, value in known.items()}
    return cause.format(**shown), advice


@rule(
    "LP203",
    "step time changed level",
    severity="warning",
    summary="From some epoch on, epochs took clearly longer, or shorter, than before.",
    computed=(
        f"Needs {FEWEST_FOR_CHANGE} complete epochs of the same length after the first. Pettitt's "
        "rank test finds the change point, at a level that 0.5 % of flat series pass; the medians "
        f"before and after must differ by {100 * CHANGED:.0f} % and the rounding of the printed "
        "seconds. It is a change of level if two levels describe the series better than a "
        "straight drift (sum of absolute residuals), else LP204 reports it. Only the clearest "
        "change is reported."
    ),
    wrong_when=(
        "Neighbouring epochs are alike on a shared machine (other jobs come and go), so a level "
        "may be somebody else's load. Several changes of level can look like a drift."
    ),
    advice=(
        "Look for what began or ended there: another job, a clock limit, a full disk, a learning "
        "rate or unfreezing schedule that changes the work of a step."
    ),
    source="Pettitt, A non-parametric approach to the change-point problem, Appl. Stat. 28 (1979).",
)
def level_change(tables: Tables) -> Iterator[Finding]:
    """LP203."""
    for series, change in _changes(tables, "level"):
        at = change.at + int(series.starts)
        yield Finding(
            code="LP203",
            severity="warning" if change.after > change.before else "info",
            message=(
                f"From epoch {series.epoch[at]} on an epoch took {_time(change.after)}, "
                f"{_ratio(change.after, change.before)} the {_time(change.before)} before."
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
        "better than two levels. Value and baseline are the drift's two ends."
    ),
    wrong_when="Several changes of level in one direction look like a drift.",
    advice=(
        "Look for what grows: a graph extended in each epoch, metrics or logs kept in a list, "
        "memory near its limit, a file that is re-read from its beginning; or heat."
    ),
    source="keras-team/keras#13710; Sen, JASA 63 (1968), for slopes by medians.",
)
def drift(tables: Tables) -> Iterator[Finding]:
    """LP204."""
    for series, change in _changes(tables, "drift"):
        yield Finding(
            code="LP204",
            severity="warning" if change.after > change.before else "info",
            message=(
                f"Epochs drifted from {_time(change.before)} to {_time(change.after)}: the last is "
                f"{_ratio(change.after, change.before)} the first after warm-up."
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


def _changes(tables: Tables, kind: str) -> Iterator[tuple[Series, Change]]:
    for series in all_series(tables):
        later = series.after_first()
        change = find_change(series.seconds[later], series.half[later])
        if change is not None and change.kind == kind:
            yield series, change


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
)
def periodic_stall(tables: Tables) -> Iterator[Finding]:
    """LP205."""
    for series in all_series(tables):
        later = series.after_first()
        found = find_slow(series.seconds[later], series.half[later])
        period = period_of(found.slow) if found is not None else None
        if found is None or period is None:
            continue
        at = np.flatnonzero(found.slow)
        value = float(np.median(series.seconds[later][at]))
        baseline = float(np.median(found.baseline[at]))
        first = int(at[0]) + int(series.starts)
        yield Finding(
            code="LP205",
            severity="warning",
            message=(
                f"Every {period} epochs one takes {_time(value)}, {_ratio(value, baseline)} "
                f"the {_time(baseline)} of the others: {len(at)} times, first in epoch "
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
                f"Validation takes {_time(took)} of an epoch's {_time(whole)}: "
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


def unjudged(tables: Tables) -> list[tuple[str, int, str]]:
    """Rules of this family that say nothing about a run for want of data: code, run, reason."""
    found: list[tuple[str, int, str]] = []
    timed = {series.run: series for series in all_series(tables)}
    for run in tables.runs["run"].to_list():
        series = timed.get(run)
        if series is None:
            codes = ("LP201", "LP202", "LP203", "LP204", "LP205", "LP206")
            found += [(code, run, "no complete epoch shows a time") for code in codes]
            continue
        n = len(series.seconds) - int(series.starts)
        needs = {"LP201": FEWEST, "LP203": FEWEST_FOR_CHANGE, "LP204": FEWEST_FOR_CHANGE}
        needs |= {"LP202": FEWEST_AFTER_FIRST, "LP205": FEWEST}
        for code, least in sorted(needs.items()):
            if n < least:
                reason = f"{n} complete epochs after the first, {least} needed"
                found.append((code, run, reason))
        validated = int(np.isfinite(series.validation).sum())
        if validated < FEWEST_VALIDATED:
            reason = f"{validated} epochs tell their validation time, {FEWEST_VALIDATED} needed"
            found.append(("LP206", run, reason))
    return found


def _time(seconds: float) -> str:
    """Seconds with three digits or so, and the unit."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:,.0f} s"


def _ratio(value: float, baseline: float) -> str:
    """``6 % longer than`` or ``2.5 times as long as``, to stand before the baseline."""
    if baseline <= 0:
        return "longer than"
    ratio = value / baseline
    if ratio >= 2:
        return f"{ratio:.2g} times as long as" if ratio < 10 else f"{ratio:.0f} times as long as"
    return f"{100 * abs(ratio - 1):.0f} % {'longer' if ratio >= 1 else 'shorter'} than"
