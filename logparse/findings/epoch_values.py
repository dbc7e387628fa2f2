"""Tables in, what is said of the numbers shown for an epoch out: LP104 to LP106."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from logparse.findings.jumps import EXCLUDED, averages, groups, higher_is_better
from logparse.findings.registry import Finding, Tables, rule
from logparse.findings.wording import number
from logparse.reading.records import Floats, Ints
from logparse.training.laws import DOUBLE_TRUE
from logparse.training.student import Z95

DIFFERS = 0.005
"""Relative error from which a printed epoch value is reported as wrong."""

EPOCHS = 3
"""Epochs that must agree before LP106 speaks."""


def _law_of(tables: Tables) -> dict[int, str | None]:
    if not {"run", "law"} <= set(tables.runs.columns):
        return {}
    return dict(zip(tables.runs["run"].to_list(), tables.runs["law"].to_list(), strict=True))


def _furthest(value: Floats, other: Floats, rows: Ints) -> tuple[int, float]:
    """Of some rows the one where ``value`` is furthest from ``other``, and the per cent it is."""
    apart = np.abs((value - other) / np.where(other == 0, 1, other))
    i = int(rows[np.argmax(apart[rows])])
    return i, float(100 * (value[i] - other[i]) / abs(other[i])) if other[i] else math.inf


@rule(
    "LP104",
    "the printed epoch value is not the epoch's mean",
    severity="warning",
    summary="The last line of the epoch shows another number than the true mean of the epoch, "
    "which History, CSVLogger and TensorBoard hold. Keras 3.0 to 3.10 and TF 2.4 average the "
    "running average once more, so early batches count many times.",
    computed="mean comes from the averages by the law of the run. Fires where the printed value "
    f"lies outside the bounds of the mean and differs from it by more than {100 * DIFFERS:g} %.",
    wrong_when="The law of the run was decided wrongly; its reason stands in the table runs.",
    advice="Use the column mean of the table metrics, or History, CSVLogger or TensorBoard. Keras "
    "3.11 prints the true value on the last line, Keras 3.15 everywhere.",
    source="docs/averages.md, section Laws; keras commits 6d70f49a9e and 8bd6635a3e.",
)
def wrong_epoch_value(tables: Tables) -> Iterable[Finding]:
    """LP104."""
    for group in averages(tables):
        shown, mean = group["shown"], group["mean"]
        with np.errstate(invalid="ignore"):
            outside = (shown < group["mean_low"]) | (shown > group["mean_high"])
            wrong = outside & (np.abs(shown - mean) > DIFFERS * np.abs(mean))
        rows = np.flatnonzero(wrong)
        if not len(rows):
            continue
        i, off = _furthest(shown, mean, rows)
        like = float(mean[i])
        epoch = int(group.epoch[i])
        yield Finding(
            code="LP104",
            severity="warning",
            run=group.run,
            epoch=epoch,
            metric=group.metric,
            value=float(shown[i]),
            baseline=like,
            threshold=DIFFERS,
            n=len(rows),
            message=f"The {group.metric} printed at the end of epoch {epoch}, {number(shown[i])}, "
            f"is not the mean of that epoch: the true mean is {number(like)} (95 % sure: "
            f"{number(group['mean_low'][i], like)} to {number(group['mean_high'][i], like)}), "
            f"so the line is {abs(off):.1f} % too {'high' if off > 0 else 'low'}. This Keras "
            f"averages the running average a second time. {len(rows)} of {len(shown)} epochs are "
            f"off by more than {100 * DIFFERS:g} %.",
            advice="Take the epoch values from History, CSVLogger or logparse, not from these "
            "lines; Keras 3.11 and later print the true value.",
        )


@rule(
    "LP105",
    "false drop at the last step",
    severity="warning",
    summary="The last line of the epoch jumps away from the line before it, further than one batch "
    "could move an average. Keras 3.11 to 3.14 average the running average once more while the "
    "epoch runs and print the true mean at its end.",
    computed="Law 'mean of means, true end': value on the last line against the last value shown "
    f"before it, where they differ by more than {100 * DIFFERS:g} %.",
    wrong_when="The law of the run was decided wrongly; its reason stands in the table runs.",
    advice="Nothing happened in the last batch. Trust the last line, not the ones before it.",
    source="docs/averages.md, section Laws.",
)
def false_drop(tables: Tables) -> Iterable[Finding]:
    """LP105."""
    laws = _law_of(tables)
    for group in averages(tables):
        if laws.get(group.run) != DOUBLE_TRUE:
            continue
        shown, before = group["shown"], group["before"]
        with np.errstate(invalid="ignore"):
            moved = np.abs(shown - before) > DIFFERS * np.abs(before)
        rows = np.flatnonzero(moved)
        if not len(rows):
            continue
        i, step = _furthest(shown, before, rows)
        epoch = int(group.epoch[i])
        yield Finding(
            code="LP105",
            severity="warning",
            run=group.run,
            epoch=epoch,
            metric=group.metric,
            value=float(shown[i]),
            baseline=float(before[i]),
            threshold=DIFFERS,
            n=len(rows),
            message=f"At the last step of epoch {epoch} {group.metric} seems to jump from "
            f"{number(before[i])} to {number(shown[i])} ({step:+.1f} %). Nothing happened there: "
            "while an epoch runs this Keras shows an average of averages, in which early batches "
            f"count many times, and its last line shows the true mean. {len(rows)} of "
            f"{len(shown)} epochs end so.",
            advice="Compare epochs by their last lines only; Keras 3.15 shows the plain mean "
            "throughout.",
        )


@rule(
    "LP106",
    "validation better than training only because training is an average",
    severity="info",
    summary="The validation value is better than the training value beside it, but only because "
    "the training value is an average over the epoch, while validation is measured at its end.",
    computed="Validation is better than the shown training value, and within the 95 % band of the "
    "level of the training batches at the end of the epoch or below it. At least 3 epochs, and "
    f"more than half of those where validation looks better; over these the level at the end is "
    f"better than the shown value by {EXCLUDED:g} standard errors.",
    wrong_when="Dropout and augmentation make training values worse than validation too, also at "
    "the end of the epoch.",
    advice="Compare validation with the level at the end of the epoch (table metrics, end).",
    source="docs/averages.md, section Jumps.",
)
def validation_seems_better(tables: Tables) -> Iterable[Finding]:
    """LP106."""
    by_name = {(group.run, group.metric): group for group in groups(tables)}
    for (run, metric), group in by_name.items():
        other = by_name.get((run, "val_" + metric))
        if other is None:
            continue
        common, i, j = np.intersect1d(group.epoch, other.epoch, return_indices=True)
        sign = 1.0 if higher_is_better(metric) else -1.0
        validation = sign * other["shown"][j]
        shown, end = sign * group["shown"][i], sign * group["end"][i]
        band = np.sort(sign * np.stack([group["end_low"][i], group["end_high"][i]]), 0)
        with np.errstate(invalid="ignore"):
            seems = validation > shown
            explained = seems & (validation <= band[1]) & (end > shown)
        judged = seems & np.isfinite(end)
        if explained.sum() < EPOCHS or explained.sum() * 2 <= judged.sum():
            continue
        # Where epochs are all alike, one that validation beats is one that chance made worse.
        error = np.hypot.reduce((band[1] - band[0])[judged]) / (2 * Z95)
        if (end - shown)[judged].sum() < EXCLUDED * error:
            continue
        k = int(np.flatnonzero(explained)[np.argmax((validation - shown)[explained])])
        yield Finding(
            code="LP106",
            severity="info",
            run=run,
            epoch=int(common[k]),
            metric=metric,
            value=float(sign * validation[k]),
            baseline=float(sign * end[k]),
            threshold=float(sign * band[1, k]),
            n=int(explained.sum()),
            message=f"In {int(explained.sum())} of {len(common)} epochs val_{metric} looks better "
            f"than {metric}, as in epoch {int(common[k])}: {number(sign * validation[k])} against "
            f"{number(sign * shown[k])}. But {number(sign * shown[k])} is the average over the "
            "whole epoch, while validation is measured at its end, where the training batches "
            f"stood at {number(sign * end[k])}.",
            advice="Compare validation with the training level at the end of the epoch.",
        )
