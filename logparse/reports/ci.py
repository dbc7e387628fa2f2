"""Problems of one log after the other in, a report out: what junit, github and sarif share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

from logparse.reports import problems
from logparse.reports.problems import Problem
from logparse.reports.safe import visible

if TYPE_CHECKING:
    from logparse.analysis import Analysis, Failure
    from logparse.comparison.compare import Comparison


class CiReport(ABC):
    """A report made of the problems of each log."""

    @abstractmethod
    def suite(self, name: str, found: list[Problem]) -> Iterator[str]:
        """One log, or one side of a comparison, and its problems."""

    def start(self) -> Iterator[str]:
        """What comes before the first log."""
        yield from ()

    def log(self, analysis: Analysis) -> Iterator[str]:
        """One log."""
        yield from self.suite(visible(analysis.source.name), list(problems.of_log(analysis)))

    def failure(self, failure: Failure) -> Iterator[str]:
        """A log that could not be read; what was passed over on purpose is no problem."""
        if not failure.skipped:
            yield from self.suite(visible(failure.name), [problems.of_failure(failure)])

    @abstractmethod
    def end(self) -> Iterator[str]:
        """What comes after the last log."""

    def comparison(self, comparison: Comparison) -> Iterator[str]:
        """A whole report of a comparison."""
        yield from self.start()
        for name, found in problems.of_comparison(comparison):
            yield from self.suite(name, found)
        yield from self.end()


def make_ci_report(format: str) -> CiReport:
    """A report of one of ``output.CI_FORMATS``."""
    if format == "junit":
        from logparse.reports.junit import JunitReport

        return JunitReport()
    if format == "github":
        from logparse.reports.github import GithubReport

        return GithubReport()
    from logparse.reports.sarif import SarifReport

    return SarifReport()
