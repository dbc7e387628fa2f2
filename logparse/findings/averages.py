"""Tables in, what is said of the jumps between epochs out: LP101 to LP103."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from logparse.findings.jumps import (
    EXCLUDED,
    RATE,
    REAL,
    SHARE,
    Jump,
    Verdict,
    all_jumps,
    higher_is_better,
)
from logparse.findings.registry import Finding, Tables, first_lines, rows_of, rule
from logparse.findings.wording import number
from logparse.reading.detect import EVENTS
from logparse.training.laws import kind_of_metric

SCHEDULES = ("plateau", "schedule")
"""Kinds of message that say the learning rate changed."""


def _signed(value: float, like: float) -> str:
    text = number(value, like)
    return text if text.startswith("-") else "+" + text


def _chance(probability: float) -> str:
    if probability < 1e-6:
        return "less than one in a million"
    if probability < 0.01:
        return f"one in {round(1 / probability, -1 if probability < 0.001 else 0):,.0f}"
    return f"{100 * probability:.0f} %"


def _rarity(jump: Jump) -> str:
    """How rare the remainder is by chance, and how rare it must be to be called real."""
    own, limit = _chance(jump.probability), _chance(jump.limit)
    text = f"probability {own}; real is only what is below {limit}"
    if jump.looked_at > 1:
        text += f", as {jump.looked_at:,} boundaries of the run were looked at"
    return text


def _others(chosen: list[Jump], what: str) -> str:
    if len(chosen) == 1:
        return ""
    rest = sorted(jump.epoch for jump in chosen[1:])
    listed = ", ".join(str(epoch) for epoch in rest[:8]) + (" ..." if len(rest) > 8 else "")
    more = "boundaries are" if len(rest) > 1 else "boundary is"
    return f" {len(rest)} more {more} {what}: before epoch {listed}."


def _level(jump: Jump) -> str:
    low, high = jump.end - jump.end_half, jump.end + jump.end_half
    if kind_of_metric(jump.metric) == "average" and _is_share(jump.metric):
        low, high = max(low, 0.0), min(high, 1.0)
    like = jump.shown
    return f"{number(jump.end, like)} (95 % sure: {number(low, like)} to {number(high, like)})"


def _is_share(metric: str) -> bool:
    return bool(re.search(r"acc(uracy)?$", metric))


def _what_is_what(jump: Jump) -> str:
    """What the two numbers are: the sentence that answers most askers."""
    before = jump.epoch - 1
    after = (
        f"the first batch of epoch {jump.epoch} alone"
        if jump.first_step == 1
        else f"the first {jump.first_step:.0f} batches of epoch {jump.epoch}"
    )
    return (
        f"{jump.metric} goes from {number(jump.shown)} to {number(jump.first)} between epochs "
        f"{before} and {jump.epoch}, but the two are not the same thing: {number(jump.shown)} is "
        f"the average over all batches of epoch {before}, from its first to its last, and "
        f"{number(jump.first)} is {after}."
    )


def _by_verdict(tables: Tables, verdict: Verdict) -> Iterator[list[Jump]]:
    """Boundaries with this verdict, a list for each run and metric, the clearest first."""
    for group in all_jumps(tables):
        found = [jump for jump in group if jump.verdict == verdict]
        if found:
            yield sorted(found, key=lambda jump: -_weight(jump))


def _weight(jump: Jump) -> float:
    if jump.verdict == "real":
        return abs(jump.score)
    return abs(jump.size) / jump.noise if jump.noise > 0 else abs(jump.size)


@rule(
    "LP101",
    "jump at the epoch boundary made by averaging",
    severity="info",
    summary="The number at the start of an epoch is far from the one at the end of the epoch "
    "before, and averaging alone explains it: Keras shows the mean of all batches so far and "
    "starts it afresh in every epoch.",
    computed="jump = first value shown in the epoch - last value of the epoch before. Averaging "
    "alone gives: level of the batches at the end of that epoch - its shown average. What is left "
    "is start level - end level, in standard errors. LP101 if that is not called real (LP102), and "
    f"the whole jump cannot be real (it is {EXCLUDED:g} standard errors or more away from what is "
    f"left), and averaging gives at least {100 * SHARE:g} % of it and more than chance does, held "
    "to the same rate as LP102. Only jumps of twice the noise of the number after them are looked "
    "at; what neither averaging nor a change gives is the chance of the first batches.",
    wrong_when="A real change of the same size as the averaging effect and of opposite sign would "
    "hide. The levels assume that batch values scatter about a level that moves steadily or drifts "
    "slowly.",
    advice="Nothing is wrong. Compare epochs by validation values or by the levels in the table "
    "metrics (start, end), not by the last number of one epoch and the first of the next.",
    source="docs/averages.md, section Jumps.",
)
def averaging_jump(tables: Tables) -> Iterable[Finding]:
    """LP101."""
    for found in _by_verdict(tables, "averaging"):
        jump = found[0]
        like = jump.size
        yield Finding(
            code="LP101",
            severity="info",
            run=jump.run,
            epoch=jump.epoch,
            metric=jump.metric,
            line=first_lines(tables).get((jump.run, jump.epoch)),
            value=jump.size,
            baseline=jump.averaging,
            threshold=jump.least,
            n=len(found),
            message=f"{_what_is_what(jump)} At the end of epoch {jump.epoch - 1} the network was "
            f"already at {_level(jump)}. Of the {_signed(jump.size, like)}, averaging alone gives "
            f"{_signed(jump.averaging, like)}; what is left, "
            f"{_signed(jump.remainder, like)} +- {number(jump.half_band, like)}, is no "
            f"more than chance ({_rarity(jump)})." + _others(found, "of the same kind"),
            advice="Nothing is wrong with the training: the first number of an epoch is no "
            "average yet. Judge progress by validation values or by the levels given here.",
        )


@rule(
    "LP102",
    "a real jump at the epoch boundary",
    severity="info",
    summary="The batch values themselves change between the last batches of an epoch and the "
    "first of the next, by more than averaging and chance explain. Causes: the network has seen "
    "these samples before (memorised data; the loss drops in steps at each epoch), the learning "
    "rate changed at the boundary, or the order of the data did.",
    computed="remainder = start level of the epoch - end level of the epoch before, both from the "
    "batch values rebuilt from the averages, in standard errors, which allow for a steady slope "
    "within each epoch, for drift, and for few lines. How far it must be from nothing depends on "
    "how many boundaries of the run, over all metrics, are looked at: so far that a run without "
    f"any change has an LP102 in at most {100 * RATE:g} % of cases. Where many boundaries change, "
    f"each may be less clear (Benjamini, Krieger and Yekutieli 2006), but not below {REAL:.2f} "
    "standard errors. docs/averages.md has how often it errs and what it finds in simulations.",
    wrong_when="Data that are sorted within the epoch change the level at every boundary without "
    "any learning.",
    advice="Steps down at every boundary on training data, while validation does not follow, "
    "mean memorised data: more data, augmentation or regularisation. One step at a message about "
    "the learning rate is the schedule at work.",
    source="docs/averages.md, section Jumps.",
)
def real_jump(tables: Tables) -> Iterable[Finding]:
    """LP102."""
    for found in _by_verdict(tables, "real"):
        jump = found[0]
        like = jump.size
        cause, advice = _cause(tables, found)
        noise = jump.remainder / jump.noise if jump.noise > 0 else math.inf
        yield Finding(
            code="LP102",
            severity="info",
            run=jump.run,
            epoch=jump.epoch,
            metric=jump.metric,
            line=first_lines(tables).get((jump.run, jump.epoch)),
            value=jump.remainder,
            baseline=jump.averaging,
            threshold=jump.least,
            n=len(found),
            message=f"{jump.metric} really changes between epochs {jump.epoch - 1} and "
            f"{jump.epoch}: the batches end at {_level(jump)} and start at "
            f"{number(jump.start, jump.shown)}. Of the shown {_signed(jump.size, like)} "
            f"({number(jump.shown)} to {number(jump.first)}), averaging gives "
            f"{_signed(jump.averaging, like)}; the rest, {_signed(jump.remainder, like)} +- "
            f"{number(jump.half_band, like)} or {abs(noise):.1f} times the scatter of "
            f"one batch, is more than chance ({_rarity(jump)}). {cause}" + _others(found, "real"),
            advice=advice,
        )


def _cause(tables: Tables, found: list[Jump]) -> tuple[str, str]:
    """What may have made a real jump, and what to do."""
    jump = found[0]
    near = jump.epoch - 1, jump.epoch
    for run, epoch, kind, line in rows_of(tables.messages, "run", "epoch", "kind", "line"):
        if run != jump.run or epoch not in near or kind not in SCHEDULES:
            continue
        return (
            f"The learning rate changed there (line {line}).",
            "The schedule works: compare the levels on either side to see what it brought.",
        )
    better = (jump.remainder > 0) == higher_is_better(jump.metric)
    if better:
        return (
            "No message says that the learning rate changed; a step towards better at the "
            "boundary is what a network shows that has seen the samples before.",
            "If validation does not follow, the network memorises: more data, augmentation or "
            "regularisation.",
        )
    return (
        "No message says that the learning rate changed; a step towards worse is what a new order "
        "of the data, or other data, gives.",
        "Look at how each epoch orders its data: shuffle all samples, not a small buffer.",
    )


@rule(
    "LP103",
    "jump at the epoch boundary, cause undecided",
    severity="info",
    summary="The number jumps between epochs, and the log does not hold enough to say whether "
    "averaging or a real change made it.",
    computed="As LP101 and LP102; undecided when what is left after averaging is too little to be "
    f"called real but within {EXCLUDED:g} standard errors of the whole jump, or when averaging "
    "gives most of the jump but no more than chance does.",
    wrong_when="It makes no claim. It cannot be wrong, only unhelpful.",
    advice="Log more: every batch (TensorBoard with update_freq=1, or a callback that writes each "
    "batch), or validation at the end of every epoch.",
    source="docs/averages.md, section Jumps.",
)
def undecided_jump(tables: Tables) -> Iterable[Finding]:
    """LP103."""
    for found in _by_verdict(tables, "undecided"):
        jump = found[0]
        like = jump.size
        if math.isfinite(jump.end) and math.isfinite(jump.start):
            low, high = jump.averaging - jump.end_half, jump.averaging + jump.end_half
            whole = low <= jump.size <= high
            explains = (
                "it may explain all of it"
                if whole
                else f"it hardly explains all of it, but what is left, "
                f"{_signed(jump.remainder, like)}, comes by chance too often to call it real "
                f"({_rarity(jump)})"
            )
            why = (
                f" At the end of epoch {jump.epoch - 1} the network stood at {_level(jump)}; the "
                "log tells no more. So averaging alone gives between "
                f"{_signed(low, like)} and {_signed(high, like)} of the "
                f"{_signed(jump.size, like)}: "
                f"{explains}; whether the network itself changed there cannot be told."
            )
        else:
            why = " The log holds too little to tell where the network stood at the boundary."
        yield Finding(
            code="LP103",
            severity="info",
            run=jump.run,
            epoch=jump.epoch,
            metric=jump.metric,
            line=first_lines(tables).get((jump.run, jump.epoch)),
            value=jump.size,
            baseline=jump.averaging if math.isfinite(jump.averaging) else None,
            threshold=jump.least,
            n=len(found),
            message=_what_is_what(jump) + why + _others(found, "undecided"),
            advice=_to_know(tables, jump),
        )


def _to_know(tables: Tables, jump: Jump) -> str:
    """What would tell more than the log; every batch of both epochs may be in it already."""
    evaluate = "To know: evaluate on the training data after the epoch"
    epochs = tables.epochs
    both = epochs.filter(
        (epochs["run"] == jump.run) & epochs["epoch"].is_in([jump.epoch - 1, jump.epoch])
    )
    events = "reader" in tables.runs.columns and EVENTS in tables.runs["reader"]
    if events and (both["updates"] >= both["steps"]).all():
        return f"{evaluate}. Every batch is in the events: more of them would not help."
    return f"{evaluate}, or log every batch (TensorBoard with update_freq=1)."
