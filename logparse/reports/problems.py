"""Findings, failures and comparisons in, one kind of record out: what CI formats report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from logparse.reading.paths import STDIN_NAME
from logparse.reports.safe import visible

if TYPE_CHECKING:
    from logparse.analysis import Analysis, Failure
    from logparse.comparison.compare import Comparison

UNREADABLE = "LP000"
"""Code of a log that could not be read: no rule, since there is nothing to judge."""

UNREADABLE_TITLE = "log could not be read"


class Problem(NamedTuple):
    """One finding of one log. All text is visible: no control or direction characters."""

    code: str
    title: str
    severity: str
    path: str
    """Name of the log as given."""
    line: int | None
    message: str
    advice: str
    numbers: dict[str, Any]
    """Run, epoch, metric, value, baseline, threshold and n, as far as known."""

    @property
    def file(self) -> str | None:
        """The path, where it is one: standard input has none."""
        return None if self.path.startswith(STDIN_NAME) else self.path

    @property
    def text(self) -> str:
        """Message and advice on one line."""
        return f"{self.message} {self.advice}".rstrip()


NUMBERS = ("run", "epoch", "metric", "value", "baseline", "threshold", "n")


def of_log(analysis: Analysis) -> Iterator[Problem]:
    """The findings of a log, worst first."""
    for row in analysis.findings.rows(named=True):
        yield _problem(row, analysis.source.name)


def of_failure(failure: Failure) -> Problem:
    """A log that could not be read."""
    return Problem(
        code=UNREADABLE,
        title=UNREADABLE_TITLE,
        severity="error",
        path=visible(failure.name),
        line=None,
        message=visible(str(failure.error)),
        advice="",
        numbers={},
    )


def of_comparison(comparison: Comparison) -> Iterator[tuple[str, list[Problem]]]:
    """The name of each side but the first, and its findings; then the logs not read."""
    sides = comparison.sides.rows(named=True)
    for side in sides[1:]:
        rows = [row for row in comparison.findings.rows(named=True) if row["side"] == side["side"]]
        yield visible(side["name"]), [_problem(row, side["name"]) for row in rows]
    for failure in comparison.failures:
        yield visible(failure.name), [of_failure(failure)]


def _problem(row: dict[str, Any], path: str) -> Problem:
    from logparse.findings.registry import load

    rules, code = load(), visible(row["code"])
    return Problem(
        code=code,
        title=rules[code].name if code in rules else "",
        severity=row["severity"],
        path=visible(path),
        line=row["line"],
        message=visible(row["message"]),
        advice=visible(row["advice"]),
        numbers={
            key: visible(row[key]) if isinstance(row[key], str) else row[key]
            for key in NUMBERS
            if row[key] is not None
        },
    )
