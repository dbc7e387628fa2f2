"""Thresholds that a user sets of a rule in, the findings that still pass them out.

A threshold is the least effect worth a finding: how many times its baseline, how many seconds. It
can be raised, not lowered: then the rates at which rules err (docs/rules.md) hold for any setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from logparse.errors import UsageError

if TYPE_CHECKING:
    from logparse.findings.registry import Finding

Thresholds = Mapping[str, Mapping[str, float]]
"""Numbers by rule and name of the threshold."""


class Threshold(NamedTuple):
    """What can be set of a rule."""

    name: str
    least: float
    """Its default, and the lowest it can be set to."""
    text: str
    limit: Callable[[Finding, float], float]
    """The ``value`` from which a finding passes it, if it is set to a number."""


def min_ratio(least: float, text: str = "times its baseline") -> Threshold:
    """A value is at least this many times its baseline; of one below it, the other way round."""

    def limit(finding: Finding, number: float) -> float:
        value, baseline = _both(finding)
        return baseline * number if value >= baseline else baseline / number

    return Threshold("min-ratio", least, text, limit)


def min_seconds(least: float, text: str = "seconds away from its baseline") -> Threshold:
    """A value is at least this many seconds away from its baseline."""

    def limit(finding: Finding, number: float) -> float:
        value, baseline = _both(finding)
        return baseline + number if value >= baseline else baseline - number

    return Threshold("min-seconds", least, text, limit)


def min_value(name: str, least: float, text: str) -> Threshold:
    """The value itself is at least this."""
    return Threshold(name, least, text, lambda _, number: number)


def passing(findings: Iterable[Finding], numbers: Mapping[str, float]) -> Iterator[Finding]:
    """Findings of one rule that pass what is set, which then is part of their ``threshold``."""
    from logparse.findings.registry import RULES

    for finding in findings:
        value, baseline = _both(finding)
        limits = [
            one.limit(finding, numbers[one.name])
            for one in RULES[finding.code].thresholds
            if one.name in numbers
        ]
        up = value >= baseline
        if all(value >= limit if up else value <= limit for limit in limits):
            known = [*limits, *([] if finding.threshold is None else [finding.threshold])]
            yield finding._replace(threshold=(max if up else min)(known)) if limits else finding


def parsed(text: str) -> tuple[str, str, float]:
    """``LP201.min-ratio=1.3`` as code, name and number.

    Raises:
        UsageError: no rule has such a threshold, or it cannot be set to that.
    """
    place, _, number = text.partition("=")
    code, _, name = place.partition(".")
    try:
        return checked(code.strip().upper(), name.strip(), float(number))
    except ValueError:
        raise UsageError(f"{text!r} is not like LP201.min-ratio=1.3") from None


def checked(code: str, name: str, number: object) -> tuple[str, str, float]:
    """A threshold that there is, and a number that it takes.

    Raises:
        UsageError: as of ``parsed``.
    """
    from logparse.findings.registry import load
    from logparse.options import nearest

    rules = load()
    if code not in rules:
        meant = nearest(code, [one for one, rule in rules.items() if rule.thresholds])
        raise UsageError(
            f"no finding has the code {code}{f'; did you mean {meant}?' * bool(meant)}"
        )
    known = {one.name: one for one in rules[code].thresholds}
    if name not in known:
        there = f"it has {', '.join(known)}" if known else "it has none"
        raise UsageError(f"{code} has no threshold {name}; {there}")
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise UsageError(f"{code}.{name}: {number!r} is not a number")
    if not known[name].least <= number < float("inf"):
        raise UsageError(
            f"{code}.{name}: {number:g} is below {known[name].least:g}, from which its rate of "
            "false alarms is known"
            if number < known[name].least
            else f"{code}.{name}: {number} is no finite number"
        )
    return code, name, float(number)


def as_thresholds(texts: Iterable[str]) -> dict[str, dict[str, float]]:
    """``LP201.min-ratio=1.3,LP202.min-seconds=10`` and more of it, by rule; the last one wins.

    Raises:
        UsageError: as of ``parsed``.
    """
    found: dict[str, dict[str, float]] = {}
    for text in (part for one in texts for part in one.split(",") if part.strip()):
        code, name, number = parsed(text)
        found.setdefault(code, {})[name] = number
    return found


def _both(finding: Finding) -> tuple[float, float]:
    """Value and baseline; 0 where the rule has none."""
    return finding.value or 0.0, finding.baseline or 0.0
