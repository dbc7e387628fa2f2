"""Problems in, a SARIF 2.1.0 log out, for code scanning dashboards.

The form is OASIS's "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; section
numbers below are its.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from logparse.reading.paths import STDIN_NAME
from logparse.reports.ci import CiReport
from logparse.reports.problems import UNREADABLE, Problem
from logparse.reports.safe import json_text

SCHEMA = "https://json.schemastore.org/sarif-2.1.0-rtm.5.json"

LEVELS = {"error": "error", "warning": "warning", "info": "note"}
"""Level of each severity (3.27.10)."""


class SarifReport(CiReport):
    """One run of one tool over all logs; results are kept until the end."""

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self._names: list[str] = []

    def suite(self, name: str, found: list[Problem]) -> Iterator[str]:
        """Keep what was found in one log."""
        self._names.append(name)
        self._found += found
        yield from ()

    def end(self) -> Iterator[str]:
        """The whole document."""
        unread = [problem for problem in self._found if problem.code == UNREADABLE]
        results = [problem for problem in self._found if problem.code != UNREADABLE]
        codes = sorted({problem.code for problem in results})
        driver = {
            "name": "logparse",
            "version": version("logparse"),
            "rules": [_rule(code) for code in codes],
        }
        run = {
            "tool": {"driver": driver},
            "invocations": [
                {
                    "executionSuccessful": not unread,
                    "toolExecutionNotifications": [_notification(one) for one in unread],
                }
            ],
            "artifacts": [
                {"location": {"uri": uri}} for uri in map(_uri, self._names) if uri is not None
            ],
            "results": [_result(problem, codes.index(problem.code)) for problem in results],
            "columnKind": "unicodeCodePoints",
        }
        document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
        yield json_text(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)) + "\n"


def _rule(code: str) -> dict[str, Any]:
    """A reporting descriptor (3.49)."""
    from logparse.findings.registry import explain, load

    rule = load()[code]
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in rule.name.split()),
        "shortDescription": {"text": _message(rule.name)},
        "fullDescription": {"text": _message(rule.summary)},
        "help": {"text": _message(explain(code))},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
    }


def _result(problem: Problem, index: int) -> dict[str, Any]:
    """A result (3.27)."""
    place = [str(problem.numbers.get(key)) for key in ("run", "epoch", "metric")]
    same = hashlib.sha256("\0".join([problem.code, problem.path, *place]).encode()).hexdigest()
    return {
        "ruleId": problem.code,
        "ruleIndex": index,
        "level": LEVELS[problem.severity],
        "message": {"text": _message(problem.text)},
        "locations": _locations(problem),
        # What a finding keeps from one commit to the next, whatever its line and numbers (3.27.17).
        "partialFingerprints": {"logparse/v1": same},
        "properties": {key: _finite(value) for key, value in problem.numbers.items()},
    }


def _notification(problem: Problem) -> dict[str, Any]:
    """A notification (3.58)."""
    return {
        "level": "error",
        "message": {"text": _message(problem.message)},
        "locations": _locations(problem),
    }


def _locations(problem: Problem) -> list[dict[str, Any]]:
    uri = _uri(problem.path)
    if uri is None:
        return []
    region = {"startLine": problem.line or 1}
    return [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}]


def _uri(path: str) -> str | None:
    """A log's name as a URI reference (3.4.3): relative if it is, a URL as it is."""
    if path.startswith(STDIN_NAME):
        return None
    if "://" in path:
        return quote(path, safe="/:?&=%#@+,;!~*'()$[]")
    name = path.replace(os.sep, "/")
    if name.startswith("/"):
        return "file://" + quote(name)
    # A colon in the first segment of a relative reference would make it a scheme.
    return quote(name)


def _message(text: str) -> str:
    """Plain text as a message string: no placeholder, no link (3.11.5, 3.11.6)."""
    text = text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return text.replace("{", "{{").replace("}", "}}")


def _finite(value: Any) -> Any:
    """JSON has no nan: such a number is its name."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
