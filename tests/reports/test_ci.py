"""Findings -> JUnit, GitHub and SARIF reports: valid against their schemas, safe, and complete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
import xmlschema

import logparse
from logparse.analysis import Failure
from logparse.errors import SourceError
from logparse.reports.ci import make_ci_report
from logparse.reports.output import CI_FORMATS
from tests.comparison.logs import write_log
from tests.reports.conftest import HOSTILE_STRINGS, build

SCHEMAS = Path(__file__).parents[1] / "schemas"


@pytest.fixture(scope="module")
def junit() -> Any:
    return xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd")


@pytest.fixture(scope="module")
def sarif() -> Any:
    schema = json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text())
    checker = jsonschema.Draft4Validator.FORMAT_CHECKER
    return jsonschema.Draft4Validator(schema, format_checker=checker)


def finding(code: str = "LP201", severity: str = "warning", **changes: Any) -> dict[str, Any]:
    row = {"code": code, "severity": severity, "run": 1, "epoch": 7, "line": 12}
    row |= {"message": "Epoch 7 took 41 s.", "advice": "Look.", "value": 41.0, "baseline": 20.0}
    return row | changes


def report(form: str, *logs: Any) -> str:
    made = make_ci_report(form)
    text = "".join(made.start())
    for log in logs:
        text += "".join(made.failure(log) if isinstance(log, Failure) else made.log(log))
    return text + "".join(made.end())


FINE = build({}, name="fine.log")
FOUND = build(
    {
        "findings": [
            finding("LP301", "error", epoch=None, message="nan"),
            finding(),
            finding(epoch=9, line=14),
            finding("LP205", "info", line=None),
        ]
    },
    name="runs/found.log",
)
BROKEN = Failure("broken.log", SourceError("broken.log: cut"))
PASSED_OVER = Failure("a.zip::link", SourceError("a link"), skipped=True)
LOGS = (FINE, FOUND, BROKEN, PASSED_OVER)


def test_junit_counts_what_fails(junit: Any) -> None:
    text = report("junit", *LOGS)
    found = junit.to_dict(text)
    counts = [
        tuple(suite[f"@{key}"] for key in ("name", "tests", "failures", "errors"))
        for suite in found["testsuite"]
    ]
    assert counts == [
        ("fine.log", "1", "0", "0"),
        ("runs/found.log", "4", "2", "0"),
        ("broken.log", "1", "0", "1"),
    ]
    cases = found["testsuite"][1]["testcase"]
    assert [case["@name"] for case in cases] == [
        "read", "LP301 not finite", "LP201 slow epoch", "LP205 periodic stall",
    ]  # fmt: skip
    assert [len(case.get("failure", [])) for case in cases] == [0, 1, 2, 0]
    assert cases[2]["failure"][0]["$"] == "runs/found.log:12: Epoch 7 took 41 s. Look."
    assert cases[3]["system-out"] == ["runs/found.log: Epoch 7 took 41 s. Look."]


def test_github_has_a_command_for_each_finding() -> None:
    at = "file=runs/found.log"
    assert report("github", *LOGS).splitlines() == [
        f"::error {at},line=12,title=LP301 not finite::nan%0ALook.",
        f"::warning {at},line=12,title=LP201 slow epoch::Epoch 7 took 41 s.%0ALook.",
        f"::warning {at},line=14,title=LP201 slow epoch::Epoch 7 took 41 s.%0ALook.",
        f"::notice {at},line=1,title=LP205 periodic stall::Epoch 7 took 41 s.%0ALook.",
        "::error file=broken.log,line=1,title=LP000 log could not be read::broken.log: cut",
    ]


def test_sarif_has_a_result_for_each_finding(sarif: Any) -> None:
    document = json.loads(report("sarif", *LOGS))
    sarif.validate(document)
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["LP201", "LP205", "LP301"]
    assert [
        (one["ruleId"], rules[one["ruleIndex"]], one["level"], region(one))
        for one in run["results"]
    ] == [
        ("LP301", "LP301", "error", 12),
        ("LP201", "LP201", "warning", 12),
        ("LP201", "LP201", "warning", 14),
        ("LP205", "LP205", "note", 1),
    ]
    prints = [one["partialFingerprints"]["logparse/v1"] for one in run["results"]]
    assert len(set(prints)) == 4
    assert run["invocations"][0]["executionSuccessful"] is False
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "broken.log: cut"
    uris = [artifact["location"]["uri"] for artifact in run["artifacts"]]
    assert uris == ["fine.log", "runs/found.log", "broken.log"]


def region(result: Any) -> int:
    (location,) = result["locations"]
    line: int = location["physicalLocation"]["region"]["startLine"]
    return line


def unescaped(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub's runner reads it (actions/runner, ActionCommand.cs)."""
    assert line.startswith("::")
    head, _, data = line[2:].partition("::")
    name, _, rest = head.partition(" ")
    codes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}

    def back(text: str, known: tuple[str, ...]) -> str:
        for code in known:
            text = text.replace(code, codes[code])
        return text

    properties = dict(pair.split("=", 1) for pair in rest.split(","))
    decoded = {key: back(value, tuple(codes)) for key, value in properties.items()}
    return name, decoded, back(data, ("%0D", "%0A", "%25"))


