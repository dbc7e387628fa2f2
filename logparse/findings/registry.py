"""The registry of rules: tables in, findings out, and what ``logparse explain`` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from logparse.findings.thresholds import Threshold, Thresholds, passing

if TYPE_CHECKING:
    import polars as pl

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Tables:
    """The small tables that rules read, as documented in ``tables.TABLES``.

    Equal only to itself, so that what several rules need can be computed once.
    """

    runs: pl.DataFrame
    epochs: pl.DataFrame
    metrics: pl.DataFrame
    messages: pl.DataFrame
    rejects: pl.DataFrame
    step_times: pl.DataFrame
    layers: pl.DataFrame
    models: pl.DataFrame
    agreement: pl.DataFrame | None = None


def once(make: Callable[[Tables], T]) -> Callable[[Tables], T]:
    """What several rules need of the same tables is made once, and goes with the tables.

    Several logs may be judged in turns (``lockstep``): each keeps its own.
    """
    kept: WeakKeyDictionary[Tables, T] = WeakKeyDictionary()

    @wraps(make)
    def found(tables: Tables) -> T:
        if tables not in kept:
            kept[tables] = make(tables)
        return kept[tables]

    return found


def rows_of(frame: pl.DataFrame, *names: str) -> Iterator[tuple[Any, ...]]:
    """Some columns as rows: for a table of few rows far quicker than a query."""
    return zip(*(frame[name].to_list() for name in names), strict=True)


def all_finite(column: pl.Series) -> bool:
    """Whether no value of a column is nan or infinite; nulls are none."""
    finite = np.isfinite(column.to_numpy())
    return int(np.count_nonzero(finite)) == len(column) - column.null_count()


@once
def first_lines(tables: Tables) -> dict[tuple[int, int], int]:
    """The first line of each epoch, by run and epoch."""
    rows = rows_of(tables.epochs, "run", "epoch", "first_line")
    return {(run, epoch): line for run, epoch, line in rows}


class Finding(NamedTuple):
    """A rule that fired, with its arithmetic; the columns of the table ``findings``."""

    code: str
    severity: Severity
    message: str
    advice: str
    run: int | None = None
    epoch: int | None = None
    metric: str | None = None
    line: int | None = None
    value: float | None = None
    baseline: float | None = None
    threshold: float | None = None
    n: int | None = None


Check = Callable[[Tables], Iterable[Finding]]

T = TypeVar("T")
AnyCheck = TypeVar("AnyCheck", bound=Check | None)


class Rule(NamedTuple):
    """One rule: its stable code, what it means, how it is computed, when it is wrong."""

    code: str
    name: str
    severity: Severity
    """Worst severity it gives."""
    summary: str
    computed: str
    wrong_when: str
    advice: str
    source: str
    check: Check | None
    """What looks for it in one log; None where it takes several."""
    thresholds: tuple[Threshold, ...] = ()
    """What can be set of it."""


FAMILIES = (
    "averages",
    "comparison",
    "epoch_values",
    "first_epoch",
    "input",
    "learning",
    "levels",
    "model",
    "reading",
    "time",
)
"""Modules that register rules."""

RULES: dict[str, Rule] = {}
"""Rules by code, filled by ``rule`` when a family's module is imported."""


def rule(
    code: str,
    name: str,
    *,
    severity: Severity,
    summary: str,
    computed: str,
    wrong_when: str,
    advice: str,
    source: str,
    thresholds: tuple[Threshold, ...] = (),
) -> Callable[[AnyCheck], AnyCheck]:
    """Register the decorated check, or None for a rule about several logs, under ``code``.

    Raises:
        ValueError: the code is taken.
    """

    def register(check: AnyCheck) -> AnyCheck:
        if code in RULES:
            raise ValueError(f"{code} is registered twice")
        RULES[code] = Rule(
            code, name, severity, summary, computed, wrong_when, advice, source, check, thresholds
        )
        return check

    return register


def explain(code: str) -> str:
    """What the rule means, how it is computed, when it is wrong and what to do, as plain text.

    Raises:
        KeyError: no rule has this code.
    """
    found = RULES[code]
    parts = (
        ("How it is computed", found.computed),
        ("When it is wrong", found.wrong_when),
        ("What to do", found.advice),
        ("What can be set", thresholds_text(found)),
        ("Source", found.source),
    )
    text = f"{found.code} {found.name} ({found.severity})\n\n{found.summary}\n"
    return text + "".join(f"\n{title}\n{body}\n" for title, body in parts if body)


def thresholds_text(found: Rule) -> str:
    """What can be set of a rule, in a sentence; empty if nothing can."""
    if not found.thresholds:
        return ""
    each = [f"{one.name} = {one.least:g} ({one.text})" for one in found.thresholds]
    return (
        f"In a settings file, under rules.{found.code}: {', '.join(each)}. Each number is the "
        "default, and can be raised."
    )


def load() -> dict[str, Rule]:
    """All rules by code, their families imported."""
    for family in FAMILIES:
        import_module(f"logparse.findings.{family}")
    return RULES


def chosen(code: str, select: Iterable[str] | None, ignore: Iterable[str]) -> bool:
    """Whether a code, or its beginning, is asked for and not to be left out."""
    unwanted = tuple(ignore)
    wanted = tuple(select) if select is not None else ("",)
    return code.startswith(wanted) and not (unwanted and code.startswith(unwanted))


def find(
    tables: Tables,
    *,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    thresholds: Thresholds | None = None,
) -> list[Finding]:
    """What the rules find, worst first, then by run, epoch and code.

    Args:
        tables: the small tables of one log.
        select: codes to look for, or their beginnings (``LP1``); all by default.
        ignore: codes not to look for, or their beginnings.
        thresholds: numbers by rule and name of the threshold, where not the defaults.
    """
    codes = (tuple(select) if select is not None else None, tuple(ignore))
    found: list[Finding] = []
    for code, one in sorted(load().items()):
        if one.check is not None and chosen(code, *codes):
            numbers = (thresholds or {}).get(code, {})
            found += passing(one.check(tables), numbers) if numbers else one.check(tables)
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(found, key=lambda f: (order[f.severity], f.run or 0, f.epoch or 0, f.code))
