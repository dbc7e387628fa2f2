"""Learning curves -> findings: LP301 not finite to LP305 spike.

What each rule computes is in ``curves``; docs/learning.md has how often each errs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from logparse.findings.curves import (
    FEWEST_FLAT,
    FEWEST_FOR_SPIKES,
    FEWEST_TO_DIVERGE,
    FEWEST_TO_RISE,
    FLAT,
    FLAT_EPOCHS,
    LOST,
    RISE,
    SPIKE,
    SPIKE_WIDTH,
    STEADY_RISE,
    Curve,
    Plateau,
    all_curves,
    divergence,
    pairs,
    plateau,
    rise,
    slope,
    spikes,
)
from logparse.findings.registry import Finding, Tables, all_finite, first_lines, rule
from logparse.findings.wording import count, long_duration, number


@rule(
    "LP301",
    "not finite",
    severity="error",
    summary=(
        "A metric became nan (not a number) or infinite. Every weight that such a loss updates "
        "is lost: nothing after it is training."
    ),
    computed=(
        "The first value shown in an epoch, or its last line, is nan or inf. Shown values are "
        "running averages, so one such batch makes all later ones of its epoch so."
    ),
    wrong_when="A metric other than the loss is undefined for some batches by design.",
    advice=(
        "Lower the learning rate, clip gradients (clipnorm=1.0), look for nan and zeros to divide "
        "by in the data. keras.callbacks.TerminateOnNaN stops such a training at once."
    ),
    source="keras-team/keras 6921; IEEE 754: a sum with one nan is nan.",
)
def not_finite(tables: Tables) -> Iterable[Finding]:
    """One finding for each run and metric: where it began."""
    if all_finite(tables.metrics["shown"]) and all_finite(tables.metrics["first"]):
        return
    odd = tables.metrics.filter(
        (~pl.col("shown").is_finite()).fill_null(False)
        | (~pl.col("first").is_finite()).fill_null(False)
    )
    lines = tables.epochs.select("run", "epoch", "first_line")
    counted = odd.group_by("run", "metric", maintain_order=True).agg(
        pl.len(), pl.col("epoch").first(), pl.col("first").first(), pl.col("shown").first()
    )
    for row in counted.join(lines, on=["run", "epoch"], how="left").iter_rows(named=True):
        at_once = row["first"] is not None and not abs(row["first"]) < float("inf")
        value = row["first"] if at_once else row["shown"]
        when = "from its first update on" if at_once else "by its end"
        more = f", and in {row['len'] - 1} later one" if row["len"] > 1 else ""
        yield Finding(
            "LP301",
            "error",
            f"{row['metric']} is {value} in epoch {row['epoch']}, {when}"
            f"{more}{'s' if row['len'] > 2 else ''}. What the network does after that is no "
            "training.",
            "Lower the learning rate, clip gradients (clipnorm=1.0), and look for nan or zeros to "
            "divide by in the data.",
            run=row["run"],
            epoch=row["epoch"],
            metric=row["metric"],
            line=row["first_line"],
            n=row["len"],
        )


@rule(
    "LP302",
    "diverging",
    severity="warning",
    summary="The training loss fell, then rose again, and stays high: training undoes itself.",
    computed=(
        f"Needs {FEWEST_TO_DIVERGE} epochs. The best epoch is the lowest of the running median of "
        "three. Each of the last three epochs must lie above it by "
        f"{100 * LOST:.0f} % of the progress made until then, by 20 % of its level, and by 4.5 "
        "(50 epochs and more) to 14 (5 epochs) times the noise of the curve, which is taken from "
        "its second differences."
    ),
    wrong_when=(
        "The loss is not meant to fall: two networks against each other (GAN), reinforcement "
        "learning, a loss whose weights change on a schedule (KL annealing), harder data later on "
        "(curriculum), frozen layers released, a learning rate that restarts on purpose."
    ),
    advice=(
        "Go back to the weights of the best epoch, divide the learning rate by ten, clip gradients "
        "(clipnorm=1.0). If it began at once, look for labels or inputs that are not scaled."
    ),
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 8.3: learning rates.",
)
def diverging(tables: Tables) -> Iterator[Finding]:
    """LP302."""
    lines = first_lines(tables)
    for curve in all_curves(tables).values():
        found = divergence(curve.costs) if curve.loss and not curve.validation else None
        if found is None:
            continue
        best = int(curve.epoch[found.best])
        yield Finding(
            "LP302",
            "warning",
            f"{curve.metric} was down to {number(found.level)} in epoch {best} and has gone up "
            f"since: {number(found.last)} over the last three epochs. More than half of the "
            "progress is lost.",
            f"Go back to the weights of epoch {best} and lower the learning rate; clip gradients "
            "(clipnorm=1.0).",
            run=curve.run,
            epoch=best,
            metric=curve.metric,
            line=lines.get((curve.run, best)),
            value=found.last,
            baseline=found.level,
            threshold=found.limit,
            n=len(curve.epoch),
        )


@rule(
    "LP303",
    "plateau",
    severity="info",
    summary="From some epoch on nothing improves: the rest of the training brought nothing.",
    computed=(
        f"Needs {FEWEST_FLAT} epochs. A plateau is the longest end of the curve, at least "
        f"{FLAT_EPOCHS} epochs and a third of the run, whose trend (Theil and Sen's slope times "
        f"its length) and 1.6 standard errors of it together stay below {100 * FLAT:.0f} % of the "
        "progress since epoch 1, of the level, and for an accuracy of what it lacks to 1. It "
        "begins where the curve comes within 2 % of the progress to its last level. Validation "
        "metrics are judged; training ones where there is no validation. One finding a run."
    ),
    wrong_when=(
        "The curve is noisier than the progress that is left: then the rule is silent, and that is "
        "no proof of progress. A plateau can end: a lower learning rate often ends it."
    ),
    advice=(
        "Stop there (EarlyStopping with restore_best_weights), or change something: a lower "
        "learning rate (ReduceLROnPlateau), more or other data, a larger network if the training "
        "loss stands still, too."
    ),
    source="Sen, JASA 63 (1968); Prechelt, Early stopping - but when? (1998).",
)
def no_progress(tables: Tables) -> Iterator[Finding]:
    """LP303: one finding a run, for the metric that stands still longest."""
    lines = first_lines(tables)
    curves = all_curves(tables)
    validated = {curve.run for curve in curves.values() if curve.validation}
    runs: dict[int, list[tuple[Curve, Plateau]]] = {}
    for curve in curves.values():
        judged = curve.validation or curve.run not in validated
        found = plateau(curve) if judged and (curve.loss or curve.accuracy) else None
        if found is not None:
            runs.setdefault(curve.run, []).append((curve, found))
    for run, all_found in runs.items():
        curve, found = min(all_found, key=lambda pair: int(pair[0].epoch[pair[1].start]))
        start, rest = int(curve.epoch[found.start]), curve.values[found.start :]
        lost = _seconds_since(tables, run, start)
        yield Finding(
            "LP303",
            "info",
            f"{curve.metric} has not moved since epoch {start}: {number(float(rest[0]))} then, "
            f"{number(float(rest[-1]))} at the end, {number(float(rest.min()))} to "
            f"{number(float(rest.max()))} in between. The {count(len(rest) - 1, 'epoch')} after it "
            f"{f'took {long_duration(lost)} and ' if lost > 60 else ''}brought nothing there"
            f"{_others(curves, curve, found, [c.metric for c, _ in all_found])}.",
            "Stop there next time (EarlyStopping with restore_best_weights), or change something: "
            "a lower learning rate, more or other data.",
            run=run,
            epoch=start,
            metric=curve.metric,
            line=lines.get((run, start)),
            value=abs(found.change),
            baseline=found.progress,
            threshold=found.limit,
            n=len(rest),
        )


def _seconds_since(tables: Tables, run: int, epoch: int) -> float:
    """Time of the epochs after one, 0 where the log does not tell."""
    later = tables.epochs.filter((pl.col("run") == run) & (pl.col("epoch") > epoch))
    return float(later["seconds"].sum())


def _others(
    curves: dict[tuple[int, str], Curve], curve: Curve, found: Plateau, flat: list[str]
) -> str:
    """What the other metrics of a run did while one stood still, as the end of a sentence."""
    since = int(curve.epoch[found.start])
    falling = []
    for (run, name), other in curves.items():
        if run != curve.run or name in flat or not other.loss:
            continue
        tail = other.costs[other.epoch >= since]
        if len(tail) >= FLAT_EPOCHS and -slope(tail) * len(tail) > 2 * FLAT * abs(float(tail[0])):
            falling.append(name)
    also = [name for name in flat if name != curve.metric]
    text = f", nor did {' and '.join(also[:3])} move" if also else ""
    return text + (f", while {' and '.join(falling[:3])} still fell" if falling else "")


@rule(
    "LP304",
    "overfitting",
    severity="warning",
    summary=(
        "The validation loss rises while the training loss still falls: the network learns the "
        "training samples by heart, and gets worse on all others."
    ),
    computed=(
        f"Needs {FEWEST_TO_RISE} epochs with both losses. After its best epoch (the lowest of the "
        "running median of three from 14 epochs on) the validation loss must rise: the last three "
        f"epochs by {100 * RISE:.0f} % and by 4.5 (50 epochs and more) to 14 (5 epochs) times the "
        "noise of the curve, with three quarters of the pairs of epochs half the tail apart "
        f"rising; or in every epoch of half the run, by {100 * STEADY_RISE:.0f} % in all. The "
        "training loss must be lower at the end than at that epoch."
    ),
    wrong_when=(
        "A loss may rise while the accuracy still improves: the network is surer of its few "
        "mistakes. Data of another kind in the validation set drift away for other reasons."
    ),
    advice=(
        "Keep the weights of the best epoch (EarlyStopping with restore_best_weights, "
        "ModelCheckpoint with save_best_only). Then more data or augmentation, dropout or weight "
        "decay, a smaller network."
    ),
    source="Prechelt, Early stopping - but when? (1998).",
)
def overfitting(tables: Tables) -> Iterator[Finding]:
    """LP304."""
    lines = first_lines(tables)
    for train, other in pairs(tables):
        found = rise(other.costs) if train.loss else None
        if found is None or np.median(train.costs[-3:]) >= train.costs[found.best]:
            continue
        best = int(other.epoch[found.best])
        yield Finding(
            "LP304",
            "warning",
            f"{other.metric} was best in epoch {best} ({number(found.level)}) and has risen to "
            f"{number(found.last)} since, while {train.metric} fell from "
            f"{number(float(train.values[found.best]))} to {number(float(train.values[-1]))}: the "
            "network learns the training samples by heart.",
            f"Use the weights of epoch {best} (EarlyStopping with restore_best_weights); then more "
            "data or augmentation, dropout or weight decay.",
            run=other.run,
            epoch=best,
            metric=other.metric,
            line=lines.get((other.run, best)),
            value=found.last,
            baseline=found.level,
            threshold=found.limit,
            n=len(other.epoch),
        )


@rule(
    "LP305",
    "spike",
    severity="info",
    summary="The loss jumped up for a few epochs and came back.",
    computed=(
        f"Needs {FEWEST_FOR_SPIKES} epochs of a loss above 0. An epoch's loss must be {SPIKE} "
        "times the median of the seven epochs around it, and beyond it by 5.5 to 7 robust standard "
        f"deviations on a log scale. Up to {SPIKE_WIDTH} such epochs in a row are one spike; the "
        "first two epochs and a rise at the very end are not judged."
    ),
    wrong_when=(
        "A validation loss on few samples has heavy tails. A learning rate that restarts on "
        "purpose makes such a spike, as does a resumed training without its optimizer's state."
    ),
    advice=(
        "Clip gradients (clipnorm=1.0) or lower the learning rate; look at the batches of that "
        "epoch for damaged samples; after a resume load the optimizer's state, too."
    ),
    source="Hampel's identifier: Davies and Gather, JASA 88 (1993).",
)
def spike(tables: Tables) -> Iterator[Finding]:
    """LP305: one finding a metric, for its highest spike."""
    lines = first_lines(tables)
    for curve in all_curves(tables).values():
        found = spikes(curve.costs) if curve.loss else []
        if not found:
            continue
        worst = max(found, key=lambda one: curve.costs[one.at] / one.level)
        epoch, value = int(curve.epoch[worst.at]), float(curve.values[worst.at])
        width = worst.last - worst.first + 1
        more = f" {len(found) - 1} smaller ones like it." if len(found) > 1 else ""
        yield Finding(
            "LP305",
            "info",
            f"{curve.metric} jumped to {number(value)} in epoch {epoch}, "
            f"{value / worst.level:.2g} times the {number(worst.level)} around it, and came back "
            f"after {count(width, 'epoch')}.{more}",
            "Clip gradients (clipnorm=1.0) or lower the learning rate; after a resume, load the "
            "optimizer's state, too.",
            run=curve.run,
            epoch=epoch,
            metric=curve.metric,
            line=lines.get((curve.run, epoch)),
            value=value,
            baseline=worst.level,
            threshold=worst.limit,
            n=len(curve.epoch),
        )
