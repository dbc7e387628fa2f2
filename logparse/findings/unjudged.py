"""Tables -> which rules say nothing about a run for want of data, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from logparse.findings.changes import FEWEST_FOR_CHANGE
from logparse.findings.curves import (
    FEWEST_FLAT,
    FEWEST_FOR_SPIKES,
    FEWEST_TO_DIVERGE,
    FEWEST_TO_RISE,
    Curve,
    all_curves,
    pairs,
)
from logparse.findings.durations import Series, all_series
from logparse.findings.first_epoch import FEWEST_AFTER_FIRST
from logparse.findings.gaps import FEWEST_GAPS, all_gaps
from logparse.findings.input import known_steps
from logparse.findings.model import FEWEST_AT_CHANCE, samples_of
from logparse.findings.networks import networks
from logparse.findings.outliers import FEWEST
from logparse.findings.registry import Tables
from logparse.findings.time import FEWEST_VALIDATED
from logparse.findings.wording import count
from logparse.training.step_times import FEWEST_STEPS

TIMED = ("LP201", "LP202", "LP203", "LP204", "LP205", "LP206")
"""Rules that need times of complete epochs."""


class Unjudged(NamedTuple):
    """A rule that could not judge a run; the columns of the table ``unjudged``."""

    code: str
    run: int
    reason: str


def unjudged(tables: Tables) -> list[Unjudged]:
    """Rules that are silent for want of data, run by run. All others were judged."""
    found: list[Unjudged] = []
    timed = {series.run: series for series in all_series(tables)}
    gaps = {one.run: len(one.seconds) for one in all_gaps(tables)}
    trained = set(tables.epochs["run"].to_list())
    stepped = {run for run, _ in known_steps(tables)}
    curves = _by_run(all_curves(tables).values())
    validated = _by_run(train for train, _ in pairs(tables) if train.loss)
    for run in tables.runs["run"].to_list():
        reasons = dict(_of_times(timed.get(run)))
        if gaps.get(run, 0) < FEWEST_GAPS:
            reasons["LP207"] = _lacks(gaps.get(run, 0), "known gap", "between epochs", FEWEST_GAPS)
        reasons |= dict(_of_curves(curves.get(run, []), _longest(validated.get(run, []))))
        reasons |= dict(_of_networks(tables, run))
        if run not in stepped:
            reasons["LP404"] = f"no later epoch tells the time of {FEWEST_STEPS} single steps"
        if run not in trained:
            reasons = dict.fromkeys(reasons, "there is no epoch in it")
        found += [Unjudged(code, run, reason) for code, reason in sorted(reasons.items())]
    return found


def _by_run(curves: Iterable[Curve]) -> dict[int, list[Curve]]:
    found: dict[int, list[Curve]] = {}
    for curve in curves:
        found.setdefault(curve.run, []).append(curve)
    return found


def _of_times(series: Series | None) -> Iterator[tuple[str, str]]:
    if series is None:
        yield from ((code, "no complete epoch shows a time") for code in (*TIMED, "LP402"))
        return
    n = len(series.seconds) - int(series.starts)
    if (like := series.like()) < FEWEST:
        for code in ("LP201", "LP205"):
            yield code, _lacks(like, "complete epoch", "of the same length", FEWEST)
    needs = {"LP202": FEWEST_AFTER_FIRST, "LP203": FEWEST_FOR_CHANGE}
    needs |= {"LP204": FEWEST_FOR_CHANGE, "LP402": FEWEST_AFTER_FIRST}
    for code, least in needs.items():
        if n < least:
            yield code, _lacks(n, "complete epoch", "after the first", least)
    validated = int(np.isfinite(series.validation).sum())
    if validated < FEWEST_VALIDATED:
        yield (
            "LP206",
            _lacks(validated, "epoch", "with a validation time", FEWEST_VALIDATED),
        )


def _of_curves(curves: list[Curve], validated: int) -> Iterator[tuple[str, str]]:
    losses = _longest(curve for curve in curves if curve.loss)
    needs = {"LP302": FEWEST_TO_DIVERGE, "LP303": FEWEST_FLAT, "LP305": FEWEST_FOR_SPIKES}
    for code, least in needs.items():
        if losses < least:
            yield code, _lacks(losses, "epoch", "with a loss", least)
    if validated < FEWEST_TO_RISE:
        yield (
            "LP304",
            _lacks(validated, "epoch", "with a validation loss", FEWEST_TO_RISE),
        )
    rated = _longest(curve for curve in curves if curve.accuracy)
    if rated < FEWEST_AT_CHANCE:
        yield "LP306", _lacks(rated, "epoch", "with an accuracy", FEWEST_AT_CHANCE)


def _of_networks(tables: Tables, run: int) -> Iterator[tuple[str, str]]:
    network = networks(tables).get(run)
    if network is None:
        for code in ("LP307", "LP403"):
            yield code, "no model.summary() in the log before the training"
    elif samples_of(tables, run) is None:
        yield "LP307", "the log does not tell the number of training samples"


def _longest(curves: Iterable[Curve]) -> int:
    return max((len(curve.epoch) for curve in curves), default=0)


def _lacks(n: int, noun: str, of: str, least: int) -> str:
    """``2 epochs with a loss, 5 needed``."""
    return f"{count(n, noun)} {of}, {least} needed"