MORE = ["\ufffe\uffff", "]]>", "::error::x", "a,b:c%0A"]
# Half a pair is no text that polars could hold.
HOSTILE = [text for text in HOSTILE_STRINGS if "\ud800" not in text] + MORE


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_everywhere(text: str, junit: Any, sarif: Any) -> None:
    log = build({"findings": [finding(message=text, advice=text, metric=text)]}, name=f"{text}.log")
    reports = {form: report(form, log) for form in CI_FORMATS}
    for made in reports.values():
        assert not {c for c in made if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160}
        assert "\u202e" not in made
    junit.validate(reports["junit"])
    document = json.loads(reports["sarif"])
    sarif.validate(document)
    (line,) = reports["github"].splitlines()
    name, properties, data = unescaped(line)
    assert (name, list(properties)) == ("warning", ["file", "line", "title"])
    message, _, advice = data.partition("\n")
    assert message == advice
    assert properties["file"] == message + ".log"
    (result,) = document["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    if "://" not in text:
        assert unquote(uri).removeprefix("file://") == message + ".log"
    written = result["message"]["text"].replace("{{", "{").replace("}}", "}")
    for char in "[]\\":
        written = written.replace(f"\\{char}", char)
    assert written == f"{message} {message}".rstrip()


def test_numbers_that_are_not_finite_are_named(sarif: Any) -> None:
    log = build({"findings": [finding(value=float("nan"), threshold=float("inf"))]})
    document = json.loads(report("sarif", log))
    sarif.validate(document)
    properties = document["runs"][0]["results"][0]["properties"]
    assert (properties["value"], properties["threshold"]) == ("nan", "inf")


def test_standard_input_has_no_place(sarif: Any, junit: Any) -> None:
    log = build({"findings": [finding()]}, name="<stdin>")
    junit.validate(report("junit", log))
    document = json.loads(report("sarif", log))
    sarif.validate(document)
    assert document["runs"][0]["results"][0]["locations"] == []
    assert report("github", log).startswith("::warning title=LP201 slow epoch::")


def test_no_log_and_nothing_found_are_valid(junit: Any, sarif: Any) -> None:
    for logs in ((), (FINE,)):
        junit.validate(report("junit", *logs))
        sarif.validate(json.loads(report("sarif", *logs)))
        assert report("github", *logs) == ""


def test_a_real_log_in_every_form(sample_logs: Path, junit: Any, sarif: Any) -> None:
    log = logparse.analyze(sample_logs / "seeds" / "003_outer_loop.log")
    junit.validate(report("junit", log))
    document = json.loads(report("sarif", log))
    sarif.validate(document)
    assert len(document["runs"][0]["results"]) == log.findings.height
    assert len(report("github", log).splitlines()) == log.findings.height


def test_a_comparison_in_every_form(tmp_path: Path, junit: Any, sarif: Any) -> None:
    old = write_log(tmp_path / "old.log", [30, 20, 21, 20, 21, 20, 21])
    new = write_log(tmp_path / "new.log", [30, 28, 29, 28, 29, 28, 29])
    found = logparse.compare(old, new, old)
    made = {form: "".join(make_ci_report(form).comparison(found)) for form in CI_FORMATS}
    suites = junit.to_dict(made["junit"])["testsuite"]
    assert [(suite["@name"], suite["@failures"]) for suite in suites] == [
        (str(new), "1"),
        (str(old), "0"),
    ]
    document = json.loads(made["sarif"])
    sarif.validate(document)
    assert [one["ruleId"] for one in document["runs"][0]["results"]] == ["LP501", "LP502"]
    assert made["github"].startswith(f"::warning file={new},line=1,title=LP501 ")
