"""Problems in, a JUnit XML file out, valid against Jenkins' junit-10.xsd.

A log is a test suite. Its test case ``read`` fails with an error if the log could not be read;
each rule with a finding is a test case more. Errors and warnings are failures; what is only worth
knowing (info) is the output of a test that passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from logparse.reports.ci import CiReport
from logparse.reports.problems import UNREADABLE, Problem

FAILURES = ("error", "warning")
"""Severities that fail a test."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write, not even as a reference."""


class JunitReport(CiReport):
    """One test suite a log."""

    def start(self) -> Iterator[str]:
        """The opening."""
        yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="logparse">\n'

    def suite(self, name: str, found: list[Problem]) -> Iterator[str]:
        """One log."""
        unread = [problem for problem in found if problem.code == UNREADABLE]
        by_code: dict[str, list[Problem]] = {}
        for problem in found:
            if problem.code != UNREADABLE:
                by_code.setdefault(problem.code, []).append(problem)
        failed = sum(any(p.severity in FAILURES for p in one) for one in by_code.values())
        yield (
            f"  <testsuite name={_attribute(name)} tests={_attribute(1 + len(by_code))} "
            f'failures={_attribute(failed)} errors={_attribute(len(unread))} skipped="0">\n'
        )
        yield from _case(name, "read", [_element("error", problem) for problem in unread])
        for code, problems in by_code.items():
            yield from _case(name, f"{code} {problems[0].title}".rstrip(), _outcome(problems))
        yield "  </testsuite>\n"

    def end(self) -> Iterator[str]:
        """The closing."""
        yield "</testsuites>\n"


def _outcome(problems: list[Problem]) -> list[str]:
    """Elements of a test case: each failure, then what is only worth knowing."""
    failures = [_element("failure", p) for p in problems if p.severity in FAILURES]
    known = [_place(p) for p in problems if p.severity not in FAILURES]
    if known:
        failures.append(f"      <system-out>{_text(chr(10).join(known))}</system-out>\n")
    return failures


def _case(suite: str, name: str, elements: list[str]) -> Iterator[str]:
    head = f"    <testcase classname={_attribute(suite)} name={_attribute(name)}"
    if not elements:
        yield f"{head}/>\n"
        return
    yield f"{head}>\n"
    yield from elements
    yield "    </testcase>\n"


def _element(kind: str, problem: Problem) -> str:
    return (
        f"      <{kind} type={_attribute(problem.severity)} message={_attribute(problem.message)}>"
        f"{_text(_place(problem))}</{kind}>\n"
    )


def _place(problem: Problem) -> str:
    """``train.log:7: message``, which editors and CI systems can jump to."""
    line = f":{problem.line}" if problem.line else ""
    return f"{problem.path}{line}: {problem.text}"


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))


def _attribute(value: object) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", str(value)))
