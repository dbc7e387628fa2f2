"""Problems in, GitHub workflow commands out: an annotation on the log for each.

The form is ``::warning file=F,line=L,title=T::MESSAGE``, as GitHub's documentation of workflow
commands has it, escaped as its runner unescapes it (``toolkit/packages/core/src/command.ts``).
"""

from __future__ import annotations

from collections.abc import Iterator

from logparse.reports.ci import CiReport
from logparse.reports.problems import Problem

COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
"""Command of each severity."""


class GithubReport(CiReport):
    """One line a problem; a log without one gives nothing."""

    def suite(self, name: str, found: list[Problem]) -> Iterator[str]:
        """The problems of one log."""
        for problem in found:
            title = f"{problem.code} {problem.title}".rstrip()
            properties = {"title": title}
            if problem.file is not None:
                properties = {"file": problem.file, "line": str(problem.line or 1)} | properties
            where = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
            text = problem.message + (f"\n{problem.advice}" if problem.advice else "")
            yield f"::{COMMANDS[problem.severity]} {where}::{_data(text)}\n"

    def end(self) -> Iterator[str]:
        """Nothing comes last."""
        yield from ()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
